"""Position priors that drift together: what an alignment to a phone's own tracking is really worth.

Odometry errs by its steps, so that its errors are shared along the path and do not average out. It errs no more at the
end of a path than at its start: the error of a stretch depends on its length alone. Of such a process with stationary
increments the variances tell all covariances (Yaglom 1955): errors of i and j covary by half of V_i + V_j - V(|i - j|).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.alignment import Alignment
from geometry.similarity import similarity_jacobian

Array = NDArray[np.float64]

UNSTEADY = 0.05
"""Of the variance: rates change more than a phone's sigmas say."""
MIN_GROWTH = 1.5
"""Sigmas that never shrink along a path and grow by this factor are those of a drift."""


def is_drift(sigma_m: ArrayLike) -> bool:
    """Tell whether sigmas (N,) in the order of the path are those of a drift rather than of independent fixes."""
    sigma = np.asarray(sigma_m, dtype=np.float64)
    return len(sigma) > 2 and bool((np.diff(sigma) >= 0).all()) and bool(sigma[-1] > MIN_GROWTH * sigma[0])


def is_adrift(sigma_m: ArrayLike) -> bool:
    """Tell whether positions of a walk with sigmas (N,) are much less sure somewhere than at its start."""
    sigma = np.asarray(sigma_m, dtype=np.float64)
    return len(sigma) > 0 and bool(sigma.max() > MIN_GROWTH * sigma[0])


def way_walked(positions: ArrayLike) -> Array:
    """Return how far a path (N, D) has come at each of its positions, metres."""
    path = np.asarray(positions, dtype=np.float64)
    return np.cumsum(np.linalg.norm(np.diff(path, axis=0, prepend=path[:1]), axis=1))


def drift_process(sigma_m: ArrayLike, way: ArrayLike) -> tuple[Array, float]:
    """Return the covariance (N, N) of the drift of positions with sigmas (N,), a coordinate, and their own variance.

    way: (N,) how far each is along the path. The first sigma counts as noise of each position of its own; what the
    others have beyond it is the drift since the path began. Sigmas that grow with the square root of the way are those
    of a random walk, and such that grow with the way of one rate. If none fits the nearest process is taken. A share of
    ``UNSTEADY`` are independent steps anyway.
    """
    variance, at = np.asarray(sigma_m, dtype=np.float64) ** 2, np.asarray(way, dtype=np.float64)
    own = float(variance[0])
    grown = np.maximum(variance - own, 0.0)
    apart = _variogram(at - at[0], grown, np.abs(at[:, None] - at))
    values, vectors = np.linalg.eigh(0.5 * (grown[:, None] + grown - apart))
    process = (vectors * np.maximum(values, 0.0)) @ vectors.T
    # Each variance stays as it was claimed.
    scale = np.sqrt(grown / np.where(grown > 0, np.diag(process), 1.0).clip(1e-300))
    shared = (1.0 - UNSTEADY) * process * np.outer(scale, scale)
    return shared + UNSTEADY * np.minimum.outer(grown, grown), own


def _variogram(way: Array, grown: Array, lags: Array) -> Array:
    """Return the variance of a stretch of each length in ``lags``, of those (N,) that begin with the path.

    Standard deviations are interpolated, and a stretch of no length has none: who stands errs as before.
    """
    last = np.append(np.flatnonzero(np.diff(way) > 0), len(way) - 1)
    deviations = np.sqrt(grown[last])
    deviations[way[last] <= 0] = 0.0
    return np.asarray(np.interp(lags, way[last], deviations) ** 2)


def walks_covariance(sigma_m: ArrayLike, positions: ArrayLike, walks: Sequence[ArrayLike]) -> Array:
    """Return the covariance (N, N), a coordinate, of the errors of positions (N, 3) with sigmas (N,).

    walks: rows of positions whose errors drift together, of one walk each, in its order; others are independent
    """
    sigma, path = np.asarray(sigma_m, dtype=np.float64), np.asarray(positions, dtype=np.float64)
    covariance = np.diag(sigma**2)
    for rows in walks:
        index = np.asarray(rows, dtype=np.int64)
        process, own = drift_process(sigma[index], way_walked(path[index]))
        covariance[np.ix_(index, index)] = process + own * np.eye(len(index))
    return covariance


def with_correlated_errors(
    alignment: Alignment,
    points_in_site: ArrayLike,
    sigma_m: ArrayLike,
    error_covariance: ArrayLike,
    map_covariances: ArrayLike | None = None,
) -> Alignment:
    """Return the alignment with the covariance it has where the errors of its points are correlated.

    ``points_in_site`` (N, 3), ``sigma_m`` (N,) and ``map_covariances`` (N, 3, 3), in the map's units, are what it was
    made of; ``error_covariance`` (N, N) is that of the site positions' errors a coordinate, alike for x, y and z. The
    estimate stays: A = (J^T W J)^-1 J^T W gives A C A^T, with the weights W of independent errors.
    """
    used = alignment.inliers
    sigma = np.asarray(sigma_m, dtype=np.float64)[used]
    linear = alignment.site_from_map.matrix()[:, :3]
    in_map = np.zeros((len(used), 3, 3)) if map_covariances is None else np.asarray(map_covariances, dtype=np.float64)
    of_map = linear @ in_map[used] @ linear.T
    jacobian = similarity_jacobian(np.asarray(points_in_site, dtype=np.float64)[used] - alignment.centroid)
    weighted = np.linalg.solve(sigma[:, None, None] ** 2 * np.eye(3) + of_map, jacobian)
    normal = np.einsum("nki,nkj->ij", weighted, jacobian)
    gain = np.linalg.solve(normal, weighted.reshape(-1, 7).T).reshape(7, -1, 3)
    errors = np.asarray(error_covariance, dtype=np.float64)[np.ix_(used, used)]
    covariance = np.einsum("ank,nm,bmk->ab", gain, errors, gain, optimize=True)
    return replace(alignment, covariance=covariance + np.einsum("ank,nkl,bnl->ab", gain, of_map, gain, optimize=True))
