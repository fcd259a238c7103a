"""Where positions are in a floor plan: level, zone, stall, lane, and the height of the floor under them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError
from geometry.floorplan import FloorPlan, Lane, Ramp
from geometry.plan_raster import UNSURE, PlanRaster

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Cost = Callable[[NDArray[Any], Indices], Array]

BELOW_FLOOR_M = 0.5
"""A position this far under a floor still is on it, as positions have errors; storeys are further apart."""
MANY_POSITIONS = 20_000
"""From here on rasters are worth their making."""
CHUNK = 2**17
"""Positions that are located at once, which bounds the memory."""


@dataclass(frozen=True, kw_only=True)
class Located:
    """Indices into the plan's tuples, (N,) int64 each, -1 for none; on a ramp, ``level`` is the nearer end's."""

    level: Indices
    ramp: Indices
    zone: Indices
    stall: Indices
    lane: Indices


def locate(plan: FloorPlan, positions_in_site: ArrayLike) -> Located:
    """Find level, ramp, zone, stall and lane of positions (N, 3) in site metres, which may be above their floor.

    The floor of a position is the highest one that is at or below it (``BELOW_FLOOR_M`` of tolerance) with the
    ceiling above it. A ramp's floor follows its profile, and there the ramp's upper level has no floor. Of several
    zones or stalls the smallest counts, of several lanes the one with the nearest middle. A NaN is nowhere.

    Where positions come again and again, keep a ``Locator``, which prepares the plan once.
    """
    return Locator(plan).locate(positions_in_site)


class Locator:
    """A plan prepared for ``locate``; the answers are the same.

    Many positions are looked up in rasters first, and only those near an edge are tested against polygons.
    """

    def __init__(self, plan: FloorPlan) -> None:
        self.plan = plan
        index = {level.id: number for number, level in enumerate(plan.levels)}

        def levels(elements: Sequence[Any], key: str = "level") -> Indices:
            return np.array([index[getattr(element, key)] for element in elements], dtype=np.int64)

        ends = np.column_stack([levels(plan.ramps, "from_level"), levels(plan.ramps, "to_level")])
        self._floors = _Floors(plan, ends)
        # A position on a ramp may be in what stands on the level at either end.
        on_floor = np.concatenate([np.repeat(np.arange(len(index))[:, None], 2, axis=1), ends])
        self._zones = _smallest(plan.zones, levels(plan.zones), on_floor)
        self._stalls = _smallest(plan.stalls, levels(plan.stalls), on_floor)
        self._lanes = _nearest(plan.lanes, levels(plan.lanes), on_floor)

    def locate(self, positions_in_site: ArrayLike) -> Located:
        """Find level, ramp, zone, stall and lane of positions (N, 3), as the function ``locate`` does."""
        positions = np.asarray(positions_in_site, dtype=np.float64)
        if positions.ndim != 2 or positions.shape[1] != 3:
            raise InputError(f"positions are (N, 3), got {positions.shape}")
        many = len(positions) >= MANY_POSITIONS
        found = np.full((5, len(positions)), -1, dtype=np.int64)
        for first in range(0, len(positions), CHUNK):
            part = slice(first, first + CHUNK)
            found[:, part] = self._locate(positions[part], many)
        level, ramp, zone, stall, lane = found
        return Located(level=level, ramp=ramp, zone=zone, stall=stall, lane=lane)

    def _locate(self, positions: Array, many: bool) -> Indices:
        level, ramp = self._floors.find(positions, many)
        found = np.full((5, len(positions)), -1, dtype=np.int64)
        found[:2] = level, ramp
        on = np.flatnonzero(level >= 0)
        floor = np.where(ramp >= 0, len(self.plan.levels) + ramp, level)[on]
        for row, elements in enumerate((self._zones, self._stalls, self._lanes), start=2):
            found[row, on] = elements.find(positions[on, :2], floor, many)
        return found


def floor_height(plan: FloorPlan, points_in_site: ArrayLike, level: int | ArrayLike) -> Array:
    """Return the height (N,) in site metres of the floor under points (N, 2) of levels, given by index, one or (N,).

    On a ramp that begins or ends on the level it is the ramp's; off the level and its ramps it is NaN.
    """
    xy = np.asarray(points_in_site, dtype=np.float64)
    levels = np.broadcast_to(np.asarray(level, dtype=np.int64), len(xy))
    points = shapely.points(xy)
    heights = np.full(len(xy), np.nan)
    for index, floor in enumerate(plan.levels):
        here = levels == index
        heights[here] = np.where(shapely.intersects(floor.outline, points[here]), floor.elevation, np.nan)
        for ramp in plan.ramps:
            if floor.id in (ramp.from_level, ramp.to_level):
                on_ramp = np.flatnonzero(here)[shapely.intersects(ramp.polygon, points[here])]
                heights[on_ramp] = ramp_height(ramp, xy[on_ramp])
    return heights


def ramp_height(ramp: Ramp, points_in_site: ArrayLike) -> Array:
    """Return the height (N,) in site metres of a ramp's surface at points (N, 2), level with its ends beyond them.

    s goes from the first edge to the third in proportion to the distances from both.
    """
    xy = np.asarray(points_in_site, dtype=np.float64)
    corners = np.array(ramp.polygon.exterior.coords)
    if not ramp.polygon.exterior.is_ccw:
        corners = corners[[1, 0, 3, 2]]
    first, third = _distance_from_line(xy, corners[0], corners[1]), _distance_from_line(xy, corners[2], corners[3])
    s, z = np.array(ramp.profile).T
    return np.asarray(np.interp(s[-1] * first / np.maximum(first + third, 1e-12), s, z))


def lane_path(plan: FloorPlan, lane: Lane, spacing: float = 0.5) -> Array:
    """Return points (N, 3) along a lane's middle in site metres, at most ``spacing`` apart, at the floor's height."""
    xy = shapely.get_coordinates(shapely.segmentize(lane.line, spacing))
    levels = {level.id: level.elevation for level in plan.levels}
    heights = np.full(len(xy), levels[lane.level])
    for ramp in plan.ramps:
        on_ramp = np.flatnonzero(shapely.intersects(ramp.polygon, shapely.points(xy)))
        if len(on_ramp) and lane.level in (ramp.from_level, ramp.to_level):
            heights[on_ramp] = ramp_height(ramp, xy[on_ramp])
            heights[on_ramp[-1] + 1 :] = heights[on_ramp[-1]]
    return np.column_stack([xy, heights])


class _Elements:
    """Shapes of the elements of one kind, of which the one of least cost is over a point."""

    def __init__(
        self,
        shapes: NDArray[Any],
        level: Indices,
        levels_of_floor: Indices,
        cost: Cost,
        *,
        dearest_first: Indices | None,
    ) -> None:
        """Take shapes (S,), their level (S,), the two levels (F, 2) whose elements are on a floor, the cost of pairs.

        dearest_first: the order of the shapes (S,), None where costs differ from point to point
        """
        self.shapes, self.level, self.levels_of_floor, self.cost = shapes, level, levels_of_floor, cost
        self.dearest_first = dearest_first
        self.tree = shapely.STRtree(shapes)

    @cached_property
    def raster(self) -> PlanRaster:
        order = np.arange(len(self.shapes)) if self.dearest_first is None else self.dearest_first
        layers = [order[np.isin(self.level[order], levels)] for levels in self.levels_of_floor]
        return PlanRaster(self.shapes, layers, alone=self.dearest_first is None)

    def find(self, xy: Array, floor: Indices, many: bool) -> Indices:
        """Return the shape, or -1, over each point (N, 2) of a floor (N,)."""
        found = self.raster.look_up(xy, floor) if many else np.full(len(xy), UNSURE)
        unsure = np.flatnonzero(found == UNSURE)
        points = shapely.points(xy[unsure])
        point, shape = self.tree.query(points, predicate="intersects")
        same = (self.levels_of_floor[floor[unsure][point]] == self.level[shape, None]).any(axis=1)
        point, shape = point[same], shape[same]
        found[unsure] = _cheapest(len(unsure), point, self.cost(points[point], shape), shape)
        return found


def _smallest(elements: Sequence[Any], level: Indices, levels_of_floor: Indices) -> _Elements:
    """Return elements of which the smallest counts."""
    shapes = np.array([element.polygon for element in elements], dtype=object)
    areas = shapely.area(shapes)
    dearest_first = np.lexsort((-np.arange(len(shapes)), -areas))
    return _Elements(shapes, level, levels_of_floor, lambda _, shape: areas[shape], dearest_first=dearest_first)


def _nearest(lanes: Sequence[Lane], level: Indices, levels_of_floor: Indices) -> _Elements:
    """Return lanes, of which the one with the nearest middle counts."""
    lines = np.array([lane.line for lane in lanes], dtype=object)
    shapes = shapely.buffer(lines, np.array([lane.width / 2 for lane in lanes]), cap_style="flat")

    def distance(points: NDArray[Any], lane: Indices) -> Array:
        return np.asarray(shapely.distance(lines[lane], points))

    return _Elements(shapes, level, levels_of_floor, distance, dearest_first=None)


class _Floors:
    """The floors of a plan: its ramps, then its levels, which have none where a ramp arrives."""

    def __init__(self, plan: FloorPlan, ends: Indices) -> None:
        self.ramps = plan.ramps
        self.elevations = np.array([level.elevation for level in plan.levels])
        self.tops = self.elevations + np.array([level.ceiling or np.inf for level in plan.levels])
        swapped = self.elevations[ends[:, 0]] > self.elevations[ends[:, 1]]
        self.lower, self.upper = np.where(swapped[:, None], ends[:, ::-1], ends).T
        shapes = [*(ramp.polygon for ramp in plan.ramps), *(level.outline for level in plan.levels)]
        self.shapes = np.array(shapes, dtype=object)
        shapely.prepare(self.shapes)

    @cached_property
    def raster(self) -> PlanRaster:
        return PlanRaster(self.shapes, list(np.arange(len(self.shapes))[:, None]))

    def find(self, positions: Array, many: bool) -> tuple[Indices, Indices]:
        """Return the level and the ramp, (N,) indices, on whose floor each position is, of several the highest."""
        level = np.full(len(positions), -1, dtype=np.int64)
        ramp = level.copy()
        highest = np.full(len(positions), -np.inf)
        openings = {int(high): np.zeros(len(positions), dtype=bool) for high in self.upper}
        for number, element in enumerate(self.ramps):
            low, high = int(self.lower[number]), int(self.upper[number])
            on = np.flatnonzero(self._over(number, positions, many))
            openings[high][on] = True
            height = ramp_height(element, positions[on, :2])
            nearer = np.where(2 * height > self.elevations[low] + self.elevations[high], high, low)
            fits = _fits(height, positions[on, 2], self.tops[high]) & (height > highest[on])
            chosen = on[fits]
            level[chosen], ramp[chosen], highest[chosen] = nearer[fits], number, height[fits]
        for number, elevation in enumerate(self.elevations.tolist()):
            fits = _fits(elevation, positions[:, 2], self.tops[number]) & (elevation > highest)
            chosen = np.flatnonzero(fits & ~openings[number] if number in openings else fits)
            chosen = chosen[self._over(len(self.ramps) + number, positions[chosen], many)]
            level[chosen], ramp[chosen], highest[chosen] = number, -1, elevation
        return level, ramp

    def _over(self, floor: int, positions: Array, many: bool) -> NDArray[np.bool_]:
        """Tell which positions (N, 3) are over a floor's polygon."""
        if not many:
            return np.asarray(shapely.intersects_xy(self.shapes[floor], positions[:, :2]))
        found = self.raster.look_up(positions[:, :2], np.full(len(positions), floor))
        over = found == floor
        unsure = np.flatnonzero(found == UNSURE)
        over[unsure] = shapely.intersects_xy(self.shapes[floor], positions[unsure, :2])
        return over


def _fits(height: float | Array, z: Array, top: float) -> NDArray[np.bool_]:
    """Tell whether positions at ``z`` are on a floor at ``height`` under a ceiling at ``top``."""
    return np.asarray((height <= z + BELOW_FLOOR_M) & (z <= top + BELOW_FLOOR_M))


def _cheapest(count: int, point: Indices, cost: Array, value: Indices) -> Indices:
    """Return for each of ``count`` points the value of least cost, the first one of equals, and -1 for none."""
    found = np.full(count, -1, dtype=np.int64)
    dearest_first = np.lexsort((value, cost))[::-1]
    found[point[dearest_first]] = value[dearest_first]
    return found


def _distance_from_line(points: Array, a: Array, b: Array) -> Array:
    """Return the distance (N,) of points (N, 2) from the line through a and b, 0 on its right."""
    direction = (b - a) / np.linalg.norm(b - a)
    offset = points - a
    return np.maximum(direction[0] * offset[:, 1] - direction[1] * offset[:, 0], 0.0)
