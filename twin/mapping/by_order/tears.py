"""Where an adjusted map tears a walk apart: photos that match the next one, and are far from it in the map.

One of the two sides hangs on look-alikes. It is the one that less holds: real neighbours share many points, look-alikes
a few.
"""

import itertools
from collections.abc import Mapping

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.sparse import csr_array

from geometry import MappingError
from twin.mapping.letting_go import shared_points
from twin.mapping.pairing import Pair
from twin.mapping.reconstruction import placed_images

FAR, FAR_OF_SIGHT = 4.0, 0.4
"""Steps that no walker takes; and a share of how far one sees."""
OUT_OF_SIGHT = 1.0
"""Shares of how far one sees, across which photos don't match by a hundred, one ahead of the other or not."""
MOST_APART, MOST_APART_SHARE = 3, 0.01
"""Pairs of photos, by number or share, that may match well and be far apart in a sound map."""
MIN_STEADY = 100
"""Matches of a photo and the next one that can not be wrong."""
MIN_TORN = 30
"""Matches of a photo and the next one that are not wrong either where no walker takes the step between them: of next
photos with so many none was (docs/decisions/0022)."""


def torn_off(model: pycolmap.Reconstruction, matched: Mapping[Pair, int]) -> list[pycolmap.Image]:
    """Return the placed images that are on the weaker sides of tears; ``matched``: matches of pairs of rows, id - 1."""
    images = placed_images(model)
    rows = np.array([image.image_id - 1 for image in images], dtype=np.int64)
    centres = np.array([image.projection_center() for image in images]).reshape(-1, 3)
    count = np.array([matched.get((a, b), 0) for a, b in itertools.pairwise(rows.tolist())], dtype=np.int64)
    is_next = count >= MIN_TORN
    if not is_next.any():
        return []
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    # Who stands and looks around takes steps of nothing.
    is_torn = is_next & (steps > max(FAR * np.median(steps[is_next]), FAR_OF_SIGHT * _distance(model)))
    segment = np.concatenate([[0], np.cumsum(is_torn | (count == 0))])
    shared = shared_points(model)
    gone: set[int] = set()
    for tear in np.flatnonzero(is_torn).tolist():
        sides = [int(segment[tear]), int(segment[tear + 1])]
        gone.add(min(sides, key=lambda side: _hold(shared, segment == side, np.isin(segment, sides))))
    return [image for image, mine in zip(images, segment.tolist(), strict=True) if mine in gone]


def require_sure_pairs(model: pycolmap.Reconstruction, matched: Mapping[Pair, int]) -> None:
    """Raise ``MappingError`` where photos that match too well for look-alikes are far apart, if not by chance."""
    images = {image.image_id - 1: image for image in placed_images(model)}
    sure = [(a, b) for (a, b), count in matched.items() if count >= MIN_STEADY and a in images and b in images]
    far = np.array([np.linalg.norm(images[a].projection_center() - images[b].projection_center()) for a, b in sure])
    apart = np.flatnonzero(far > OUT_OF_SIGHT * _distance(model))
    if len(apart) > max(MOST_APART, MOST_APART_SHARE * len(sure)):
        names = [f"{images[a].name} and {images[b].name}" for a, b in (sure[k] for k in apart[:3].tolist())]
        raise MappingError(
            f"the map puts {len(apart)} pairs of photos far apart that show one place: what looks alike was joined",
            where="; ".join(names),
            remedy="Give --poses of the phone that took the photos, or --tags; or walk lanes in both directions.",
        )


def _distance(model: pycolmap.Reconstruction) -> float:
    """Return how far photos are from what they show, in the median; 0 without points."""
    centre = {image.image_id: image.projection_center() for image in placed_images(model)}
    found = [np.linalg.norm(point.xyz - centre[point.track.elements[0].image_id]) for point in model.points3D.values()]
    return float(np.median(found)) if found else 0.0


def _hold(shared: csr_array, inside: NDArray[np.bool_], around: NDArray[np.bool_]) -> tuple[int, int]:
    """Return how many points a photo of one segment shares at most with one that is of neither side of a tear; then
    how many photos the segment has.
    """
    between = shared[np.flatnonzero(inside)][:, np.flatnonzero(~around)]
    return (int(between.max()) if between.nnz else 0), int(inside.sum())
