"""Whether a map that nothing but photos holds is in one piece: a walk does not jump.

Where places look alike SfM builds each part well, and may join parts where they only look the same. Then photos that
were taken one after the other are far apart in the map.
"""

import logging

import numpy as np
import pycolmap

from geometry import MappingError
from twin.mapping.reconstruction import placed_images

logger = logging.getLogger(__name__)

JUMP = 8.0
"""A step from photo to photo that is so many times the median one is no step."""
MOST_JUMPS, MOST_SHARE = 3, 0.02
"""A new recording begins elsewhere, too: so many are usual, or this share of all steps."""


def jumps(reconstruction: pycolmap.Reconstruction) -> list[str]:
    """Return the names of the placed images, in order, after which the next one is a jump away."""
    images = placed_images(reconstruction)
    centres = np.array([image.projection_center() for image in images]).reshape(-1, 3)
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    if len(steps) == 0:
        return []
    return [images[k].name for k in np.flatnonzero(steps > JUMP * np.median(steps)).tolist()]


def require_continuous(reconstruction: pycolmap.Reconstruction, *, force: bool) -> list[str]:
    """Return the names of images that the walk jumps after, if these are too many for a map in one piece.

    Raises ``MappingError`` then; with ``force`` it is only logged.
    """
    found, steps = jumps(reconstruction), reconstruction.num_reg_images() - 1
    if len(found) <= max(MOST_JUMPS, MOST_SHARE * steps):
        return []
    what = f"from photo to photo the map jumps {len(found)} times in {steps} steps: parts that look alike were joined"
    if not force:
        raise MappingError(
            what,
            where=", ".join(found[:6]),
            remedy="Give --poses of the phone that took the photos, or --tags. If the photos are of no walk, or their "
            "names are in no order, --force publishes the map.",
        )
    logger.warning("%s", what)
    return found
