"""Crops of what a detector found, one scale larger, and what a second network says of them.

The second stage of a two-stage detector (Cai and Vasconcelos 2018), on pixels instead of features: small boxes are
enlarged before the network sees them, so that a tenth of their size is not a tenth of its finest cell. How far off each
side may be is learned beside it (He et al. 2019).
"""

import numpy as np
from numpy.typing import NDArray

from perception.detection.windows import Shape, Windows

Array = NDArray[np.float64]

CLOSE = Shape(width=112, height=80, context=1.5)
UNIT_PX = 16.0
"""Offsets in answers are in so many pixels of the crop."""
NUMBERS = 6
ENDS = 10
"""What an answer places: left, top, right, bottom of what is seen, the same of the whole object, hidden or not, and the
foot's x and y."""
LEAST_SCORE = 1e-3
LOG_ERRORS = (-5.0, 3.0)
"""Bounds of the logarithm of how far off an end is on average, in ``UNIT_PX``."""


def numbers_of(boxes: Array, scores: Array, is_person: NDArray[np.bool_], windows: Windows) -> NDArray[np.float32]:
    """Return what the pixels of crops don't tell, (N, NUMBERS): the boxes' sizes in them, the scale, what was found."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0) * windows.scale[:, None]
    share = np.clip(scores, LEAST_SCORE, 1 - LEAST_SCORE)
    columns = (
        sides[:, 0] / CLOSE.width,
        sides[:, 1] / CLOSE.height,
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
