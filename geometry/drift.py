"""Position priors that drift together: what an alignment to a phone's own tracking is really worth.

Odometry errs by a random walk, so that its errors are shared along the path and do not average out. Of a random walk
with standard deviations s_i that grow along the path, the errors of i and j covary by the smaller variance.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.alignment import Alignment
from geometry.similarity import similarity_jacobian

Array = NDArray[np.float64]

MIN_GROWTH = 1.5
"""Sigmas that never shrink along a path and grow by this factor are those of a drift."""


def is_drift(sigma_m: ArrayLike) -> bool:
    """Tell whether sigmas (N,) in the order of the path are those of a drift rather than of independent fixes."""
    sigma = np.asarray(sigma_m, dtype=np.float64)
    return len(sigma) > 2 and bool((np.diff(sigma) >= 0).all()) and bool(sigma[-1] > MIN_GROWTH * sigma[0])


def drift_covariance(sigma_m: ArrayLike) -> Array:
    """Return the covariance (N, N), a coordinate, of a random walk whose sigmas (N,) grow along the path.

    The first sigma counts as noise of each position of its own; what the others have beyond it is shared.
    """
    variance = np.asarray(sigma_m, dtype=np.float64) ** 2
    own = variance[0]
    return np.minimum.outer(variance, variance) - own + own * np.eye(len(variance))


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
