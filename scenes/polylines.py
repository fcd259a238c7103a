"""Lines of points: distances along them, points at distances, points in even steps."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def distances_along(points: ArrayLike) -> Array:
    """Return how far along the line each of its points (N, K) lies: (N,), beginning with 0."""
    steps = np.linalg.norm(np.diff(np.asarray(points, dtype=np.float64), axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def points_at(wanted: Array, along: Array, points: ArrayLike) -> Array:
    """Return the points (M, K) at distances (M,), of a line with ``points`` (N, K) at distances ``along`` (N,)."""
    columns = np.asarray(points, dtype=np.float64).T
    return np.column_stack([np.interp(wanted, along, column) for column in columns])


def even_distances(length: float, step: float) -> Array:
    """Return distances from 0 to ``length``, two or more, about ``step`` apart."""
    return np.linspace(0.0, length, max(2, round(length / step) + 1))


def resampled(points: ArrayLike, step: float) -> Array:
    """Return points (M, K) about ``step`` apart along a line (N, K), its ends among them."""
    along = distances_along(points)
    return points_at(even_distances(along[-1], step), along, points)
