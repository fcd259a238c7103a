"""Building blocks of procedural textures: fractal noise, cracks, specks, smudges, lettering.

Masks and noise are float32 (H, W); positions and lengths are in pixels of the texture at hand.
"""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

FloatArray = NDArray[np.float32]
Shape = tuple[int, int]


def smooth_noise(shape: Shape, cell: tuple[float, float], rng: np.random.Generator) -> FloatArray:
    """Return noise of about unit variance that changes over ``cell`` = (rows, columns) pixels."""
    rows, columns = (max(2, int(np.ceil(n / c)) + 2) for n, c in zip(shape, cell, strict=True))
    grid = rng.standard_normal((rows, columns), dtype=np.float32)
    return cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC)


def fractal_noise(
    shape: Shape, coarsest: float, finest: float, rng: np.random.Generator, *, gain: float = 0.6, stretch: float = 1.0
) -> FloatArray:
    """Return unit-variance octaves of noise from ``coarsest`` to ``finest`` pixels, each ``gain`` times the last.

    stretch: how many times longer the blobs are down the picture than across, as streaks of rain are.
    """
    total, weight, cell, power = np.zeros(shape, dtype=np.float32), 1.0, coarsest, 0.0
    while cell >= finest:
        total += np.float32(weight) * smooth_noise(shape, (cell * stretch, cell), rng)
        power, weight, cell = power + weight**2, weight * gain, cell / 2
    return total / np.float32(np.sqrt(max(power, 1e-9)))


def cracks(shape: Shape, count: int, length: float, rng: np.random.Generator, *, thickness: int = 2) -> FloatArray:
    """Return a mask in [0, 1] of ``count`` wandering hairlines about ``length`` pixels long."""
    mask = np.zeros(shape, dtype=np.uint8)
    for _ in range(count):
        steps = int(rng.integers(12, 40))
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.45, steps))
        step = length * rng.uniform(0.4, 1.2) / steps
        walk = rng.uniform(0, 1, 2) * shape[::-1] + np.cumsum(
            step * np.column_stack([np.cos(heading), np.sin(heading)]), axis=0
        )
        cv2.polylines(
            mask, [np.round(walk * 8).astype(np.int32)], False, 255, int(rng.integers(1, thickness + 1)), cv2.LINE_AA, 3
        )
    return mask.astype(np.float32) / 255.0


def specks(shape: Shape, count: int, radius: tuple[float, float], rng: np.random.Generator) -> FloatArray:
    """Return a mask in [0, 1] of ``count`` small ellipses with radii in the range ``radius``, of random strength."""
    mask = np.zeros(shape, dtype=np.uint8)
    centres = rng.uniform(0, 1, (count, 2)) * shape[::-1]
    radii = rng.uniform(min(radius), max(radius), (count, 2))
    turns, strengths = rng.uniform(0, 180, count), rng.integers(80, 256, count)
    for centre, axes, turn, strength in zip(centres, radii, turns, strengths, strict=True):
        fixed = tuple(np.round(8 * centre).astype(int).tolist()), tuple(np.round(8 * axes).astype(int).tolist())
        polygon = cv2.ellipse2Poly(*fixed, int(turn), 0, 360, 30)
        cv2.fillConvexPoly(mask, polygon, int(strength), cv2.LINE_AA, 3)
    return mask.astype(np.float32) / 255.0


def smudges(shape: Shape, count: int, radius: tuple[float, float], rng: np.random.Generator) -> FloatArray:
    """Return a mask in [0, 1] of ``count`` soft ragged blots."""
    mask = specks(shape, count, radius, rng)
    ragged = mask + np.float32(0.35) * mask * fractal_noise(shape, radius[1] / 2, 3.0, rng, gain=0.8)
    return np.clip(cv2.GaussianBlur(ragged, (0, 0), max(1.0, radius[0] / 4)), 0.0, 1.0)


def blend(image: FloatArray, colour: ArrayLike, mask: FloatArray) -> FloatArray:
    """Lay a colour (3,), or a picture (H, W, 3), over a picture with opacity ``mask`` (H, W)."""
    over = np.asarray(colour, dtype=np.float32)
    covered = np.nonzero(mask)  # most masks are sparse
    result = image.copy()
    result[covered] += mask[covered][:, None] * ((over[covered] if over.ndim == 3 else over) - image[covered])
    return result


def darken(image: FloatArray, factor: float, mask: FloatArray) -> FloatArray:
    """Multiply a picture by ``factor`` where ``mask`` (H, W) is 1, and less where it is less."""
    covered = np.nonzero(mask)
    result = image.copy()
    result[covered] *= 1 + np.float32(factor - 1) * mask[covered][:, None]
    return result


def tint(colour: ArrayLike, shade: FloatArray) -> FloatArray:
    """Return a picture (H, W, 3) of one colour times ``shade`` (H, W)."""
    return np.asarray(colour, dtype=np.float32) * shade[..., None]


def draw_text(
    draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], text: str, fill: int | tuple[int, ...]
) -> None:
    """Write ``text`` as large as fits in ``box`` = (left, top, right, bottom) pixels, centred."""
    width, height = box[2] - box[0], box[3] - box[1]
    extent = draw.multiline_textbbox((0, 0), text, font=font(100), align="center")
    size = 100 * min(width / (extent[2] - extent[0]), height / (extent[3] - extent[1]))
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    draw.multiline_text(middle, text, font=font(max(4, int(size))), fill=fill, anchor="mm", align="center")


def text_mask(shape: Shape, text: str) -> FloatArray:
    """Return a mask in [0, 1] of ``text`` filling a picture of ``shape``."""
    picture = Image.new("L", shape[::-1])
    draw_text(ImageDraw.Draw(picture), (0, 0, shape[1], shape[0]), text, 255)
    return np.asarray(picture, dtype=np.float32) / 255.0


@lru_cache(maxsize=64)
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans Bold, the font that matplotlib ships, so that every machine draws the same letters."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf", size_px)
