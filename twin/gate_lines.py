"""Gates of a plan as lines that tracks are before or beyond."""

from dataclasses import dataclass
from math import sqrt
from typing import Literal, NamedTuple, Self

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry.floorplan import FloorPlan, Gate
from geometry.track_records import TrackRow

Array = NDArray[np.float64]

AT_GATE_M, BESIDE_M, SAME_LEVEL_M = 1.5, 1.0, 1.5
"""How near to its line, and to its ends, one is at a gate, and how near to its floor on its level."""
ABREAST_M = 1.5
"""Two that pass so far beside each other are two."""
DEEPER_M = 1.0
"""Further inside than where it waits, by more than it is off."""


@dataclass(frozen=True, eq=False)
class GateLine:
    """A gate as its middle, the unit direction into the site, the one along it, and half its length."""

    gate: Gate
    middle: Array
    inward: Array
    along: Array
    half: float

    def place(self, xy: Array) -> tuple[float, float]:
        """Return how far a point (2,) is inside of the line, and how far beside its ends."""
        inside, beside = self.places(xy)
        return float(inside), float(beside)

    def places(self, xy: Array) -> tuple[Array, Array]:
        """Return the same (...,) of points (..., 2)."""
        offset = xy - self.middle
        return offset @ self.inward, np.maximum(0.0, np.abs(offset @ self.along) - self.half)

    def sigma(self, row: TrackRow) -> float:
        """Return the standard deviation of how far a row is inside of the line, 0 where it is not known."""
        if row.position_covariance is None:
            return 0.0
        return sqrt(max(float(self.inward @ np.array(row.position_covariance)[:2, :2] @ self.inward), 0.0))


class GatePassage(NamedTuple):
    """What was told: gate, which way, of which track, when, and how far along the line."""

    gate: str
    kind: str
    track: int | None
    time: float
    along: float

    def is_that_of(self, other: Self, headway_s: float) -> bool:
        """Whether two tracks tell of one vehicle."""
        same = (self.gate, self.kind) == (other.gate, other.kind) and self.track != other.track
        return same and abs(self.time - other.time) < headway_s and abs(self.along - other.along) < ABREAST_M


def gate_line(gate: Gate, plan: FloorPlan) -> GateLine:
    """Return a gate with the way into the site: along the lanes that pass it, else to the middle of its level."""
    start, end = np.array(gate.line.coords[0])[:2], np.array(gate.line.coords[-1])[:2]
    along = (end - start) / np.linalg.norm(end - start)
    normal = np.array([-along[1], along[0]])
    level = next(level for level in plan.levels if level.id == gate.level)
    middle = (start + end) / 2
    centre = np.array(level.outline.centroid.coords[0])
    inward = normal if (centre - middle) @ normal >= 0 else -normal
    ways = []
    for lane in plan.lanes:
        if lane.level == gate.level and lane.oneway and shapely.intersects(lane.line, gate.line):
            at = shapely.line_locate_point(lane.line, shapely.Point(middle))
            a, b = (shapely.line_interpolate_point(lane.line, s) for s in (max(at - 0.5, 0.0), at + 0.5))
            ways.append(np.array([b.x - a.x, b.y - a.y]))
    if ways and gate.direction != "both":
        going = np.sum(ways, axis=0) * (1 if gate.direction == "in" else -1)
        inward = normal if going @ normal >= 0 else -normal
    return GateLine(gate, middle, inward, along, float(np.linalg.norm(end - start)) / 2)


def at_gates(plan: FloorPlan, positions: Array, *directions: Literal["in", "out", "both"]) -> NDArray[np.bool_]:
    """Tell which positions (N, 3) are at a gate of one of the directions."""
    there = np.zeros(len(positions), dtype=np.bool_)
    for gate in plan.gates:
        if gate.direction in directions:
            there |= _is_at(plan, gate_line(gate, plan), positions)
    return there


def turns_back(plan: FloorPlan, starts: Array, ends: Array) -> NDArray[np.bool_]:
    """Tell which vehicles would pass a one-way gate against its way, to come from starts (N, 3) to ends (N, 3).

    What is at a gate by which one only comes in, and less far inside than it was, came by it: it was not inside, unless
    it was at a gate by which one leaves, and came back by the street. In the same way what was at a gate by which one
    only leaves is not further inside afterwards, unless at a gate by which one comes in.
    """
    turns = np.zeros(len(starts), dtype=np.bool_)
    for gate in plan.gates:
        if gate.direction == "both":
            continue
        line = gate_line(gate, plan)
        at, other = (ends, starts) if gate.direction == "in" else (starts, ends)
        by_street = at_gates(plan, other, "out" if gate.direction == "in" else "in", "both")
        deeper = line.places(other[:, :2])[0] > line.places(at[:, :2])[0] + DEEPER_M
        turns |= deeper & _is_at(plan, line, at) & ~by_street
    return turns


def _is_at(plan: FloorPlan, line: GateLine, positions: Array) -> NDArray[np.bool_]:
    floor = next(level.elevation for level in plan.levels if level.id == line.gate.level)
    inside, beside = line.places(positions[:, :2])
    on_level = np.abs(positions[:, 2] - floor) < SAME_LEVEL_M
    return np.asarray(on_level & (np.abs(inside) < AT_GATE_M) & (beside <= BESIDE_M))
