"""Pillars: square or round, with a painted band and a text on every side."""

from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray

from scenes.building.solids import flat, joined, shape_of, sides
from scenes.building.texturing import WALL, TextureBook
from scenes.building.walls import OVERLAP_M
from scenes.facility import Level, Pillar
from scenes.materials.layers import Layer, coat
from scenes.materials.lettering import text_mask
from scenes.materials.patterns import Extent, extent_of, ragged
from scenes.materials.surfaces import concrete
from scenes.plan import pillar_polygon
from scenes.rendering.shapes import Shape, Texture

BAND_M = (1.05, 1.95)
"""Where the band begins and ends above the floor."""
OPEN_AIR_PILLAR_M = 3.0
GUARD_M = (0.09, 0.10, 0.80)
"""Width on either side of a corner, foot and top of the rubber guards of square pillars."""
ROUND_SIDES = 4
"""How often the text stands around a round pillar."""
PALE, INK = (0.95, 0.95, 0.93), (0.08, 0.08, 0.09)


def pillar_shapes(pillar: Pillar, level: Level, book: TextureBook) -> list[Shape]:
    """Return a pillar from the floor to the ceiling, or with a top where there is none."""
    area = shapely.orient_polygons(pillar_polygon(pillar))
    ring = np.array(area.exterior.coords)
    height = level.ceiling or OPEN_AIR_PILLAR_M
    bottom, top = level.elevation, level.elevation + height
    patches = [sides(ring, bottom, top + OVERLAP_M * (level.ceiling is not None), smooth=pillar.round)]
    if level.ceiling is None:
        west, _, _, north = area.bounds
        patches.append(flat(area, top, up=True, origin=(west, north)))
    texture = pillar_texture(pillar, level, book, ring, height)
    return [shape_of(f"{level.id}/pillar {pillar.id}", joined(patches), texture)]


def pillar_texture(
    pillar: Pillar, level: Level, book: TextureBook, ring: NDArray[np.float64], height: float
) -> Texture:
    """Return the sides of a pillar, unrolled, with its paint."""
    lengths = np.linalg.norm(np.diff(ring, axis=0), axis=1)
    size = float(lengths.sum()), height
    faces = np.full(ROUND_SIDES, size[0] / ROUND_SIDES) if pillar.round else lengths
    density = book.px_per_m(WALL)

    def make(rng: np.random.Generator) -> Texture:
        return concrete(size, rng, density, paint=_paint(pillar, faces, size, density, rng))

    place = ("pillar", pillar.at, pillar.size, pillar.yaw_deg, pillar.round)
    return book.texture(level, place, (pillar.band, pillar.text, height, density), make)


def _paint(
    pillar: Pillar, faces: NDArray[np.float64], size: tuple[float, float], px_per_m: float, rng: np.random.Generator
) -> list[Layer]:
    """Return the band, if there is one, and the text in the middle of it on every face."""
    shape = extent_of(size, px_per_m)
    top, bottom = (round((size[1] - z) * px_per_m) for z in BAND_M[::-1])
    band, letters = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.uint8)
    band[max(top, 0) : bottom] = 255
    ends = np.concatenate([[0], np.cumsum(faces)]) * px_per_m
    for left, right in pairwise(ends):
        margin = 0.14 * (right - left)
        columns = slice(round(left + margin), round(right - margin))
        rows = slice(max(top + (bottom - top) // 5, 0), max(bottom - (bottom - top) // 5, 0))
        window = letters[rows, columns]
        if pillar.text and min(window.shape) > 3:
            window[:] = text_mask(window.shape, pillar.text)
    layers = [] if pillar.round else _corner_guards(ends, shape, px_per_m)
    if pillar.band is not None:
        layers.append(coat(ragged(band, 0.4 * px_per_m, 0.04, rng), np.array(pillar.band) / 255, 0.93))
    if pillar.text:
        dark_ground = pillar.band is not None and sum(pillar.band) < 420
        layers.append(coat(ragged(letters, 0.4 * px_per_m, 0.02, rng), PALE if dark_ground else INK, 0.95))
    return layers


def _corner_guards(ends: NDArray[np.float64], shape: Extent, px_per_m: float) -> list[Layer]:
    """Return rubber guards around the corners (columns ``ends``), black with slanting yellow stripes."""
    width, foot, top = (metres * px_per_m for metres in GUARD_M)
    rows, columns = slice(round(shape[0] - top), round(shape[0] - foot)), np.arange(shape[1]) + 0.5
    near = np.abs(columns[:, None] - ends).min(axis=1) < width
    slant = (np.arange(shape[0])[:, None] + columns) / (0.12 * px_per_m) % 2 < 1
    rubber, yellow = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.uint8)
    rubber[rows, near] = 255
    yellow[rows] = np.where(near & slant[rows], 255, 0)
    return [coat(rubber, (0.13, 0.13, 0.13)), coat(yellow, (0.85, 0.68, 0.15), 0.9)]
