"""How honest a claimed covariance is: distances in sigmas, coverage, and probabilities of being within a bound."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from geometry.errors import InputError

Array = NDArray[np.float64]

DIRECTIONS = 4096
"""A power of two, as Sobol points want it."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How errors compare with the covariances claimed for them.

    count: number of errors judged
    mean_nees: mean squared Mahalanobis distance over its expectation, the dimension; 1 is ideal, above is overconfident
    median_nees: the same for the median, which single gross errors do not move
    coverage: share of errors inside the claimed ellipsoid, by claimed probability
    """

    count: int
    mean_nees: float
    median_nees: float
    coverage: dict[float, float]


def squared_mahalanobis(errors: ArrayLike, covariances: ArrayLike) -> Array:
    """Return e^T C^-1 e for errors (..., d) and covariances (..., d, d)."""
    e = np.asarray(errors, dtype=np.float64)
    solved = np.linalg.solve(np.asarray(covariances, dtype=np.float64), e[..., None])
    return np.einsum("...i,...i->...", e, solved[..., 0])


def inside_ellipsoid(errors: ArrayLike, covariances: ArrayLike, probability: float) -> NDArray[np.bool_]:
    """Tell which errors (N, d) lie inside the ellipsoid that should hold ``probability`` of them."""
    e = np.asarray(errors, dtype=np.float64)
    return squared_mahalanobis(e, covariances) <= stats.chi2.ppf(probability, e.shape[-1])


def calibration(
    errors: ArrayLike, covariances: ArrayLike, probabilities: tuple[float, ...] = (0.5, 0.9, 0.99)
) -> Calibration:
    """Judge covariances (N, d, d) by the errors (N, d) that came out. Raises ``InputError`` when N is 0."""
    e = np.asarray(errors, dtype=np.float64)
    if len(e) == 0:
        raise InputError("no error to judge a covariance by")
    squared, dimension = squared_mahalanobis(e, covariances), e.shape[-1]
    bounds = {p: stats.chi2.ppf(p, dimension) for p in probabilities}
    return Calibration(
        count=len(e),
        mean_nees=float(squared.mean() / dimension),
        median_nees=float(np.median(squared) / stats.chi2.median(dimension)),
        coverage={p: float((squared <= bound).mean()) for p, bound in bounds.items()},
    )


def largest_sigma(covariance: ArrayLike) -> float:
    """Return the root of the largest eigenvalue of a covariance (d, d)."""
    return float(np.sqrt(max(np.linalg.eigvalsh(np.asarray(covariance, dtype=np.float64))[-1], 0.0)))


def probability_within(covariance: ArrayLike, radius: float) -> float:
    """Return the probability that a zero-mean Gaussian of ``covariance`` (d, d) is no longer than ``radius``.

    Along a direction the length is chi distributed, which is exact; directions are averaged by a fixed low-discrepancy
    set. Exact for equal eigenvalues, within 0.002 for elongated ones.
    """
    eigenvalues = np.linalg.eigvalsh(np.asarray(covariance, dtype=np.float64)).clip(min=0.0)
    if eigenvalues[-1] == 0.0:
        return 1.0
    variance = _directions(len(eigenvalues)) ** 2 @ eigenvalues
    return float(stats.chi2.cdf(radius**2 / variance, len(eigenvalues)).mean())


@cache
def _directions(dimension: int) -> Array:
    """Return unit vectors (DIRECTIONS, dimension) spread evenly: Sobol points, each in the middle of its cell."""
    cells = stats.qmc.Sobol(dimension, scramble=False).random(DIRECTIONS)
    normal = stats.norm.ppf(cells + 0.5 / DIRECTIONS)
    return normal / np.linalg.norm(normal, axis=1, keepdims=True)
