"""What an update found changed: where landmarks vanished, where new ones stand that were not there, and what moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from twin.landmarks import Landmarks, described

Array = NDArray[np.float64]
Chosen = NDArray[np.bool_]
Levels = Sequence[tuple[str, float]]
"""Names and elevations of levels, ascending."""

TOGETHER_M = 0.75
"""Landmarks no further apart belong to one change."""
MIN_CHANGED = 6
"""Fewer landmarks are no change that is worth telling."""
AROUND_SHARE = 0.5
"""Of the landmarks among which a change is, so many changed; else it is noise of matching."""
MAX_TOLD = 100
MIN_MOVE_M, MOVE_TOLERANCE_M = 0.2, 0.1
ALIKE = 0.8
"""Ratio of descriptor distances to the nearest and the second nearest, below which landmarks are the same thing."""
BELOW_M = 0.3
"""Things of a level may reach so far below its elevation."""


@dataclass(frozen=True, kw_only=True)
class Differences:
    """Changes in words of JSON, those of most landmarks first."""

    appeared: list[dict[str, Any]]
    vanished: list[dict[str, Any]]
    moved: list[dict[str, Any]]


def differences(landmarks: Landmarks, vanished: Chosen, appeared: Chosen, levels: Levels) -> Differences:
    """Return what changed; ``vanished`` and ``appeared`` tell which landmarks (L,) did."""
    moves, moved = _moves(landmarks, vanished, appeared, levels)
    return Differences(
        appeared=_regions(landmarks.points, appeared & ~moved, levels),
        vanished=_regions(landmarks.points, vanished & ~moved, levels),
        moved=moves,
    )


def _regions(points: Array, changed: Chosen, levels: Levels) -> list[dict[str, Any]]:
    """Return where changed landmarks stand together, and most of those around them changed too."""
    rows = np.flatnonzero(changed)
    if len(rows) < MIN_CHANGED:
        return []
    pairs = cKDTree(points[rows]).query_pairs(TOGETHER_M, output_type="ndarray")
    linked = csr_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(len(rows), len(rows)))
    count, group = connected_components(linked, directed=False)
    everything = cKDTree(points)
    found = []
    for index in np.flatnonzero(np.bincount(group, minlength=count) >= MIN_CHANGED).tolist():
        members = rows[group == index]
        near = np.unique(
            np.concatenate(everything.query_ball_point(points[members], TOGETHER_M / 2.0)).astype(np.int64)
        )
        share = float(changed[near].mean())
        if share >= AROUND_SHARE:
            middle = np.median(points[members], axis=0)
            radius = float(np.percentile(np.linalg.norm(points[members] - middle, axis=1), 90))
            found.append(_told(middle, levels) | {"radius_m": round(radius, 2), "landmarks": len(members)})
    return sorted(found, key=lambda region: -int(region["landmarks"]))[:MAX_TOLD]


def _moves(
    landmarks: Landmarks, vanished: Chosen, appeared: Chosen, levels: Levels
) -> tuple[list[dict[str, Any]], Chosen]:
    """Return what stands elsewhere now, as it was, and which landmarks (L,) of both kinds that explains."""
    moved = np.zeros(len(landmarks), dtype=bool)
    found: list[dict[str, Any]] = []
    before, after = _same(landmarks, np.flatnonzero(vanished), np.flatnonzero(appeared))
    options = pycolmap.RANSACOptions(max_error=MOVE_TOLERANCE_M, min_inlier_ratio=0.05, random_seed=0)
    while len(before) >= MIN_CHANGED:
        here, there = np.asarray(landmarks.points)[before], np.asarray(landmarks.points)[after]
        fitted = pycolmap.estimate_rigid3d_robust(here, there, options)
        if fitted is None:
            break
        agree = np.asarray(fitted["inlier_mask"])
        if agree.sum() < MIN_CHANGED:
            break
        old, new = np.median(here[agree], axis=0), np.median(there[agree], axis=0)
        if np.linalg.norm(new - old) >= MIN_MOVE_M:
            moved[before[agree]] = moved[after[agree]] = True
            distance = round(float(np.linalg.norm(new - old)), 2)
            ends = {"from": _told(old, levels), "to": _told(new, levels)}
            found.append({**ends, "distance_m": distance, "landmarks": int(agree.sum())})
        before, after = before[~agree], after[~agree]
    return sorted(found, key=lambda move: -int(move["landmarks"]))[:MAX_TOLD], moved


def _same(landmarks: Landmarks, old: NDArray[np.int64], new: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Return pairs of landmarks, old and new, that look alike and like no other."""
    if min(len(old), len(new)) < MIN_CHANGED:
        return old[:0], new[:0]
    descriptors, _ = described(landmarks, np.asarray(landmarks.orientations, dtype=np.float64))
    squared, nearest = faiss.knn(descriptors[old], descriptors[new], 2)
    _, back = faiss.knn(descriptors[new], descriptors[old], 1)
    good = (squared[:, 0] < ALIKE**2 * squared[:, 1]) & (back[nearest[:, 0], 0] == np.arange(len(old)))
    return old[good], new[nearest[good, 0]]


def _told(position: Array, levels: Levels) -> dict[str, Any]:
    below = [name for name, elevation in levels if elevation - BELOW_M <= position[2]]
    return {"level": below[-1] if below else None, "position": np.round(position, 2).tolist()}
