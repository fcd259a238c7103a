"""Calibrations whose world is mirrored: noticed by depths that are all negative, and put right.

Tools that render in left-handed worlds export cameras under which every visible point lies behind: the pixel is right,
as x/z does not see a common sign, but no test for 'in front' passes.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError

Array = NDArray[np.float64]

MIRROR_Y = np.diag([1.0, -1.0, 1.0])


def is_left_handed(rotation: ArrayLike, translation: ArrayLike, visible_points: ArrayLike) -> bool:
    """Tell whether x_cam = R x + t puts points (N, 3) that a camera shows behind it.

    Raises ``InputError`` without points, and where some are in front and some behind: then it is something else.
    """
    points = np.asarray(visible_points, dtype=np.float64).reshape(-1, 3)
    depth = points @ np.asarray(rotation, dtype=np.float64)[2] + np.asarray(translation, dtype=np.float64).ravel()[2]
    if not len(depth):
        raise InputError("points that the camera shows are needed to tell the world's hand")
    behind = float((depth < 0).mean())
    if 0.05 < behind < 0.95:
        raise InputError(f"{behind:.0%} of the points lie behind the camera: the pose is wrong, or points are not seen")
    return behind >= 0.95


def right_handed(rotation: ArrayLike, translation: ArrayLike) -> tuple[Array, Array]:
    """Return R and t for the world whose y is mirrored, (x, -y, z): the same pixels, and depths of the other sign."""
    turned = -np.asarray(rotation, dtype=np.float64) @ MIRROR_Y
    return turned, -np.asarray(translation, dtype=np.float64).ravel()
