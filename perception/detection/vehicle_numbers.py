"""What a look at vehicles is told beside the pixels: how large they are, and what the detector takes them for."""

import numpy as np
from numpy.typing import NDArray

from perception.detection.floor_below import MEASURES, FloorBelow
from perception.detection.windows import Array, Windows
from perception.detections import Detections

BY_BOX = 6
KNOWN = 1
LEAST_SHARE = 1e-4
LEAST_PX = 0.3
BOX_MIDDLE, BOX_SPREAD = np.array([0.4, 0.5, 0.07, 0.07, -2.5, -2.8]), np.array([0.7, 0.45, 0.1, 0.12, 0.75, 0.75])
"""Of the numbers of boxes over the vehicles that the network was trained on: the scale of a crop, the shape of the box,
how much larger the whole is and how sure its sides, all as logarithms."""
FLOOR_MIDDLE, FLOOR_SPREAD = np.array([-3.65, 1.05, 0.5, 0.22, 0.1]), np.array([0.3, 0.45, 0.2, 0.16, 0.1])
"""The same of what a calibrated camera measures, metres as logarithms."""
SHARE_MIDDLE, SHARE_SPREAD = -4.0, 3.0
FAR_OUT = 4.0


def count_numbers(kinds: int) -> int:
    """Return how many numbers there are for so many kinds."""
    return BY_BOX + KNOWN + MEASURES + KNOWN + kinds


def vehicle_numbers(
    found: Detections, windows: Windows, kinds: tuple[str, ...], floor: FloorBelow | None
) -> NDArray[np.float32]:
    """Return the numbers (N, ``count_numbers``) beside crops of ``windows`` of N vehicles, each about 0, and 1 wide.

    What is not known, as sizes without a calibrated camera and shares of other kinds, is 0, beside a 0 that says so. A
    box is whole, and as sure as usual, where the detector does not tell.
    """
    shares = found.kind_shares
    told = np.full((len(found), len(kinds)), np.nan) if shares is None or shares.names != kinds else shares.values
    whole, sigma = found.boxes, np.full((len(found), 4), np.nan)
    if found.whole is not None:
        whole = np.where(found.whole.told[:, None], found.whole.boxes, whole)
        sigma = found.whole.sigma[:, :4]
    measured = np.full((len(found), MEASURES), np.nan) if floor is None else floor.measured(whole)
    return numbers_of(found.boxes, whole, sigma, windows.scale, measured, told)


def numbers_of(
    boxes: Array, whole: Array, sigma: Array, scale: Array, measured: Array, shares: Array
) -> NDArray[np.float32]:
    """Return the numbers (N, ``count_numbers``) of boxes (N, 4) and whole boxes (N, 4) px whose sides are sure to
    sigma (N, 4), in crops of a scale (N,), of what ``FloorBelow.measured`` says and of shares (N, K).

    NaN is what is not known.
    """
    sides, all_sides = (np.maximum(each[:, 2:] - each[:, :2], 1.0) for each in (boxes, whole))
    unsure = np.maximum(np.maximum(sigma[:, :2], sigma[:, 2:]), LEAST_PX) / all_sides
    by_box = np.column_stack([
        np.log(scale),
        np.log(sides[:, 0] / sides[:, 1]),
        np.log(all_sides / sides),
        np.log(unsure),
    ])  # fmt: skip
    with np.errstate(invalid="ignore"):
        metres = np.log(np.maximum(measured[:, :3], 1e-6))
    metres[:, 0] -= np.log(scale)  # metres a pixel of the crop
    by_floor = _within(np.column_stack([metres, measured[:, 3:]]), FLOOR_MIDDLE, FLOOR_SPREAD)
    by_share = (np.log(np.maximum(shares, LEAST_SHARE)) - SHARE_MIDDLE) / SHARE_SPREAD
    parts = [np.nan_to_num(_within(by_box, BOX_MIDDLE, BOX_SPREAD))]
    for each in (by_floor, by_share):
        known = np.asarray(np.isfinite(each).all(axis=1), dtype=np.float64)[:, None]
        parts += [known, np.where(known > 0, each, 0.0)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _within(values: Array, middle: Array, spread: Array) -> Array:
    return np.asarray(np.clip((values - middle) / spread, -FAR_OUT, FAR_OUT))
