"""A raster over a piece of ground, and exact painting on it in metres."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenes.materials.patterns import Extent, Mask, extent_of

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A raster over a rectangle of ground seen from above, x to the right and y up.

    corner: (x, y) of its top-left corner in metres; size: (width, height) metres
    """

    corner: tuple[float, float]
    size: tuple[float, float]
    px_per_m: float

    @property
    def shape(self) -> Extent:
        """Rows and columns."""
        return extent_of(self.size, self.px_per_m)

    def blank(self) -> Mask:
        """Return a mask in which nothing is covered."""
        return np.zeros(self.shape, dtype=np.uint8)

    def texels(self, points: ArrayLike) -> Array:
        """Map points (..., 2) in metres to texels from the top-left corner; the first texel's centre is (0.5, 0.5)."""
        offset = np.asarray(points, dtype=np.float64) - self.corner
        return offset * (self.px_per_m, -self.px_per_m)


def paint_polygon(plot: Plot, mask: Mask, polygon: ArrayLike) -> None:
    """Cover a convex ``polygon`` (N, 2), metres in either order: 255 inside, the covered share along its edges."""
    corners = plot.texels(polygon)
    (left, top), (right, bottom) = np.floor(corners.min(0)).astype(int) - 1, np.ceil(corners.max(0)).astype(int) + 1
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, mask.shape[1]), min(bottom, mask.shape[0])
    if left >= right or top >= bottom:
        return
    edges = np.roll(corners, -1, axis=0) - corners
    turn = np.sign(np.sum(edges[:, 0] * np.roll(edges[:, 1], -1) - edges[:, 1] * np.roll(edges[:, 0], -1)))
    x, y = np.arange(left, right) + 0.5, (np.arange(top, bottom) + 0.5)[:, None]
    depth = np.full((bottom - top, right - left), np.inf)
    for (px, py), (dx, dy) in zip(corners, edges, strict=True):
        np.minimum(depth, turn * (dx * (y - py) - dy * (x - px)) / np.hypot(dx, dy), out=depth)
    window = mask[top:bottom, left:right]
    np.maximum(window, np.round(255 * np.clip(depth + 0.5, 0, 1)).astype(np.uint8), out=window)


def strip(start: ArrayLike, end: ArrayLike, width: float) -> Array:
    """Return the corners (4, 2) of a straight line of paint from ``start`` to ``end``, ``width`` metres wide."""
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    across = np.array([a[1] - b[1], b[0] - a[0]]) * (width / 2 / np.linalg.norm(b - a))
    return np.stack([a + across, a - across, b - across, b + across])


def stamp(plot: Plot, mask: Mask, stencil: Mask, middle: ArrayLike, up: float, size: tuple[float, float]) -> None:
    """Cover what ``stencil`` covers, ``size`` metres large around ``middle``, its top towards the angle ``up``."""
    direction, right = np.array([np.cos(up), np.sin(up)]), np.array([np.sin(up), -np.cos(up)])
    centre, (half_width, half_height) = np.asarray(middle, dtype=np.float64), (size[0] / 2, size[1] / 2)
    corners = [
        centre - half_width * right + half_height * direction,
        centre + half_width * right + half_height * direction,
    ]
    onto = plot.texels([*corners, centre - half_width * right - half_height * direction])
    origin = np.floor(np.vstack([onto, onto[1] + onto[2] - onto[0]]).min(0)) - 1
    reach = np.ceil(np.vstack([onto, onto[1] + onto[2] - onto[0]]).max(0)) + 1 - origin
    grain = max(1, round(min(stencil.shape[1] / size[0], stencil.shape[0] / size[1]) / plot.px_per_m))
    small = cv2.resize(stencil, None, fx=1 / grain, fy=1 / grain, interpolation=cv2.INTER_AREA)
    ends = np.array([[0, 0], [small.shape[1], 0], [0, small.shape[0]]], dtype=np.float32) - np.float32(0.5)
    matrix = cv2.getAffineTransform(ends, (onto - origin - 0.5).astype(np.float32))
    drawn = cv2.warpAffine(small, matrix, tuple(reach.astype(int).tolist()), flags=cv2.INTER_LINEAR)
    _merge(mask, drawn, *origin.astype(int).tolist())


def _merge(mask: Mask, piece: Mask, left: int, top: int) -> None:
    """Put ``piece`` into ``mask`` at (left, top), as far as it lies on it; the more opaque wins."""
    rows, columns = slice(max(top, 0), top + piece.shape[0]), slice(max(left, 0), left + piece.shape[1])
    window = mask[rows, columns]
    start = rows.start - top, columns.start - left
    if window.size:
        np.maximum(window, piece[start[0] :, start[1] :][: window.shape[0], : window.shape[1]], out=window)
