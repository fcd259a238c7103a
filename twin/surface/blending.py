"""One colour for a texel from what several photos show: the one that most of them agree with."""

import numpy as np
from numpy.typing import NDArray

from twin.surface.measurements import MIN_LIGHT
from twin.weighted_median import weighted_median

FloatArray = NDArray[np.float32]

AGREES = 0.18
"""Log light a channel within which photos agree on a texel: their noise, and what is left of their exposure."""


def blend(light: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Blend the light (K, T, 3) that K photos show of T texels; ``weights`` (K, T) are 0 where one does not.

    Returns linear RGB (T, 3) and the share (T,) of the weight that agrees with it. The weighted median of each channel
    throws out what less than half of the views show (a person, a car that parallax moves); what is within ``AGREES``
    of it, by a Gaussian, is then averaged.
    """
    log_light = np.log(np.maximum(light, np.float32(MIN_LIGHT)))
    off = log_light - weighted_median(log_light, np.broadcast_to(weights[..., None], light.shape))
    near = np.exp(np.einsum("ktc,ktc->kt", off, off) * np.float32(-0.5 / (3 * AGREES**2)))
    agreeing = weights * near
    total = agreeing.sum(axis=0)
    colour = np.einsum("kt,ktc->tc", agreeing, light) / np.maximum(total, 1e-12)[:, None]
    return colour, total / np.maximum(weights.sum(axis=0), np.float32(1e-12))
