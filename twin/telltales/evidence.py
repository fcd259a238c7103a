"""On which level a photo was taken, by what it shows where levels differ.

A pose says where in the photo a telltale is. What is there is explained by each level's look, with a contrast of its
own, the light's mean and slope taken out, and one affine map, as poses and places are not exact. Only where looks
differ it counts how much is left; the level whose look leaves least is the likeliest (a likelihood ratio of Gaussian
residuals with unknown variance). Looks are not exact either: a share of what they differ by counts as noise. What no
look explains is something that stands before the telltale, and says nothing; but a pillar that hides one side of it
leaves the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from twin.telltales.patches import inside, log_grey, px_per_cell, without_slope
from twin.telltales.telltale import Telltale

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_PART = 0.5
"""Of a patch, and of what levels differ by in it, that the photo must hold."""
LEAST_PX = 60.0
"""A patch that covers less of the photo is not looked at."""
PX_EACH, MOST_SAMPLES = 8.0, 16.0
"""So many pixels are one sample that errs by itself, and a patch is never worth more samples."""
LOOK_SHARE, LEAST_NOISE = 0.25, 0.05
"""Standard deviations of looks: a share of what they differ by, and natural logarithms of grey levels."""
CONTRAST = (0.4, 2.5)
"""Between a photo's and the map's."""
UNEXPLAINED, UNEXPLAINED_SHARE, HIDDEN_SHARE = 0.08, 0.3, 0.5
"""A patch is hidden of which the best look leaves more than that (natural logarithms), and more than a share of what it
differs by from the others, or of all that is seen."""
MOSTLY = 0.65
"""Of what levels differ by, what the fewest columns hold that must be seen."""
STRICTER = 0.5
"""Of these three, where one side of a patch is hidden: the hiding thing's edge may look like a stroke."""
FLAT = 1e-4
"""Variance, squared natural logarithm, of a look that fits anywhere, and of looks that no photo tells apart."""
DIFFERING = 0.25
"""Of the largest variance over levels: cells above it are those in which looks differ."""
SHIFT_PX, SHIFT_M, MOST_SHIFT = 2.0, 0.06, 12
MOST_SKEW = 0.2
"""Of the affine map that a look is seen through beside its pose's."""
ECC_CRITERIA, ECC_SMOOTHING = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4), 3
MOST_LOG_ODDS = 4.0
"""Of a patch, and of all: those of one photo err together."""
BLUR = 0.5
"""Of a photo, in its pixels: standard deviation of what a pixel gathers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Glance:
    """What a photo shows at a telltale.

    log_odds: (K,) how much less than for the likeliest level it speaks for each
    misfit: what the best look leaves unexplained, as a share of what it differs by from the others
    is_whole: whether all of the patch was compared, not one side of it
    """

    log_odds: Array
    misfit: float
    is_whole: bool


def level_log_odds(
    telltales: Sequence[Telltale],
    gray: NDArray[np.uint8],
    camera: pycolmap.Camera,
    poses: Sequence[pycolmap.Rigid3d],
    levels: Sequence[int],
) -> Array | None:
    """Return how much less than for the likeliest level a photo (H, W) speaks for each (K,), natural logarithm.

    poses, levels: of one place, on some levels, and which these are; each telltale counts where it fits best.
    None where the photo shows none of them.
    """
    found = []
    for telltale in telltales:
        glances = [
            each
            for pose, level in zip(poses, levels, strict=True)
            if (each := glance_at(telltale, gray, camera, pose, level)) is not None
        ]
        if glances:
            found.append(min(glances, key=lambda glance: (not glance.is_whole, glance.misfit)).log_odds)
    if not found:
        return None
    total = np.sum(found, axis=0)
    return np.asarray(np.maximum(total - total.max(), -MOST_LOG_ODDS))


def glance_at(
    telltale: Telltale, gray: NDArray[np.uint8], camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, level: int
) -> Glance | None:
    """Compare what a photo shows at a telltale with all levels' looks; None where it shows too little of it."""
    cells, normal = telltale.cells(level, (MOST_SHIFT, MOST_SHIFT)), telltale.normal(level)
    there, pixels = inside(camera, cam_from_site, cells, normal)
    scale = px_per_cell(there, pixels)
    if scale is None:
        return None
    margin = _margin(telltale, level, scale)
    part = _whole_part(_clear(there, margin))
    if part is None:
        return None
    looks = telltale.looks[:, part[0], part[1]]
    if _differences(looks) < LEAST_PART * _differences(telltale.looks):
        return None  # what is left shows what all levels have
    area_px = looks[0].size * scale[0] * scale[1]
    if area_px < LEAST_PX:
        return None
    rows, columns = (
        slice(of.start + MOST_SHIFT - by, of.stop + MOST_SHIFT + by) for of, by in zip(part, margin, strict=True)
    )
    patch = log_grey(gray, pixels[rows, columns])
    sigma_y, sigma_x = (max(BLUR / max(px, 0.05), 0.3) for px in scale)
    blurred = np.stack([cv2.GaussianBlur(look, (0, 0), sigma_x, sigmaY=sigma_y) for look in looks])
    whole = _compared(_aligned(patch, blurred), blurred, area_px)
    if whole is not None:
        return whole
    least = LEAST_PART * _differences(telltale.looks)
    telling = [each for each in _sides(blurred) if _differences(looks[:, :, each]) >= least]
    sides = (_beside(patch, blurred, each, area_px) for each in telling)
    return min((side for side in sides if side is not None), key=lambda side: side.misfit, default=None)


def _sides(looks: NDArray[np.float32]) -> list[slice]:
    """Return the columns of looks (K, h, w) from where they differ most to the right end, and to the left."""
    upto = np.concatenate([[0.0], np.cumsum(looks.var(axis=0).sum(axis=0))])
    width = looks.shape[2]
    ends = np.searchsorted(upto, upto[:-1] + MOSTLY * upto[-1])
    first = int(np.argmin(np.where(ends <= width, ends - np.arange(width), width + 1)))
    sides = slice(max(first - 1, 0), width), slice(0, min(int(ends[first]) + 1, width))
    return [side for side in sides if side.stop - side.start < width]


def _beside(patch: NDArray[np.float32], looks: NDArray[np.float32], columns: slice, area_px: float) -> Glance | None:
    """Compare some columns alone: those of looks (K, h, w) in a patch that is larger by its margin."""
    margin = patch.shape[1] - looks.shape[2]
    there, part = patch[:, columns.start : columns.stop + margin], looks[:, :, columns]
    area_px *= part.shape[2] / looks.shape[2]
    if area_px < LEAST_PX:
        return None
    found = _compared(_aligned(there, part), part, area_px, STRICTER)
    return None if found is None else replace(found, is_whole=False)


def _compared(
    seen: NDArray[np.float32], looks: NDArray[np.float32], area_px: float, strict: float = 1.0
) -> Glance | None:
    """Compare what is seen (h, w) with looks (K, h, w), where these differ; None where none of them explains it.

    strict: times that may be left unexplained
    """
    there, *expected = without_slope(np.stack([seen, *looks]))
    by_level = np.stack(expected)
    contrast = np.clip(by_level @ there / np.maximum((by_level**2).sum(axis=1), 1e-9), *CONTRAST)[:, None]
    varied = by_level.var(axis=0)
    if varied.max() < FLAT:
        return None  # levels look alike here
    weight = varied / varied.sum()
    left = ((there - contrast * by_level) ** 2) @ weight
    best = int(left.argmin())
    apart = np.delete((contrast[best] * (by_level - by_level[best])) ** 2 @ weight, best).mean()
    everywhere = np.mean((there - contrast[best] * by_level[best]) ** 2)
    if left[best] > (strict * UNEXPLAINED) ** 2 and left[best] > strict * UNEXPLAINED_SHARE * apart:
        return None
    if everywhere > (strict * UNEXPLAINED) ** 2 and everywhere > strict * HIDDEN_SHARE * np.mean(there**2):
        return None
    samples = min(area_px * float((varied > DIFFERING * varied.max()).mean()) / PX_EACH, MOST_SAMPLES)
    odds = -0.5 * samples * np.log(left + LOOK_SHARE**2 * apart + LEAST_NOISE**2)
    return Glance(
        log_odds=np.maximum(odds - odds.max(), -MOST_LOG_ODDS),
        misfit=float(left[best] / max(apart, 1e-9)),
        is_whole=True,
    )


def _aligned(patch: NDArray[np.float32], looks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the part of a patch (H, W) that lies where some look (h, w) fits best, as that look shows it: by
    correlation, then by an affine map (enhanced correlation coefficient, Evangelidis and Psarakis 2008).
    """
    height, width = looks.shape[1:]
    # OpenCV says 1 of a flat look, anywhere.
    shaped = [look for look in looks if look.var() > FLAT] or list(looks)
    fits = [cv2.minMaxLoc(cv2.matchTemplate(patch, look, cv2.TM_CCOEFF_NORMED)) for look in shaped]
    best = int(np.argmax([fit[1] for fit in fits]))
    x, y = fits[best][3]
    start = np.array([[1.0, 0.0, x], [0.0, 1.0, y]], dtype=np.float32)
    try:
        _, found = cv2.findTransformECC(
            shaped[best], patch, start.copy(), cv2.MOTION_AFFINE, ECC_CRITERIA, None, ECC_SMOOTHING
        )
    except cv2.error as error:
        if error.code != cv2.Error.StsNoConv:
            raise
        found = start
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [width - 1, height - 1, 1]]) @ found.T
    leaves = (corners < 0).any() or (corners > np.array(patch.shape[::-1]) - 1).any()
    if leaves or np.abs(found - start)[:, :2].max() > MOST_SKEW:
        found = start
    return cv2.warpAffine(
        patch, found, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )


def _clear(there: Mask, margin: tuple[int, int]) -> Mask:
    """Tell which cells (h, w) of a telltale are there with their margin, of (h, w) and ``MOST_SHIFT`` around."""
    down, right = margin
    kernel = np.ones((2 * down + 1, 2 * right + 1), np.uint8)
    whole = cv2.erode(there.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(whole[MOST_SHIFT:-MOST_SHIFT, MOST_SHIFT:-MOST_SHIFT] > 0)


def _whole_part(there: Mask) -> tuple[slice, slice] | None:
    """Return the rows and columns of a part that is all there, (h, w); None where that is less than ``LEAST_PART``."""
    every = slice(0, there.shape[0]), slice(0, there.shape[1])
    parts = [(_span(np.asarray(there.all(axis=1))), every[1]), (every[0], _span(np.asarray(there.all(axis=0))))]
    rows, columns = max(parts, key=lambda part: (part[0].stop - part[0].start) * (part[1].stop - part[1].start))
    size = (rows.stop - rows.start) * (columns.stop - columns.start)
    return (rows, columns) if size >= LEAST_PART * there.size else None


def _differences(looks: NDArray[np.float32]) -> float:
    return float(((looks - looks.mean(axis=0)) ** 2).sum())


def _span(good: Mask) -> slice:
    """Return the longest run of what is good."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]])))
    runs = edges.reshape(-1, 2)
    if len(runs) == 0:
        return slice(0, 0)
    start, stop = runs[np.argmax(runs[:, 1] - runs[:, 0])].tolist()
    return slice(start, stop)


def _margin(telltale: Telltale, level: int, scale: tuple[float, float]) -> tuple[int, int]:
    """Return how many cells (down, right) a telltale may lie off."""
    metres = [float(np.linalg.norm(step[level])) for step in (telltale.down, telltale.right)]
    cells = [max(SHIFT_PX / max(px, 0.05), SHIFT_M / step) for px, step in zip(scale, metres, strict=True)]
    down, right = (min(int(np.ceil(each)), MOST_SHIFT) for each in cells)
    return down, right
