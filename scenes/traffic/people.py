"""People on foot: ways between doors and parked cars around everything that stands, and walking along them."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from geometry.floorplan import FloorPlan
from scenes.objects import PersonSpec
from scenes.objects.people import STRIDE_M
from scenes.polylines import resampled
from scenes.traffic.boxes import STOREY_M, Array, footprints, overlaps
from scenes.traffic.drivers import Vehicle
from scenes.traffic.parking import Bay, parked_room, standing
from scenes.traffic.routes import STEP_M, smoothed

CELL_M = 0.3
BODY_M = 0.3
"""Kept from walls and parked vehicles."""
CORNERS_M = 0.35
LANE_COST = 2.5
STEPPING_BACK_M = 2.5
PATIENCE_S = 2.0
"""After this time of standing, people look for a way around the vehicles that stand in theirs."""
NEAR_M = 9.0
SHY_M = 1.0
"""Nobody steps into the way of a vehicle that is this near, or moves towards them."""


@dataclass(frozen=True, eq=False)
class Walkways:
    """The free ground of one level as a grid of cells, each joined with the eight around it."""

    plan: FloorPlan
    level: str
    bays: tuple[Bay, ...]

    @cached_property
    def free(self) -> shapely.Geometry:
        """Where the middle of a person can be; the largest part of it, without pockets that nothing leads to."""
        outline = next(level.outline for level in self.plan.levels if level.id == self.level)
        parked = shapely.union_all([parked_room(bay) for bay in self.bays if bay.stall.level == self.level])
        slopes = [ramp.polygon for ramp in self.plan.ramps if self.level in (ramp.from_level, ramp.to_level)]
        solid = shapely.union_all([standing(self.plan, self.level), *slopes])
        free = outline.buffer(-BODY_M) - solid.buffer(BODY_M) - parked.buffer(0.1)
        return max(shapely.get_parts(free), key=shapely.area, default=shapely.Polygon())

    @cached_property
    def cells(self) -> Array:
        """Centres (C, 2) of the free cells."""
        if self.free.is_empty:
            return np.zeros((0, 2))
        low, high = np.array(self.free.bounds).reshape(2, 2)
        x, y = np.meshgrid(*(np.arange(a, b, CELL_M) for a, b in zip(low, high, strict=True)), indexing="ij")
        shapely.prepare(self.free)
        inside = shapely.contains_xy(self.free, x, y)
        return np.column_stack([x[inside], y[inside]])

    @cached_property
    def steps(self) -> coo_array:
        """Lengths (C, C), sparse, between neighbouring cells; on lanes they count ``LANE_COST`` times."""
        lanes = shapely.union_all([lane.line.buffer(1.1) for lane in self.plan.lanes if lane.level == self.level])
        costs = np.where(shapely.contains_xy(lanes, *self.cells.T), LANE_COST, 1.0)
        index = np.round((self.cells - self.cells.min(axis=0)) / CELL_M).astype(np.int64)
        table = np.full(index.max(axis=0) + 3, -1)
        table[tuple((index + 1).T)] = np.arange(len(index))
        pairs, lengths = [], []
        for shift in ((1, 0), (0, 1), (1, 1), (1, -1)):
            other = table[tuple((index + 1 + shift).T)]
            joined = np.flatnonzero(other >= 0)
            pairs.append(np.stack([joined, other[joined]]))
            lengths.append(CELL_M * np.hypot(*shift) * costs[joined])
        rows, columns = np.concatenate(pairs, axis=1)
        return coo_array((np.concatenate(lengths), (rows, columns)), shape=(len(index), len(index)))

    def way(self, start: Array, end: Array, around: shapely.Geometry | None = None) -> Array | None:
        """Return points (N, 2), ``STEP_M`` apart, from ``start`` to ``end``; None where there is no way.

        The first and the last metre, to the nearest free cell, may lead between parked vehicles. The way keeps out of
        ``around``, and rather off the lanes.
        """
        if not len(self.cells):
            return None
        first, last = (int(np.argmin(np.linalg.norm(self.cells - point, axis=1))) for point in (start, end))
        steps = self.steps.copy()
        if around is not None:
            barred = shapely.contains_xy(around, *self.cells.T)
            steps.data = steps.data + 1e4 * (barred[steps.row] | barred[steps.col])
        lengths, before = dijkstra(steps, directed=False, indices=last, return_predecessors=True)
        if lengths[first] > 5e3:
            return None
        chain = [first]
        while chain[-1] != last and before[chain[-1]] >= 0:
            chain.append(int(before[chain[-1]]))
        if chain[-1] != last:
            return None
        points = np.vstack([start, self.cells[chain], end])
        return smoothed(resampled(points, STEP_M), CORNERS_M)


@dataclass(eq=False)
class Walker:
    """A person's mutable state: under way from ``start`` seconds on, ``s`` metres along ``way``."""

    spec: PersonSpec
    start: float
    way: Array
    walkways: Walkways
    elevation: float
    pace: float
    waited: float = 0.0
    walked: float = 0.0
    s: float = 0.0
    v: float = 0.0
    heading: float = 0.0
    gone: bool = False
    position: Array = field(default_factory=lambda: np.zeros(3))

    @property
    def phase(self) -> float:
        """Phase of the stride, -1 for standing."""
        return (
            float(np.mod((self.walked + self.s) / (STRIDE_M * self.spec.height / 1.75), 1.0)) if self.v > 0.05 else -1.0
        )

    def place(self) -> None:
        """Set the pose from ``s``."""
        at = np.array([np.interp(self.s / STEP_M, np.arange(len(self.way)), axis) for axis in self.way.T])
        i = int(np.clip(self.s / STEP_M, 0, len(self.way) - 2))
        direction = self.way[min(i + 3, len(self.way) - 1)] - self.way[max(i - 3, 0)]
        self.heading = float(np.arctan2(direction[1], direction[0]))
        self.position = np.array([*at, self.elevation])


def walk(own: Walker, vehicles: list[Vehicle], step: float) -> None:
    """Walk one time step, or stand while the next steps lead in front of a vehicle, and in the end go around it."""
    waits = _must_wait(own, vehicles)
    if waits and own.s + own.walked == 0:
        own.start += step  # not got out yet
        return
    own.waited = own.waited + step if waits else 0.0
    own.v = 0.0 if waits else min(own.pace, own.v + 1.5 * step)
    own.s += own.v * step
    own.gone = own.s >= STEP_M * (len(own.way) - 1)
    own.s = min(own.s, STEP_M * (len(own.way) - 1))
    own.place()
    if own.waited > PATIENCE_S:
        _go_around(own, vehicles)


def _go_around(own: Walker, vehicles: list[Vehicle]) -> None:
    """Take another way, past the vehicles that stand; where there is none, step back and try again."""
    own.waited = 0.0
    standing_ones = [box for v in _near(own, vehicles) if v.v < 0.05 for box in _taken(v)]
    barred = shapely.union_all(shapely.polygons(np.array(standing_ones).reshape(-1, 4, 2))).buffer(0.4)
    way = own.walkways.way(own.position[:2], own.way[-1], barred)
    if way is None:
        here = int(own.s / STEP_M)
        back = max(0, here - int(STEPPING_BACK_M / STEP_M))
        way = np.concatenate([own.way[here:back:-1], own.way[back:]])
    own.way, own.walked, own.s = way, own.walked + own.s, 0.0


def _near(own: Walker, vehicles: list[Vehicle]) -> list[Vehicle]:
    return [v for v in vehicles if v.position is not None and _is_near(v.position, own.position)]


def _is_near(some: Array, other: Array) -> bool:
    return bool(abs(some[2] - other[2]) < STOREY_M and np.hypot(*(some - other)[:2]) < NEAR_M)


def _must_wait(own: Walker, vehicles: list[Vehicle]) -> bool:
    blocked = [box for v in _near(own, vehicles) for box in _taken(v)]
    if not blocked:
        return False
    ahead = np.clip((own.s + np.array([0.0, 0.35, 0.7, SHY_M])) / STEP_M, 0, len(own.way) - 1).astype(np.int64)
    hits = overlaps(footprints(own.way[ahead], np.zeros(4), (0.4, 0.4)), np.array(blocked))
    return bool((hits[1:].any(axis=0) & ~hits[0]).any())


def _taken(vehicle: Vehicle) -> NDArray[np.float64]:
    """Return where a vehicle is, and where it will be within a second and a half."""
    assert vehicle.trip is not None
    reach = int((1.5 * vehicle.v) / STEP_M) if vehicle.v > 0.3 else 0
    return np.concatenate([vehicle.footprint(), vehicle.trip.boxes[vehicle.at + 4 : vehicle.at + reach + 1 : 4]])


def beside(bay: Bay, *, left: bool) -> Array:
    """Return where somebody gets out of a vehicle parked in a stall: on the line between two stalls."""
    side = 0.5 * bay.width * (1 if left else -1)
    return np.array(bay.middle) + side * np.array([-np.sin(bay.inward), np.cos(bay.inward)])
