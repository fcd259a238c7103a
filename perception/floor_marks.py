"""Paint on floors seen from above: straight stripes, the directions they run in, and arrows.

All works on a rectified picture whose pixels are squares of a known size, as an orthophoto is; positions are pixels
(u, v) with the first pixel's centre at (0.5, 0.5). Paint is brighter than the floor at both of its sides. What one
side alone is darker than is a shadow, a wall or a joint.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d, map_coordinates

from geometry import pixels_from_opencv, pixels_to_opencv
from geometry.errors import InputError

Array = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class StripeOptions:
    """What counts as a stripe of paint.

    width: of the paint, in metres, least and most
    min_length: of a stripe in metres; max_gap: worn paint is bridged over this length
    min_contrast: paint is brighter than the floor beside it by this share of the floor's brightness
    smooth: length in metres along a stripe over which it is averaged to be found
    """

    width: tuple[float, float] = (0.08, 0.15)
    min_length: float = 0.45
    max_gap: float = 0.5
    min_contrast: float = 0.06
    smooth: float = 0.3


@dataclass(frozen=True, kw_only=True, eq=False)
class Stripes:
    """Straight stripes of paint.

    ends: (S, 2, 2) float64 pixels, on the middle line; contrast: (S,) as in ``StripeOptions``
    open: (S, 2) whether floor without paint is seen beyond each end, so that the paint ends there and isn't just hidden
    """

    ends: Array
    contrast: Array
    open: Mask


def dominant_directions(
    gray: ArrayLike, seen: Mask, m_per_px: float, options: StripeOptions | None = None, most: int = 4
) -> Array:
    """Return the directions (D,) of stripes in [0, pi) from u towards v, the strongest ``most`` and those across them.

    Bright ridges are where the Hessian's smaller eigenvalue is strongly negative (Steger 1998); their directions are
    counted by strength, and a direction is a peak of at least twice what evenly spread ones would hold. Squares to
    the found ones are looked at as well, as few lines run along the short side of a place.
    """
    options = options or StripeOptions()
    ridge, angle = _ridges(np.asarray(gray, dtype=np.float32), seen, float(np.mean(options.width)) / m_per_px)
    strong = ridge > options.min_contrast
    count, _ = np.histogram(angle[strong], bins=360, range=(0, np.pi), weights=ridge[strong])
    smooth = gaussian_filter1d(count.astype(np.float64), 2.0, mode="wrap")
    peaks = np.flatnonzero((smooth >= np.roll(smooth, 1)) & (smooth > np.roll(smooth, -1)))
    peaks = peaks[smooth[peaks] > 2 * smooth.mean()]
    strongest = peaks[np.argsort(-smooth[peaks], kind="stable")][:most]
    angles = (np.concatenate([strongest, strongest + len(count) // 2]) + 0.5) * np.pi / len(count) % np.pi
    apart = np.abs(np.angle(np.exp(2j * (angles[:, None] - angles)))) / 2 > np.radians(3)
    first = [i for i in range(len(angles)) if apart[i, :i].all()]
    return np.asarray(angles[first])


def _ridges(gray: Image, seen: Mask, width_px: float) -> tuple[Image, Image]:
    """Return the strength of bright ridges, as a share of the brightness, and their direction in [0, pi)."""
    sigma = max(0.5, width_px / np.sqrt(12))
    smooth = cv2.GaussianBlur(gray, (0, 0), sigma)
    xx, yy = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, scale=0.25), cv2.Sobel(smooth, cv2.CV_32F, 0, 2, scale=0.25)
    xy = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, scale=0.25)
    root = np.sqrt((0.5 * (xx - yy)) ** 2 + xy**2)
    smaller, larger = 0.5 * (xx + yy) - root, 0.5 * (xx + yy) + root
    across = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2  # of the smaller eigenvalue
    background = cv2.blur(gray, (31, 31)) + 1.0
    strength = np.where(-smaller > 2 * np.abs(larger), -smaller, 0.0) * sigma**2 / background
    return np.where(_inside(seen, width_px), strength, 0.0), np.mod(across + np.pi / 2, np.pi).astype(np.float32)


def _inside(seen: Mask, width_px: float) -> Mask:
    size = 2 * int(np.ceil(width_px)) + 1
    return cv2.erode(seen.astype(np.uint8), np.ones((size, size), np.uint8)) > 0


def find_stripes(
    gray: ArrayLike, seen: Mask, m_per_px: float, directions: ArrayLike, options: StripeOptions | None = None
) -> Stripes:
    """Return the stripes that run within about 3 degrees of one of ``directions`` (D,), radians from u towards v.

    For each direction the picture is turned until such stripes are level. A pixel is paint where the mean along the
    stripe exceeds those of both sides (Veit et al. 2008); pixels of paint that hang together, gaps bridged, make a
    stripe, whose middle line is fitted by moments and whose ends lie where the contrast has halved.

    gray: (H, W) brightness; seen: (H, W) where it shows the floor. ``InputError`` for shapes that differ.
    """
    options = options or StripeOptions()
    picture = np.asarray(gray, dtype=np.float32)
    if picture.ndim != 2 or picture.shape != seen.shape:
        raise InputError(f"brightness and mask must be of one (H, W), got {picture.shape} and {seen.shape}")
    if not np.isfinite(picture[seen]).all():
        raise InputError("the brightness of seen pixels must be finite")
    found = [_along(picture, seen, m_per_px, float(a), options) for a in np.asarray(directions, dtype=np.float64)]
    ends = np.concatenate([np.empty((0, 2, 2)), *(f for f in found)])
    return _with_ends(picture, seen, m_per_px, ends, options)


def _along(gray: Image, seen: Mask, m_per_px: float, angle: float, options: StripeOptions) -> Array:
    """Return rough ends (S, 2, 2) of the stripes in one direction."""
    turned_from_px, size = _turn(gray.shape, angle)
    turned = cv2.warpAffine(np.where(seen, gray, 0), turned_from_px[:2], size, flags=cv2.INTER_LINEAR)
    visible = cv2.warpAffine(seen.astype(np.float32), turned_from_px[:2], size, flags=cv2.INTER_LINEAR)
    contrast = stripe_contrast(np.where(visible > 0.99, turned, 0), visible > 0.99, m_per_px, options)
    paint = (contrast > options.min_contrast).astype(np.uint8)
    bridge = np.ones((1, 2 * round(options.max_gap / m_per_px / 2) + 1), np.uint8)
    joined = cv2.morphologyEx(paint, cv2.MORPH_CLOSE, bridge)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    long = stats[:, cv2.CC_STAT_WIDTH] * m_per_px >= options.min_length
    long[0] = False
    kept = np.flatnonzero(long)
    if not len(kept):
        return np.empty((0, 2, 2))
    number = np.full(count, -1)
    number[kept] = np.arange(len(kept))
    v, u = np.nonzero(long[labels] & (paint > 0))
    ends = _fitted(number[labels[v, u]], u, v, contrast[v, u], len(kept), m_per_px, options)
    return _moved(pixels_from_opencv(ends.reshape(-1, 2)), np.asarray(np.linalg.inv(turned_from_px))).reshape(-1, 2, 2)


def stripe_contrast(gray: Image, seen: Mask, m_per_px: float, options: StripeOptions) -> Image:
    """Return by what share level stripes are brighter than both of their sides, (H, W); 0 where that isn't seen."""
    core = max(1, round(0.6 * options.width[0] / m_per_px)) | 1
    length = max(1, round(options.smooth / m_per_px)) | 1
    apart = (options.width[1] / 2 + 0.02) / m_per_px + core / 2
    total = cv2.blur(np.where(seen, gray, 0).astype(np.float32), (length, core), borderType=cv2.BORDER_CONSTANT)
    share = cv2.blur(seen.astype(np.float32), (length, core), borderType=cv2.BORDER_CONSTANT)
    mean = total / np.maximum(share, 1e-6)
    shift = round(apart)
    sides = [np.roll(mean, step, axis=0) for step in (-shift, shift)]
    known = share > 0.5
    for side, step in zip(sides, (-shift, shift), strict=True):
        known = known & (np.roll(share, step, axis=0) > 0.3)
        np.nan_to_num(side, copy=False)
    beside = np.maximum(*sides)
    return np.where(known, (mean - beside) / np.maximum(beside, 1.0), 0).astype(np.float32)


def _fitted(
    label: NDArray[np.int64],
    u: NDArray[np.int64],
    v: NDArray[np.int64],
    weight: Image,
    count: int,
    m_per_px: float,
    options: StripeOptions,
) -> Array:
    """Fit a middle line v(u) to each label and return ends (S, 2, 2) of those that are thin and nearly level."""

    def sums(values: NDArray[Any]) -> Array:
        return np.asarray(np.bincount(label, weight * values, minlength=count), dtype=np.float64)

    mass = np.maximum(sums(np.ones(len(u))), 1e-12)
    mean_u, mean_v = sums(u) / mass, sums(v) / mass
    du, dv = u - mean_u[label], v - mean_v[label]
    uu, uv = sums(du * du) / mass, sums(du * dv) / mass
    slope = uv / np.maximum(uu, 1e-12)
    offset = dv - slope[label] * du
    rms = np.sqrt(sums(offset**2) / mass)
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, label, u)
    np.maximum.at(high, label, u)
    straight = (rms < 0.5 * options.width[1] / m_per_px) & (np.abs(slope) < np.tan(np.radians(5)))
    long = (high - low) * m_per_px >= options.min_length
    at = np.stack([low, high], axis=1)
    line = np.stack([at, mean_v[:, None] + slope[:, None] * (at - mean_u[:, None])], axis=2)
    return np.asarray(line[straight & long])


def _turn(shape: tuple[int, ...], angle: float) -> tuple[Array, tuple[int, int]]:
    """Return the (3, 3) motion by which OpenCV's pixels move so that ``angle`` becomes level, and the new size."""
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1.0]])
    height, width = shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) @ turn[:2, :2].T
    turn[:2, 2] = -corners.min(axis=0)
    size = np.ceil(np.ptp(corners, axis=0)).astype(int)
    return turn, (int(size[0]), int(size[1]))


def _moved(pixels: Array, motion: Array) -> Array:
    """Apply a motion of OpenCV's pixels to ours (N, 2)."""
    return np.asarray(pixels_from_opencv(pixels_to_opencv(pixels) @ motion[:2, :2].T + motion[:2, 2]))


STEP_M, BEYOND_M = 0.02, 0.6
ALIKE = 0.15
"""Floor before and beyond the end of a stripe differs in brightness by less than this share."""


def _with_ends(gray: Image, seen: Mask, m_per_px: float, ends: Array, options: StripeOptions) -> Stripes:
    """Move each end to where the contrast along the middle line has halved, and look at what lies beyond."""
    if not len(ends):
        return Stripes(ends=ends, contrast=np.empty(0), open=np.empty((0, 2), dtype=bool))
    middle = ends.mean(axis=1)
    half = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) / 2
    along = (ends[:, 1] - ends[:, 0]) / (2 * half[:, None])
    t = np.arange(-half.max() - BEYOND_M / m_per_px, half.max() + BEYOND_M / m_per_px, STEP_M / m_per_px)
    profile, visible, floor = _profiles(gray, seen, middle, along, t, m_per_px, options)
    inside = np.abs(t) <= half[:, None]
    usual = np.array(
        [np.median(p[i & v]) if (i & v).any() else 0.0 for p, i, v in zip(profile, inside, visible, strict=True)]
    )
    smooth = gaussian_filter1d(profile, 2.0, axis=1)
    paint = visible & (smooth > 0.5 * usual[:, None]) & (np.abs(t) <= half[:, None] + 0.3 / m_per_px)
    some = paint.any(axis=1)
    first, last = paint.argmax(axis=1), paint.shape[1] - 1 - paint[:, ::-1].argmax(axis=1)
    at = np.stack([t[first], t[last]], axis=1) + np.array([-0.5, 0.5]) * STEP_M / m_per_px
    refined = middle[:, None] + at[..., None] * along[:, None]
    free = np.stack([_ends_openly(floor, visible, t, at[:, end], 2 * end - 1, m_per_px) for end in (0, 1)], axis=1)
    long = (at[:, 1] - at[:, 0]) * m_per_px >= options.min_length
    keep = some & (usual > options.min_contrast) & long
    return Stripes(ends=refined[keep], contrast=usual[keep], open=free[keep])


def _ends_openly(floor: Array, visible: Mask, t: Array, at: Array, outward: int, m_per_px: float) -> Mask:
    """Tell (S,) whether the floor goes on as before beyond the ends ``at`` (S,): what hides paint looks different."""
    reach = outward * (t - at[:, None]) * m_per_px
    beyond, before = (reach > 0) & (reach < 0.35), (reach > -0.5) & (reach < 0)
    levels = [
        np.where(part & visible, floor, 0).sum(axis=1) / np.maximum((part & visible).sum(axis=1), 1)
        for part in (beyond, before)
    ]
    alike = np.abs(levels[0] - levels[1]) < ALIKE * np.maximum(levels[1], 1.0)
    return np.asarray((_share(visible, beyond) > 0.8) & alike)


def _share(mask: Mask, where: Mask) -> Array:
    return np.asarray((mask & where).sum(axis=1) / np.maximum(where.sum(axis=1), 1))


def _profiles(
    gray: Image, seen: Mask, middle: Array, along: Array, t: Array, m_per_px: float, options: StripeOptions
) -> tuple[Array, Mask, Array]:
    """Return contrast (S, T) along each middle line, where core and both sides are seen, and the brighter side."""
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    apart = (options.width[1] / 2 + 0.05) / m_per_px
    core = np.array([-0.25, 0.0, 0.25]) * options.width[0] / m_per_px
    offsets = np.concatenate([core, [-apart, apart]])
    points = middle[:, None, None] + t[:, None, None] * along[:, None, None] + offsets[:, None] * across[:, None, None]
    where = pixels_to_opencv(points)[..., ::-1].reshape(-1, 2).T
    values = map_coordinates(gray, where, order=1, mode="nearest").reshape(points.shape[:-1])
    known = map_coordinates(seen.astype(np.float32), where, order=1, cval=0.0).reshape(points.shape[:-1]) > 0.99
    beside = gaussian_filter1d(values[..., 3:], 5.0, axis=1).max(axis=2)
    return (values[..., :3].mean(axis=2) - beside) / np.maximum(beside, 1.0), known.all(axis=2), beside


def stripe_support(
    gray: ArrayLike, seen: Mask, m_per_px: float, lines: ArrayLike, options: StripeOptions | None = None
) -> tuple[Array, Array]:
    """Return the shares (N,) of ``lines`` (N, 2, 2), in pixels, that are seen, and of what is seen that is painted.

    For lines whose place is already known well: half the contrast of ``find_stripes`` is enough.
    """
    options = options or StripeOptions()
    ends = np.asarray(lines, dtype=np.float64).reshape(-1, 2, 2)
    if not len(ends):
        return np.empty(0), np.empty(0)
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    t = np.arange(0.0, max(length.max(), 1e-6), STEP_M / m_per_px)
    along = (ends[:, 1] - ends[:, 0]) / np.maximum(length, 1e-12)[:, None]
    picture = np.asarray(gray, dtype=np.float32)
    profile, visible, _ = _profiles(picture, seen, ends[:, 0], along, t, m_per_px, options)
    within = t <= length[:, None]
    painted = gaussian_filter1d(profile, 5.0, axis=1) > 0.5 * options.min_contrast
    return _share(visible, within), _share(painted, visible & within)
