"""How vehicles get from where they stand to the lanes, and from the lanes to where they will stand."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry.floorplan import FloorPlan
from geometry.location import Located, lane_path, locate

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

MANOEUVRE_M = 3.0
"""By how much the straight way to a lane may be longer than that to the nearest lane, to swing in or out."""
CELL_M = 1.0  # lanes are looked up for cells, and measured from the positions in them


@dataclass(frozen=True, kw_only=True)
class Approaches:
    """Pairs (P,) of a position and a lane in its reach, ordered by position and lane.

    to_start, to_end: metres to the lane's beginning and end, the least of a straight way to a point of the lane in
        reach and the lane from there
    first, last: between which metres of the lane it is in reach
    """

    position: Indices
    lane: Indices
    to_start: Array
    to_end: Array
    first: Array
    last: Array


class LaneSegments:
    """The straight pieces of a plan's lanes, on the floor (a level or a ramp) where each runs."""

    def __init__(self, plan: FloorPlan) -> None:
        self.levels = len(plan.levels)
        paths = [_corners(lane_path(plan, lane)) for lane in plan.lanes]
        lengths = [np.linalg.norm(np.diff(path, axis=0), axis=1) for path in paths]
        self.lane = np.repeat(np.arange(len(paths)), [len(each) for each in lengths])
        self.length = np.array([each.sum() for each in lengths])
        self.start = np.concatenate([path[:-1] for path in paths] or [np.zeros((0, 3))])
        self.end = np.concatenate([path[1:] for path in paths] or [np.zeros((0, 3))])
        self.last = np.concatenate([np.cumsum(each) for each in lengths] or [np.zeros(0)])
        self.first = self.last - np.linalg.norm(self.end - self.start, axis=1)
        level_of = {level.id: number for number, level in enumerate(plan.levels)}
        own_level = np.array([level_of[lane.level] for lane in plan.lanes], dtype=np.int64)[self.lane]
        on = self.floors(locate(plan, (self.start + self.end) / 2))
        floor = np.where(on >= 0, on, own_level)  # a lane may begin outside the outline
        self.of_floor = {int(each): np.flatnonzero(floor == each) for each in np.unique(floor)}
        lines = shapely.linestrings(np.stack([self.start[:, :2], self.end[:, :2]], axis=1))
        self.trees = {each: shapely.STRtree(lines[members]) for each, members in self.of_floor.items()}

    def floors(self, located: Located) -> Indices:
        """Return the floor (N,) of located positions: levels by index, then ramps; -1 for none."""
        return np.where(located.ramp >= 0, self.levels + located.ramp, located.level)

    def approaches(self, points: Array, floor: Indices) -> Approaches:
        """Return the lanes in reach of points (N, 2) on floors (N,), over the floor that they are on.

        In reach is a straight way ``MANOEUVRE_M`` longer than that to the nearest lane, whatever stands in between.
        """
        parts = [self._pairs(points, np.flatnonzero(floor == each), each) for each in self.of_floor]
        point, segment = np.concatenate([np.zeros((2, 0), dtype=np.int64), *parts], axis=1)
        offset, along = points[point] - self.start[segment, :2], (self.end - self.start)[segment, :2]
        squared = (along**2).sum(axis=1)
        foot = (offset * along).sum(axis=1) / squared
        distance = _norm(offset - np.clip(foot, 0, 1)[:, None] * along)
        nearest = np.full(len(points), np.inf)
        np.minimum.at(nearest, point, distance)
        reach = nearest[point] + MANOEUVRE_M
        kept = np.flatnonzero(distance <= reach)
        point, segment, offset, along = point[kept], segment[kept], offset[kept], along[kept]
        aside = (offset[:, 0] * along[:, 1] - offset[:, 1] * along[:, 0]) ** 2 / squared[kept]
        half = np.sqrt(np.maximum(reach[kept] ** 2 - aside, 0.0) / squared[kept])
        begin, finish = np.clip(foot[kept] - half, 0, 1), np.clip(foot[kept] + half, 0, 1)
        first = self.first[segment] + begin * (self.last - self.first)[segment]
        last = self.first[segment] + finish * (self.last - self.first)[segment]
        lane = self.lane[segment]
        # The further along, the better: a straight way is never longer than one with a bend.
        to_start = first + _norm(offset - begin[:, None] * along)
        to_end = self.length[lane] - last + _norm(offset - finish[:, None] * along)
        return _by_lane(point, lane, to_start, to_end, first, last)

    def _pairs(self, points: Array, here: Indices, floor: int) -> NDArray[np.int64]:
        """Return (2, P) points and the segments of a floor that may be in their reach, in order of the points."""
        if len(here) == 0:
            return np.zeros((2, 0), dtype=np.int64)
        cells, cell = _cells(points[here])
        centres: NDArray[Any] = shapely.points((cells + 0.5) * CELL_M)
        tree = self.trees[floor]
        near, distance = tree.query_nearest(centres, all_matches=False, return_distance=True)
        reach = np.empty(len(cells))
        reach[near[0]] = distance + MANOEUVRE_M + np.sqrt(2.0) * CELL_M
        of_cell, segment = tree.query(centres, predicate="dwithin", distance=reach)
        order = np.lexsort((segment, of_cell))
        segment = segment[order]
        begins = np.searchsorted(of_cell[order], np.arange(len(cells) + 1))
        counts = np.diff(begins)[cell]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.stack(
            [np.repeat(here, counts), self.of_floor[floor][segment[np.repeat(begins[cell], counts) + within]]]
        )


def _by_lane(point: Indices, lane: Indices, to_start: Array, to_end: Array, first: Array, last: Array) -> Approaches:
    """Put the segments of a lane that are in reach of one point together; both are in order of the points."""
    order = np.lexsort((lane, point))
    new = np.ones(len(point), dtype=bool)
    new[1:] = (np.diff(point[order]) != 0) | (np.diff(lane[order]) != 0)
    groups = np.flatnonzero(new)

    def reduced(reduce: np.ufunc, values: Array) -> Array:
        return np.asarray(reduce.reduceat(values[order], groups) if len(groups) else np.zeros(0))

    return Approaches(
        position=point[order][groups],
        lane=lane[order][groups],
        to_start=reduced(np.minimum, to_start),
        to_end=reduced(np.minimum, to_end),
        first=reduced(np.minimum, first),
        last=reduced(np.maximum, last),
    )


def _cells(points: Array) -> tuple[Array, Indices]:
    """Return the cells (C, 2) that hold points (N, 2), as multiples of ``CELL_M``, and the cell (N,) of each point."""
    steps = np.floor(points / CELL_M)
    low = steps.min(axis=0)
    columns = np.ptp(steps[:, 0]) + 1
    keys, cell = np.unique((steps[:, 1] - low[1]) * columns + steps[:, 0] - low[0], return_inverse=True)
    return np.column_stack([keys % columns, keys // columns]) + low, cell


def _corners(path: Array) -> Array:
    """Return a path (N, 3) without the points that lie straight between their neighbours."""
    steps = np.diff(path, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    path, steps = path[np.append(lengths > 0, True)], steps[lengths > 0] / lengths[lengths > 0, None]
    bends = np.linalg.norm(np.diff(steps, axis=0), axis=1) > 1e-9
    return path[np.concatenate([[True], bends, [True]])]


def _norm(vectors: Array) -> Array:
    return np.asarray(np.hypot(vectors[:, 0], vectors[:, 1]))
