"""What a plan and a map have in common: upright structure and stall lines, level by level, as points and segments.

Landmarks above a floor lie on cars, walls, pillars and whatever else stands there. Those higher than cars are good
evidence of walls and pillars; lower ones are evidence as well, but most of them are cars, and they count for less.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError
from geometry.floor_surfaces import Floors
from geometry.floorplan import FloorPlan

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

LOW_M, HIGH_M, TOP_M = (0.3, 1.2), (1.75, 2.6), 1.5
"""Heights above the floor of low and of high landmarks; only structure taller than ``TOP_M`` shows the high ones."""
MIN_HEIGHT_M = 0.4
"""Lower walls are kerbs."""
LOW_WEIGHT, HIGH_WEIGHT, LINE_WEIGHT = 0.25, 1.0, 1.0
CELL_M = 0.15
"""Landmarks of one cell are one piece of evidence."""
MAX_SIGMA_M = 0.15
LINE_STEP_M = 0.3


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Points (N, 2) that should lie on segments (K, 2, 2), each with the weight (N,) of what it tells.

    kind: "high", "low" or "lines"; level: index of the floor found that the points are on
    """

    kind: str
    level: int
    points: Array
    weights: Array


def structure_points(
    floors: Floors, landmarks: ArrayLike, covariances: ArrayLike | None = None
) -> tuple[tuple[Indices, Array], ...]:
    """Return for each floor the indices (N,) of landmarks (L, 3) over it and their heights (N,) above it.

    Over a floor is what is above what was seen of it, or up to 6 m beside it, and below the next floor.
    """
    points = np.asarray(landmarks, dtype=np.float64).reshape(-1, 3)
    good = np.isfinite(points).all(axis=1)
    if covariances is not None:
        variance = np.asarray(covariances, dtype=np.float64)[:, :2, :2].trace(axis1=1, axis2=2) / 2
        good &= np.isfinite(variance) & (variance < MAX_SIGMA_M**2)
    rows = np.flatnonzero(good)
    found = []
    for index, level in enumerate(floors.levels):
        area = level.area.buffer(6.0)
        shapely.prepare(area)
        over = rows[shapely.contains_xy(area, points[rows, 0], points[rows, 1])]
        height = points[over, 2] - floors.height(points[over, :2], index)[0]
        above = floors.levels[index + 1].elevation - level.elevation if index + 1 < len(floors.levels) else np.inf
        inside = (height > 0) & (height < above)
        found.append((over[inside], height[inside]))
    return tuple(found)


def structure_evidence(floors: Floors, landmarks: ArrayLike, covariances: ArrayLike | None = None) -> list[Evidence]:
    """Return high and low evidence of each floor from landmarks (L, 3) with covariances (L, 3, 3)."""
    points = np.asarray(landmarks, dtype=np.float64).reshape(-1, 3)
    evidence = []
    for index, (rows, height) in enumerate(structure_points(floors, points, covariances)):
        for kind, (low, high), weight in (("high", HIGH_M, HIGH_WEIGHT), ("low", LOW_M, LOW_WEIGHT)):
            cells = _cell_means(points[rows[(height > low) & (height < high)], :2])
            evidence.append(Evidence(kind=kind, level=index, points=cells, weights=np.full(len(cells), weight)))
    return evidence


def line_evidence(stall_lines: Mapping[int, ArrayLike]) -> list[Evidence]:
    """Return evidence from painted lines (S, 2, 2) by index of the floor, as points along them."""
    evidence = []
    for level, lines in stall_lines.items():
        segments = np.asarray(lines, dtype=np.float64)
        if segments.ndim != 3 or segments.shape[1:] != (2, 2) or not np.isfinite(segments).all():
            raise InputError(f"expected finite stall lines (S, 2, 2), got {segments.shape}", where=f"level {level}")
        steps = shapely.segmentize(shapely.linestrings(segments), LINE_STEP_M)
        points = shapely.get_coordinates(steps).reshape(-1, 2)
        evidence.append(Evidence(kind="lines", level=level, points=points, weights=np.full(len(points), LINE_WEIGHT)))
    return evidence


def plan_segments(plan: FloorPlan, level: str, kind: str) -> Array:
    """Return the segments (K, 2, 2) of a plan's level on which evidence of a kind should lie."""
    if kind == "lines":
        return _segments([stall.polygon.exterior for stall in plan.stalls if stall.level == level])
    least = TOP_M if kind == "high" else MIN_HEIGHT_M
    walls = [wall for wall in plan.walls if wall.level == level and wall.height >= least]
    faces: list[Any] = [
        wall.line.buffer(wall.thickness / 2, cap_style="flat", join_style="mitre").exterior for wall in walls
    ]
    faces += [hole for wall in walls for hole in _holes(wall.line, wall.thickness)]
    faces += [pillar.polygon.exterior for pillar in plan.pillars if pillar.level == level]
    faces += [thing.polygon.exterior for thing in plan.exclusions if thing.level == level]
    return _segments(faces)


def _holes(line: Any, thickness: float) -> Sequence[Any]:
    """Return the inner faces of a wall that closes upon itself."""
    return list(line.buffer(thickness / 2, cap_style="flat", join_style="mitre").interiors)


def _segments(lines: Sequence[Any]) -> Array:
    coordinates, line = shapely.get_coordinates(np.array(lines, dtype=object), return_index=True)
    if len(coordinates) < 2:
        return np.zeros((0, 2, 2))
    pairs = np.stack([coordinates[:-1], coordinates[1:]], axis=1)
    same = (line[:-1] == line[1:]) & (np.abs(pairs[:, 0] - pairs[:, 1]).max(axis=1) > 1e-9)
    return np.asarray(pairs[same])


def _cell_means(points: Array) -> Array:
    if len(points) == 0:
        return np.zeros((0, 2))
    cell = np.unique(np.floor(points / CELL_M), axis=0, return_inverse=True)[1].ravel()
    count = np.bincount(cell)
    return np.column_stack([np.bincount(cell, points[:, k]) / count for k in (0, 1)])
