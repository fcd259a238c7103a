"""Alignment of a map to the site from points known in both, with its covariance.

The unknown is the similarity ``site_from_map``. Its covariance is that of the perturbation
(log scale, rotation vector, translation) of ``geometry.similarity`` about the centroid of the points that were used.
"""

from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from geometry.errors import DegenerateError, InputError
from geometry.frames import transform_points
from geometry.similarity import perturb_similarity, sim3d_from_matrix, similarities, similarity_jacobian

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

INLIER_CHI2 = float(chi2.ppf(0.999, 3))
"""A point further off, in squared sigmas, is an outlier; one good point in a thousand is lost."""

UNDETERMINED_ROTATION = np.radians(5.0)
UNDETERMINED_LOG_SCALE = 0.05
"""Sigmas from which an alignment is returned, but with the rotation or the scale listed as undetermined."""

DEGENERATE_SIGMA = 0.5
"""Sigma of the rotation (radians) or of the log scale from which there is no alignment at all."""

NOISE_SIGMAS = 4.0
"""Spread that noise in the map alone explains within this many of its sigmas does not count."""

MIN_SIGMA_M = 1e-6
"""Smaller standard deviations, also 0 for "exact", are taken as this."""

MAX_STEPS = 50
STEP_SIGMAS = 1e-6
"""Gauss-Newton ends after so many steps, or with one that moves all residuals together by less."""

HYPOTHESES = 1000
MAX_SCORED_POINTS = 1000


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """A map tied to the site.

    site_from_map: the similarity (scale 1 where the scale was not asked for)
    covariance: (7, 7) over (log scale, rotation vector, translation) about ``centroid``, as in
        ``geometry.similarity``. It trusts the given sigmas: compare ``chi2_per_dof`` with 1. A fixed scale has a
        row and a column of zeros.
    centroid: (3,) site metres
    residuals_m: (N, 3) site_from_map p_in_map - p_in_site, of all points
    inliers: (N,) bool, the points that were used
    chi2_per_dof: of the inliers, about 1 where the sigmas are honest (three points leave 2 degrees of freedom)
    undetermined: what the points leave open, in words; empty for a sound alignment
    """

    site_from_map: pycolmap.Sim3d
    covariance: Array
    centroid: Array
    residuals_m: Array
    inliers: Mask
    chi2_per_dof: float
    undetermined: tuple[str, ...]

    def point_covariances(self, points_in_site: ArrayLike) -> Array:
        """Return the covariance (N, 3, 3) that the alignment gives to points (N, 3) of the map, in site."""
        jacobian = similarity_jacobian(np.asarray(points_in_site, dtype=np.float64) - self.centroid)
        return jacobian @ self.covariance @ np.swapaxes(jacobian, 1, 2)


@dataclass(frozen=True)
class _Points:
    """The same N points in both frames, and their uncertainty."""

    in_map: Array
    in_site: Array
    sigma_m: Array
    map_covariances: Array

    def covariances(self, site_from_map: pycolmap.Sim3d) -> Array:
        """Return the covariance (N, 3, 3) of site_from_map p_in_map - p_in_site, in site."""
        linear = site_from_map.matrix()[:, :3]
        return self.sigma_m[:, None, None] ** 2 * np.eye(3) + linear @ self.map_covariances @ linear.T

    def residuals(self, site_from_map: pycolmap.Sim3d) -> Array:
        return transform_points(site_from_map, self.in_map) - self.in_site

    def squared_sigmas(self, site_from_map: pycolmap.Sim3d) -> Array:
        """Return the squared Mahalanobis length (N,) of the residuals."""
        whitened = _whitened(self.covariances(site_from_map), self.residuals(site_from_map)[..., None])
        return np.sum(whitened**2, axis=(1, 2))


def align_points(
    points_in_map: ArrayLike,
    points_in_site: ArrayLike,
    sigma_m: ArrayLike,
    *,
    rng: np.random.Generator,
    with_scale: bool = True,
    map_covariances: ArrayLike | None = None,
) -> Alignment:
    """Align points (N, 3) of the map to the same points (N, 3) in site metres, tolerating gross errors.

    The points may be camera centres against position priors (GNSS, a phone's odometry) or triangulated control
    points against the survey. ``sigma_m`` (N,) is the standard deviation of the site's points along each axis,
    ``map_covariances`` (N, 3, 3) the uncertainty in the map, in its own units.

    Robust start from minimal sets (MSAC; Torr and Zisserman 2000, with the closed form of Umeyama 1991), then
    weighted least squares over the points within ``INLIER_CHI2``. Raises ``DegenerateError`` where the points are
    fewer than three, coincide or lie on a line, and ``InputError`` for bad numbers or where no majority agrees.
    """
    points = _checked(points_in_map, points_in_site, sigma_m, map_covariances)
    _require_spread(points)
    estimate = _fit(points, _robust_start(points, with_scale, rng), with_scale, robust=True)
    inliers = _majority(points, estimate)
    for _ in range(10):
        used = _Points(*(value[inliers] for value in vars(points).values()))
        _require_determined(used, estimate)
        estimate = _fit(used, estimate, with_scale)
        previous, inliers = inliers, _majority(points, estimate)
        if np.array_equal(inliers, previous):
            break
    return _result(points, previous, estimate, with_scale)


def _checked(in_map: ArrayLike, in_site: ArrayLike, sigma_m: ArrayLike, map_covariances: ArrayLike | None) -> _Points:
    p, q = np.asarray(in_map, dtype=np.float64), np.asarray(in_site, dtype=np.float64)
    n = len(p)
    sigma = np.asarray(sigma_m, dtype=np.float64)
    covariances = np.zeros((n, 3, 3)) if map_covariances is None else np.asarray(map_covariances, dtype=np.float64)
    shapes = (p.shape, q.shape, sigma.shape, covariances.shape)
    if shapes != ((n, 3), (n, 3), (n,), (n, 3, 3)):
        raise InputError(f"expected points (N, 3) and (N, 3), sigmas (N,), covariances (N, 3, 3), got {shapes}")
    if not all(np.isfinite(value).all() for value in (p, q, sigma, covariances)) or (sigma < 0).any():
        raise InputError("points, sigmas and covariances must be finite and sigmas not negative")
    return _Points(p, q, np.maximum(sigma, MIN_SIGMA_M), covariances)


def _require_spread(points: _Points) -> None:
    if len(points.in_map) < 3:
        raise DegenerateError(
            f"{len(points.in_map)} points leave the rotation undetermined",
            remedy="Give three or more, not on one line.",
        )
    for name, values in (("map", points.in_map), ("site", points.in_site)):
        if np.ptp(values, axis=0).max() <= 1e-12 * np.abs(values).max():
            what = f"the points coincide in the {name}: the rotation and the scale are undetermined"
            raise DegenerateError(what, remedy="Give points that are spread over the site.")


def _robust_start(points: _Points, with_scale: bool, rng: np.random.Generator) -> pycolmap.Sim3d:
    """Return the best of many similarities through three points each, and of the one through all points."""
    n = len(points.in_map)
    triples = rng.integers(n, size=(HYPOTHESES, 3))
    fits = (
        similarities(points.in_map[triples], points.in_site[triples], with_scale=with_scale),
        similarities(points.in_map[None], points.in_site[None], with_scale=with_scale),
    )
    scale, rotation, translation = (np.concatenate(parts) for parts in zip(*fits, strict=True))
    scored = rng.permutation(n)[:MAX_SCORED_POINTS]
    moved = scale[:, None, None] * points.in_map[scored] @ np.swapaxes(rotation, 1, 2) + translation[:, None]
    map_variance = np.trace(points.map_covariances[scored], axis1=1, axis2=2) / 3
    variance = points.sigma_m[scored] ** 2 + scale[:, None] ** 2 * map_variance
    squared_sigmas = np.sum((moved - points.in_site[scored]) ** 2, axis=2) / variance
    best = np.nanargmin(np.minimum(squared_sigmas, INLIER_CHI2).sum(axis=1))
    return sim3d_from_matrix(float(scale[best]), rotation[best], translation[best])


def _fit(points: _Points, estimate: pycolmap.Sim3d, with_scale: bool, *, robust: bool = False) -> pycolmap.Sim3d:
    """Refine by Gauss-Newton on the whitened residuals; ``robust`` reweights the points by Cauchy's function."""
    first = 0 if with_scale else 1
    for _ in range(MAX_STEPS):
        covariances, centroid = points.covariances(estimate), _centroid(points, estimate)
        offsets = transform_points(estimate, points.in_map) - centroid
        residuals = _whitened(covariances, points.residuals(estimate)[..., None])
        jacobian = _whitened(covariances, similarity_jacobian(offsets))[:, :, first:]
        if robust:
            weights = 1.0 / np.sqrt(1.0 + np.sum(residuals**2, axis=1, keepdims=True) / INLIER_CHI2)
            residuals, jacobian = weights * residuals, weights * jacobian
        jacobian = jacobian.reshape(-1, 7 - first)
        step = np.linalg.lstsq(jacobian, -residuals.ravel())[0]
        estimate = perturb_similarity(estimate, centroid, np.pad(step, (first, 0)))
        if np.linalg.norm(jacobian @ step) < STEP_SIGMAS:
            break
    return estimate


def _majority(points: _Points, estimate: pycolmap.Sim3d) -> Mask:
    inliers = points.squared_sigmas(estimate) < INLIER_CHI2
    n = len(inliers)
    if np.count_nonzero(inliers) < max(3, n // 2 + 1):
        raise InputError(
            f"only {np.count_nonzero(inliers)} of {n} points agree with one alignment within their sigmas",
            remedy="Check that the sigmas are honest, the frame is right-handed and the names belong together.",
        )
    return inliers


def _require_determined(points: _Points, estimate: pycolmap.Sim3d) -> None:
    """Raise where the spread of the points, less what noise in the map adds to it, does not fix all unknowns."""
    offsets = transform_points(estimate, points.in_map) - _centroid(points, estimate)
    covariances = points.covariances(estimate)
    noise = covariances - points.sigma_m[:, None, None] ** 2 * np.eye(3)
    weights = 3.0 / np.trace(covariances, axis1=1, axis2=2)
    scatter = np.einsum("n,nij->ij", weights, offsets[:, :, None] * offsets[:, None] - noise)
    noise_shares = weights * np.trace(noise, axis1=1, axis2=2) / 3.0
    fluctuation = NOISE_SIGMAS * np.sqrt(2.0 * np.sum(noise_shares**2))
    along, across, height = np.maximum(np.linalg.eigvalsh(scatter)[::-1] - fluctuation, 0.0)
    if along * DEGENERATE_SIGMA**2 < 1.0:
        what = "the points coincide within their sigmas: the rotation and the scale are undetermined"
        raise DegenerateError(what, remedy="Give points that are spread over the site.")
    if (across + height) * DEGENERATE_SIGMA**2 < 1.0:
        what = "the points lie on a line: the rotation about the line through the points is undetermined"
        raise DegenerateError(what, remedy="Add a point well off that line.")


def _result(points: _Points, inliers: Mask, estimate: pycolmap.Sim3d, with_scale: bool) -> Alignment:
    used = _Points(*(value[inliers] for value in vars(points).values()))
    centroid, first = _centroid(used, estimate), 0 if with_scale else 1
    offsets = transform_points(estimate, used.in_map) - centroid
    jacobian = _whitened(used.covariances(estimate), similarity_jacobian(offsets)).reshape(-1, 7)[:, first:]
    covariance = np.zeros((7, 7))
    covariance[first:, first:] = np.linalg.inv(jacobian.T @ jacobian)
    degrees_of_freedom = jacobian.shape[0] - jacobian.shape[1]
    return Alignment(
        site_from_map=estimate,
        covariance=covariance,
        centroid=centroid,
        residuals_m=points.residuals(estimate),
        inliers=inliers,
        chi2_per_dof=float(used.squared_sigmas(estimate).sum()) / degrees_of_freedom,
        undetermined=undetermined_parts(covariance),
    )


def undetermined_parts(covariance: Array) -> tuple[str, ...]:
    """Return in words what a covariance (7, 7) of a tie leaves open; empty for a sound one."""
    variances, axes = np.linalg.eigh(covariance[1:4, 1:4])
    found = []
    if variances[2] > UNDETERMINED_ROTATION**2:
        axis, sigma_deg = np.round(axes[:, 2], 2).tolist(), np.degrees(np.sqrt(variances[2]))
        found.append(f"the rotation about the line through the points, axis {axis} (sigma {sigma_deg:.1f} deg)")
    if covariance[0, 0] > UNDETERMINED_LOG_SCALE**2:
        found.append(f"the scale (sigma {100 * np.sqrt(covariance[0, 0]):.0f} %)")
    return tuple(found)


def _centroid(points: _Points, estimate: pycolmap.Sim3d) -> Array:
    weights = 1.0 / np.trace(points.covariances(estimate), axis1=1, axis2=2)
    return np.average(transform_points(estimate, points.in_map), axis=0, weights=weights)


def _whitened(covariances: Array, values: Array) -> Array:
    """Return L^-1 values (N, 3, K) with covariance = L L^T (N, 3, 3)."""
    return np.linalg.solve(np.linalg.cholesky(covariances), values)
