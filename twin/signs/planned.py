"""Signs that a floor plan lists and no photo of the map read: where to look for them."""

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geometry.floorplan import Sign
from perception import fold_text
from twin.signs.landmark import SignLandmark

Array = NDArray[np.float64]

SAME_PLACE_M, SAME_FACING, ALIKE = 1.0, 0.8, 0.6
"""A planned sign and one that was read are one this near, with such a cosine of their normals and such a share of
letters in common (Ratcliff & Obershelp 1988): a misreading is no other sign."""
STILL_THERE = 0.5
"""Probability of a planned sign that was not read: it is small or seldom seen, or was changed since. Telltales take it,
as ``telltales.signs.LEAST_PROBABILITY`` is no more."""
SIGMA_M = 0.1
MOST_UPWARD = 0.7
"""Of a normal: what faces up or down is no board that photos show upright."""
HEIGHT_OF_BOARD, WIDTH_OF_BOARD, WIDTH_OF_LETTER = 0.8, 0.9, 0.6
"""A line of letters against its board, at most, and a letter's width against its height."""


def with_planned(read: Sequence[SignLandmark], planned: Sequence[Sign]) -> tuple[SignLandmark, ...]:
    """Return the signs that were read, and after them the boards of a plan that were not, with ``views`` of 1."""
    boards = [sign for sign in planned if fold_text(sign.text) and abs(sign.normal[2]) < MOST_UPWARD]
    fixed = [sign for sign in read if sign.permanent]
    if not boards or not fixed:
        return (*read, *map(_landmark, boards))
    near = cKDTree([sign.position for sign in fixed]).query_ball_point(list(map(_position, boards)), SAME_PLACE_M)
    missing = [
        sign
        for sign, rows in zip(boards, near.tolist(), strict=True)
        if not any(_is_alike(sign, fixed[row]) for row in rows)
    ]
    return (*read, *map(_landmark, missing))


def _is_alike(planned: Sign, read: SignLandmark) -> bool:
    one, other = fold_text(planned.text), fold_text(read.text)
    is_alike = SequenceMatcher(None, one, other, autojunk=False).ratio() >= ALIKE
    return is_alike and float(np.dot(planned.normal, read.normal)) > SAME_FACING


def _position(sign: Sign) -> Array:
    return np.array(sign.position.coords[0], dtype=np.float64)


def _landmark(sign: Sign) -> SignLandmark:
    x, y, z = _position(sign).tolist()
    text, variance = sign.text.strip(), SIGMA_M**2
    return SignLandmark(
        id=sign.id,
        level=sign.level,
        position=(x, y, z),
        normal=sign.normal,
        text=text,
        width=sign.width,
        height=sign.height,
        letter_height=min(HEIGHT_OF_BOARD * sign.height, WIDTH_OF_BOARD * sign.width / (WIDTH_OF_LETTER * len(text))),
        probability=STILL_THERE,
        covariance=((variance, 0.0, 0.0), (0.0, variance, 0.0), (0.0, 0.0, variance)),
        views=1,
        kind="board",
    )
