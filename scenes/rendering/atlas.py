"""Prefiltered textures: image pyramids packed in one picture a level, sampled trilinearly along oblique footprints.

Level l of a pyramid halves the image l times by area averaging (Williams, Pyramidal parametrics, SIGGRAPH 1983); a
footprint longer than wide is sampled at several points along it (McCormack et al., Feline, SIGGRAPH 1999).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from geometry.errors import InputError
from scenes.colour import linear_from_bytes
from scenes.rendering.shapes import Texture

FloatArray = NDArray[np.float32]

WHITE = 65535.0
TAPS = 4
"""Samples along a footprint that is longer than wide; the level is chosen for footprints up to so many times longer."""
REMAP_COLUMNS = 512
WIDTHS_TRIED = 12
MAX_SIDE = 32_000
"""OpenCV addresses the columns and rows of a picture that it samples with 16 bits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Packing:
    """Rectangles placed in one picture without overlap.

    corners: (N, 2) int64, column and row of each rectangle's top left; size: (columns, rows) of the picture
    """

    corners: NDArray[np.int64]
    size: tuple[int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Atlas:
    """Pyramids of many textures; 6 bytes a texel on each level, so about 8 for each texel given.

    pages: one uint16 (rows, columns, 3) picture a level, linear RGB, 65535 white
    frames: (L, N, 6) float32: left, top, right and bottom texel centres of texture n on the page of level l, and its
        texels a metre along x and y there; a short pyramid repeats its last level
    last_levels: (N,) float32; px_per_m: (N,) float32, of level 0; means: (N, 3) float32 mean colour
    """

    pages: tuple[NDArray[np.uint16], ...]
    frames: FloatArray
    last_levels: FloatArray
    px_per_m: FloatArray
    means: FloatArray


def pack(sizes: NDArray[np.int64]) -> Packing:
    """Place rectangles of ``sizes`` (N, 2), columns and rows, in one picture, of the width that wastes least.

    Raises ``InputError`` where they need a picture of more than 32000 columns or rows.
    """
    widest, area = int(sizes[:, 0].max()), int(np.prod(sizes, axis=1).sum())
    spread = np.geomspace(0.7 * np.sqrt(area), 2.5 * np.sqrt(area), WIDTHS_TRIED).astype(int)
    widths = {*(widest * np.arange(1, 5)).tolist(), *spread.tolist()}
    tried = [_on_skyline(sizes, width) for width in sorted(widths) if widest <= width <= MAX_SIDE]
    fitting = [packing for packing in tried if max(packing.size) <= MAX_SIDE]
    if not fitting:
        raise InputError(
            f"textures of {area} texels don't fit into a picture of {MAX_SIDE} x {MAX_SIDE}",
            remedy="Use fewer texels a metre, or share textures between surfaces.",
        )
    return min(fitting, key=lambda packing: packing.size[0] * packing.size[1])


def _on_skyline(sizes: NDArray[np.int64], width: int) -> Packing:
    """Place rectangles, the tallest first, each where it reaches least far down in a picture ``width`` wide."""
    corners = np.empty_like(sizes)
    skyline = np.zeros(width, dtype=np.int64)
    for index in np.lexsort((-sizes[:, 0], -sizes[:, 1])):
        columns, rows = (int(side) for side in sizes[index])
        tops = maximum_filter1d(skyline, columns, origin=-(columns // 2))[: width - columns + 1]
        x = int(tops.argmin())
        corners[index] = x, tops[x]
        skyline[x : x + columns] = tops[x] + rows
    return Packing(corners=corners, size=(int((corners[:, 0] + sizes[:, 0]).max()), int(skyline.max())))


def build_atlas(textures: Sequence[Texture]) -> Atlas:
    """Pack the pyramids of ``textures``, one after the other so that only the pages are held."""
    sizes = _level_sizes(textures)
    packings = [pack(size) for size in sizes]
    pages = tuple(np.zeros((p.size[1], p.size[0], 3), dtype=np.uint16) for p in packings)
    means = np.empty((len(textures), 3), dtype=np.float32)
    last = np.array([_levels_of(texture) - 1 for texture in textures])
    for index, texture in enumerate(textures):
        means[index] = _store_pyramid(pages, packings, texture, index, int(last[index]))
    px_per_m = np.array([texture.px_per_m for texture in textures], dtype=np.float32)
    return Atlas(
        pages=pages,
        frames=_frames(sizes, packings, px_per_m, last),
        last_levels=last.astype(np.float32),
        px_per_m=px_per_m,
        means=means,
    )


def _levels_of(texture: Texture) -> int:
    return int(min(texture.image.shape[:2]) - 1).bit_length() + 1


def _level_sizes(textures: Sequence[Texture]) -> list[NDArray[np.int64]]:
    """Return (N, 2) columns and rows a level, one texel where a pyramid has ended."""
    first = np.array([texture.image.shape[1::-1] for texture in textures], dtype=np.int64)
    levels = np.array([_levels_of(texture) for texture in textures])
    halved = [-(-first // 2**level) for level in range(levels.max())]
    return [np.where((level < levels)[:, None], size, 1) for level, size in enumerate(halved)]


def _store_pyramid(
    pages: Sequence[NDArray[np.uint16]], packings: Sequence[Packing], texture: Texture, index: int, last: int
) -> FloatArray:
    """Write a texture's levels to the pages and return its mean colour (3,)."""
    image = np.rint(linear_from_bytes(texture.image) * WHITE).astype(np.uint16)
    mean = cv2.mean(image)[:3]
    for level in range(last + 1):
        if level:
            half = (-(-image.shape[1] // 2), -(-image.shape[0] // 2))
            image = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
        column, row = packings[level].corners[index]
        pages[level][row : row + image.shape[0], column : column + image.shape[1]] = image
    return (np.array(mean) / WHITE).astype(np.float32)


def _frames(
    sizes: Sequence[NDArray[np.int64]], packings: Sequence[Packing], px_per_m: FloatArray, last: NDArray[np.int64]
) -> FloatArray:
    rows = [
        np.column_stack([p.corners, p.corners + size - 1, px_per_m[:, None] * size / sizes[0]])
        for p, size in zip(packings, sizes, strict=True)
    ]
    return np.stack(rows).astype(np.float32)


def sample(
    atlas: Atlas, texture_ids: NDArray[np.integer], uv: FloatArray, width: FloatArray, stretch: FloatArray
) -> FloatArray:
    """Return linear RGB (N, 3) float32 at ``uv`` (N, 2), in metres on the textures ``texture_ids`` (N,).

    width: (N,) metres of the footprint's shorter axis on the texture; stretch: (N, 2) metres, its longer axis as a
    vector on the texture. Beyond a texture's edge its outermost texels go on.
    """
    length = np.sqrt(np.einsum("nk,nk->n", stretch, stretch))
    oblique = np.flatnonzero(length > 1.5 * width)
    blur = width.copy()
    blur[oblique] = np.maximum(width[oblique], length[oblique] / TAPS)
    colour = np.empty((len(uv), 3), dtype=np.float32)
    straight = np.flatnonzero(length <= 1.5 * width)
    colour[straight] = _trilinear(atlas, texture_ids[straight], uv[straight], blur[straight])
    if len(oblique):
        ids, middle, along, level = texture_ids[oblique], uv[oblique], stretch[oblique], blur[oblique]
        steps = ((np.arange(TAPS) + 0.5) / TAPS - 0.5).astype(np.float32)
        colour[oblique] = sum(_trilinear(atlas, ids, middle + step * along, level) for step in steps) / TAPS
    return colour


def _trilinear(atlas: Atlas, texture_ids: NDArray[np.integer], uv: FloatArray, width: FloatArray) -> FloatArray:
    lod = np.log2(np.maximum(width * atlas.px_per_m[texture_ids], np.float32(1.0)))
    lod = np.minimum(lod, atlas.last_levels[texture_ids])
    finer = lod.astype(np.int32)
    share = lod - finer
    colour = np.zeros((len(uv), 3), dtype=np.float32)
    for level, page in enumerate(atlas.pages):
        for chosen, weight in ((finer == level, 1 - share), ((finer == level - 1) & (share > 0), share)):
            rows = np.flatnonzero(chosen)
            if len(rows):
                frame = np.take(atlas.frames[level], texture_ids[rows], axis=0)
                texel = np.clip(uv[rows] * frame[:, 4:] - 0.5 + frame[:, :2], frame[:, :2], frame[:, 2:4])
                colour[rows] += weight[rows, None] * bilinear(page, texel)
    return colour / np.float32(WHITE)


def bilinear(picture: NDArray[np.generic], positions: FloatArray) -> FloatArray:
    """Sample ``picture`` (H, W, K) at ``positions`` (N, 2), column and row with the first texel's centre at (0, 0)."""
    padded = np.zeros((-(-len(positions) // REMAP_COLUMNS) * REMAP_COLUMNS, 2), dtype=np.float32)
    padded[: len(positions)] = positions
    grid = padded.reshape(-1, REMAP_COLUMNS, 2)
    values = cv2.remap(picture, grid, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return values.reshape(-1, picture.shape[2])[: len(positions)].astype(np.float32)
