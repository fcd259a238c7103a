"""Signs that a floor plan lists and no photo of the map read: where to look for them."""

from collections.abc import Sequence

import numpy as np

from geometry.floorplan import Sign
from perception import fold_text
from twin.signs.landmark import SignLandmark

SAME_PLACE_M = 1.0
"""A planned sign and one that was read, with the same text, are one this near."""
STILL_THERE = 0.5
"""Probability of a planned sign that was not read: it is small or seldom seen, or was changed since."""
SIGMA_M = 0.1
OF_BOARD, OF_WIDTH, LETTER_WIDTH = 0.8, 0.9, 0.6
"""A line of letters against its board: its height, its width at most, and a letter's width against its height."""


def with_planned(read: Sequence[SignLandmark], planned: Sequence[Sign]) -> tuple[SignLandmark, ...]:
    """Return the signs that were read, and after them those of a plan that were not."""
    missing = [sign for sign in planned if fold_text(sign.text) and not any(_is_same(sign, other) for other in read)]
    return (*read, *map(_landmark, missing))


def _is_same(planned: Sign, read: SignLandmark) -> bool:
    off = np.linalg.norm(_position(planned) - read.position)
    return bool(off < SAME_PLACE_M) and fold_text(planned.text) == fold_text(read.text)


def _position(sign: Sign) -> np.ndarray:
    return np.array(sign.position.coords[0], dtype=np.float64)


def _landmark(sign: Sign) -> SignLandmark:
    x, y, z = _position(sign).tolist()
    variance = SIGMA_M**2
    return SignLandmark(
        id=sign.id,
        level=sign.level,
        position=(x, y, z),
        normal=sign.normal,
        text=sign.text,
        width=sign.width,
        height=sign.height,
        letter_height=min(OF_BOARD * sign.height, OF_WIDTH * sign.width / (LETTER_WIDTH * len(sign.text))),
        probability=STILL_THERE,
        covariance=((variance, 0.0, 0.0), (0.0, variance, 0.0), (0.0, 0.0, variance)),
        views=1,
        kind="board",
    )
