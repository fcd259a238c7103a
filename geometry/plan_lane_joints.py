"""Lanes from lines as they are drawn: cut where others meet or cross them, and joined where ends come together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.ops import substring

Array = NDArray[np.float64]

JOIN_M = 1.0
"""Ends of lanes that are this near to each other, or to the middle of another lane, belong together."""


@dataclass(kw_only=True)
class LaneLine:
    """A lane of a drawing: its level by name, its line in driving direction, and the numbers of those that follow."""

    level: str
    line: shapely.LineString
    oneway: bool
    source: int
    to: list[int] = field(default_factory=list)


def cut_and_join(lanes: Sequence[LaneLine], ramps: Sequence[tuple[shapely.Polygon, str, str]]) -> list[LaneLine]:
    """Return lanes cut at the junctions of their level and linked; ``ramps`` are (polygon, level, level).

    A lane goes on to those that begin where it ends, on the same level or at a ramp between both. Nobody turns round.
    """
    lines = shapely.STRtree([lane.line for lane in lanes])
    pieces = []
    for lane in lanes:
        near_by = sorted(lines.query(lane.line, predicate="dwithin", distance=JOIN_M).tolist())
        pieces += _pieces(lane, [lanes[each] for each in near_by if lanes[each] is not lane])
    ends = np.array([_ends(piece.line) for piece in pieces]).reshape(-1, 2, 2)
    tree = shapely.STRtree(shapely.points(ends.reshape(-1, 2)))
    near, at = tree.query(shapely.points(ends.reshape(-1, 2)), predicate="dwithin", distance=JOIN_M)
    for here, there in sorted(zip(near.tolist(), at.tolist(), strict=True)):
        (a, a_end), (b, b_end) = divmod(here, 2), divmod(there, 2)
        leaves = a_end == 1 or not pieces[a].oneway
        enters = b_end == 0 or not pieces[b].oneway
        back_is_known = not pieces[a].oneway and not pieces[b].oneway and a in pieces[b].to
        if a == b or not leaves or not enters or back_is_known or b in pieces[a].to:
            continue
        if pieces[a].level == pieces[b].level or _at_ramp(ends[a, a_end], pieces[a].level, pieces[b].level, ramps):
            pieces[a].to.append(b)
    return pieces


def _pieces(lane: LaneLine, others: Sequence[LaneLine]) -> list[LaneLine]:
    """Cut a lane where an end of another lane of its level touches it, or where one crosses it."""
    line, cuts = lane.line, []
    for other in others:
        if other.level != lane.level:
            continue
        touching = [shapely.Point(end) for end in _ends(other.line)]
        crossing = shapely.get_parts(shapely.intersection(line, other.line))
        points = [point for point in touching if point.distance(line) <= JOIN_M]
        points += [point for point in crossing if point.geom_type == "Point"]
        cuts += [line.project(point) for point in points]
    kept = [0.0]
    for cut in sorted(cuts):
        if cut - kept[-1] > JOIN_M and line.length - cut > JOIN_M:
            kept.append(cut)
    bounds = [*kept, line.length]
    return [
        LaneLine(level=lane.level, line=substring(line, start, end), oneway=lane.oneway, source=lane.source)
        for start, end in pairwise(bounds)
    ]


def _at_ramp(point: Array, level: str, other: str, ramps: Sequence[tuple[shapely.Polygon, str, str]]) -> bool:
    return any(
        {level, other} == {first, second} and polygon.distance(shapely.Point(point)) <= JOIN_M
        for polygon, first, second in ramps
    )


def _ends(line: shapely.LineString) -> Array:
    return np.array([line.coords[0], line.coords[-1]])[:, :2]
