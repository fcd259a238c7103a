"""Arrows painted on floors: which way one drives."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry import pixels_from_opencv

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SLICES = 24
SOLID = 0.85
"""Share of a slice between its outermost pixels that is paint."""
MISFIT = 0.12
"""Root mean square of an arrow's slices from the ideal shape, against the width of its head."""


@dataclass(frozen=True, kw_only=True)
class ArrowOptions:
    """What counts as an arrow: straight ones, as they stand in parking lanes.

    length, width: of its head, in metres, least and most
    min_contrast: paint is brighter than the floor around by this share
    background: metres over which the floor's own brightness is taken; large against an arrow's width
    """

    length: tuple[float, float] = (1.0, 6.0)
    width: tuple[float, float] = (0.35, 1.6)
    min_contrast: float = 0.08
    background: float = 2.4


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrows:
    """positions: (A, 2) middles in pixels; directions: (A, 2) unit vectors in pixels, towards the tip."""

    positions: Array
    directions: Array


def find_arrows(gray: ArrayLike, seen: Mask, m_per_px: float, options: ArrowOptions | None = None) -> Arrows:
    """Return the arrows in a rectified picture (H, W) of brightness, where the floor is ``seen`` (H, W).

    A blob of paint is an arrow if it has an axis of symmetry along which it is narrow, then abruptly wide, and then
    narrows to a tip.
    """
    options = options or ArrowOptions()
    paint = _paint(np.asarray(gray, dtype=np.float32), seen, m_per_px, options)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(paint.astype(np.uint8), connectivity=8)
    sides = np.sort(stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]], axis=1) * m_per_px
    area = stats[:, cv2.CC_STAT_AREA] * m_per_px**2
    low, high = options.length[0], options.length[1]
    likely = (sides[:, 1] >= 0.7 * low) & (sides[:, 1] <= high) & (area > 0.1 * low * options.width[0])
    likely[0] = False
    positions, directions = [], []
    for label in np.flatnonzero(likely).tolist():
        u, v, width, height = stats[label, :4].tolist()
        rows, columns = np.nonzero(labels[v : v + height, u : u + width] == label)
        blob = np.column_stack([columns + u, rows + v]).astype(np.float64)
        direction = _pointing(blob, m_per_px, options)
        if direction is not None:
            positions.append(pixels_from_opencv(blob.mean(axis=0)))
            directions.append(direction)
    return Arrows(positions=np.array(positions).reshape(-1, 2), directions=np.array(directions).reshape(-1, 2))


def _paint(gray: NDArray[np.float32], seen: Mask, m_per_px: float, options: ArrowOptions) -> Mask:
    """Tell what is brighter than the median of the seen floor around, taken on a coarse grid."""
    step = max(1, round(0.08 / m_per_px))
    filled = np.where(seen, gray, np.median(gray[seen]) if seen.any() else 0.0)
    coarse = cv2.resize(filled, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
    size = max(3, round(options.background / (step * m_per_px)) | 1)
    floor = cv2.medianBlur(np.clip(coarse, 0, 255).astype(np.uint8), size).astype(np.float32)
    background = cv2.resize(floor, gray.shape[::-1], interpolation=cv2.INTER_LINEAR)
    bright = seen & (gray > (1 + options.min_contrast) * background)
    kernel = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.morphologyEx(bright.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0)


def _pointing(blob: Array, m_per_px: float, options: ArrowOptions) -> Array | None:
    """Return the unit direction in which a blob (N, 2) points, None if it's no arrow."""
    offset = blob - blob.mean(axis=0)
    _, axes = np.linalg.eigh(offset.T @ offset)
    along, across = offset @ axes[:, 1], offset @ axes[:, 0]
    length = np.ptp(along) * m_per_px
    if not options.length[0] <= length <= options.length[1]:
        return None
    place = np.minimum(((along - along.min()) / max(np.ptp(along), 1e-9) * SLICES).astype(int), SLICES - 1)
    mass = np.bincount(place, minlength=SLICES).astype(np.float64)
    low, high = np.full(SLICES, np.inf), np.full(SLICES, -np.inf)
    np.minimum.at(low, place, across)
    np.maximum.at(high, place, across)
    width = mass * m_per_px / (length / SLICES / m_per_px)
    if (mass == 0).any() or np.mean(width / ((high - low + 1) * m_per_px)) < SOLID:
        return None
    middle = 0.5 * (low + high) * m_per_px
    for sign in (1, -1):
        if _is_arrow(width[::sign], middle[::sign], options):
            return np.asarray(sign * axes[:, 1])
    return None


def _is_arrow(width: Array, middle: Array, options: ArrowOptions) -> bool:
    """Compare widths (SLICES,), tail first, and middles with a straight shaft and a triangular head."""
    slices = np.arange(SLICES)
    widest = int(width.argmax())
    head = float(width[widest])
    if not options.width[0] <= head <= options.width[1] or not 0.35 * SLICES <= widest <= 0.85 * SLICES:
        return False
    shaft = slices < widest - 1
    narrow = float(np.median(width[shaft]))
    model = np.where(shaft, narrow, head * (SLICES - slices - 0.5) / (SLICES - widest - 0.5))
    compared = np.abs(slices - widest + 1) > 0.5
    misfit = np.sqrt(np.mean((width - model)[compared] ** 2))
    crooked = np.sqrt(np.mean((middle - middle.mean()) ** 2))
    return bool(narrow < 0.6 * head and misfit < MISFIT * head and crooked < MISFIT * head)
