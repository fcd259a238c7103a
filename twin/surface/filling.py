"""Texels that no photo saw, from those around them (push-pull: Gortler et al., The Lumigraph, SIGGRAPH 1996)."""

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def fill(colours: FloatArray, seen: NDArray[np.bool_], fallback: FloatArray) -> FloatArray:
    """Return ``colours`` (H, W, 3) with texels that are not ``seen`` (H, W) interpolated from those that are.

    Near a seen texel the fill takes its colour, far from all it nears the mean. ``fallback`` (3,) is for a picture
    without any seen texel.
    """
    if not seen.any():
        return np.broadcast_to(fallback, colours.shape).astype(np.float32)
    pyramid = [(np.where(seen[..., None], colours, 0).astype(np.float32), seen.astype(np.float32))]
    while max(pyramid[-1][1].shape) > 1:
        colour, weight = pyramid[-1]
        half = (-(-weight.shape[1] // 2), -(-weight.shape[0] // 2))
        mass = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
        total = cv2.resize(colour * weight[..., None], half, interpolation=cv2.INTER_AREA)
        mean = total / np.maximum(mass, 1e-6)[..., None]
        pyramid.append((mean, np.minimum(4.0 * mass, 1.0)))
    filled = pyramid[-1][0]
    for colour, weight in pyramid[-2::-1]:
        coarse = cv2.resize(filled, weight.shape[::-1], interpolation=cv2.INTER_LINEAR).reshape(colour.shape)
        filled = weight[..., None] * colour + (1 - weight[..., None]) * coarse
    return np.asarray(filled, dtype=np.float32)
