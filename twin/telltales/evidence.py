"""On which level a photo was taken, by what it shows where levels differ.

A pose says where in the photo a telltale is. What is there is brought over each level's look by one affine map, as
poses and places are not exact, and explained by it with a contrast of its own and the light's mean and slope, by a
robust fit: whatever stands before the telltale is explained by no level. Cells count by how much levels differ there,
each by a mixture of a Gaussian, of looks that are not exact, and of anything (Huber 1981); a cell that no look explains
says nothing so. The level whose look explains most is the likeliest. What is hardly like its look where levels differ
shows something else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from twin.telltales.patches import affine_over, best_shift, inside, log_grey, px_per_cell, seen_through, without_slope
from twin.telltales.telltale import Telltale

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_PART, LEAST_DIFFERENCES = 0.15, 0.3
"""Of a patch, and of what levels differ by in it, that the photo must hold."""
MOST_EDGES = 14
"""Rows between which a part of a patch is looked for."""
LEAST_PX = 60.0
"""A patch that covers less of the photo is not looked at."""
PX_EACH, MOST_SAMPLES = 5.3, 24.0
"""So many pixels are one sample that errs by itself, and a patch is never worth more samples. Fitted to glances of
photos of two development buildings, of which as many are wrong as their log-odds say (docs/telltales.md)."""
LOOK_SHARE, NOISE = 0.25, 0.09
"""Standard deviations of looks: a share of what they differ by, and natural logarithms of grey levels."""
HIDDEN, ANYTHING = 0.3, 0.5
"""How much of a patch something hides beforehand, and the density of what that shows, per natural logarithm."""
LEAST_LIKENESS, AROUND_CELLS = 0.6, 2.0
"""Correlation with the best look, weighed by where levels differ and around (standard deviation), below which something
else is seen."""
CONTRAST = (0.4, 2.5)
"""Between a photo's and the map's."""
SCALES = (0.4, 0.25, 0.15, 0.1)
"""Of residuals, natural logarithms, by which cells count in one fit after the other (Geman and McClure 1987)."""
LEVEL_LIGHT = 1e-3
"""Ridge on the light's slope, per cell."""
FLAT = 1e-4
"""Variance, squared natural logarithm, of a look that fits anywhere, and of looks that no photo tells apart."""
DIFFERING = 0.25
"""Of the largest variance over levels: cells above it are those in which looks differ."""
SHIFT_PX, SHIFT_M, MOST_SHIFT = 2.0, 0.06, 12
MOST_LOG_ODDS = 4.0
"""Of a patch, and of all: those of one photo err together."""
BLUR = 0.5
"""Of a photo, in its pixels: standard deviation of what a pixel gathers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Glance:
    """What a photo shows at a telltale.

    log_odds: (K,) how much less than for the likeliest level it speaks for each
    likeness: its correlation with the best look where levels differ
    """

    log_odds: Array
    likeness: float


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
            found.append(max(glances, key=lambda glance: glance.likeness).log_odds)
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
    part = _whole_part(there[MOST_SHIFT:-MOST_SHIFT, MOST_SHIFT:-MOST_SHIFT], telltale.looks.var(axis=0))
    if part is None:
        return None
    looks = telltale.looks[:, part[0], part[1]]
    area_px = looks[0].size * scale[0] * scale[1]
    if area_px < LEAST_PX:
        return None
    rows, columns = (
        slice(of.start + MOST_SHIFT - by, of.stop + MOST_SHIFT + by) for of, by in zip(part, margin, strict=True)
    )
    sigma_y, sigma_x = (max(BLUR / max(px, 0.05), 0.3) for px in scale)
    blurred = np.stack([cv2.GaussianBlur(look, (0, 0), sigma_x, sigmaY=sigma_y) for look in looks])
    # Cells that are finer than the photo's pixels say nothing more.
    down, right = (max(1, int(1.0 / max(px, 0.05))) for px in scale)
    patch = log_grey(gray, pixels[rows, columns][margin[0] % down :: down, margin[1] % right :: right])
    return _compared(patch, blurred[:, ::down, ::right], area_px)


def _compared(patch: NDArray[np.float32], looks: NDArray[np.float32], area_px: float) -> Glance | None:
    """Compare a patch (H, W) with looks (K, h, w) that lie somewhere in it; None where it is like none of them."""
    varied = without_slope(looks).var(axis=0).reshape(looks.shape[1:])
    if varied.max() < FLAT:
        return None  # levels look alike here
    weight = varied / varied.sum()
    aligned = _aligned(patch, looks)
    if not aligned:
        return None  # nothing tells where it is
    seen, fits = max(((over, _fitted(over, looks)) for over in aligned), key=lambda found: found[1].explained)
    apart = float(np.median(fits.contrast)) ** 2 * float((weight * varied).sum())
    near = _likelihood(fits.residuals, np.sqrt(NOISE**2 + LOOK_SHARE**2 * apart))
    by_level = (weight * np.log(near + HIDDEN * ANYTHING)).sum(axis=(1, 2))
    best = int(by_level.argmax())
    around = cv2.GaussianBlur(weight, (0, 0), AROUND_CELLS)
    likeness = _correlation(seen - fits.light[best], looks[best], around / around.sum())
    if likeness < LEAST_LIKENESS:
        return None
    samples = min(area_px * float((varied > DIFFERING * varied.max()).mean()) / PX_EACH, MOST_SAMPLES)
    odds = samples * (by_level - by_level[best])
    return Glance(log_odds=np.maximum(odds, -MOST_LOG_ODDS), likeness=likeness)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fits:
    """Looks of K levels fitted to what is seen, (h, w).

    residuals, light: (K, h, w) what each leaves, and the mean and slope that were taken for the light's
    contrast: (K,); explained: mean log-likelihood of all cells by the best look
    """

    residuals: Array
    light: Array
    contrast: Array
    explained: float


def _fitted(seen: NDArray[np.float32], looks: NDArray[np.float32]) -> _Fits:
    """Fit each look with a contrast and the light's mean and slope, by least squares that leave out what is far off."""
    count, height, width = looks.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = np.column_stack([np.ones(height * width), x.ravel(), y.ravel()])
    found = [_fitted_one(seen.ravel().astype(np.float64), light, look.ravel().astype(np.float64)) for look in looks]
    under = np.stack([light @ beta[:3] for beta in found])
    contrast = np.array([beta[3] for beta in found])
    residuals = seen.ravel() - under - contrast[:, None] * looks.reshape(count, -1)
    shape = (count, height, width)
    explained = np.log(_likelihood(residuals, NOISE) + HIDDEN * ANYTHING).mean(axis=1).max()
    return _Fits(
        residuals=residuals.reshape(shape), light=under.reshape(shape), contrast=contrast, explained=float(explained)
    )


def _fitted_one(seen: Array, light: Array, look: Array) -> Array:
    """Return the light's mean and slopes and the contrast (4,) of a look (n,) in what is seen (n,)."""
    columns, ridge = np.column_stack([light, look]), np.array([1e-9, LEVEL_LIGHT, LEVEL_LIGHT, 1e-9]) * len(seen)
    beta = np.array([np.median(seen - look), 0.0, 0.0, 1.0])
    for scale in SCALES:
        weight = (1.0 + ((seen - columns @ beta) / scale) ** 2) ** -2
        beta = _least_squares(columns, seen, weight, ridge)
        if not CONTRAST[0] <= beta[3] <= CONTRAST[1]:
            contrast = float(np.clip(beta[3], *CONTRAST))
            beta = np.append(_least_squares(light, seen - contrast * look, weight, ridge[:3]), contrast)
    return beta


def _least_squares(columns: Array, values: Array, weight: Array, ridge: Array) -> Array:
    weighted = columns * weight[:, None]
    return np.asarray(np.linalg.solve(weighted.T @ columns + np.diag(ridge), weighted.T @ values))


def _likelihood(residuals: Array, sigma: float) -> Array:
    """Return the density of residuals of what is not hidden."""
    gaussian = np.exp(-0.5 * (residuals / sigma) ** 2) / (np.sqrt(2.0 * np.pi) * sigma)
    return np.asarray((1.0 - HIDDEN) * gaussian)


def _correlation(one: Array, other: NDArray[np.float32], weight: Array) -> float:
    """Return the correlation of two looks (h, w), weighed by cells' weights, which sum to 1."""
    one, other = one - (weight * one).sum(), other - (weight * other).sum()
    power = (weight * one**2).sum() * (weight * other**2).sum()
    return float((weight * one * other).sum() / np.sqrt(max(power, 1e-12)))


def _aligned(patch: NDArray[np.float32], looks: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return the part (h, w) of a patch (H, W) where each look fits best: by correlation, or by an affine map from
    there, whichever that look explains more of. None for looks that are flat, which fit anywhere.
    """
    found = []
    for look in (each for each in looks if each.var() > FLAT):
        start = best_shift(look, patch)[1]
        there = (seen_through(warp, patch, look.shape) for warp in (start, affine_over(look, patch, start)))
        found.append(max(there, key=lambda seen: _fitted(seen, look[None]).explained))
    return found


def _whole_part(there: Mask, differences: Array) -> tuple[slice, slice] | None:
    """Return the rows and columns of the part that is all there and has most of the patch and, weighed alike, of what
    levels differ by, but for what lies between the ``MOST_EDGES`` rows that it may begin and end at.

    there, differences: (h, w); the edge of a photo cuts a patch askew. None where that is less than ``LEAST_PART`` of
    the patch, or has less than ``LEAST_DIFFERENCES`` of these: what is left shows what all levels have.
    """
    height, width = there.shape
    share = differences / max(float(differences.sum()), 1e-12)
    if there.all():
        return slice(0, height), slice(0, width)
    shares = np.pad(share, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    best, part = 0.0, None
    whole = np.flatnonzero(np.diff(np.concatenate([[False], there.all(axis=1), [False]])))
    edges = np.union1d(np.linspace(0, height, MOST_EDGES).astype(int), whole)
    for top, bottom in combinations(edges.tolist(), 2):
        columns = _span(np.asarray(there[top:bottom].all(axis=0)))
        area = (bottom - top) * (columns.stop - columns.start) / there.size
        between = shares[bottom] - shares[top]
        differing = float(between[columns.stop] - between[columns.start])
        if area >= LEAST_PART and differing >= LEAST_DIFFERENCES and area + differing > best:
            best, part = area + differing, (slice(top, bottom), columns)
    return part


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
