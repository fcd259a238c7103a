"""What a look at vehicles is told beside the pixels: how large they are, and what the detector takes them for."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from perception.detection.floor_below import MEASURES, FloorBelow
from perception.detection.windows import Array
from perception.detections import Detections

BY_BOX = 6
FLAG = 1
LEAST_SHARE = 1e-4
LEAST_PX = 0.3
LEAST_M = 1e-6
BOX_MIDDLE, BOX_SPREAD = np.array([0.4, 0.5, 0.07, 0.07, -2.5, -2.8]), np.array([0.7, 0.45, 0.1, 0.12, 0.75, 0.75])
"""Of the numbers of boxes over the vehicles that the network was trained on: the scale of a crop, the shape of the box,
how much larger the whole is and how sure its sides, all as logarithms."""
FLOOR_MIDDLE, FLOOR_SPREAD = np.array([-3.65, 1.05, 0.5, 0.22, 0.1]), np.array([0.3, 0.45, 0.2, 0.16, 0.1])
"""The same of what a calibrated camera measures, metres as logarithms."""
SHARE_MIDDLE, SHARE_SPREAD = -4.0, 3.0
FAR_OUT = 4.0


def count_numbers(kinds: int) -> int:
    """Return how many numbers there are for so many kinds."""
    return BY_BOX + FLAG + MEASURES + FLAG + kinds


class Known(NamedTuple):
    """What is known of N vehicles that were found, NaN for what is not.

    whole: boxes (N, 4) px, those that are seen where the whole ones are not told; sigma: (N, 4) of their sides
    measured: (N, MEASURES) as ``FloorBelow.measured``; shares: (N, K) of kinds
    """

    whole: Array
    sigma: Array
    measured: Array
    shares: Array

    @classmethod
    def of(cls, found: Detections, size: tuple[int, int], kinds: tuple[str, ...], floor: FloorBelow | None) -> Self:
        """Return what a detector and a camera, None for one that is not calibrated, tell in a picture of a size.

        Shares of other kinds, or of these in another order, tell nothing.
        """
        whole, sigma = found.boxes, np.full((len(found), 4), np.nan)
        if found.whole is not None:
            whole = np.where(found.whole.told[:, None], found.whole.boxes, whole)
            sigma = found.whole.sigma[:, :4]
        shares = found.kind_shares
        return cls(
            whole=whole,
            sigma=sigma,
            measured=np.full((len(found), MEASURES), np.nan) if floor is None else floor.measured(whole, size),
            shares=np.full((len(found), len(kinds)), np.nan)
            if shares is None or shares.names != kinds
            else shares.values,
        )


def numbers_of(boxes: Array, scale: Array, known: Known) -> NDArray[np.float32]:
    """Return the numbers (N, ``count_numbers``) beside crops, of a scale (N,), of vehicles in boxes (N, 4) px.

    Each is about 0, and 1 wide. What is not known is 0, beside a 0 that says so where it is a camera's measures or a
    detector's shares; a box is as sure as usual where the detector does not tell.
    """
    whole, sigma, measured, shares = known
    sides, all_sides = (np.maximum(each[:, 2:] - each[:, :2], 1.0) for each in (boxes, whole))
    unsure = np.maximum(np.maximum(sigma[:, :2], sigma[:, 2:]), LEAST_PX) / all_sides
    by_box = np.column_stack([
        np.log(scale),
        np.log(sides[:, 0] / sides[:, 1]),
        np.log(all_sides / sides),
        np.log(unsure),
    ])  # fmt: skip
    metres = np.log(np.maximum(measured[:, :3], LEAST_M))
    metres[:, 0] -= np.log(scale)  # metres a pixel of the crop
    by_floor = _within(np.column_stack([metres, measured[:, 3:]]), FLOOR_MIDDLE, FLOOR_SPREAD)
    by_share = (np.log(np.maximum(shares, LEAST_SHARE)) - SHARE_MIDDLE) / SHARE_SPREAD
    parts = [np.nan_to_num(_within(by_box, BOX_MIDDLE, BOX_SPREAD))]
    for each in (by_floor, by_share):
        is_known = np.asarray(np.isfinite(each).all(axis=1), dtype=np.float64)[:, None]
        parts += [is_known, np.where(is_known > 0, each, 0.0)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _within(values: Array, middle: Array, spread: Array) -> Array:
    return np.asarray(np.clip((values - middle) / spread, -FAR_OUT, FAR_OUT))
