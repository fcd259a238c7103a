"""Seeded floors: power-floated concrete, a coat of resin, asphalt. Their paint and dirt come as layers on top."""

from collections.abc import Sequence

import numpy as np

from scenes.materials.layers import Layer, coat, compose, shade
from scenes.materials.patterns import (
    Extent,
    FloatArray,
    Mask,
    cracks,
    draw_line,
    fractal_noise,
    grit,
    mask_of,
    rise,
    smudges,
    specks,
)
from scenes.rendering.shapes import Texture

FLOOR_COLOURS = {"concrete": (0.60, 0.595, 0.575), "coated": (0.56, 0.575, 0.57), "asphalt": (0.40, 0.40, 0.41)}
FLOOR_MIRRORS = {"concrete": 0.0, "coated": 0.02, "asphalt": 0.0}
"""Share of light mirrored at right angles, by kind of floor."""
JOINT_M = 6.0


def floor(kind: str, shape: Extent, px_per_m: float, rng: np.random.Generator, marks: Sequence[Layer] = ()) -> Texture:
    """Return a floor of one of ``FLOOR_COLOURS``, with ``marks`` above its ground and below its newest dirt."""
    ground = _GROUNDS[kind](shape, px_per_m, rng)
    layers = _DIRT[kind](shape, px_per_m, rng)
    area = shape[0] * shape[1] / px_per_m**2
    dust = [
        coat(specks(shape, int(1.5 * area), (0.5, 0.012 * px_per_m), rng), (0.75, 0.73, 0.68), 0.5),
        shade(specks(shape, int(3.0 * area), (0.5, 0.010 * px_per_m), rng), 0.35, 0.8),
    ]
    return compose(ground, FLOOR_COLOURS[kind], [*layers, *marks, *dust], px_per_m)


def _clouds(shape: Extent, px_per_m: float, rng: np.random.Generator, broad: float, fine: float) -> FloatArray:
    mottled = fractal_noise(shape, 4 * px_per_m, 0.05 * px_per_m, rng, gain=0.82)
    grain = fractal_noise(shape, 0.05 * px_per_m, 1.5, rng, gain=0.9)
    return np.clip(1 + np.float32(broad) * mottled + np.float32(fine) * grain, 0.4, 1.6)


def _concrete(shape: Extent, px_per_m: float, rng: np.random.Generator) -> FloatArray:
    """Clouds that the power float leaves, and a tone for each field between the joints."""
    return _clouds(shape, px_per_m, rng, 0.085, 0.07) * _field_tones(shape, px_per_m, rng)


def _coated(shape: Extent, px_per_m: float, rng: np.random.Generator) -> FloatArray:
    return _clouds(shape, px_per_m, rng, 0.05, 0.05)


def _asphalt(shape: Extent, px_per_m: float, rng: np.random.Generator) -> FloatArray:
    coarse = _clouds(shape, px_per_m, rng, 0.08, 0.06)
    coarse += np.float32(0.10) * rng.standard_normal(shape, dtype=np.float32)
    return np.maximum(coarse, np.float32(0.3), out=coarse)


def _concrete_dirt(shape: Extent, px_per_m: float, rng: np.random.Generator) -> list[Layer]:
    area = shape[0] * shape[1] / px_per_m**2
    return [
        shade(_saw_cuts(shape, px_per_m, rng), 0.35),
        shade(grit(shape, 0.004, rng), 0.70),
        shade(specks(shape, int(12 * area), (0.5, 0.014 * px_per_m), rng), 0.45),
        coat(specks(shape, int(9 * area), (0.5, 0.014 * px_per_m), rng), (0.76, 0.75, 0.72), 0.7),
        shade(specks(shape, int(1.2 * area), (0.010 * px_per_m, 0.025 * px_per_m), rng), 0.45),
        shade(smudges(shape, int(1.6 * area), (0.02 * px_per_m, 0.10 * px_per_m), rng), 0.66),
        shade(smudges(shape, int(0.25 * area), (0.05 * px_per_m, 0.30 * px_per_m), rng), 0.76),
        coat(smudges(shape, int(0.06 * area), (0.10 * px_per_m, 0.50 * px_per_m), rng), (0.68, 0.67, 0.64), 0.35),
        shade(cracks(shape, int(0.06 * area), 1.8 * px_per_m, rng, thickness=1), 0.4),
    ]


def _coated_dirt(shape: Extent, px_per_m: float, rng: np.random.Generator) -> list[Layer]:
    area = shape[0] * shape[1] / px_per_m**2
    peeled = fractal_noise(shape, 0.7 * px_per_m, 2.0, rng, gain=0.75)
    return [
        shade(_saw_cuts(shape, px_per_m, rng), 0.6),
        shade(specks(shape, int(12 * area), (0.5, 0.012 * px_per_m), rng), 0.5),
        shade(smudges(shape, int(1.0 * area), (0.02 * px_per_m, 0.10 * px_per_m), rng), 0.75),
        coat(cracks(shape, int(0.5 * area), 0.3 * px_per_m, rng, thickness=1), (0.70, 0.70, 0.68), 0.4),
        shade(smudges(shape, int(0.25 * area), (0.05 * px_per_m, 0.25 * px_per_m), rng), 0.82),
        coat(mask_of(rise(peeled, 2.6, 0.1)), (0.46, 0.45, 0.43), 0.9),
    ]


def _asphalt_dirt(shape: Extent, px_per_m: float, rng: np.random.Generator) -> list[Layer]:
    area = shape[0] * shape[1] / px_per_m**2
    return [
        coat(grit(shape, 0.03, rng), (0.58, 0.56, 0.53), 0.5),
        shade(grit(shape, 0.03, rng), 0.5),
        shade(smudges(shape, int(0.2 * area), (0.05 * px_per_m, 0.3 * px_per_m), rng), 0.7),
        shade(cracks(shape, int(0.05 * area), 1.8 * px_per_m, rng, thickness=3), 0.3),
        coat(specks(shape, int(1.0 * area), (0.006 * px_per_m, 0.016 * px_per_m), rng), (0.62, 0.61, 0.58), 0.7),
    ]


def _field_edges(cells: int, px_per_m: float) -> list[int]:
    """Return where the joints run along one side."""
    return np.arange(JOINT_M / 2 * px_per_m, cells, JOINT_M * px_per_m).astype(int).tolist()


def _field_tones(shape: Extent, px_per_m: float, rng: np.random.Generator) -> FloatArray:
    """Return the brightness of every field between the joints: each was poured on its own day."""
    rows, columns = (np.searchsorted(_field_edges(n, px_per_m), np.arange(n), side="right") for n in shape)
    tones = rng.normal(1.0, 0.025, (rows[-1] + 1, columns[-1] + 1)).astype(np.float32)
    return tones[rows[:, None], columns]


def _saw_cuts(shape: Extent, px_per_m: float, rng: np.random.Generator) -> Mask:
    """Return a mask of the saw cuts every six metres."""
    mask = np.zeros(shape, dtype=np.uint8)
    width = max(1, round(0.008 * px_per_m))
    for row in _field_edges(shape[0], px_per_m):
        draw_line(mask, np.array([[0, row], [shape[1], row]]), width, int(rng.integers(150, 255)))
    for column in _field_edges(shape[1], px_per_m):
        draw_line(mask, np.array([[column, 0], [column, shape[0]]]), width, int(rng.integers(150, 255)))
    return mask


_GROUNDS = {"concrete": _concrete, "coated": _coated, "asphalt": _asphalt}
_DIRT = {"concrete": _concrete_dirt, "coated": _coated_dirt, "asphalt": _asphalt_dirt}
