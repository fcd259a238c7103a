"""Single marks that tell one place from its likes: a stain, a repaired patch, graffiti, a leak."""

import numpy as np

from scenes.materials.layers import Layer, coat, shade
from scenes.materials.lettering import text_mask
from scenes.materials.patterns import Extent, Mask, cracks, fractal_noise, mask_of, ragged, rise
from scenes.materials.plots import Plot, paint_polygon

WORDS = ("KORA", "ZEN 7", "MOP", "ASKI", "RUFF", "TWO2", "BLOK", "YES!", "OMEN", "FIZZ")


def wear_layers(
    plot: Plot, at: tuple[float, float], size: tuple[float, float], kind: str, rng: np.random.Generator
) -> list[Layer]:
    """Return the layers of one mark within the rectangle of ``size`` metres around ``at``; nothing lies outside it."""
    left, top = np.floor(plot.texels((at[0] - size[0] / 2, at[1] + size[1] / 2))).astype(int).clip(0)
    right, bottom = np.ceil(plot.texels((at[0] + size[0] / 2, at[1] - size[1] / 2))).astype(int)
    window = slice(top, max(top, bottom)), slice(left, max(left, right))
    blank = plot.blank()
    shape = blank[window].shape
    if min(shape) < 2:
        return []
    layers = _KINDS[kind](shape, plot.px_per_m, rng)
    return [_placed(layer, blank, window) for layer in layers]


def _placed(layer: Layer, blank: Mask, window: tuple[slice, slice]) -> Layer:
    mask = blank.copy()
    mask[window] = layer.mask
    return Layer(mask=mask, colour=layer.colour, opacity=layer.opacity, glaze=layer.glaze)


def _blob(shape: Extent, rng: np.random.Generator, edge: float = 0.0) -> Mask:
    """Return a ragged island that ends before the border."""
    rows, columns = (2 * (np.arange(n, dtype=np.float32) + 0.5) / n - 1 for n in shape)
    inside = 1 - np.hypot(rows[:, None], columns) + np.float32(edge)
    rim = np.minimum(1 - np.abs(rows)[:, None], 1 - np.abs(columns)) * 6
    ragged_edge = inside + 0.22 * fractal_noise(shape, max(shape) / 3, 2, rng) - 0.25
    return mask_of(rise(ragged_edge.astype(np.float32), 0, 0.25) * np.clip(rim, 0, 1).astype(np.float32))


def _stain(shape: Extent, px_per_m: float, rng: np.random.Generator) -> list[Layer]:
    return [shade(_blob(shape, rng), 0.42), shade(_blob(shape, rng, -0.35), 0.6)]


def _repair(shape: Extent, px_per_m: float, rng: np.random.Generator) -> list[Layer]:
    """A patch of newer concrete, its edge sawn."""
    patch = Plot(corner=(0, 0), size=(shape[1] / px_per_m, shape[0] / px_per_m), px_per_m=px_per_m)
    outer, inner = patch.blank(), patch.blank()
    for mask, inset in ((outer, 0.04), (inner, 0.055)):
        x, y = patch.size[0] - inset, -(patch.size[1] - inset)
        paint_polygon(patch, mask, [(inset, -inset), (x, -inset), (x, y), (inset, y)])
    clouds = mask_of(0.5 + 0.2 * fractal_noise(shape, 0.4 * px_per_m, 2, rng))
    mottled = (clouds.astype(np.uint16) * inner // 255).astype(np.uint8)
    lines = np.minimum(cracks(shape, 3, 0.5 * px_per_m, rng, thickness=1), inner)
    tone = float(rng.uniform(0.68, 0.78))
    return [shade(outer, 0.35), coat(inner, (tone, tone, 0.97 * tone)), shade(mottled, 0.75), shade(lines, 0.5)]


def _graffiti(shape: Extent, px_per_m: float, rng: np.random.Generator) -> list[Layer]:
    word = f"{rng.choice(WORDS)}"
    letters = text_mask(shape, word)
    colour = tuple(rng.choice([[0.75, 0.1, 0.15], [0.1, 0.2, 0.6], [0.05, 0.05, 0.06], [0.1, 0.45, 0.3]]).tolist())
    return [coat(ragged(letters, 0.3 * px_per_m, 0.05, rng), colour, 0.9)]


def _leak(shape: Extent, px_per_m: float, rng: np.random.Generator) -> list[Layer]:
    """Water that dried: a dark middle inside a pale rim of lime, and rust."""
    return [
        coat(_blob(shape, rng, 0.1), (0.80, 0.79, 0.75), 0.6),
        shade(_blob(shape, rng, -0.1), 0.6),
        coat(_blob(shape, rng, -0.4), (0.50, 0.36, 0.22), 0.4),
    ]


_KINDS = {"stain": _stain, "repair": _repair, "graffiti": _graffiti, "leak": _leak}
