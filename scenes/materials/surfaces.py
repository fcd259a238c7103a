"""Seeded materials of walls, ceilings and things: concrete, plaster, brick, painted metal, wood.

Every function takes the size (width, height) in metres, a generator and the resolution, and returns a ``Texture``.
Nothing repeats: two generators never give the same picture, and each has detail from metres to millimetres.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike

from scenes.colour import linear_from_srgb
from scenes.materials.layers import Layer, coat, compose, encode, shade
from scenes.materials.patterns import (
    Extent,
    FloatArray,
    Mask,
    cracks,
    draw_line,
    extent_of,
    fractal_noise,
    grit,
    mask_of,
    rise,
    smooth_noise,
    smudges,
    specks,
)
from scenes.rendering.shapes import Texture

Size = tuple[float, float]

CONCRETE, PLASTER, BRICK, SHEET, TIMBER = (
    (0.66, 0.655, 0.635), (0.86, 0.855, 0.83), (0.60, 0.31, 0.23), (0.45, 0.50, 0.53), (0.66, 0.50, 0.33),
)  # fmt: skip
DADO_TOP_M = 1.1
FINE_PX_PER_M = 96.0
"""From this resolution on, all of a concrete's pores are drawn."""
PANEL_M = (1.25, 2.5)
"""Width and height of a formwork panel."""


def concrete(
    size: Size,
    rng: np.random.Generator,
    px_per_m: float,
    *,
    colour: ArrayLike = CONCRETE,
    dado: ArrayLike | None = None,
    paint: Sequence[Layer] = (),
    foot: bool = True,
) -> Texture:
    """Cast concrete: formwork panels with tie holes, rain streaks, pores, cracks; ``dado`` and ``paint`` over it.

    foot: whether its lower edge stands on a floor and is dirty
    """
    shape, area = extent_of(size, px_per_m), size[0] * size[1]
    shown = min(1.0, (px_per_m / FINE_PX_PER_M) ** 2)  # a pore is never drawn smaller than a texel: draw fewer
    ground = cloudy(shape, px_per_m, rng) + 0.05 * fractal_noise(shape, px_per_m / 2, 3, rng, stretch=6.0)
    ground *= _panel_tones(shape, px_per_m, rng)
    layers = [
        shade(_panel_joints(shape, px_per_m, rng), 0.42),
        shade(grit(shape, 0.004 * shown, rng), 0.72),
        shade(specks(shape, int(45 * shown * area), (0.5, 0.009 * px_per_m), rng), 0.38),
        *blotches(shape, px_per_m, rng),
        coat(drips(shape, int(0.10 * area + 1), px_per_m, rng), (0.80, 0.79, 0.76), 0.45),
        coat(cracks(shape, int(0.10 * area + 0.5), 0.8 * px_per_m, rng, thickness=1), (0.22, 0.21, 0.2), 0.7),
        *dado_layers(shape, px_per_m, dado, rng),
        *paint,
        *(scuffs(shape, px_per_m, rng) if foot else []),
    ]
    return compose(ground, colour, layers, px_per_m, _dirt_below(shape, px_per_m, rng) if foot else None)


def plaster(
    size: Size,
    rng: np.random.Generator,
    px_per_m: float,
    *,
    colour: ArrayLike = PLASTER,
    dado: ArrayLike | None = None,
    paint: Sequence[Layer] = (),
) -> Texture:
    """Painted plaster with flaking, hairlines and dirt near the ground; ``dado`` colours the lowest 1.1 m."""
    shape, area = extent_of(size, px_per_m), size[0] * size[1]
    ground = cloudy(shape, px_per_m, rng) + 0.02 * fractal_noise(shape, 0.02 * px_per_m, 1.5, rng)
    flakes = mask_of(rise(fractal_noise(shape, 0.8 * px_per_m, 3, rng, gain=0.75), 2.4, 0.08))
    layers = [
        *dado_layers(shape, px_per_m, dado, rng),
        *paint,
        coat(flakes, (0.60, 0.58, 0.54), 0.9),
        *blotches(shape, px_per_m, rng),
        shade(specks(shape, int(20 * area), (0.5, 0.008 * px_per_m), rng), 0.55),
        shade(cracks(shape, int(0.2 * area + 1), 0.8 * px_per_m, rng, thickness=1), 0.5),
        shade(drips(shape, int(0.12 * area + 1), px_per_m, rng), 0.72),
        *scuffs(shape, px_per_m, rng),
    ]
    return compose(ground, colour, layers, px_per_m, _dirt_below(shape, px_per_m, rng))


def brick(size: Size, rng: np.random.Generator, px_per_m: float, *, colour: ArrayLike = BRICK) -> Texture:
    """Running-bond brickwork, every brick of its own colour and slightly out of line."""
    shape = extent_of(size, px_per_m)
    rows, columns = np.indices(shape, dtype=np.float32) / np.float32(px_per_m)
    wobble = [np.float32(0.0035) * smooth_noise(shape, (0.1 * px_per_m, 0.15 * px_per_m), rng) for _ in range(2)]
    course = (rows + wobble[0]) / np.float32(0.077)
    along = (columns + wobble[1]) / np.float32(0.25) + np.float32(0.5) * (course.astype(np.int32) % 2)
    index = course.astype(np.int32).clip(0), along.astype(np.int32).clip(0)
    counts = [int(i.max()) + 1 for i in index]
    kinds = rng.choice([1.0, 0.8, 1.2, 0.6, 1.4], size=counts, p=[0.5, 0.2, 0.2, 0.06, 0.04])
    ground = (kinds * rng.normal(1.0, 0.08, counts)).astype(np.float32)[index]
    ground *= cloudy(shape, px_per_m, rng) + 0.09 * fractal_noise(shape, 0.06 * px_per_m, 2, rng, gain=0.9)
    edge = np.minimum(np.minimum(course % 1, 1 - course % 1) * 0.077, np.minimum(along % 1, 1 - along % 1) * 0.25)
    joint = 1 - rise(edge + np.float32(0.001) * fractal_noise(shape, 8, 2, rng), 0.0055, 0.002)
    lime = mask_of(rise(fractal_noise(shape, 1.2 * px_per_m, 4, rng, stretch=2.0), 1.7, 0.6))
    layers = [coat(mask_of(joint), (0.66, 0.64, 0.6), 0.9), coat(lime, (0.8, 0.78, 0.74), 0.35)]
    return compose(ground, colour, layers, px_per_m, _dirt_below(shape, px_per_m, rng))


def metal(
    size: Size,
    rng: np.random.Generator,
    px_per_m: float,
    *,
    colour: ArrayLike = SHEET,
    rib: float | None = None,
    rust: float = 0.02,
) -> Texture:
    """Painted sheet metal with scratches; ``rib`` metres between horizontal ribs; ``rust`` is the share eaten."""
    shape, area = extent_of(size, px_per_m), size[0] * size[1]
    ground = 1 + 0.05 * fractal_noise(shape, px_per_m, 3, rng)
    if rib is not None:
        phase = (np.arange(shape[0], dtype=np.float32) / np.float32(px_per_m * rib)) % 1
        ground *= (0.72 + 0.5 * np.sin(np.pi * phase) ** 0.7 - 0.5 * (phase < 0.1))[:, None].astype(np.float32)
    eaten = fractal_noise(shape, 0.35 * px_per_m, 2, rng, gain=0.8, stretch=1.8)
    layers = [
        coat(cracks(shape, int(1 + 3 * area), 0.2 * px_per_m, rng, thickness=1), (0.8, 0.8, 0.8), 0.3),
        shade(specks(shape, int(12 * area), (0.5, 0.008 * px_per_m), rng), 0.5),
        coat(mask_of(rise(eaten, float(np.quantile(eaten, 1 - rust)), 0.25)), (0.42, 0.24, 0.14), 0.9),
    ]
    return compose(ground, colour, layers, px_per_m)


def wood(
    size: Size, rng: np.random.Generator, px_per_m: float, *, colour: ArrayLike = TIMBER, plank: float = 0.14
) -> Texture:
    """Boards lying across, ``plank`` metres high, each with its own tone, grain, knots and nails."""
    shape, area = extent_of(size, px_per_m), size[0] * size[1]
    rows = np.indices(shape, dtype=np.float32)[0] / np.float32(px_per_m * plank)
    board = rows.astype(np.int32)
    tones = rng.normal(1.0, [0.12, 0.13, 0.15], (int(board.max()) + 1, 3)).clip(0.5, 1.5).astype(np.float32)
    grain = fractal_noise(shape[::-1], 0.03 * px_per_m, 1.5, rng, stretch=22.0, gain=0.8).T
    gap = np.where(np.minimum(rows % 1, 1 - rows % 1) * plank < 0.005, np.float32(0.15), np.float32(1))
    knots = specks(shape, int(8 * area), (0.008 * px_per_m, 0.02 * px_per_m), rng).astype(np.float32) / 255
    light = (1 + 0.15 * grain) * gap * (1 - 0.7 * knots)
    return Texture(image=encode(linear_from_srgb(colour) * tones[board] * light[..., None]), px_per_m=px_per_m)


def cloudy(shape: Extent, px_per_m: float, rng: np.random.Generator) -> FloatArray:
    """Return brightness about 1 that varies a little on all scales from two metres to a texel."""
    broad = fractal_noise(shape, 2 * px_per_m, 0.06 * px_per_m, rng, gain=0.82)
    fine = fractal_noise(shape, 0.06 * px_per_m, 1.5, rng, gain=0.85)
    return np.clip(1 + np.float32(0.06) * broad + np.float32(0.05) * fine, 0.5, 1.5)


def dado_layers(shape: Extent, px_per_m: float, dado: ArrayLike | None, rng: np.random.Generator) -> list[Layer]:
    """Return the uneven paint of the lowest 1.1 m of a wall, with a darker line above it."""
    if dado is None:
        return []
    lower, line = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.uint8)
    edge = max(0, shape[0] - round(DADO_TOP_M * px_per_m))
    lower[edge:], line[max(0, edge - round(0.04 * px_per_m)) : edge] = 255, 255
    uneven = mask_of(0.5 + 0.22 * fractal_noise(shape, 0.6 * px_per_m, 1.5, rng, gain=0.8))
    uneven[:edge] = 0
    return [coat(lower, dado), coat(line, 0.45 * np.asarray(dado)), shade(uneven, 0.7)]


def drips(shape: Extent, count: int, px_per_m: float, rng: np.random.Generator) -> Mask:
    """Return a mask of streaks that run down from the top or from a joint, thinning out."""
    mask = np.zeros(shape, dtype=np.uint8)
    for _ in range(count):
        x, top = rng.uniform(0, shape[1]), rng.choice([0.0, 0.0, rng.uniform(0, 0.6 * shape[0])])
        length, steps = rng.uniform(0.2, 1.3) * px_per_m, 8
        down = top + np.linspace(0, length, steps)
        walk = np.column_stack([x + np.cumsum(rng.normal(0, 0.004 * px_per_m, steps)), down])
        for first, value in enumerate(np.linspace(230, 40, steps - 1).astype(int).tolist()):
            draw_line(mask, walk[first : first + 2], 1 + int(3 * (1 - first / steps) * rng.uniform(0.3, 1)), value)
    return cv2.GaussianBlur(mask, (0, 0), max(0.6, 0.004 * px_per_m))


def blotches(shape: Extent, px_per_m: float, rng: np.random.Generator) -> list[Layer]:
    """Return what years leave anywhere on a surface: damp and dirty spots, and paler ones where it was mended."""
    area = shape[0] * shape[1] / px_per_m**2
    return [
        shade(smudges(shape, int(2.2 * area), (0.02 * px_per_m, 0.07 * px_per_m), rng), 0.66),
        shade(smudges(shape, int(0.3 * area), (0.06 * px_per_m, 0.22 * px_per_m), rng), 0.74),
        coat(smudges(shape, int(1.0 * area), (0.02 * px_per_m, 0.08 * px_per_m), rng), (0.82, 0.81, 0.79), 0.6),
    ]


def scuffs(shape: Extent, px_per_m: float, rng: np.random.Generator) -> list[Layer]:
    """Return what bumpers, trolleys and shoes leave in the lowest metre: dark rubs and lighter scratches."""
    mask = np.zeros(shape, dtype=np.uint8)
    for _ in range(int(0.35 * shape[1] / px_per_m + rng.uniform())):
        height = shape[0] - px_per_m * rng.choice([0.12, 0.35, 0.55, 0.7]) * rng.uniform(0.7, 1.3)
        start, length = rng.uniform(0, shape[1]), px_per_m * rng.uniform(0.05, 0.6)
        ends = np.array([[start, height], [start + length, height + rng.normal(0, 0.02) * px_per_m]])
        draw_line(mask, ends, int(rng.integers(1, 5)), int(rng.integers(90, 255)))
    return [shade(mask, 0.35), shade(smudges(shape, max(1, int(0.3 * shape[1] / px_per_m)), (3, 9), rng), 0.75)]


def _dirt_below(shape: Extent, px_per_m: float, rng: np.random.Generator) -> FloatArray:
    """Return a factor (H, W) that darkens the foot of a wall where water splashes."""
    above_ground = (shape[0] - np.arange(shape[0], dtype=np.float32))[:, None] / np.float32(px_per_m)
    splash = np.exp(-above_ground / 0.12) * np.clip(1 + 0.6 * fractal_noise(shape, 0.3 * px_per_m, 4, rng), 0, 2)
    return 1 - np.float32(0.45) * np.clip(splash, 0, 1)


def _panel_tones(shape: Extent, px_per_m: float, rng: np.random.Generator) -> FloatArray:
    """Return the brightness of each formwork panel: no two casts are alike."""
    rows, columns = (
        (np.arange(n) / (side * px_per_m)).astype(int) for n, side in zip(shape, PANEL_M[::-1], strict=True)
    )
    tones = rng.normal(1.0, 0.04, (rows[-1] + 1, columns[-1] + 1)).astype(np.float32)
    return tones[rows[:, None], columns]


def _panel_joints(shape: Extent, px_per_m: float, rng: np.random.Generator) -> Mask:
    """Return a mask of the joints between formwork panels, counted from the floor, and of their tie holes."""
    mask = np.zeros(shape, dtype=np.uint8)
    width, height = (side * px_per_m for side in PANEL_M)
    for x in np.arange(width, shape[1], width):
        draw_line(mask, np.array([[x, 0], [x, shape[0]]]), max(1, round(0.006 * px_per_m)), int(rng.integers(90, 200)))
    for y in np.arange(shape[0] - height, 0, -height):
        draw_line(mask, np.array([[0, y], [shape[1], y]]), max(1, round(0.006 * px_per_m)), int(rng.integers(90, 200)))
    holes = [
        (x, shape[0] - y) for x in np.arange(width / 4, shape[1], width / 2) for y in (0.22 * height, 0.72 * height)
    ]
    for hole in np.array(holes).reshape(-1, 2):
        centre = hole + rng.normal(0, 0.01 * px_per_m, 2)
        draw_line(mask, np.array([centre, centre + 0.01]), max(2, round(0.026 * px_per_m)), 255)
    return mask
