"""Is the first place the right one, on a weak and on a strong base, before and after each way of re-ranking?

Weak: one aggregated vector an image, alone, with alpha query expansion, with k-reciprocal neighbours. Strong: votes of
local features. Then poses: the one with most inliers, as is usual, and the one that the localizer holds for likeliest.
"""

from collections.abc import Sequence

import numpy as np
import pycolmap
from numpy.typing import NDArray

from benchmarks.localization_cases import Asked
from geometry import pose_error
from retrieval import aggregate
from retrieval.expansion import expanded_query, reciprocal_distances
from twin import Twin

PLACE_M, PLACE_DEG = 3.0, 45.0
EXPANDED = 10
"""Answers that a query is expanded by."""
GALLERY = 100
"""Nearest views among which k-reciprocal neighbours are looked for."""


def place_recall(asked: Sequence[Asked], twin: Twin) -> dict[str, float]:
    """Return how often the first place is on the right level, within 3 m and 45 degrees, by each way."""
    localizer, views = twin.localizer(), [twin.view_poses[name] for name in twin.landmarks.views]
    queries = np.stack([aggregate(twin.vocabulary, each.features.descriptors) for each in asked])
    first: dict[str, list[pycolmap.Rigid3d | None]] = {
        name: [views[k] for k in rows] for name, rows in _by_vectors(queries, twin).items()
    }
    groups = [localizer.places_of(each.features).groups for each in asked]
    first["votes"] = [views[found[0][0]] if found else None for found in groups]
    first["most inliers"] = [_most_inliers(each) for each in asked]
    first["poses"] = [each.best if each.choice is not None else None for each in asked]
    return {
        name: float(np.mean([_is_place(p, a) for p, a in zip(poses, asked, strict=True)]))
        for name, poses in first.items()
    }


def _by_vectors(queries: NDArray[np.float32], twin: Twin) -> dict[str, list[int]]:
    gallery, index = twin.places.vectors, twin.places
    nearest = index.search(queries, min(GALLERY, len(index)))[0]
    expanded = np.stack([expanded_query(q, gallery[rows[:EXPANDED]]) for q, rows in zip(queries, nearest, strict=True)])
    return {
        "one vector an image": nearest[:, 0].tolist(),
        "the same, alpha query expansion": index.search(expanded, 1)[0][:, 0].tolist(),
        "the same, k-reciprocal": [
            int(rows[reciprocal_distances(q, gallery[rows]).argmin()]) for q, rows in zip(queries, nearest, strict=True)
        ],
    }


def _most_inliers(asked: Asked) -> pycolmap.Rigid3d | None:
    if asked.choice is None:
        return None
    return max(asked.choice.candidates, key=lambda candidate: candidate.inliers).estimate.cam_from_site


def _is_place(pose: pycolmap.Rigid3d | None, asked: Asked) -> bool:
    if pose is None:
        return False
    metres, degrees = pose_error(pose, asked.true)
    return metres <= PLACE_M and degrees <= PLACE_DEG
