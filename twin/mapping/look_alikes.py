"""Whether a map puts places on top of each other that only look the same: two storeys, two bays.

Photos that see the same points from one side and distance find many of them again, or none where something stands
between. Look-alikes share a tenth: signs, lamps, what was built twice. Where most photos that share anything share so
little, the map is folded.
"""

import logging
from collections.abc import Iterator

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import MappingError, project
from twin.mapping.reconstruction import placed_images

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

SAME_ANGLE, SAME_SCALE = np.radians(25.0), 1.6
"""Points are found again from so nearly one side and distance."""
NEIGHBOURS = 5
"""Photos that follow each other so closely tell nothing."""
MIN_TO_SHOW, MIN_SHARED = 100, 5
"""Points that a photo should show of another's, and that it must show for the two to have anything in common."""
LITTLE = 0.2
"""Share of these that look-alikes stay below."""
MOST_LITTLE = 0.7
"""Share of the pairs of photos that may; measured 0.20 to 0.53 in right maps of garages, 0.89 in a folded one."""
MIN_PAIRS = 50
"""Pairs that tell anything."""


def little_shared(model: pycolmap.Reconstruction) -> tuple[float, int]:
    """Return the share of pairs of photos with something in common that share little of what they should; how many."""
    shares = np.concatenate([[], *_shares(model)])
    return (float(np.mean(shares < LITTLE)) if len(shares) else 0.0), len(shares)


def require_no_look_alikes(model: pycolmap.Reconstruction, *, force: bool) -> float:
    """Return the share of pairs that share little where they are so many that the map is folded, else 0.

    Raises ``MappingError`` for such a map; with ``force`` it is only logged.
    """
    share, pairs = little_shared(model)
    if pairs < MIN_PAIRS or share < MOST_LITTLE:
        return 0.0
    what = (
        f"of {pairs} pairs of photos that by the map see the same {share:.0%} share hardly any of it: "
        "places that look alike lie on each other"
    )
    if not force:
        raise MappingError(
            what,
            remedy="Give --poses of the phone that took the photos, or --tags; or photos of the way between the "
            "places. --force publishes the map.",
        )
    logger.warning("%s", what)
    return share


def _shares(model: pycolmap.Reconstruction) -> Iterator[Array]:
    """Yield, photo by photo, which share of the points that it should show of other photos' it does (M,)."""
    images = placed_images(model)
    row_of = {image.image_id: row for row, image in enumerate(images)}
    points = list(model.points3D.values())
    if not points:
        return
    xyz = np.array([point.xyz for point in points])
    seen = [(k, row_of[each.image_id]) for k, point in enumerate(points) for each in point.track.elements]
    point, photo = np.unique(np.array(seen, dtype=np.int64), axis=0).T
    centres = np.array([image.projection_center() for image in images])
    own = xyz[point] - centres[photo]
    far = np.linalg.norm(own, axis=1)
    for row, image in enumerate(images):
        there = xyz - centres[row]
        pixels, valid = project(image.camera, there @ image.cam_from_world().rotation.matrix().T)
        shown = valid & (pixels > 0).all(axis=1) & (pixels < (image.camera.width, image.camera.height)).all(axis=1)
        asked = np.flatnonzero(shown[point] & (np.abs(photo - row) > NEIGHBOURS))
        other, mine = there[point[asked]], own[asked]
        near, away = np.linalg.norm(other, axis=1), far[asked]
        alike = (other * mine).sum(axis=1) > np.cos(SAME_ANGLE) * near * away
        asked = asked[alike & (near < SAME_SCALE * away) & (away < SAME_SCALE * near)]
        sees = np.zeros(len(xyz), dtype=bool)
        sees[point[photo == row]] = True
        to_show = np.bincount(photo[asked], minlength=len(images))
        shared = np.bincount(photo[asked], weights=sees[point[asked]], minlength=len(images))
        kept = (to_show >= MIN_TO_SHOW) & (shared >= MIN_SHARED)
        yield shared[kept] / to_show[kept]
