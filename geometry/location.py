"""Where positions are in a floor plan: level, zone, stall, lane, and the height of the floor under them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError
from geometry.floorplan import FloorPlan, Lane, Ramp

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

BELOW_FLOOR_M = 0.5
"""A position this far under a floor still is on it, as positions have errors; storeys are further apart."""


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
    """
    positions = np.asarray(positions_in_site, dtype=np.float64)
    if positions.ndim != 2 or positions.shape[1] != 3:
        raise InputError(f"positions are (N, 3), got {positions.shape}")
    points = shapely.points(positions[:, :2])
    level, ramp = _find_floors(plan, positions, points)
    ground = _Ground(plan, points, level, ramp)
    return Located(
        level=level,
        ramp=ramp,
        zone=ground.smallest(plan.zones),
        stall=ground.smallest(plan.stalls),
        lane=ground.nearest(plan.lanes),
    )


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


class _Ground:
    """Located points, to look for the elements of a plan under them."""

    def __init__(self, plan: FloorPlan, points: NDArray[Any], level: Indices, ramp: Indices) -> None:
        self.points, self.level = points, level
        self.level_index = {floor.id: index for index, floor in enumerate(plan.levels)}
        ends = [(self.level_index[ramp.from_level], self.level_index[ramp.to_level]) for ramp in plan.ramps]
        self.ends = np.array([*ends, (-1, -1)], dtype=np.int64)[ramp]

    def smallest(self, elements: Sequence[Any]) -> Indices:
        """Return the smallest polygon under each point."""
        shapes = np.array([element.polygon for element in elements], dtype=object)
        point, element = self._pairs(shapes, elements)
        return _cheapest(len(self.points), point, shapely.area(shapes)[element], element)

    def nearest(self, lanes: Sequence[Lane]) -> Indices:
        """Return the lane under each point that has the nearest middle."""
        lines = np.array([lane.line for lane in lanes], dtype=object)
        shapes = shapely.buffer(lines, np.array([lane.width / 2 for lane in lanes]), cap_style="flat")
        point, lane = self._pairs(shapes, lanes)
        return _cheapest(len(self.points), point, shapely.distance(lines[lane], self.points[point]), lane)

    def _pairs(self, shapes: NDArray[Any], elements: Sequence[Any]) -> tuple[Indices, Indices]:
        """Return (point, element) for each point inside a shape of its level, or of either end of its ramp."""
        point, element = shapely.STRtree(shapes).query(self.points, predicate="intersects")
        level = np.array([self.level_index[element.level] for element in elements], dtype=np.int64)[element]
        same = (self.level[point] == level) | (self.ends[point] == level[:, None]).any(axis=1)
        return point[same], element[same]


def _find_floors(plan: FloorPlan, positions: Array, points: NDArray[Any]) -> tuple[Indices, Indices]:
    """Return the level and the ramp, (N,) indices, on whose floor each position is."""
    elevations = np.array([level.elevation for level in plan.levels])
    tops = elevations + np.array([level.ceiling or np.inf for level in plan.levels])
    index = {level.id: number for number, level in enumerate(plan.levels)}
    ends = [sorted((index[r.from_level], index[r.to_level]), key=elevations.__getitem__) for r in plan.ramps]
    lower, upper = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    ramp_point, ramp = _query([ramp.polygon for ramp in plan.ramps], points)
    level_point, level = _query([level.outline for level in plan.levels], points)
    opening = np.isin(level_point * len(elevations) + level, ramp_point * len(elevations) + upper[ramp])
    level_point, level = level_point[~opening], level[~opening]
    slope = np.zeros(len(ramp))
    for number, element in enumerate(plan.ramps):
        slope[ramp == number] = ramp_height(element, positions[ramp_point[ramp == number], :2])
    nearer = np.where(2 * slope > elevations[lower[ramp]] + elevations[upper[ramp]], upper[ramp], lower[ramp])
    point = np.concatenate([ramp_point, level_point])
    height = np.concatenate([slope, elevations[level]])
    top = np.concatenate([tops[upper[ramp]], tops[level]])
    z = positions[point, 2]
    fits = (height <= z + BELOW_FLOOR_M) & (z <= top + BELOW_FLOOR_M)
    floors = np.concatenate([nearer, level]), np.concatenate([ramp, np.full(len(level), -1)])
    found = [_cheapest(len(positions), point[fits], -height[fits], floor[fits]) for floor in floors]
    return found[0], found[1]


def _query(shapes: Sequence[Any], points: NDArray[Any]) -> tuple[Indices, Indices]:
    point, shape = shapely.STRtree(shapes).query(points, predicate="intersects")
    return point, shape


def _cheapest(count: int, point: Indices, cost: Array, value: Indices) -> Indices:
    """Return for each of ``count`` points the value of least cost, the first one of equals, and -1 for none."""
    found = np.full(count, -1, dtype=np.int64)
    dearest_first = np.argsort(-cost[::-1], kind="stable")
    found[point[::-1][dearest_first]] = value[::-1][dearest_first]
    return found


def _distance_from_line(points: Array, a: Array, b: Array) -> Array:
    """Return the distance (N,) of points (N, 2) from the line through a and b, 0 on its right."""
    direction = (b - a) / np.linalg.norm(b - a)
    offset = points - a
    return np.maximum(direction[0] * offset[:, 1] - direction[1] * offset[:, 0], 0.0)
