"""A picture in blocks of pixels, each bounded: which of them may show something, or lie in its shadow, at no cost."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.rendering.rays import Sphere

FloatArray = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIDE_PX = 8
"""A multiple of the 2 x 2 pixels that share their shadow."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PixelBlocks:
    """B blocks of pixels that look from ``eye`` (3,) at surfaces.

    block_of: (P,) int64, the block of each flat pixel
    axes: (B, 3) unit vectors in site; half_angles: (B,) radians, of the cone around the block's rays
    farthest: (B,) metres to the farthest surface seen, inf for sky
    centres: (B, 3), radii: (B,), of a sphere around the surfaces seen; the radius is -inf where there are none
    """

    eye: NDArray[np.float64]
    block_of: NDArray[np.int64]
    axes: FloatArray
    half_angles: FloatArray
    farthest: FloatArray
    centres: FloatArray
    radii: FloatArray

    def may_show(self, sphere: Sphere) -> Mask:
        """Tell (B,) in which blocks something within ``sphere`` may be in front of what is seen."""
        centre, radius = sphere
        offset = centre - self.eye
        distance = float(np.linalg.norm(offset))
        if distance <= radius:
            return np.ones(len(self.axes), dtype=bool)
        angle = np.arccos(np.clip(self.axes @ (offset / distance), -1, 1))
        return (angle <= np.arcsin(radius / distance) + self.half_angles) & (self.farthest >= distance - radius)

    def near(self, sphere: Sphere, reach: float) -> Mask:
        """Tell (B,) which blocks may see surfaces less than ``reach`` metres from something within ``sphere``."""
        centre, radius = sphere
        return np.linalg.norm(self.centres - centre, axis=1) <= radius + reach + self.radii

    def behind(self, sphere: Sphere, towards_sun: FloatArray) -> Mask:
        """Tell (B,) which blocks may see surfaces that something within ``sphere`` hides from the sun."""
        centre, radius = sphere
        offset = self.centres - centre
        along = offset @ towards_sun
        aside = np.linalg.norm(offset - along[:, None] * towards_sun, axis=1)
        return (aside <= radius + self.radii) & (along <= radius + self.radii)


def pixel_blocks(
    eye: NDArray[np.float64], bearings: FloatArray, points: FloatArray, depth: FloatArray, shape: tuple[int, int]
) -> PixelBlocks:
    """Bound a picture of ``shape`` (rows, columns) with rays and surfaces as of ``Geometry``, pixels flattened.

    bearings: (P, 3) unit vectors in site
    """
    row, column = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
    block_of = row // SIDE_PX * -(-shape[1] // SIDE_PX) + column // SIDE_PX
    order = np.argsort(block_of, kind="stable")
    starts = np.searchsorted(block_of[order], np.arange(block_of[-1] + 1))
    axes = np.add.reduceat(bearings[order], starts)
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    cosine = np.einsum("pk,pk->p", bearings, axes[block_of])
    low = np.minimum.reduceat(np.nan_to_num(points, nan=np.inf)[order], starts)
    high = np.maximum.reduceat(np.nan_to_num(points, nan=-np.inf)[order], starts)
    empty = ~(low <= high).all(axis=1)
    low[empty] = high[empty] = 0
    distance = np.where(np.isposinf(depth), np.inf, np.linalg.norm(np.nan_to_num(points) - eye, axis=1))
    return PixelBlocks(
        eye=eye,
        block_of=block_of,
        axes=axes,
        half_angles=np.arccos(np.clip(np.minimum.reduceat(cosine[order], starts), -1, 1)) + np.float32(1e-3),
        farthest=np.maximum.reduceat(distance[order], starts).astype(np.float32),
        centres=((low + high) / 2).astype(np.float32),
        radii=np.where(empty, -np.inf, np.linalg.norm(high - low, axis=1) / 2).astype(np.float32),
    )
