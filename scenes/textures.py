"""Seeded materials: concrete, plaster, brick, asphalt, wood, painted metal, leaves.

Every function takes the size (width, height) in metres, a generator and the resolution, and returns a ``Texture`` in
linear RGB. Nothing repeats: two calls never give the same picture, and each has detail from metres to millimetres.
"""

import numpy as np
from numpy.typing import ArrayLike

from scenes.colour import linear_from_srgb
from scenes.mipmaps import Texture
from scenes.patterns import FloatArray, Shape, blend, cracks, darken, fractal_noise, smooth_noise, smudges, specks, tint

Size = tuple[float, float]

ASPHALT_RESOLUTION = 0.8
"""The ground is seen at a slant: fewer texels a metre show."""


def texture_shape(size: Size, px_per_m: float) -> Shape:
    """Return (rows, columns) of a picture over (width, height) metres."""
    return max(1, round(size[1] * px_per_m)), max(1, round(size[0] * px_per_m))


def concrete(size: Size, rng: np.random.Generator, px_per_m: float, colour: ArrayLike = (0.62, 0.61, 0.58)) -> Texture:
    """Cast concrete: formwork panels with tie holes, rain streaks, pores, cracks."""
    shape = texture_shape(size, px_per_m)
    shade = _weathered(shape, px_per_m, rng) + 0.10 * fractal_noise(shape, px_per_m / 3, 6, rng, stretch=7.0)
    image = tint(linear_from_srgb(colour), shade)
    image = darken(image, 0.35, _panel_joints(shape, px_per_m, rng))
    image = darken(image, 0.25, specks(shape, int(220 * size[0] * size[1]), (0.6, 0.014 * px_per_m), rng))
    image = blend(
        image, (0.05, 0.045, 0.04), 0.8 * cracks(shape, int(1 + 0.5 * size[0] * size[1]), 0.9 * px_per_m, rng)
    )
    return _finish(image, px_per_m)


def plaster(
    size: Size,
    rng: np.random.Generator,
    px_per_m: float,
    colour: ArrayLike = (0.86, 0.80, 0.66),
    dado: ArrayLike | None = None,
) -> Texture:
    """Painted plaster with flaking, streaks and dirt near the ground; ``dado`` colours the lowest 1.1 m."""
    shape = texture_shape(size, px_per_m)
    image = tint(linear_from_srgb(colour), np.ones(shape, dtype=np.float32))
    if dado is not None:
        edge = shape[0] - int(1.1 * px_per_m)
        image[max(0, edge) :] = linear_from_srgb(dado)
        image[max(0, edge - int(0.05 * px_per_m)) : max(0, edge)] *= 0.35
    flakes = fractal_noise(shape, 0.8 * px_per_m, 3, rng, gain=0.75)
    bare = tint((0.33, 0.29, 0.25), 1 + 0.2 * fractal_noise(shape, 12, 2, rng))
    image = darken(image, 0.55, _step(flakes, 1.47, 0.05))
    image = blend(image, bare, _step(flakes, 1.55, 0.05))
    image *= (_weathered(shape, px_per_m, rng) + 0.07 * fractal_noise(shape, px_per_m / 4, 6, rng, stretch=9.0))[
        ..., None
    ]
    image = darken(image, 0.3, 0.8 * cracks(shape, int(1 + 0.7 * size[0] * size[1]), 0.8 * px_per_m, rng))
    return _finish(image * _dirt_below(shape, px_per_m, rng), px_per_m)


def brick(size: Size, rng: np.random.Generator, px_per_m: float, colour: ArrayLike = (0.60, 0.31, 0.23)) -> Texture:
    """Running-bond brickwork, every brick of its own colour and slightly out of line."""
    shape = texture_shape(size, px_per_m)
    rows, columns = np.indices(shape, dtype=np.float32) / np.float32(px_per_m)
    wobble = [np.float32(0.0035) * smooth_noise(shape, (0.1 * px_per_m, 0.15 * px_per_m), rng) for _ in range(2)]
    course = (rows + wobble[0]) / np.float32(0.077)
    along = (columns + wobble[1]) / np.float32(0.25) + np.float32(0.5) * (course.astype(np.int32) % 2)
    index = course.astype(np.int32).clip(0), along.astype(np.int32).clip(0)
    counts = [int(i.max()) + 1 for i in index]
    kinds = rng.choice([1.0, 0.72, 1.3, 0.42, 1.75], size=counts, p=[0.4, 0.2, 0.2, 0.12, 0.08])
    shades = (kinds * rng.normal(1.0, 0.1, counts))[..., None] * rng.normal(1.0, [0.03, 0.05, 0.06], (*counts, 3))
    bricks = (linear_from_srgb(colour) * shades.astype(np.float32))[index]
    bricks *= (1 + 0.17 * fractal_noise(shape, 0.06 * px_per_m, 2, rng, gain=0.9))[..., None]
    edge = np.minimum(np.minimum(course % 1, 1 - course % 1) * 0.077, np.minimum(along % 1, 1 - along % 1) * 0.25)
    joint = 1 - _step(edge + np.float32(0.001) * fractal_noise(shape, 8, 2, rng), 0.0055, 0.002)
    image = blend(bricks, tint(linear_from_srgb((0.68, 0.65, 0.6)), 1 + 0.15 * fractal_noise(shape, 30, 2, rng)), joint)
    image *= (_weathered(shape, px_per_m, rng) + 0.08 * fractal_noise(shape, px_per_m / 3, 8, rng, stretch=5.0))[
        ..., None
    ]
    lime = _step(fractal_noise(shape, 1.2 * px_per_m, 4, rng, stretch=2.0), 1.5, 0.6)
    return _finish(blend(image, (0.6, 0.58, 0.54), 0.4 * lime) * _dirt_below(shape, px_per_m, rng), px_per_m)


def asphalt(size: Size, rng: np.random.Generator, px_per_m: float) -> Texture:
    """Worn asphalt: aggregate of many sizes, cracks sealed with tar, oil, chewing gum."""
    px_per_m *= ASPHALT_RESOLUTION
    shape = texture_shape(size, px_per_m)
    area = size[0] * size[1]
    grain = 0.16 * rng.standard_normal(shape, dtype=np.float32) + 0.14 * fractal_noise(shape, 8, 2, rng, gain=0.9)
    shade = _weathered(shape, px_per_m, rng) + 0.16 * fractal_noise(shape, 3 * px_per_m, 10, rng) + grain
    image = tint(linear_from_srgb((0.45, 0.45, 0.455)), np.maximum(shade, 0.2))
    for colour, radius in (((0.42, 0.40, 0.37), 0.016), ((0.03, 0.03, 0.03), 0.014), ((0.34, 0.30, 0.26), 0.009)):
        image = blend(image, colour, 0.8 * specks(shape, int(110 * area), (0.5, radius * px_per_m), rng))
    image = darken(image, 0.3, 0.9 * smudges(shape, int(0.35 * area), (0.04 * px_per_m, 0.22 * px_per_m), rng))
    image = blend(image, (0.03, 0.03, 0.032), 0.85 * cracks(shape, int(0.25 * area), 1.6 * px_per_m, rng, thickness=4))
    image = blend(
        image, (0.04, 0.04, 0.042), 0.7 * specks(shape, int(5 * area), (0.008 * px_per_m, 0.02 * px_per_m), rng)
    )
    image = blend(
        image, (0.45, 0.44, 0.42), 0.8 * specks(shape, int(4 * area), (0.006 * px_per_m, 0.016 * px_per_m), rng)
    )
    return _finish(image, px_per_m)


def wood(
    size: Size,
    rng: np.random.Generator,
    px_per_m: float,
    colour: ArrayLike = (0.66, 0.50, 0.33),
    plank: float = 0.14,
) -> Texture:
    """Boards lying across, ``plank`` metres high, each with its own tone, grain, knots and nails."""
    shape = texture_shape(size, px_per_m)
    rows, _ = np.indices(shape, dtype=np.float32) / np.float32(px_per_m * plank)
    board = rows.astype(np.int32)
    tones = rng.normal(1.0, [0.16, 0.18, 0.2], (int(board.max()) + 1, 3)).clip(0.4, 1.6).astype(np.float32)
    grain = fractal_noise(shape[::-1], 0.03 * px_per_m, 1.5, rng, stretch=22.0, gain=0.8).T
    image = (
        linear_from_srgb(colour) * tones[board] * (1 + 0.2 * grain + 0.12 * fractal_noise(shape, 40, 2, rng))[..., None]
    )
    gap = np.minimum(rows % 1, 1 - rows % 1) * plank < 0.005
    image = darken(image, 0.12, gap.astype(np.float32))
    image = darken(image, 0.22, specks(shape, int(14 * size[0] * size[1]), (0.008 * px_per_m, 0.02 * px_per_m), rng))
    image = blend(image, (0.5, 0.5, 0.5), specks(shape, int(18 * size[0] * size[1]), (0.9, 1.6), rng))
    return _finish(image, px_per_m)


def metal(
    size: Size,
    rng: np.random.Generator,
    px_per_m: float,
    colour: ArrayLike = (0.35, 0.45, 0.5),
    rib: float | None = None,
) -> Texture:
    """Painted sheet metal with scratches and rust; ``rib`` metres between horizontal ribs, as on a roller shutter."""
    shape = texture_shape(size, px_per_m)
    shade = 1 + 0.05 * fractal_noise(shape, px_per_m, 4, rng)
    if rib is not None:
        phase = (np.arange(shape[0], dtype=np.float32) / np.float32(px_per_m * rib)) % 1
        shade *= (0.72 + 0.5 * np.sin(np.pi * phase) ** 0.7 - 0.5 * (phase < 0.1))[:, None].astype(np.float32)
    image = tint(linear_from_srgb(colour), shade)
    image = blend(
        image, 1.7 * image + 0.05, 0.5 * cracks(shape, int(2 + 3 * size[0] * size[1]), 0.3 * px_per_m, rng, thickness=1)
    )
    rust = _step(fractal_noise(shape, 0.35 * px_per_m, 2, rng, gain=0.8, stretch=1.8), 1.7, 0.25)
    return _finish(blend(image, tint((0.20, 0.075, 0.03), 1 + 0.3 * fractal_noise(shape, 10, 2, rng)), rust), px_per_m)


def leaves(size: Size, rng: np.random.Generator, px_per_m: float) -> Texture:
    """A dense hedge: leaves of many greens over shadow."""
    shape = texture_shape(size, px_per_m)
    image = tint((0.012, 0.02, 0.01), np.ones(shape, dtype=np.float32))
    count = int(420 * size[0] * size[1])
    for depth in np.linspace(0.35, 1.25, 6):
        green = depth * rng.uniform([0.04, 0.12, 0.015], [0.14, 0.26, 0.05])
        image = blend(image, green, specks(shape, count, (0.008 * px_per_m, 0.035 * px_per_m), rng))
    return _finish(image * (1 + 0.15 * fractal_noise(shape, 60, 2, rng))[..., None], px_per_m)


def _weathered(shape: Shape, px_per_m: float, rng: np.random.Generator) -> FloatArray:
    """Return brightness about 1 that varies on all scales from two metres to a texel, with spots."""
    broad = fractal_noise(shape, 2 * px_per_m, 8, rng, gain=0.75)
    fine = fractal_noise(shape, 0.12 * px_per_m, 1.5, rng, gain=0.85)
    spots = specks(shape, int(60 * shape[0] * shape[1] / px_per_m**2), (0.006 * px_per_m, 0.04 * px_per_m), rng)
    return np.clip(1 + 0.12 * broad + 0.12 * fine - 0.4 * spots, 0.25, 1.8).astype(np.float32)


def _dirt_below(shape: Shape, px_per_m: float, rng: np.random.Generator) -> FloatArray:
    """Return a factor (H, W, 3) that darkens the foot of a wall where rain splashes."""
    above_ground = (shape[0] - np.arange(shape[0], dtype=np.float32))[:, None] / np.float32(px_per_m)
    splash = np.exp(-above_ground / 0.25) * np.clip(1 + 0.6 * fractal_noise(shape, 0.3 * px_per_m, 4, rng), 0, 2)
    return 1 - np.clip(splash, 0, 1)[..., None] * np.array([0.45, 0.5, 0.55], dtype=np.float32)


def _panel_joints(shape: Shape, px_per_m: float, rng: np.random.Generator) -> FloatArray:
    """Return a mask of formwork joints about 1.25 m apart, and the tie holes between them."""
    panel = 1.25 * px_per_m * rng.uniform(0.9, 1.1)
    rows, columns = (np.arange(n, dtype=np.float32) for n in shape)
    lines = np.maximum((columns % panel < 2.5)[None], (rows % (0.8 * panel) < 2.5)[:, None]).astype(np.float32)
    row, column = (rows + panel / 4) % (0.4 * panel), (columns + panel / 4) % (0.5 * panel)
    holes = np.hypot(row[:, None] - 0.2 * panel, column[None] - 0.25 * panel) < 0.016 * px_per_m
    return np.clip(0.7 * lines + 0.9 * holes, 0, 1)


def _step(value: FloatArray, edge: float, softness: float) -> FloatArray:
    """Rise from 0 to 1 as ``value`` passes ``edge``."""
    return np.clip((value - np.float32(edge)) / np.float32(softness) + np.float32(0.5), 0, 1)


def _finish(image: FloatArray, px_per_m: float) -> Texture:
    return Texture(image=np.clip(image, 0.0, 1.0).astype(np.float32), px_per_m=px_per_m)
