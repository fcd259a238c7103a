"""One colour for a texel from what several photos show: the one that most of them agree with."""

import numpy as np
from numpy.typing import NDArray

from twin.surface.measurements import luminance

FloatArray = NDArray[np.float32]

AGREES = 0.18
"""Log light within which photos agree on a texel: their noise, and what is left of their exposure."""


def blend(light: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Blend the light (K, T, 3) that K photos show of T texels; ``weights`` (K, T) are 0 where one does not.

    Returns linear RGB (T, 3) and the share (T,) of the weight that agrees with it. The weighted median of luminance
    throws out what less than half of the views show (a person, a car that parallax moves); colours within ``AGREES``
    of it, by a Gaussian, are then averaged.
    """
    log_light = luminance(light)
    middle = weighted_median(log_light, weights)
    near = np.exp(-0.5 * ((log_light - middle) / np.float32(AGREES)) ** 2)
    agreeing = weights * near
    total = agreeing.sum(axis=0)
    colour = np.einsum("kt,ktc->tc", agreeing, light) / np.maximum(total, 1e-12)[:, None]
    return colour, total / np.maximum(weights.sum(axis=0), np.float32(1e-12))


def weighted_median(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the lower weighted median (T,) along the first axis of values (K, T)."""
    order = np.argsort(values, axis=0)
    ordered = np.take_along_axis(weights, order, axis=0)
    below = np.cumsum(ordered, axis=0)
    row = np.argmax(below >= 0.5 * below[-1], axis=0)
    return np.take_along_axis(values, np.take_along_axis(order, row[None], axis=0), axis=0)[0]
