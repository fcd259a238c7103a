"""Prefiltered textures: an image pyramid per texture, packed in one array and sampled trilinearly.

Level l of a pyramid halves the image l times by area averaging (Williams, Pyramidal parametrics, SIGGRAPH 1983).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from geometry.errors import InputError

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Texture:
    """A picture of a surface: linear RGB float32 (H, W, 3), 0 black and 1 white, with ``px_per_m`` texels a metre."""

    image: FloatArray
    px_per_m: float

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.float32 or not self.image.size:
            raise InputError(f"a texture is float32 (H, W, 3), got {self.image.dtype} {self.image.shape}")
        if not self.px_per_m > 0:
            raise InputError(f"a texture needs texels a metre, got {self.px_per_m}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Atlas:
    """Pyramids of many textures in one array of texels.

    texels: (M, 3) float32, linear RGB
    offsets: (N, L) int64, where level l of texture n begins; a short pyramid repeats its last level
    sizes: (N, L, 2) float32, width and height of that level
    px_per_m: (N,) float32, of level 0
    """

    texels: FloatArray
    offsets: NDArray[np.int64]
    sizes: FloatArray
    px_per_m: FloatArray


def pyramid(image: FloatArray) -> list[FloatArray]:
    """Return the image and its halvings down to one texel on the shorter side."""
    levels = [image]
    while min(levels[-1].shape[:2]) > 1:
        height, width = levels[-1].shape[:2]
        levels.append(cv2.resize(levels[-1], (-(-width // 2), -(-height // 2)), interpolation=cv2.INTER_AREA))
    return levels


def build_atlas(textures: Iterable[Texture]) -> Atlas:
    """Pack the pyramids of ``textures``: 16 bytes for each texel given."""
    parts: list[FloatArray] = []
    px_per_m, starts, sizes = [], [], []
    total = 0
    for texture in textures:
        levels = pyramid(texture.image)
        counts = [level.shape[0] * level.shape[1] for level in levels]
        starts.append(total + np.cumsum([0, *counts[:-1]]))
        sizes.append(np.array([level.shape[1::-1] for level in levels]))
        parts += [level.reshape(-1, 3) for level in levels]
        px_per_m.append(texture.px_per_m)
        total += sum(counts)
    return Atlas(
        texels=np.concatenate(parts),
        offsets=_padded(starts).astype(np.int64),
        sizes=_padded(sizes).astype(np.float32),
        px_per_m=np.array(px_per_m, dtype=np.float32),
    )


def sample(atlas: Atlas, texture_ids: NDArray[np.integer], uv: FloatArray, footprint: FloatArray) -> FloatArray:
    """Return linear RGB (N, 3) float32 at ``uv`` (N, 2), in metres on the textures ``texture_ids`` (N,).

    footprint: (N,) metres on the surface that a sample stands for; it picks the two levels that are blended.
    Beyond a texture's edge its outermost texels go on. A sample is a weighted sum of eight texels, so all samples
    are one sparse matrix times the texels.
    """
    deepest = atlas.offsets.shape[1] - 1
    lod = np.minimum(np.log2(np.maximum(footprint * atlas.px_per_m[texture_ids], 1.0)), deepest)
    level = lod.astype(np.int64)
    coarser_share = lod - level
    index = np.empty((len(uv), 8), dtype=np.int64)
    weight = np.empty((len(uv), 8), dtype=np.float32)
    position = uv * atlas.px_per_m[texture_ids, None]
    _bilinear_taps(atlas, texture_ids, level, position, 1 - coarser_share, index[:, :4], weight[:, :4])
    coarser = np.minimum(level + 1, deepest)
    _bilinear_taps(atlas, texture_ids, coarser, position, coarser_share, index[:, 4:], weight[:, 4:])
    rows = np.arange(0, index.size + 1, 8)
    return csr_array((weight.ravel(), index.ravel(), rows), shape=(len(uv), len(atlas.texels))) @ atlas.texels


def _bilinear_taps(
    atlas: Atlas,
    texture_ids: NDArray[np.integer],
    level: NDArray[np.int64],
    position: FloatArray,
    share: FloatArray,
    index: NDArray[np.int64],
    weight: FloatArray,
) -> None:
    """Write the four texels (N, 4) around ``position`` on one level, with weights that sum to ``share``.

    position: (N, 2) in texels of level 0. Texel (0, 0) of a level has its centre at half a texel from the corner.
    """
    width, height = atlas.sizes[texture_ids, level].T
    full_width, full_height = atlas.sizes[texture_ids, 0].T
    x = np.clip(position[:, 0] * (width / full_width) - np.float32(0.5), 0, width - 1)
    y = np.clip(position[:, 1] * (height / full_height) - np.float32(0.5), 0, height - 1)
    column, row = np.minimum(np.floor(x), width - 2).clip(0), np.minimum(np.floor(y), height - 2).clip(0)
    right, down = (x - column) * (width > 1), (y - row) * (height > 1)
    stride = width.astype(np.int64)
    first = atlas.offsets[texture_ids, level] + row.astype(np.int64) * stride + column.astype(np.int64)
    step_right, step_down = (width > 1).astype(np.int64), (height > 1) * stride
    upper, lower = share * (1 - down), share * down
    index[:, 0], index[:, 1] = first, first + step_right
    index[:, 2], index[:, 3] = first + step_down, first + step_down + step_right
    weight[:, 0], weight[:, 1] = upper * (1 - right), upper * right
    weight[:, 2], weight[:, 3] = lower * (1 - right), lower * right


def _padded(rows: Sequence[NDArray[np.integer]]) -> NDArray[np.integer]:
    """Stack arrays of unequal length, repeating the last element of the short ones."""
    longest = max(len(row) for row in rows)
    return np.stack([np.concatenate([row, np.repeat(row[-1:], longest - len(row), axis=0)]) for row in rows])
