"""How far it is at least on foot from one place of a site to another: a lower bound, as walls are not looked at.

On a level or a ramp one walks straight. From a level to a ramp one steps where their heights differ by at most
``STEP_M``, from level to level one goes by ramps, and by stairs and lifts where zones of the plan say so in their name
and lie over one another. A plan that doesn't have a building's stairs makes the bound too high: add the zones.
"""

import re
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import csgraph

from geometry.errors import InputError
from geometry.floorplan import FloorPlan, Ramp
from geometry.location import ramp_height

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

WALKING_MPS = 1.4
STEP_M = 1.0
"""Onto or off the side of a ramp, from or to a floor, people climb or jump no higher."""
STAIRS = re.compile(r"\b(stairs?|staircase|stairwell|lifts?|elevators?|escalators?)\b", re.IGNORECASE)
MAX_PASSAGES = 4000


class Passage(NamedTuple):
    """A region through which one gets from floor to floor; ``climb`` metres of height are not walked in it."""

    floors: tuple[int, ...]
    region: shapely.Polygon
    elevation: float
    climb: float


class Footways:
    """The passages between the floors of a plan: floors are its levels by index, then its ramps."""

    def __init__(self, plan: FloorPlan) -> None:
        self.plan = plan
        level = {each.id: number for number, each in enumerate(plan.levels)}
        self.passages: list[Passage] = []
        for number, ramp in enumerate(plan.ramps):
            for id, at_start in ((ramp.from_level, True), (ramp.to_level, False)):
                elevation = plan.levels[level[id]].elevation
                floors = level[id], len(plan.levels) + number
                self.passages.append(Passage(floors, _step_on_region(ramp, elevation, at_start), elevation, STEP_M))
        stairs = [zone for zone in plan.zones if STAIRS.search(zone.name) or STAIRS.search(zone.id)]
        for zone in stairs:
            floor = level[zone.level]
            self.passages.append(Passage((floor,), zone.polygon, plan.levels[floor].elevation, 0.0))
        if len(self.passages) > MAX_PASSAGES:
            raise InputError(
                f"{len(self.passages)} ends of ramps and stairs, of which {MAX_PASSAGES} can be tabulated",
                remedy="Split the plan.",
            )
        self.of_floor: dict[int, list[int]] = {}
        for number, passage in enumerate(self.passages):
            for floor in passage.floors:
                self.of_floor.setdefault(floor, []).append(number)
        self.between = self._table(2 * len(plan.ramps), [bool(re.search("stair", z.name + z.id, re.I)) for z in stairs])

    def distances(self, starts: Array, start_floor: Indices, ends: Array, end_floor: Indices) -> Array:
        """Return the least metres (N,) from positions (N, 3) to positions (N, 3) on floors (N,), inf for no way."""
        start_z, end_z = self._heights(starts, start_floor), self._heights(ends, end_floor)
        offset = np.column_stack([(ends - starts)[:, :2], end_z - start_z])
        straight = np.linalg.norm(offset, axis=1)
        found = np.where(start_floor == end_floor, straight, np.inf)
        pairs, pair = np.unique(np.stack([start_floor, end_floor]), axis=1, return_inverse=True)
        for number, (first, last) in enumerate(pairs.T.tolist()):
            if first == last:
                continue
            rows = np.flatnonzero(pair == number)
            leaving = self._to_passages(starts[rows], start_z[rows], first)
            entering = self._to_passages(ends[rows], end_z[rows], last)
            for (a, out), (b, into) in product(leaving.items(), entering.items()):
                found[rows] = np.minimum(found[rows], out + self.between[a, b] + into)
        return np.maximum(found, straight)

    def _heights(self, positions: Array, floor: Indices) -> Array:
        """Return the height (N,) of the floor under each position."""
        elevations = np.array([level.elevation for level in self.plan.levels])
        heights = np.append(elevations, np.nan)[np.where(floor < len(elevations), floor, -1)]
        for number, ramp in enumerate(self.plan.ramps):
            rows = np.flatnonzero(floor == len(elevations) + number)
            heights[rows] = ramp_height(ramp, positions[rows, :2])
        return heights

    def _to_passages(self, positions: Array, z: Array, floor: int) -> dict[int, Array]:
        """Return the distances (N,) from positions on a floor to each of its passages."""
        points: NDArray[Any] = shapely.points(positions[:, :2])
        return {
            number: np.hypot(
                shapely.distance(self.passages[number].region, points),
                np.maximum(np.abs(z - self.passages[number].elevation) - self.passages[number].climb, 0.0),
            )
            for number in self.of_floor.get(floor, [])
        }

    def _table(self, ramp_ends: int, is_stairs: list[bool]) -> Array:
        """Return the least distances (P, P) between passages."""
        steps = np.full((len(self.passages),) * 2, np.inf)
        for members in self.of_floor.values():
            for a, b in combinations(members, 2):
                first, second = self.passages[a], self.passages[b]
                rise = max(abs(first.elevation - second.elevation) - first.climb - second.climb, 0.0)
                steps[a, b] = min(steps[a, b], np.hypot(first.region.distance(second.region), rise))
        for a, b in combinations(range(ramp_ends, len(self.passages)), 2):
            first, second = self.passages[a], self.passages[b]
            if first.floors != second.floors and first.region.intersects(second.region):
                both = is_stairs[a - ramp_ends] and is_stairs[b - ramp_ends]
                # Lifts may be faster than walking: their height is not counted.
                steps[a, b] = abs(first.elevation - second.elevation) if both else 0.0
        graph = csgraph.csgraph_from_dense(steps, null_value=np.inf)
        return np.asarray(csgraph.dijkstra(graph, directed=False)) if len(steps) else steps


def _step_on_region(ramp: Ramp, elevation: float, at_start: bool) -> shapely.Polygon:
    """Return the part of a ramp, from its first or third edge on, that is within ``STEP_M`` of a floor's height."""
    s, z = np.array(ramp.profile).T
    fine = np.union1d(s, np.linspace(0.0, s[-1], 1000))
    within = np.abs(np.interp(fine, s, z) - elevation) <= STEP_M
    share = fine / s[-1]
    if not at_start:
        within, share = within[::-1], 1.0 - share[::-1]
    reached = float(share[min(int(within.argmin()), len(fine) - 1)]) if not within.all() else 1.0
    corners = np.array(ramp.polygon.exterior.coords)[:4]
    near_left, near_right, far_right, far_left = corners if at_start else np.roll(corners, -2, axis=0)
    sides = []
    for near, far in ((near_right, far_right), (near_left, far_left)):
        from_near = _aside(far, near_left, near_right)
        from_far = _aside(near, far_right, far_left)
        along = reached * from_far / max(from_near * (1 - reached) + reached * from_far, 1e-12)
        sides.append(near + along * (far - near))
    return shapely.Polygon([near_left, near_right, *sides]).buffer(0.01)


def _aside(point: Array, a: Array, b: Array) -> float:
    """Return the distance of a point from the line through a and b."""
    direction = (b - a) / np.linalg.norm(b - a)
    return float(abs(direction[0] * (point - a)[1] - direction[1] * (point - a)[0]))
