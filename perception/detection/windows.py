"""Windows around boxes: parts of a picture, cut out in one size, for a network that looks at each."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FILL = 114
"""Grey beyond the picture's border."""


class Shape(NamedTuple):
    """Crops of width and height px; each shows ``context`` times the box, in the direction in which it is tighter."""

    width: int
    height: int
    context: float


class Windows(NamedTuple):
    """Which part of a picture each crop shows: middles (N, 2) px, and crop pixels per picture pixel (N,)."""

    middle: Array
    scale: Array

    def take(self, index: slice | NDArray[np.int64] | NDArray[np.bool_]) -> "Windows":
        """Return some of the windows."""
        return Windows(self.middle[index], self.scale[index])


def windows_of(boxes: Array, shape: Shape) -> Windows:
    """Return the windows around boxes (N, 4) px."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)
    scale = (np.array([shape.width, shape.height]) / (shape.context * sides)).min(axis=1)
    return Windows((boxes[:, :2] + boxes[:, 2:]) / 2, scale)


def cut(picture: NDArray[np.uint8], windows: Windows, shape: Shape) -> NDArray[np.uint8]:
    """Cut windows out of a picture (H, W, 3): (N, height, width, 3) uint8."""
    crops = np.empty((len(windows.scale), shape.height, shape.width, 3), dtype=np.uint8)
    for crop, middle, scale in zip(crops, windows.middle, windows.scale.tolist(), strict=True):
        crop[:] = _window(picture, middle, scale, shape)
    return crops


def _window(picture: NDArray[np.uint8], middle: Array, scale: float, shape: Shape) -> NDArray[np.uint8]:
    """Cut one window; what is made smaller by more than a half is averaged first, or it would alias."""
    picture, middle = _near(picture, middle, scale, shape)
    while scale < 0.5 and min(picture.shape[:2]) >= 2:
        even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
        size = even.shape[1] // 2, even.shape[0] // 2
        picture = np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        middle, scale = middle / 2, scale * 2
    # A pixel's middle is at half a pixel here, and at whole ones for OpenCV.
    shift = np.array([shape.width, shape.height]) / 2 - scale * middle + 0.5 * scale - 0.5
    matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    size, flags = (shape.width, shape.height), cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(picture, matrix, size, flags=flags, borderValue=(FILL, FILL, FILL)), np.uint8)


def _near(picture: NDArray[np.uint8], middle: Array, scale: float, shape: Shape) -> tuple[NDArray[np.uint8], Array]:
    """Return the part of a picture that a window shows, and its middle there: OpenCV takes no picture of any size."""
    half = np.array([shape.width, shape.height]) / (2 * scale)
    limit = np.array([picture.shape[1], picture.shape[0]])
    low = np.clip(np.floor(middle - half).astype(int) - 2, 0, limit - 1) // 2 * 2
    high = np.clip(np.ceil(middle + half).astype(int) + 2, low + 1, limit)
    return picture[low[1] : high[1], low[0] : high[0]], middle - low
