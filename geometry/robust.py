"""Cauchy's robust loss for image residuals: how much a residual still counts."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

CAUCHY_WIDTH = 2.55
"""In sigmas: 95 % efficient for Gaussian noise in two dimensions (it is 2.385 in one: Holland and Welsch 1977)."""


def cauchy_weights(residuals: ArrayLike, scale: float = 1.0) -> NDArray[np.float64]:
    """Return the weights (N,) of residuals (N, 2) whose noise has ``scale`` a coordinate: 1 for none, 0 far away."""
    squared = (np.asarray(residuals, dtype=np.float64) ** 2).sum(axis=1)
    return np.asarray(1.0 / (1.0 + squared / (CAUCHY_WIDTH * scale) ** 2))
