"""Gates of a plan as lines that tracks are before or beyond."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry.floorplan import FloorPlan, Gate
from geometry.track_records import TrackRow

Array = NDArray[np.float64]


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
        offset = xy - self.middle
        return float(offset @ self.inward), max(0.0, abs(float(offset @ self.along)) - self.half)

    def sigma(self, row: TrackRow) -> float:
        """Return the standard deviation of how far a row is inside of the line, 0 where it is not known."""
        if row.position_covariance is None:
            return 0.0
        return sqrt(max(float(self.inward @ np.array(row.position_covariance)[:2, :2] @ self.inward), 0.0))


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
