"""Many rectified patches of one tile of floor reduced to one: what the views agree on, nearer ones weighing more."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.weighted_median import weighted_median

Array = NDArray[np.float64]

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
SHARP_M = 0.05
"""Footprints below this count alike, so that no single near view outweighs all others."""
AGREES, AGREES_DARK = 0.1, 8.0
"""Views are averaged that are within this share of the agreed brightness, or grey levels where it is dark."""


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """The views of one tile.

    pixels: (V, S, S, 4) uint8, RGB and whether the photo shows it; gains: (V, 3) factors that balance the photos
    footprints: (V, S, S) metres a photo's pixel covers
    """

    pixels: NDArray[np.uint8]
    gains: Array
    footprints: Array


def reduce_patches(view: View) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
    """Return pixels (S, S, 3), how many views agree (S, S), and the spread (S, S) in grey levels, NaN where unseen.

    The weighted median of brightness is the value agreed on; colours within a tenth of it are averaged by weight.
    Weights fall with the square of the footprint, as the information of a blurred view does. Views that fade in at
    the border of a picture would leave seams in a plain mean; the median and the many views leave none to see.
    """
    seen = np.asarray(view.pixels[..., 3] > 0)
    colours = view.pixels[..., :3].astype(np.float32) * view.gains[:, None, None].astype(np.float32)
    brightness = colours @ LUMA
    weights = np.where(seen, 1.0 / np.maximum(view.footprints, SHARP_M) ** 2, 0.0).astype(np.float32)
    agreed = weighted_median(brightness, weights)
    deviation = np.abs(brightness - agreed)
    near = np.where(deviation <= np.maximum(AGREES * agreed, AGREES_DARK), weights, 0.0)
    total = np.maximum(near.sum(axis=0), 1e-12)
    mean = np.einsum("vij,vijc->ijc", near, colours) / total[..., None]
    any_seen = np.asarray(np.any(seen, axis=0))
    spread = np.where(any_seen, weighted_median(deviation, weights), np.nan).astype(np.float32)
    pixels = np.where(any_seen[..., None], np.clip(mean + 0.5, 0, 255), 0).astype(np.uint8)
    count = np.minimum(np.count_nonzero(near > 0, axis=0), 255).astype(np.uint8)
    return pixels, count, spread
