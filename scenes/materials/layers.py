"""Layers of paint, dirt and light over a ground colour, laid in linear light and stored as 8-bit sRGB.

The picture is made strip by strip: only masks and one shade exist at full size, never float colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError
from scenes.colour import bytes_from_linear, linear_from_bytes, linear_from_srgb
from scenes.materials.patterns import FloatArray, Mask
from scenes.rendering.shapes import Texture

STRIP_TEXELS = 1 << 19
"""Texels worked on at a time."""

_ENCODED = bytes_from_linear((np.arange(1 << 12) + 0.5) / (1 << 12))


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One coat over what is below: opaque paint of ``colour``, or a glaze that multiplies by ``colour``.

    mask: (H, W) uint8; colour: linear RGB; opacity: of the coat where the mask is 255
    """

    mask: Mask
    colour: tuple[float, float, float]
    opacity: float = 1.0
    glaze: bool = False


def coat(mask: Mask, srgb: ArrayLike, opacity: float = 1.0) -> Layer:
    """Return a layer of opaque paint with an ``srgb`` colour in [0, 1]."""
    red, green, blue = linear_from_srgb(srgb).tolist()
    return Layer(mask=mask, colour=(red, green, blue), opacity=opacity)


def shade(mask: Mask, factor: float, opacity: float = 1.0) -> Layer:
    """Return a layer that multiplies what is below by ``factor``."""
    return Layer(mask=mask, colour=(factor, factor, factor), opacity=opacity, glaze=True)


def compose(
    ground: FloatArray, srgb: ArrayLike, layers: Sequence[Layer], px_per_m: float, factor: ArrayLike | None = None
) -> Texture:
    """Return the texture of ``srgb`` (3,) times ``ground`` (H, W), under ``layers``, the last on top.

    factor: (H, W or 1), multiplied in at the end, such as the dirt at a wall's foot. Raises ``InputError`` where a
    mask has another size than the ground.
    """
    if any(layer.mask.shape != ground.shape for layer in layers):
        raise InputError(f"every mask has the ground's shape {ground.shape}")
    image = np.empty((*ground.shape, 3), dtype=np.uint8)
    colour = linear_from_srgb(srgb)
    rows = max(1, STRIP_TEXELS // ground.shape[1])
    for top in range(0, len(ground), rows):
        strip = slice(top, top + rows)
        linear = ground[strip, :, None] * colour
        for layer in layers:
            _lay(linear, layer, strip)
        if factor is not None:
            linear *= np.asarray(factor, dtype=np.float32)[strip, :, None]
        image[strip] = encode(linear)
    return Texture(image=image, px_per_m=px_per_m)


def paint_over(texture: Texture, layers: Sequence[Layer]) -> Texture:
    """Return ``texture`` with more layers on it; masks have its size."""
    image = texture.image.copy()
    rows = max(1, STRIP_TEXELS // image.shape[1])
    for top in range(0, len(image), rows):
        strip = slice(top, top + rows)
        touched = np.logical_or.reduce([layer.mask[strip] > 0 for layer in layers])
        if touched.any():
            linear = linear_from_bytes(image[strip])
            for layer in layers:
                _lay(linear, layer, strip)
            image[strip][touched] = encode(linear[touched])
    return Texture(image=image, px_per_m=texture.px_per_m)


def encode(linear: FloatArray) -> NDArray[np.uint8]:
    """Encode linear light as 8-bit sRGB by a table of 4096 steps."""
    steps = np.clip(linear * np.float32(len(_ENCODED)), 0, len(_ENCODED) - 1).astype(np.uint16)
    return _ENCODED[steps]


def _lay(linear: FloatArray, layer: Layer, strip: slice) -> None:
    """Lay the layer's strip over ``linear`` in place, touching only what it covers."""
    mask = layer.mask[strip]
    covered = np.flatnonzero(mask)
    if not len(covered):
        return
    weight = mask.ravel()[covered, None] * np.float32(layer.opacity / 255)
    flat = linear.reshape(-1, 3)
    below, colour = flat[covered], np.array(layer.colour, dtype=np.float32)
    flat[covered] = below * (1 + weight * (colour - 1)) if layer.glaze else below + weight * (colour - below)
