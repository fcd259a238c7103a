"""The value that most weight agrees on, for stacks of pictures."""

import numpy as np
from numpy.typing import NDArray


def weighted_median(values: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the lower weighted median (...) of values (K, ...) along the first axis; any of them without weight."""
    order = np.argsort(values, axis=0, kind="stable")
    running = np.cumsum(np.take_along_axis(weights, order, axis=0), axis=0, dtype=np.float64)
    rank = np.argmax(running >= 0.5 * running[-1], axis=0)
    index = np.take_along_axis(order, rank[None], axis=0)
    return np.take_along_axis(values, index, axis=0)[0]
