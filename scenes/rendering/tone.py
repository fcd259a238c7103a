"""From light to a picture: exposure, a highlight that rolls off like film's, sRGB bytes."""

import numpy as np
from numpy.typing import NDArray

from scenes.colour import srgb_from_linear

FloatArray = NDArray[np.float32]

MIDDLE_GREY = 0.18
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
EXPOSURE_RANGE = (1 / 32, 32.0)
SHOULDER_START = 0.55
"""Exposed light up to here is shown as it is; beyond, it nears white without reaching it."""
TABLE_STEPS = 1 << 14


def auto_exposure(radiance: FloatArray) -> float:
    """Return the factor that brings the mean log luminance of ``radiance`` (H, W, 3) to middle grey, within limits.

    Pixels without light don't count. Reinhard et al., Photographic tone reproduction, SIGGRAPH 2002.
    """
    luminance = radiance.reshape(-1, 3) @ LUMINANCE
    luminance = luminance[luminance > 1e-4]
    if not len(luminance):
        return 1.0
    return float(np.clip(MIDDLE_GREY / np.exp(np.log(luminance).mean()), *EXPOSURE_RANGE))


def shoulder(light: FloatArray) -> FloatArray:
    """Roll off exposed light: the identity up to ``SHOULDER_START``, then a smooth curve below 1."""
    beyond = np.maximum(light - np.float32(SHOULDER_START), 0) / np.float32(1 - SHOULDER_START)
    return np.minimum(light, np.float32(SHOULDER_START)) + np.float32(1 - SHOULDER_START) * beyond / (1 + beyond)


def develop(radiance: FloatArray, exposure: float) -> NDArray[np.uint8]:
    """Return the picture (..., 3) uint8 sRGB of linear ``radiance`` (..., 3) at an exposure factor."""
    exposed = radiance * np.float32(exposure)
    compressed = exposed / (1 + exposed)  # spreads all light evenly enough over the table
    return _TABLE[(compressed * np.float32(TABLE_STEPS)).astype(np.int32)]


def _table() -> NDArray[np.uint8]:
    compressed = (np.arange(TABLE_STEPS + 1, dtype=np.float32) + np.float32(0.5)) / np.float32(TABLE_STEPS + 1)
    light = compressed / (1 - compressed)
    return np.floor(srgb_from_linear(shoulder(light)) * 255 + 0.5).astype(np.uint8)


_TABLE = _table()
