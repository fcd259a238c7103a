"""The oracle of ``locate``: each position is tested against each polygon that a tree finds near it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geometry.floorplan import FloorPlan, Lane
from geometry.location import BELOW_FLOOR_M, Located, ramp_height

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def locate_plainly(plan: FloorPlan, positions_in_site: ArrayLike) -> Located:
    """Locate positions (N, 3) as ``locate`` does."""
    positions = np.asarray(positions_in_site, dtype=np.float64)
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
    rank = np.concatenate([ramp, len(plan.ramps) + level])
    best = _cheapest(len(positions), point[fits], -height[fits], rank[fits])
    found_level = np.where(best >= 0, best - len(plan.ramps), -1)
    on_ramp = (best >= 0) & (best < len(plan.ramps))
    for number in np.flatnonzero(on_ramp):
        found_level[number] = nearer[(ramp_point == number) & (ramp == best[number])][0]
    return found_level, np.where(on_ramp, best, -1)


def _query(shapes: Sequence[Any], points: NDArray[Any]) -> tuple[Indices, Indices]:
    point, shape = shapely.STRtree(shapes).query(points, predicate="intersects")
    return point, shape


def _cheapest(count: int, point: Indices, cost: Array, value: Indices) -> Indices:
    """Return for each of ``count`` points the value of least cost, the first one of equals, and -1 for none."""
    found = np.full(count, -1, dtype=np.int64)
    dearest_first = np.lexsort((value, cost))[::-1]
    found[point[dearest_first]] = value[dearest_first]
    return found
