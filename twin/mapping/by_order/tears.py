"""Where an adjusted map tears a walk apart: photos that match the next one, and are far from it in the map.

One of the two sides hangs on look-alikes. It is the one that less holds: real neighbours share many points, look-alikes
a few.
"""

import itertools
from collections.abc import Mapping

import numpy as np
import pycolmap
from numpy.typing import NDArray

from twin.mapping.letting_go import shared_points
from twin.mapping.pairing import Pair
from twin.mapping.reconstruction import placed_images

FAR = 4.0
"""Steps that no walker takes."""
MIN_STEADY = 100
"""Matches of a photo and the next one that can not be wrong."""


def torn_off(model: pycolmap.Reconstruction, matched: Mapping[Pair, int]) -> list[pycolmap.Image]:
    """Return the placed images that are on the weaker sides of tears; ``matched``: matches of pairs of rows, id - 1."""
    images = placed_images(model)
    rows = np.array([image.image_id - 1 for image in images], dtype=np.int64)
    centres = np.array([image.projection_center() for image in images]).reshape(-1, 3)
    count = np.array([matched.get((a, b), 0) for a, b in itertools.pairwise(rows.tolist())], dtype=np.int64)
    is_next = count >= MIN_STEADY
    if not is_next.any():
        return []
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    is_torn = is_next & (steps > FAR * np.median(steps[is_next]))
    segment = np.concatenate([[0], np.cumsum(is_torn | (count == 0))])
    shared = shared_points(model)
    gone: set[int] = set()
    for tear in np.flatnonzero(is_torn).tolist():
        sides = [int(segment[tear]), int(segment[tear + 1])]
        gone.add(min(sides, key=lambda side: _strongest_tie(shared, segment == side, np.isin(segment, sides))))
    return [image for image, mine in zip(images, segment.tolist(), strict=True) if mine in gone]


def _strongest_tie(shared: object, inside: NDArray[np.bool_], around: NDArray[np.bool_]) -> int:
    """Return how many points a photo of one segment shares at most with one that is of neither side of a tear."""
    between = shared[np.flatnonzero(inside)][:, np.flatnonzero(~around)]  # type: ignore[index]
    return int(between.max()) if between.nnz else 0
