"""Lanes proposed from stalls, arrows and free floor: where one drives to reach the stalls, and which way."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from perception import StallProposals

Array = NDArray[np.float64]
Free = Callable[[Array], Array]
"""For points (N, 2) in site: whether free floor is seen there, in [0, 1]."""

STEP_M = 0.25
BEYOND_M = 12.0
"""A lane goes on past its stalls for at most this, as long as its floor is free."""
NARROWEST_M, WIDEST_M = 2.6, 8.0
SHORTEST_M = 5.0
ALIGNED = np.cos(np.radians(8))
ASIDE = np.cos(np.radians(20))
USUAL_M = 6.0
"""How wide an aisle without stalls on its other side is taken to be."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LaneProposal:
    """A lane.

    line: (K, 2) in site, in driving direction; width: metres; oneway: whether arrows say so
    confidence: share of the lane that is seen to be free floor, less without arrows
    """

    line: Array
    width: float
    oneway: bool
    confidence: float


def propose_lanes(stalls: StallProposals, arrows: Array, free: Free) -> list[LaneProposal]:
    """Propose a lane along the open side of each row, midway between rows that face each other, and along arrows.

    arrows: (A, 2, 2) middles and unit directions. Arrows that agree make a lane one-way in their direction; a lane
    without arrows is drawn both ways in one line.
    """
    taken = shapely.union_all(shapely.polygons(stalls.corners)) if len(stalls) else shapely.Polygon()
    shapely.prepare(taken)

    def clear(points: Array) -> Array:
        return free(points) * ~shapely.contains_xy(taken, points)

    aisles = _aisles(stalls)
    ways = [(line[1] - line[0]) / np.linalg.norm(line[1] - line[0]) for line, _ in aisles]
    lanes: list[tuple[Array, float]] = []
    for line, width in aisles + _along_arrows(arrows, ways):
        if any(_same(line, known, known_width) for known, known_width in lanes):
            continue
        grown = _grown(line, clear)
        if np.linalg.norm(grown[1] - grown[0]) >= SHORTEST_M and clear(_along(line)).mean() >= 0.5:
            lanes.append((grown, width))
    return [_directed(line, width, arrows, clear) for line, width in lanes]


def _along_arrows(arrows: Array, ways: list[Array]) -> list[tuple[Array, float]]:
    """Return short pieces of lane at arrows that run along or square to a row of stalls, or at all without rows."""
    lanes = []
    for at, way in arrows:
        turns = [abs(float(way @ other)) for other in ways]
        if not turns or max(max(turn, np.sqrt(max(0.0, 1 - turn**2))) for turn in turns) > ALIGNED:
            lanes.append((np.stack([at - 2 * way, at + 2 * way]), USUAL_M / 2))
    return lanes


def _aisles(stalls: StallProposals) -> list[tuple[Array, float]]:
    """Return middle lines (2, 2) and widths before the fronts of rows, those of the most stalls first."""
    fronts = []
    for row in np.unique(stalls.row):
        corners = stalls.corners[stalls.row == row]
        edges = corners[:, :2].reshape(-1, 2)
        order = edges @ (corners[:, 1] - corners[:, 0]).mean(axis=0)  # stalls of a row come in any order
        ends = edges[[int(order.argmin()), int(order.argmax())]]
        along = ends[1] - ends[0]
        length = float(np.linalg.norm(along))
        outward = np.array([along[1], -along[0]]) / length
        fronts.append((len(corners), ends, along / length, outward))
    fronts.sort(key=lambda front: -front[0])
    aisles = []
    for index, (_, ends, along, outward) in enumerate(fronts):
        width = USUAL_M
        for _, others, _, facing in fronts[:index] + fronts[index + 1 :]:
            apart = float((others.mean(axis=0) - ends.mean(axis=0)) @ outward)
            overlap = min(max((others - ends[0]) @ along), np.linalg.norm(ends[1] - ends[0])) - max(
                min((others - ends[0]) @ along), 0.0
            )
            if facing @ outward < -ASIDE and NARROWEST_M <= apart <= WIDEST_M and overlap > 2.0:
                width = apart
        aisles.append((ends + 0.5 * width * outward, width))
    return aisles


def _same(line: Array, known: Array, width: float) -> bool:
    """Tell whether the middle of ``line`` runs inside a known lane."""
    way, known_way = line[1] - line[0], known[1] - known[0]
    parallel = abs(way @ known_way) > ASIDE * np.linalg.norm(way) * np.linalg.norm(known_way)
    distance = shapely.distance(shapely.LineString(known), shapely.Point(line.mean(axis=0)))
    return bool(parallel and distance < 0.4 * width)


def _along(line: Array) -> Array:
    """Return points (50, 2) along a line (2, 2)."""
    return np.asarray(line[0] + np.linspace(0, 1, 50)[:, None] * (line[1] - line[0]))


def _grown(line: Array, free: Free) -> Array:
    """Lengthen a line at both ends while its floor is free."""
    along = (line[1] - line[0]) / np.linalg.norm(line[1] - line[0])
    aside = np.array([-along[1], along[0]])
    steps = np.arange(STEP_M, BEYOND_M, STEP_M)
    strip = np.linspace(-0.8, 0.8, 5)
    ends = []
    for end, outward in ((line[0], -along), (line[1], along)):
        points = end + steps[:, None, None] * outward + strip[:, None] * aside
        clear = free(points.reshape(-1, 2)).reshape(len(steps), len(strip)).mean(axis=1) >= 0.6
        reach = steps[-1] if clear.all() else steps[max(int(np.argmin(clear)) - 1, 0)] * bool(clear[0])
        ends.append(end + reach * outward)
    return np.array(ends)


def _directed(line: Array, width: float, arrows: Array, free: Free) -> LaneProposal:
    along = (line[1] - line[0]) / np.linalg.norm(line[1] - line[0])
    near = shapely.distance(shapely.LineString(line), shapely.points(arrows[:, 0])) < 0.4 * width
    says = (arrows[:, 1] @ along)[near]
    says = says[np.abs(says) > ASIDE]
    oneway = len(says) > 0 and bool((says > 0).all() or (says < 0).all())
    if oneway and says[0] < 0:
        line = line[::-1]
    confidence = float(free(_along(line)).mean()) * (0.95 if oneway else 0.8)
    return LaneProposal(line=line, width=min(width, WIDEST_M), oneway=oneway, confidence=confidence)
