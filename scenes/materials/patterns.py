"""Building blocks of procedural textures: fractal noise, cracks, specks, smudges.

Noise is float32 (H, W) of about unit variance, masks are uint8 (H, W), 255 where covered: a floor of 60 x 36 m has
eleven million texels. Positions and lengths are in texels of the picture at hand.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Mask = NDArray[np.uint8]
Extent = tuple[int, int]
"""Rows and columns of a picture."""

SUBTEXEL_BITS = 3
"""OpenCV draws with coordinates in eighths of a texel."""


def extent_of(size: tuple[float, float], px_per_m: float) -> Extent:
    """Return (rows, columns) of a picture over (width, height) metres."""
    return max(1, round(size[1] * px_per_m)), max(1, round(size[0] * px_per_m))


def smooth_noise(shape: Extent, cell: tuple[float, float], rng: np.random.Generator) -> FloatArray:
    """Return noise of about unit variance that changes over ``cell`` = (rows, columns) texels."""
    rows, columns = (max(2, int(np.ceil(n / c)) + 2) for n, c in zip(shape, cell, strict=True))
    grid = rng.standard_normal((rows, columns), dtype=np.float32)
    return cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC)


def fractal_noise(
    shape: Extent, coarsest: float, finest: float, rng: np.random.Generator, *, gain: float = 0.6, stretch: float = 1.0
) -> FloatArray:
    """Return unit-variance octaves of noise from ``coarsest`` to ``finest`` texels, each ``gain`` times the last.

    stretch: how many times longer the blobs are down the picture than across, as streaks of rain are. The sum is
    built from coarse to fine on ever denser grids, so that it costs little more than its finest octave.
    """
    octaves = max(1, int(np.log2(max(coarsest / finest, 1.0))) + 1)
    cell = coarsest / 2.0 ** (octaves - 1)
    total, weight, power = np.zeros((2, 2), dtype=np.float32), 1.0, 0.0
    for octave in reversed(range(octaves)):
        steps = (cell * stretch * 2.0**octave, cell * 2.0**octave)
        grid = tuple(max(2, int(np.ceil(n / s)) + 2) for n, s in zip(shape, steps, strict=True))
        finer = cv2.resize(total, grid[::-1], interpolation=cv2.INTER_CUBIC)
        total = finer + np.float32(weight) * rng.standard_normal(grid, dtype=np.float32)
        power, weight = power + weight**2, weight * gain
    return cv2.resize(total, shape[::-1], interpolation=cv2.INTER_CUBIC) / np.float32(np.sqrt(power))


def rise(value: FloatArray, edge: float, softness: float) -> FloatArray:
    """Rise from 0 to 1 as ``value`` passes ``edge``, over ``softness``."""
    return np.clip((value - np.float32(edge)) / np.float32(softness) + np.float32(0.5), 0, 1)


def mask_of(opacity: FloatArray) -> Mask:
    """Store opacities in [0, 1] as a mask."""
    return (np.clip(opacity, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def cracks(shape: Extent, count: int, length: float, rng: np.random.Generator, *, thickness: int = 2) -> Mask:
    """Return a mask of ``count`` wandering hairlines about ``length`` texels long."""
    mask = np.zeros(shape, dtype=np.uint8)
    for _ in range(count):
        steps = int(rng.integers(12, 40))
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.45, steps))
        step = length * rng.uniform(0.4, 1.2) / steps
        walk = rng.uniform(0, 1, 2) * shape[::-1] + np.cumsum(
            step * np.column_stack([np.cos(heading), np.sin(heading)]), axis=0
        )
        draw_line(mask, walk, int(rng.integers(1, thickness + 1)))
    return mask


def draw_line(mask: Mask, points: NDArray[np.floating], thickness: int, value: int = 255) -> None:
    """Draw a line through ``points`` (N, 2), texels from the mask's corner, into ``mask``, anti-aliased."""
    fixed = np.round((np.asarray(points) - 0.5) * 2**SUBTEXEL_BITS).astype(np.int32)
    cv2.polylines(mask, [fixed], False, value, thickness, cv2.LINE_AA, SUBTEXEL_BITS)


def specks(shape: Extent, count: int, radius: tuple[float, float], rng: np.random.Generator) -> Mask:
    """Return a mask of ``count`` small ellipses with radii in the range ``radius``, of random strength."""
    mask = np.zeros(shape, dtype=np.uint8)
    centres = rng.uniform(0, 1, (count, 1, 2)) * shape[::-1]
    radii = rng.uniform(min(radius), max(radius), (count, 1, 2))
    turns, strengths = rng.uniform(0, np.pi, (count, 1)), rng.integers(80, 256, count)
    around = np.arange(12) * np.pi / 6
    x, y = radii[..., 0] * np.cos(around), radii[..., 1] * np.sin(around)
    turned = np.stack([x * np.cos(turns) - y * np.sin(turns), x * np.sin(turns) + y * np.cos(turns)], axis=-1)
    polygons = np.round((centres + turned - 0.5) * 2**SUBTEXEL_BITS).astype(np.int32)
    for polygon, strength in zip(polygons, strengths.tolist(), strict=True):
        cv2.fillConvexPoly(mask, polygon, strength, cv2.LINE_AA, SUBTEXEL_BITS)
    return mask


def grit(shape: Extent, share: float, rng: np.random.Generator) -> Mask:
    """Return a mask in which a ``share`` of the texels are pits or grains, of random strength."""
    rolled = rng.integers(0, 2**16, shape, dtype=np.uint16)
    hit = rolled < np.uint16(share * 2**16)
    return np.where(hit, 96 + rolled % 160, 0).astype(np.uint8)


def smudges(shape: Extent, count: int, radius: tuple[float, float], rng: np.random.Generator) -> Mask:
    """Return a mask of ``count`` soft ragged blots with radii in the range ``radius``."""
    scale = max(1.0, radius[0] / 6)  # soft things need few texels
    small = extent_of((shape[1], shape[0]), 1 / scale)
    blots = specks(small, count, (radius[0] / scale, radius[1] / scale), rng).astype(np.float32) / 255
    uneven = blots + np.float32(0.6) * blots * fractal_noise(small, radius[1] / scale / 2, 2.0, rng, gain=0.8)
    soft = cv2.GaussianBlur(uneven, (0, 0), max(0.7, radius[0] / scale / 5))
    return cv2.resize(mask_of(soft), shape[::-1], interpolation=cv2.INTER_LINEAR)


def ragged(mask: Mask, coarsest: float, gone: float, rng: np.random.Generator) -> Mask:
    """Wear a mask off in patches and specks: about the share ``gone`` of it vanishes."""
    noise = fractal_noise(mask.shape, coarsest, 1.5, rng, gain=0.8)
    edge = float(np.quantile(noise[::7, ::7], gone)) if noise.size > 49 else -9.0
    kept = mask_of(rise(noise, edge, 0.35))
    return cv2.multiply(mask, kept, scale=1 / 255)
