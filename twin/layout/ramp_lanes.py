"""Lanes over ramps: those that lead onto a ramp are proposed to go on over it, and from its ends to the next lane.

Nobody paints a stall on a ramp, so that ``twin.layout.lanes`` finds none there. That a ramp joins two levels the map
has seen; which side of it goes up, the arrows before and behind it tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry.floorplan import Ramp
from geometry.plan_lane_joints import JOIN_M
from twin.layout.lanes import NARROWEST_M, SHORTEST_M, LaneProposal

Array = NDArray[np.float64]
OnLevel = tuple[LaneProposal, str]

ALONG = np.cos(np.radians(25))
"""Of a lane with a ramp that it leads onto."""
UNMARKED = 0.5
"""Confidence in a lane over a ramp that no lane leads onto: one drives there, in whatever direction."""
REACH_M = 20.0
"""From the end of a ramp to the lane that it joins, at most."""


@dataclass(frozen=True, kw_only=True)
class _Path:
    """A ramp from its foot to its head: middle line, width, area; the levels there."""

    line: shapely.LineString
    width: float
    area: shapely.Geometry
    lower: str
    upper: str


@dataclass(frozen=True, kw_only=True)
class _Way:
    """A lane onto a ramp or from it: how far left of its middle, seen upwards; whether it goes up, down, or both."""

    left: float
    up: bool
    down: bool
    lane: LaneProposal
    other_end: int
    level: str


def with_ramp_lanes(lanes: Sequence[OnLevel], ramps: Sequence[Ramp]) -> list[OnLevel]:
    """Return the lanes of all levels, cut off where ramps take their floor, and those over the ramps.

    A ramp gets a lane up and a lane down where lanes show either, but for one that is too narrow for two; where they
    show nothing, one that is driven both ways. Lanes over a ramp count to the level that they leave.
    """
    paths = _paths(ramps)
    taken = {
        level: shapely.union_all([path.area for path in paths if level in (path.lower, path.upper)])
        for level in {level for _, level in lanes}
    }
    kept = [(part, level) for lane, level in lanes for part in _outside(lane, taken[level])]
    found = list(kept)
    for path in paths:
        ways = [way for lane, level in kept for way in _ways(path, lane, level)]
        for over, level in _over(path, ways):
            beyond = path.upper if level == path.lower else path.lower
            found += [(over, level), *_joint(over, 0, level, kept), *_joint(over, -1, beyond, kept)]
        for way in ways:
            found += _joint(way.lane, way.other_end, way.level, kept)
    return found


def _paths(ramps: Sequence[Ramp]) -> list[_Path]:
    """Return the ramps as wholes; one with a bend is several in a plan, with ids that go on after a point."""
    paths = []
    for _, group in groupby(ramps, key=lambda ramp: (ramp.id.rpartition(".")[0] or ramp.id, ramp.from_level)):
        pieces = list(group)
        rings = np.array([shapely.get_coordinates(piece.polygon)[:4] for piece in pieces])
        feet, heads = rings[:, :2].mean(axis=1), rings[:, 2:4].mean(axis=1)
        paths.append(
            _Path(
                line=shapely.LineString([*feet, heads[-1]]),
                width=float(np.linalg.norm(rings[0, 1] - rings[0, 0])),
                area=shapely.union_all([piece.polygon for piece in pieces]),
                lower=pieces[0].from_level,
                upper=pieces[0].to_level,
            )
        )
    return paths


def _outside(lane: LaneProposal, taken: shapely.Geometry) -> list[LaneProposal]:
    """Return the parts of a lane that are not on ramps and long enough for one; all of one that is on none."""
    line = shapely.LineString(lane.line)
    if shapely.intersection(line, taken).length < JOIN_M:
        return [lane]
    parts = shapely.get_parts(shapely.difference(line, taken)).tolist()
    return [replace(lane, line=shapely.get_coordinates(part)) for part in parts if part.length >= SHORTEST_M]


def _over(path: _Path, ways: Sequence[_Way]) -> list[OnLevel]:
    """Return the lanes over a ramp: one up and one down, or one for both."""

    def over(left: float, *, upwards: bool, oneway: bool, confidence: float) -> OnLevel:
        lane = _lane(path, left, upwards=upwards, oneway=oneway, confidence=confidence)
        return lane, path.lower if upwards else path.upper

    best = sorted(ways, key=lambda way: -way.lane.confidence)
    if not best:
        return [over(0.0, upwards=True, oneway=False, confidence=UNMARKED)]
    if best[0].up and best[0].down:
        return [over(best[0].left, upwards=True, oneway=False, confidence=best[0].lane.confidence)]
    shown, upwards = best[0], best[0].up
    lanes = [over(shown.left, upwards=upwards, oneway=True, confidence=shown.lane.confidence)]
    other = next((way for way in best if way.up != upwards), None)
    if other is not None:
        lanes.append(over(other.left, upwards=not upwards, oneway=True, confidence=other.lane.confidence))
    elif path.width >= 2 * NARROWEST_M:
        lanes.append(over(-shown.left, upwards=not upwards, oneway=True, confidence=UNMARKED))
    return lanes


def _ways(path: _Path, lane: LaneProposal, level: str) -> list[_Way]:
    """Return the ways that a lane opens onto a ramp or from it: none, or one for each of its ends that is there."""
    ways = []
    for end, inner, other_end in ((0, 1, -1), (-1, -2, 0)):
        at, outwards = lane.line[end], lane.line[end] - lane.line[inner]
        s = path.line.project(shapely.Point(at))
        at_foot, at_head = s < JOIN_M, s > path.line.length - JOIN_M
        here = (at_foot and level == path.lower) or (at_head and level == path.upper)
        if not here or path.area.distance(shapely.Point(at)) > JOIN_M:
            continue
        foot, along = _frame(path, at_foot)
        onto = float(outwards @ along) / np.linalg.norm(outwards) * (1.0 if at_foot else -1.0)
        if onto < ALONG:
            continue
        enters = end == -1
        ways.append(
            _Way(
                left=float(np.array([-along[1], along[0]]) @ (at - foot)),
                up=not lane.oneway or enters == at_foot,
                down=not lane.oneway or enters != at_foot,
                lane=lane,
                other_end=other_end,
                level=level,
            )
        )
    return ways


def _frame(path: _Path, at_foot: bool) -> tuple[Array, Array]:
    """Return a ramp's foot or head and the direction (2,) upwards there."""
    points = shapely.get_coordinates(path.line)
    first, second = (points[0], points[1]) if at_foot else (points[-2], points[-1])
    along = second - first
    return (first if at_foot else second), along / np.linalg.norm(along)


def _lane(path: _Path, left: float, *, upwards: bool, oneway: bool, confidence: float) -> LaneProposal:
    most = max(path.width - NARROWEST_M, 0.0) / 2
    left = float(np.clip(left, -most, most))
    line = path.line if abs(left) < 1e-6 else path.line.offset_curve(left, join_style="mitre")
    points = shapely.get_coordinates(line)
    reach = path.width - 2 * abs(left)  # as wide as fits beside its middle
    width = min(reach, max(NARROWEST_M, path.width / 2)) if oneway else reach
    return LaneProposal(line=points if upwards else points[::-1], width=width, oneway=oneway, confidence=confidence)


def _joint(lane: LaneProposal, end: int, level: str, lanes: Sequence[OnLevel]) -> list[OnLevel]:
    """Return what joins an end (0 or -1) of a lane to the first lane of a level straight ahead, if none is there."""
    at, inner = lane.line[end], lane.line[1 if end == 0 else -2]
    others = [shapely.LineString(other.line) for other, name in lanes if name == level and other is not lane]
    if shapely.distance(np.array(others, dtype=object), shapely.Point(at)).min(initial=np.inf) <= JOIN_M:
        return []
    ahead = (at - inner) / np.linalg.norm(at - inner)
    reach = shapely.LineString([at, at + REACH_M * ahead])
    met = shapely.get_coordinates(shapely.intersection(reach, shapely.union_all(others)))
    if len(met) == 0:
        return []
    nearest = met[np.linalg.norm(met - at, axis=1).argmin()]
    return [(replace(lane, line=np.array([nearest, at] if end == 0 else [at, nearest])), level)]
