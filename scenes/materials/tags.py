"""AprilTags and ArUco markers as textures."""

import cv2
import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError, nearest_known
from scenes.rendering.shapes import Texture

FAMILIES: dict[str, int] = {
    "tag36h11": cv2.aruco.DICT_APRILTAG_36h11,
    "tag36h10": cv2.aruco.DICT_APRILTAG_36h10,
    "tag25h9": cv2.aruco.DICT_APRILTAG_25h9,
    "tag16h5": cv2.aruco.DICT_APRILTAG_16h5,
}
"""Names of the tag families, as tags.csv spells them."""
CELL_PX = 12
INK, PAPER = 26, 238
"""sRGB of print and of the board: neither is ever quite black or white."""


def tag_texture(family: str, number: int, size_m: float) -> Texture:
    """Return tag ``number`` of ``family``, upright, with a white margin of one cell around its black border.

    size_m: the side of the black border. Raises ``InputError`` for an unknown family or number.
    """
    if family not in FAMILIES:
        raise InputError(f"unknown tag family '{family}'", remedy=nearest_known(family, FAMILIES))
    dictionary = cv2.aruco.getPredefinedDictionary(FAMILIES[family])
    if not 0 <= number < len(dictionary.bytesList):
        raise InputError(f"{family} has no tag {number}", remedy=f"Use 0 to {len(dictionary.bytesList) - 1}.")
    cells = dictionary.markerSize + 2
    marker: NDArray[np.uint8] = cv2.aruco.generateImageMarker(dictionary, number, cells * CELL_PX, borderBits=1)
    printed = np.where(np.pad(marker, CELL_PX, constant_values=255) > 127, PAPER, INK).astype(np.uint8)
    return Texture(image=np.repeat(printed[..., None], 3, axis=2), px_per_m=cells * CELL_PX / size_m)


def board_size(family: str, size_m: float) -> float:
    """Return the side in metres of the square board: the black border and the margin around it."""
    cells = cv2.aruco.getPredefinedDictionary(FAMILIES[family]).markerSize + 2
    return size_m * (cells + 2) / cells
