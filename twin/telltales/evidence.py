"""On which level a photo was taken, by what it shows where levels differ.

A pose says where in the photo a telltale is. What is there is explained by each level's look, with a contrast of its
own, the light's mean and slope taken out, and some shift, as poses are not exact; the level whose look leaves least is
the likeliest (a likelihood ratio of Gaussian residuals with unknown variance). Looks are not exact either: a share of
their contrast counts as noise. What no look explains is something that stands before the telltale, and says nothing.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from twin.telltales.patches import Shown, inside, log_grey, shown, without_slope
from twin.telltales.telltale import Telltale

Array = NDArray[np.float64]

LEAST_PART = 0.5
"""Of a patch, and of what levels differ by in it, that the photo must hold."""
LEAST_PX = 60.0
"""A patch that covers less of the photo is not looked at."""
PX_EACH, MOST_SAMPLES = 12.0, 16.0
"""So many pixels are one sample that errs by itself, and a patch is never worth more samples."""
LOOK_SHARE, LEAST_NOISE = 0.25, 0.05
"""Standard deviations of looks: a share of the patch's contrast, and natural logarithms of grey levels."""
CONTRAST = (0.4, 2.5)
"""Between a photo's and the map's."""
UNEXPLAINED, UNEXPLAINED_SHARE = 0.08, 0.5
"""A patch is hidden of which the best look leaves more than both, natural logarithms and a share of its variance."""
SHIFT_PX, SHIFT_M, MOST_SHIFT = 1.5, 0.06, 12
MOST_LOG_ODDS = 4.0
"""Of a patch, and of all: those of one photo err together."""
BLUR = 0.5
"""Of a photo, in its pixels: standard deviation of what a pixel gathers."""


def level_log_odds(
    telltales: Sequence[Telltale],
    gray: NDArray[np.uint8],
    camera: pycolmap.Camera,
    cam_from_site: pycolmap.Rigid3d,
    level: int,
) -> Array | None:
    """Return how much less than for the likeliest level a photo (H, W) speaks for each (K,), natural logarithm.

    level: that of the pose, by which telltales are looked for. None where the photo shows none of them.
    """
    found = [odds for each in telltales if (odds := _of_one(each, gray, camera, cam_from_site, level)) is not None]
    if not found:
        return None
    total = np.sum(found, axis=0)
    return np.asarray(np.maximum(total - total.max(), -MOST_LOG_ODDS))


def _of_one(
    telltale: Telltale, gray: NDArray[np.uint8], camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, level: int
) -> Array | None:
    normal = telltale.normal(level)
    there, _ = inside(camera, cam_from_site, telltale.cells(level), normal)
    part = _whole_part(there)
    if part is None:
        return None
    whole, telltale = telltale, telltale.part(*part)
    if _differences(telltale.looks) < LEAST_PART * _differences(whole.looks):
        return None  # what is left shows what all levels have
    place = shown(camera, cam_from_site, telltale.cells(level), normal)
    if place is None or place.area_px < LEAST_PX:
        return None
    margin = _margin(telltale, level, place)
    around = telltale.cells(level, margin)
    seen = shown(camera, cam_from_site, around, normal)
    if seen is None:  # at the border of the photo
        margin, seen = (0, 0), place
    patch = log_grey(gray, seen.pixels)
    left, variance = _residuals(patch, telltale.looks, place.px_per_cell)
    best = int(left.argmin())
    if left[best] > UNEXPLAINED**2 and left[best] > UNEXPLAINED_SHARE * variance[best]:
        return None
    samples = min(place.area_px / PX_EACH, MOST_SAMPLES)
    noise = LOOK_SHARE**2 * variance.max() + LEAST_NOISE**2
    odds = -0.5 * samples * np.log(left + noise)
    return np.asarray(np.maximum(odds - odds.max(), -MOST_LOG_ODDS))


def _whole_part(there: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """Return the rows and columns of a part that is all there, (h, w); None where that is less than ``LEAST_PART``."""
    every = slice(0, there.shape[0]), slice(0, there.shape[1])
    parts = [(_span(np.asarray(there.all(axis=1))), every[1]), (every[0], _span(np.asarray(there.all(axis=0))))]
    rows, columns = max(parts, key=lambda part: (part[0].stop - part[0].start) * (part[1].stop - part[1].start))
    size = (rows.stop - rows.start) * (columns.stop - columns.start)
    return (rows, columns) if size >= LEAST_PART * there.size else None


def _differences(looks: NDArray[np.float32]) -> float:
    return float(((looks - looks.mean(axis=0)) ** 2).sum())


def _span(good: NDArray[np.bool_]) -> slice:
    """Return the longest run of what is good."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]])))
    runs = edges.reshape(-1, 2)
    if len(runs) == 0:
        return slice(0, 0)
    start, stop = runs[np.argmax(runs[:, 1] - runs[:, 0])].tolist()
    return slice(start, stop)


def _margin(telltale: Telltale, level: int, place: Shown) -> tuple[int, int]:
    """Return how many cells (down, right) a telltale may lie off."""
    metres = [float(np.linalg.norm(step[level])) for step in (telltale.down, telltale.right)]
    cells = [max(SHIFT_PX / max(px, 0.05), SHIFT_M / step) for px, step in zip(place.px_per_cell, metres, strict=True)]
    down, right = (min(int(np.ceil(each)), MOST_SHIFT) for each in cells)
    return down, right


def _residuals(
    patch: NDArray[np.float32], looks: NDArray[np.float32], px_per_cell: tuple[float, float]
) -> tuple[Array, Array]:
    """Return what each of K looks (K, h, w) leaves of a patch, shifted as it fits best: mean squares (K,), and the
    variance (K,) of the patch there."""
    height, width = looks.shape[1:]
    sigma_y, sigma_x = (max(BLUR / max(px, 0.05), 0.3) for px in px_per_cell)
    left, variance = np.zeros(len(looks)), np.zeros(len(looks))
    for k, look in enumerate(looks):
        blurred = cv2.GaussianBlur(look, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y, borderType=cv2.BORDER_REPLICATE)
        _, _, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(patch, blurred, cv2.TM_CCOEFF_NORMED))
        there, expected = without_slope(np.stack([patch[y : y + height, x : x + width], blurred]))
        contrast = np.clip(there @ expected / max(expected @ expected, 1e-9), *CONTRAST)
        left[k], variance[k] = np.mean((there - contrast * expected) ** 2), np.mean(there**2)
    return left, variance
