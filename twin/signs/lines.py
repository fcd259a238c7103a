"""Where in a photo the text of a sign is, for a reader that is asked what is written just there."""

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import position_of, project, transform_points
from twin.signs.landmark import SignLandmark

Array = NDArray[np.float64]

MIN_FACING = 0.35
"""Cosine between a sign's normal and the direction to the camera."""
LINE_HEIGHT, LETTER_WIDTH = 1.5, 1.0
"""A line of text against the height of its letters; with room around it, as the recogniser expects."""


def quad_of_line(
    sign: SignLandmark,
    camera: pycolmap.Camera,
    cam_from_site: pycolmap.Rigid3d,
    size: tuple[int, int],
    min_letter_px: float,
) -> Array | None:
    """Return the quad (4, 2) px of a sign's line of text, top-left first, None where a photo (width, height) would not
    show it legibly."""
    to_camera = position_of(cam_from_site) - np.array(sign.position)
    if to_camera @ np.array(sign.normal) < MIN_FACING * np.linalg.norm(to_camera):
        return None
    quad, valid = project(camera, transform_points(cam_from_site, _line_of(sign)))
    if not valid.all() or (quad < 0).any() or (quad > size).any():
        return None
    letters_px = np.linalg.norm(quad[[0, 1]] - quad[[3, 2]], axis=1).min() / LINE_HEIGHT
    return quad if letters_px >= min_letter_px else None


def _line_of(sign: SignLandmark) -> Array:
    """Return the corners (4, 3) in site of a sign's line of text: top-left first, clockwise as it is read."""
    normal, up = np.array(sign.normal), np.array([0.0, 0.0, 1.0])
    right = np.cross(up, normal)
    right /= max(float(np.linalg.norm(right)), 1e-9)
    up = np.cross(normal, right)
    width = LETTER_WIDTH * sign.letter_height * (len(sign.text) + 0.5)
    half_width, half_height = min(width, 1.1 * sign.width) / 2.0, LINE_HEIGHT * sign.letter_height / 2.0
    corners = [(-1, 1), (1, 1), (1, -1), (-1, -1)]
    return np.array([np.array(sign.position) + x * half_width * right + y * half_height * up for x, y in corners])
