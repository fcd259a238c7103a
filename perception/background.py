"""The scene behind passing things: one picture out of many frames of a camera that does not move."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from perception.images import Pixels

MAX_FRAMES = 25
"""The median needs no more, and memory holds them."""


def background(frames: Sequence[Pixels]) -> Pixels:
    """Return the median (H, W, 3) of frames, brought to one brightness first, so that night and day mix.

    What stands somewhere in less than half of the frames is gone. Of many frames, evenly chosen ones are taken.
    """
    if not frames or any(frame.shape != frames[0].shape or frame.dtype != np.uint8 for frame in frames):
        raise InputError("frames must be uint8 of one size, and there must be some")
    if len(frames) == 1:
        return frames[0]
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), MAX_FRAMES)).round().astype(int))
    levels = np.array([max(float(np.median(frames[i])), 1.0) for i in chosen])
    target = float(np.median(levels))
    balanced = [frames[i].astype(np.float32) * (target / level) for i, level in zip(chosen, levels, strict=True)]
    median: NDArray[np.float32] = np.median(np.stack(balanced), axis=0)
    return np.clip(np.round(median), 0, 255).astype(np.uint8)
