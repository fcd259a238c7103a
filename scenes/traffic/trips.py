"""Trips: the whole way of a vehicle from a gate into a stall or back, with where it must stop and wait its turn."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geometry.lane_graph import Drive
from scenes.traffic.boxes import Array, footprints, overlaps
from scenes.traffic.following import foreseen_limits
from scenes.traffic.parking import Manoeuvre
from scenes.traffic.routes import OUTSIDE_M, STEP_M, Path, Roads, joined, lane_path

SENSING_MARGIN_M = 0.3
"""How much wider and longer than itself a driver takes the vehicle to be."""
SETTLING_M = 2.5
"""Over this distance a vehicle comes to stand where in its stall it will."""
BRAKING = 1.5
EVERY = 5
"""Path points between two footprints of a zone."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Zone:
    """Ground that a vehicle needs for itself before it passes ``hold``, until it has passed ``release``, path indices.

    boxes: (J, 4, 2) footprints with the drivers' margin; z: (J,) their heights
    """

    hold: int
    release: int
    boxes: Array
    z: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Trip:
    """A way with what depends on the vehicle's ``size`` (length, width)."""

    path: Path
    size: tuple[float, float]
    zones: tuple[Zone, ...]

    @cached_property
    def boxes(self) -> Array:
        """Footprints (N, 4, 2) along the way, grown by the margin that drivers keep."""
        return footprints(self.path.position, self.path.heading, grown(self.size))

    @cached_property
    def stops(self) -> NDArray[np.int64]:
        """Indices where the vehicle comes to a stop: where it changes gear, and the end of a way into a stall."""
        return np.append(np.flatnonzero(np.diff(self.path.gear) != 0), len(self.path) - 1)

    @cached_property
    def limits(self) -> Array:
        """Speed limits (N,), m/s, lowered ahead of bends."""
        return foreseen_limits(self.path.limit, STEP_M, BRAKING)


def grown(size: tuple[float, float]) -> tuple[float, float]:
    """Return a vehicle's length and width with the margin that drivers keep."""
    return size[0] + SENSING_MARGIN_M, size[1] + SENSING_MARGIN_M


@dataclass(frozen=True, kw_only=True)
class Askew:
    """How a vehicle stands off the middle of its stall: metres along and across its heading, and radians."""

    along: float = 0.0
    across: float = 0.0
    turn: float = 0.0


def trip_in(roads: Roads, route: list[Drive], into: Manoeuvre, size: tuple[float, float], askew: Askew) -> Trip:
    """Return the trip from outside the gate along ``route`` into a stall."""
    on_lanes = lane_path(roads, route, -OUTSIDE_M, into.start)
    path = joined([on_lanes, stood_askew(into.path, askew)])
    first = len(on_lanes)
    boxes = footprints(path.position, path.heading, grown(size))
    clear = ~overlaps(boxes[:first], boxes[first::EVERY]).any(axis=1)
    hold = max(0, int(np.flatnonzero(clear).max(initial=0)) - 6)
    own = _zone(path, boxes, hold, first, len(path) - 1)
    return Trip(path=path, size=size, zones=_merged([*_merge_zones(roads, route, path, boxes, size), own]))


def trip_out(roads: Roads, route: list[Drive], into: Manoeuvre, size: tuple[float, float], askew: Askew) -> Trip:
    """Return the trip out of a stall, by the manoeuvre ``into`` it driven backwards, along ``route`` and off."""
    back = stood_askew(into.path, askew).reversed()
    on_lanes = lane_path(roads, route, into.start, roads.lines[route[-1]].length + OUTSIDE_M)
    path = joined([back, on_lanes])
    boxes = footprints(path.position, path.heading, grown(size))
    reach = min(len(path) - 1, len(back) + 20)
    own = _zone(path, boxes, 0, 0, reach)
    merging = [zone for zone in _merge_zones(roads, route, path, boxes, size) if zone.release > len(back)]
    return Trip(path=path, size=size, zones=_merged([own, *merging]))


def stood_askew(path: Path, askew: Askew) -> Path:
    """Return a path into a stall whose end is off the middle; it leaves the given one over its last metres."""
    left = STEP_M * np.arange(len(path))[::-1]
    share = np.clip(1 - left / SETTLING_M, 0, 1)
    share = share**2 * (3 - 2 * share)
    heading = path.heading
    ahead = np.column_stack([np.cos(heading), np.sin(heading), 0 * heading])
    aside = np.column_stack([-np.sin(heading), np.cos(heading), 0 * heading])
    moved = path.position + share[:, None] * (askew.along * ahead + askew.across * aside)
    return Path(
        position=moved, heading=heading + share * askew.turn, pitch=path.pitch, limit=path.limit, gear=path.gear
    )


def _merge_zones(roads: Roads, route: list[Drive], path: Path, boxes: Array, size: tuple[float, float]) -> list[Zone]:
    """Return the zones where another lane comes in, so that vehicles take turns."""
    zones = []
    span = int(size[0] / STEP_M)
    for drive, following in pairwise(route):
        if roads.graph.in_degree(following) < 2:
            continue
        left, entered = (_nearest(path, roads.lines[d].coords[end]) for d, end in ((drive, -1), (following, 0)))
        first, last = left, min(entered + span, len(path) - 1)
        hold, release = max(0, first - span - 6), min(last + span // 2, len(path) - 1)
        zones.append(_zone(path, boxes, hold, first, release))
    return zones


def _nearest(path: Path, point: tuple[float, float]) -> int:
    return int(np.argmin(np.linalg.norm(path.position[:, :2] - np.array(point)[:2], axis=1)))


def _zone(path: Path, boxes: Array, hold: int, first: int, last: int) -> Zone:
    return Zone(
        hold=hold, release=last, boxes=boxes[first : last + 1 : EVERY], z=path.position[first : last + 1 : EVERY, 2]
    )


def _merged(zones: list[Zone]) -> tuple[Zone, ...]:
    """Return zones in order, those that would be waited for inside another one joined with it."""
    result: list[Zone] = []
    for zone in sorted(zones, key=lambda zone: zone.hold):
        if result and zone.hold <= result[-1].release:
            last = result.pop()
            zone = Zone(
                hold=last.hold, release=max(last.release, zone.release),
                boxes=np.concatenate([last.boxes, zone.boxes]), z=np.concatenate([last.z, zone.z]),
            )  # fmt: skip
        result.append(zone)
    return tuple(result)
