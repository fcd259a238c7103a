"""Whether a map puts places on top of each other that only look the same: two storeys, two bays.

Two photos from one place, in one direction, share most of what they see. Where a map says that many photos are such
twins, and they share less, one of each two was taken elsewhere.
"""

import logging
from collections.abc import Collection

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import MappingError, project, transform_points
from twin.mapping.pairing import Pair
from twin.mapping.reconstruction import placed_images

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

NEAR, SAME_ANGLE = 0.13, np.radians(20.0)
"""Photos this near each other, as a share of the distance to what they show, and so turned, show the same."""
NEIGHBOURS = 5
"""Photos that follow each other so closely are of one place anyhow."""
MIN_TO_SHOW = 30
"""Points of a photo that the other one should show."""
MIN_SHARED = 0.5
"""Share of these that one place shows. Measured in maps of garages, in the median: 0.73 where they are right, 0.04
where one storey lies on another, 0.46 where it lies on its copy, another in signs and cars alone."""
MIN_PAIRS = 10
"""Pairs that tell."""


def shared_by_twins(model: pycolmap.Reconstruction, asked: Collection[Pair]) -> Array:
    """Return (M,), which share of what they should two photos of one place and direction share, by the map.

    asked: pairs of rows, image id - 1, that were matched; others share what they share by chance
    """
    images = placed_images(model)
    row_of = {image.image_id - 1: number for number, image in enumerate(images)}
    points = [point for point in model.points3D.values() if point.track.length() > 2]
    pairs = np.array([(row_of[a], row_of[b]) for a, b in asked if a in row_of and b in row_of]).reshape(-1, 2)
    if not points or len(pairs) == 0:
        return np.zeros(0)
    xyz = np.array([point.xyz for point in points])
    seen: list[list[int]] = [[] for _ in images]
    for number, point in enumerate(points):
        for row in {row_of[each.image_id - 1] for each in point.track.elements}:
            seen[row].append(number)
    sees = [np.array(mine, dtype=np.int64) for mine in seen]
    centres = np.array([image.projection_center() for image in images])
    rotations = np.array([image.cam_from_world().rotation.matrix() for image in images])
    distance = np.array([
        np.median(np.linalg.norm(xyz[mine] - centre, axis=1)) if len(mine) else 0.0
        for mine, centre in zip(sees, centres, strict=True)
    ])  # fmt: skip
    a, b = pairs.T
    near = np.linalg.norm(centres[a] - centres[b], axis=1) < NEAR * np.minimum(distance[a], distance[b])
    turned = 0.5 * (np.einsum("nij,nij->n", rotations[a], rotations[b]) - 1.0)
    lens = np.array([image.camera_id for image in images])
    twins = near & (turned > np.cos(SAME_ANGLE)) & (lens[a] == lens[b]) & (np.abs(a - b) > NEIGHBOURS)
    shares = []
    for pair in pairs[twins].tolist():
        both = [_share(xyz, sees[one], sees[other], images[other]) for one, other in (pair, pair[::-1])]
        told = [share for share in both if share is not None]
        if told:
            shares.append(np.mean(told))
    return np.array(shares)


def _share(xyz: Array, mine: NDArray[np.int64], others: NDArray[np.int64], image: pycolmap.Image) -> float | None:
    """Return which share of a photo's points that another image should show it does; None where too few tell."""
    pixels, valid = project(image.camera, transform_points(image.cam_from_world(), xyz[mine]))
    shown = valid & (pixels > 0).all(axis=1) & (pixels < (image.camera.width, image.camera.height)).all(axis=1)
    return float(np.isin(mine[shown], others).mean()) if shown.sum() >= MIN_TO_SHOW else None


def require_no_look_alikes(model: pycolmap.Reconstruction, asked: Collection[Pair], *, force: bool) -> int:
    """Return how many pairs of photos lie on each other by a map that is folded, 0 of one that is not.

    Raises ``MappingError`` for a folded map; with ``force`` it is only logged.
    """
    shares = shared_by_twins(model, asked)
    if len(shares) < MIN_PAIRS or np.median(shares) >= MIN_SHARED:
        return 0
    what = (
        f"{len(shares)} times two photos are of one place by the map, and share {np.median(shares):.0%} of what they "
        "should: places that look alike lie on each other"
    )
    if not force:
        raise MappingError(
            what,
            remedy="Give --poses of the phone that took the photos, or --tags; or photos of the way between the "
            "places. --force publishes the map.",
        )
    logger.warning("%s", what)
    return len(shares)
