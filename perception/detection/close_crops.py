"""Crops of what a detector found, one scale larger, and what a second network says of them.

The second stage of a two-stage detector (Cai and Vasconcelos 2018), on pixels instead of features: small boxes are
enlarged before the network sees them, so that a tenth of their size is not a tenth of its finest cell. How far off each
side may be is learned beside it (He et al. 2019).
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WIDTH_PX, HEIGHT_PX = 112, 80
CONTEXT = 1.5
"""A crop shows so many times the box, in the direction in which it is tighter."""
FILL = 114
"""Grey beyond the picture's border."""
UNIT_PX = 16.0
"""Offsets in answers are in so many pixels of the crop."""
NUMBERS = 6
ENDS = 10
"""What an answer places: left, top, right, bottom of what is seen, the same of the whole object, hidden or not, and the
foot's x and y."""
LEAST_SCORE = 1e-3
LOG_ERRORS = (-5.0, 3.0)
"""Bounds of the logarithm of how far off an end is on average, in ``UNIT_PX``."""


class Windows(NamedTuple):
    """Which part of a picture each crop shows: middles (N, 2) px, and crop pixels per picture pixel (N,)."""

    middle: Array
    scale: Array


def windows_of(boxes: Array) -> Windows:
    """Return the windows around boxes (N, 4) px."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)
    scale = (np.array([WIDTH_PX, HEIGHT_PX]) / (CONTEXT * sides)).min(axis=1)
    return Windows((boxes[:, :2] + boxes[:, 2:]) / 2, scale)


def cut(picture: NDArray[np.uint8], windows: Windows) -> NDArray[np.uint8]:
    """Cut windows out of a picture (H, W, 3): (N, HEIGHT_PX, WIDTH_PX, 3) uint8."""
    crops = np.empty((len(windows.scale), HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    for crop, middle, scale in zip(crops, windows.middle, windows.scale.tolist(), strict=True):
        crop[:] = _window(picture, middle, scale)
    return crops


def _window(picture: NDArray[np.uint8], middle: Array, scale: float) -> NDArray[np.uint8]:
    """Cut one window; what is made smaller by more than a half is averaged first, or it would alias."""
    picture, middle = _near(picture, middle, scale)
    while scale < 0.5 and min(picture.shape[:2]) >= 2:
        even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
        size = even.shape[1] // 2, even.shape[0] // 2
        picture = np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        middle, scale = middle / 2, scale * 2
    # A pixel's middle is at half a pixel here, and at whole ones for OpenCV.
    shift = np.array([WIDTH_PX, HEIGHT_PX]) / 2 - scale * middle + 0.5 * scale - 0.5
    matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    flags = cv2.INTER_LINEAR
    return np.asarray(
        cv2.warpAffine(picture, matrix, (WIDTH_PX, HEIGHT_PX), flags=flags, borderValue=(FILL, FILL, FILL)),
        dtype=np.uint8,
    )


def _near(picture: NDArray[np.uint8], middle: Array, scale: float) -> tuple[NDArray[np.uint8], Array]:
    """Return the part of a picture that a window shows, and its middle there: OpenCV takes no picture of any size."""
    half = np.array([WIDTH_PX, HEIGHT_PX]) / (2 * scale)
    limit = np.array([picture.shape[1], picture.shape[0]])
    low = np.clip(np.floor(middle - half).astype(int) - 2, 0, limit - 1) // 2 * 2
    high = np.clip(np.ceil(middle + half).astype(int) + 2, low + 1, limit)
    return picture[low[1] : high[1], low[0] : high[0]], middle - low


def numbers_of(boxes: Array, scores: Array, is_person: NDArray[np.bool_], windows: Windows) -> NDArray[np.float32]:
    """Return what the pixels of crops don't tell, (N, NUMBERS): the boxes' sizes in them, the scale, what was found."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0) * windows.scale[:, None]
    share = np.clip(scores, LEAST_SCORE, 1 - LEAST_SCORE)
    columns = (
        sides[:, 0] / WIDTH_PX,
        sides[:, 1] / HEIGHT_PX,
        np.log(windows.scale),
        np.log(share / (1 - share)) / 3,
        is_person,
        np.log(sides[:, 0] / sides[:, 1]),
    )
    return np.column_stack(columns).astype(np.float32)


def bases_of(boxes: Array, windows: Windows) -> Array:
    """Return what answers are offsets from, (N, ENDS) in their units from the crops' middles: sides, twice, and the
    middle of the side below."""
    below = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])
    return to_crop(np.concatenate([boxes, boxes, below], axis=1), windows)


def to_crop(ends: Array, windows: Windows) -> Array:
    """Return ends (N, ENDS) px of a picture in the units of answers, from the crops' middles."""
    return (ends - np.tile(windows.middle, ENDS // 2)) * windows.scale[:, None] / UNIT_PX


def to_picture(ends: Array, windows: Windows) -> Array:
    """Return ends (N, ENDS) in the units of answers in the picture's pixels."""
    return ends * UNIT_PX / windows.scale[:, None] + np.tile(windows.middle, ENDS // 2)
