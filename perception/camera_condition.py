"""What is wrong with a camera's picture by itself: covered, dark, out of focus, dirty, frozen; against a good picture.

All measures are relative to a reference picture of the same camera: fine detail as a share of coarse detail, cell by
cell, so that neither light nor parked cars look like a fault.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError

Gray = NDArray[np.uint8]
Array = NDArray[np.float64]

GRID = (6, 8)
FINE_PX, COARSE_PX = 1.0, 4.0
NOISE_LEFT = 0.25
"""Of a sensor's noise, in each band of detail after the median: measured on white noise of 2 to 8 gray values."""
NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
"""Blind to planes and straight edges (Immerkaer 1996): what is left is noise, six times its sigma."""
PLAIN = 3.0
"""Cells whose coarse contrast in the reference is less, in gray values, tell nothing."""
FINE = 0.02
"""Cells with less fine contrast than this share of the coarse have none to lose."""
COVERED_CONTRAST, COVERED_SHARE = 0.25, 0.9
BLURRED_RATIO, BLURRED_SHARE = 0.45, 0.75
DIRTY_RATIO, DIRTY_SHARE = 0.3, 0.1
DARK_LEVEL, DARK_SHARE = 6.0, 0.25
FROZEN_DIFFERENCE = 0.02
"""Mean absolute difference of gray values; a sensor's noise alone makes it larger."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Detail:
    """Detail by cell of ``GRID``: coarse contrast in gray values, and fine contrast as a share of the coarse."""

    coarse: Array
    fineness: Array
    level: float


@dataclass(frozen=True, kw_only=True)
class Condition:
    """How a picture compares with the reference.

    fault: "covered", "dark", "defocused", "dirty", or None; dirty is only a suspicion until it stays
    contrast, fineness: medians over the cells, 1 is as in the reference; spoilt: share of the cells that lost detail
    """

    fault: str | None
    contrast: float
    fineness: float
    spoilt: float
    level: float


def detail(gray: Gray) -> Detail:
    """Measure a gray picture (H, W); the sensor's noise is no detail, and is taken off."""
    if gray.ndim != 2 or min(gray.shape) < 8 * max(GRID):
        raise InputError(f"a picture of {gray.shape} is too small to judge")
    picture = cv2.medianBlur(gray, 3).astype(np.float32)
    fine = picture - cv2.GaussianBlur(picture, (0, 0), FINE_PX)
    broad = cv2.GaussianBlur(picture, (0, 0), FINE_PX) - cv2.GaussianBlur(picture, (0, 0), 4 * COARSE_PX)
    noise = NOISE_LEFT * _noise(gray)
    coarse = _cells(broad, noise)
    return Detail(coarse=coarse, fineness=_cells(fine, noise) / np.maximum(coarse, 1.0), level=float(np.mean(picture)))


def _noise(gray: Gray) -> float:
    """Return the standard deviation of a picture's noise, gray values."""
    return float(1.4826 * np.median(np.abs(cv2.filter2D(gray.astype(np.float32), -1, NOISE_KERNEL))) / 6.0)


def _cells(picture: NDArray[np.float32], noise: float) -> Array:
    """Return the root mean square of each cell beyond the noise."""
    squares = cv2.resize(picture**2, GRID[::-1], interpolation=cv2.INTER_AREA).astype(np.float64)
    return np.asarray(np.sqrt(np.maximum(squares - noise**2, 0.0)))


def condition(gray: Gray, reference: Detail) -> Condition:
    """Compare a picture with a reference of the same camera."""
    now = detail(gray)
    telling = reference.coarse > PLAIN
    fine = telling & (reference.fineness > FINE)
    # Contrast relative to brightness, so that dim light is no cover.
    light = max(now.level, 1.0) / max(reference.level, 1.0)
    contrast = now.coarse[telling] / (reference.coarse[telling] * min(light, 1.0))
    fineness = np.ones(reference.coarse.shape)
    fineness[fine] = now.fineness[fine] / reference.fineness[fine]
    lost = (fineness[telling] < DIRTY_RATIO) | (contrast < COVERED_CONTRAST)
    fineness = fineness[fine]
    fault = None
    if now.level < min(DARK_LEVEL, DARK_SHARE * reference.level):
        fault = "dark"
    elif _share(contrast < COVERED_CONTRAST) > COVERED_SHARE:
        fault = "covered"
    elif _share(fineness < BLURRED_RATIO) > BLURRED_SHARE:
        fault = "defocused"
    elif _share(lost) > DIRTY_SHARE:
        fault = "dirty"
    return Condition(
        fault=fault,
        contrast=float(np.median(contrast)) if len(contrast) else 1.0,
        fineness=float(np.median(fineness)) if len(fineness) else 1.0,
        spoilt=_share(lost),
        level=now.level,
    )


def _share(which: NDArray[np.bool_]) -> float:
    """Return the share of cells that are so, 0 where none could tell."""
    return float(which.mean()) if len(which) else 0.0


def is_frozen(before: Gray, now: Gray) -> bool:
    """Tell whether two frames of one size are the same picture: even a still scene differs by the sensor's noise."""
    return before.shape == now.shape and float(cv2.absdiff(before, now).mean()) < FROZEN_DIFFERENCE
