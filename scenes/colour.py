"""sRGB (IEC 61966-2-1) against linear light; textures and lighting are linear, image files are sRGB."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def linear_from_srgb(srgb: ArrayLike) -> NDArray[np.float32]:
    """Decode sRGB values in [0, 1], of any shape, to linear light."""
    value = np.asarray(srgb, dtype=np.float32)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def srgb_from_linear(linear: ArrayLike) -> NDArray[np.float32]:
    """Encode linear light, clipped to [0, 1], as sRGB values in [0, 1]."""
    value = np.clip(np.asarray(linear, dtype=np.float32), 0.0, 1.0)
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055).astype(np.float32)


def bytes_from_linear(linear: ArrayLike) -> NDArray[np.uint8]:
    """Encode linear light as 8-bit sRGB, rounded."""
    return (srgb_from_linear(linear) * 255.0 + 0.5).astype(np.uint8)


def linear_from_bytes(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Decode an 8-bit sRGB image."""
    return _DECODED[image]


_DECODED = linear_from_srgb(np.arange(256) / 255.0)
