"""Seeded greenery: hedges and lawns."""

import numpy as np

from scenes.materials.layers import coat, compose
from scenes.materials.patterns import extent_of, fractal_noise, mask_of, rise, specks
from scenes.materials.surfaces import Size
from scenes.rendering.shapes import Texture

GREEN = (0.33, 0.40, 0.22)


def leaves(size: Size, rng: np.random.Generator, px_per_m: float) -> Texture:
    """A dense hedge: leaves of many greens over shadow."""
    shape, count = extent_of(size, px_per_m), int(420 * size[0] * size[1])
    greens = np.linspace(0.55, 1.2, 6)[:, None] * rng.uniform([0.22, 0.30, 0.14], [0.38, 0.46, 0.26], (6, 3))
    radius = (0.008 * px_per_m, 0.035 * px_per_m)
    layers = [coat(specks(shape, count, radius, rng), green.clip(0, 1)) for green in greens]
    return compose(1 + 0.15 * fractal_noise(shape, 60, 2, rng), (0.1, 0.13, 0.09), layers, px_per_m)


def grass(size: Size, rng: np.random.Generator, px_per_m: float) -> Texture:
    """A lawn seen from some way off: uneven green with dry patches."""
    shape = extent_of(size, px_per_m)
    ground = 1 + 0.10 * fractal_noise(shape, 6 * px_per_m, 1.5, rng, gain=0.85)
    dry = mask_of(rise(fractal_noise(shape, 3 * px_per_m, 2, rng, gain=0.8), 1.0, 1.0))
    return compose(
        ground + 0.10 * fractal_noise(shape, 3, 1, rng), GREEN, [coat(dry, (0.55, 0.52, 0.34), 0.6)], px_per_m
    )
