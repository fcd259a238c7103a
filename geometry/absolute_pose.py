"""The pose of one camera from 2D-3D matches: several hypotheses, robust refinement, a covariance that holds.

RANSAC is pycolmap's (LO-RANSAC over P3P). The refinement is ours since pycolmap's weighs every match alike: here each
residual is whitened by its keypoint's sigma and by its landmark's covariance seen in the image.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy import stats
from scipy.special import gammaln

from geometry.cameras import projection_jacobian
from geometry.errors import DegenerateError
from geometry.frames import perturb, skew, transform_points
from geometry.robust import cauchy_weights

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

MIN_MATCHES = 4
GATE = float(stats.chi2.ppf(0.999, 2))
"""Squared whitened residual, in units of the noise scale, above which a match is no inlier."""
MAX_CONDITION = 1e12
MAX_ITERATIONS = 30
STEP_TOLERANCE = 1e-6
"""In radians and metres."""
PRIOR_DOF = 1.0
"""Degrees of freedom that the belief 'the claimed sigmas are right' counts for; a match has two, the pose takes six."""


@dataclass(frozen=True, kw_only=True)
class PoseEstimate:
    """A refined pose.

    cam_from_site: the pose
    covariance: (6, 6), the tangent of geometry.frames
    inliers: (N,) bool, the matches that agree
    residuals_px: (N, 2) observed minus predicted; NaN behind the camera
    noise_scale: how many times larger the inliers' residuals are than the sigmas claimed
    """

    cam_from_site: pycolmap.Rigid3d
    covariance: Array
    inliers: Mask
    residuals_px: Array
    noise_scale: float


def pose_hypotheses(
    pixels: Array, points_in_site: Array, camera: pycolmap.Camera, *, max_error_px: float, seed: int, limit: int = 3
) -> Iterator[tuple[pycolmap.Rigid3d, Mask]]:
    """Yield up to ``limit`` poses with their inliers (N,), each from the matches no earlier one explains.

    ``pixels`` (N, 2) float64 and ``points_in_site`` (N, 3) float64 metres. In a place that repeats itself, the
    second and third pose are the look-alikes; the caller compares their support.
    """
    options = pycolmap.AbsolutePoseEstimationOptions()
    options.ransac.max_error = max_error_px
    options.ransac.random_seed = seed
    options.ransac.max_num_trials = 3000
    remaining = np.arange(len(pixels))
    for _ in range(limit):
        if len(remaining) < MIN_MATCHES:
            return
        found = pycolmap.estimate_absolute_pose(pixels[remaining], points_in_site[remaining], camera, options)
        if found is None or found["num_inliers"] < MIN_MATCHES:
            return
        inliers = np.zeros(len(pixels), dtype=bool)
        inliers[remaining[found["inlier_mask"]]] = True
        yield found["cam_from_world"], inliers
        remaining = remaining[~found["inlier_mask"]]


def refine_pose(
    cam_from_site: pycolmap.Rigid3d,
    pixels: Array,
    points_in_site: Array,
    camera: pycolmap.Camera,
    *,
    sigma_px: Array,
    point_covariances: Array | None = None,
) -> PoseEstimate:
    """Refine a pose on matches that are mostly right, by iteratively reweighted Gauss-Newton with a Cauchy loss.

    ``pixels`` (N, 2), ``points_in_site`` (N, 3) metres, ``sigma_px`` (N,) of the keypoints, ``point_covariances``
    (N, 3, 3) in site or None for points known exactly. The covariance is that of an M-estimator, scaled by the noise
    seen, so that wrong sigmas do not make it wrong. Raises ``DegenerateError`` when the matches do not determine the
    six parameters, or when fewer than four project.
    """
    pose = cam_from_site
    for _ in range(MAX_ITERATIONS):
        jacobian, residuals = _whiten(pose, pixels, points_in_site, camera, sigma_px, point_covariances)
        scale = _noise_scale(residuals)
        weights = cauchy_weights(residuals, scale)
        step = _solve(jacobian, residuals, weights)
        pose = perturb(pose, step)
        if np.abs(step).max() < STEP_TOLERANCE:
            break
    jacobian, residuals = _whiten(pose, pixels, points_in_site, camera, sigma_px, point_covariances)
    scale = _noise_scale(residuals)
    return PoseEstimate(
        cam_from_site=pose,
        covariance=_covariance(jacobian, residuals, scale),
        inliers=(residuals**2).sum(axis=1) < GATE * scale**2,
        residuals_px=_residuals_px(pose, pixels, points_in_site, camera),
        noise_scale=scale,
    )


def log10_false_alarms(matches: int, inliers: int, max_error_px: float, image_size: tuple[int, int]) -> float:
    """Return log10 of the expected number of poses that chance alone would give this many inliers.

    A contrario model of Moisan & Stival (2004) for minimal sets of three matches: NFA = (n - 3) C(n, k) C(k, 3) p^(k-3)
    with p the chance that a random pixel lies within ``max_error_px``. Very negative means not by chance.
    """
    if inliers <= 3:
        return float("inf")
    p = min(1.0, np.pi * max_error_px**2 / (image_size[0] * image_size[1]))
    choose = _log_choose(matches, inliers) + _log_choose(inliers, 3)
    return float((np.log(max(matches - 3, 1)) + choose + (inliers - 3) * np.log(p)) / np.log(10))


def _log_choose(n: int, k: int) -> float:
    return float(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def _residuals_px(pose: pycolmap.Rigid3d, pixels: Array, points: Array, camera: pycolmap.Camera) -> Array:
    predicted, _, valid = projection_jacobian(camera, transform_points(pose, points))
    return np.where(valid[:, None], pixels - predicted, np.nan)


def _whiten(
    pose: pycolmap.Rigid3d,
    pixels: Array,
    points: Array,
    camera: pycolmap.Camera,
    sigma_px: Array,
    point_covariances: Array | None,
) -> tuple[Array, Array]:
    """Return the whitened Jacobian (N, 2, 6) of the prediction over xi and the whitened residuals (N, 2).

    Points that do not project get zero rows and an infinite residual, hence no weight.
    """
    points_in_cam = transform_points(pose, points)
    predicted, by_point, valid = projection_jacobian(camera, points_in_cam)
    if np.count_nonzero(valid) < MIN_MATCHES:
        raise DegenerateError(f"only {np.count_nonzero(valid)} points project into the image, {MIN_MATCHES} are needed")
    noise = np.eye(2) * (sigma_px**2)[:, None, None]
    if point_covariances is not None:
        by_site = by_point @ pose.rotation.matrix()
        noise = noise + by_site @ point_covariances @ by_site.transpose(0, 2, 1)
    noise[~valid] = np.eye(2)
    root = np.linalg.cholesky(noise)
    jacobian = np.concatenate([-by_point @ skew(points_in_cam), by_point], axis=2)
    residuals = np.where(valid[:, None], pixels - predicted, 0.0)
    whitened = np.linalg.solve(root, np.concatenate([jacobian, residuals[:, :, None]], axis=2))
    whitened[~valid] = 0.0
    return whitened[:, :, :6], np.where(valid[:, None], whitened[:, :, 6], np.inf)


def _noise_scale(residuals: Array) -> float:
    """Return the robust size of whitened residuals (N, 2), about 1 where the claimed sigmas are right.

    The median squared length of a unit 2D Gaussian is 2 ln 2.
    """
    squared = (residuals**2).sum(axis=1)
    squared = squared[np.isfinite(squared)]
    sum_of_squares = len(squared) * np.median(squared) / np.log(2.0)
    return float(np.sqrt((PRIOR_DOF + sum_of_squares) / (PRIOR_DOF + _degrees_of_freedom(squared))))


def _degrees_of_freedom(squared: Array) -> int:
    return 2 * len(squared) - 6


def _solve(jacobian: Array, residuals: Array, weights: Array) -> Array:
    used = weights > 0
    weighted = jacobian[used] * weights[used, None, None]
    normal = np.einsum("nki,nkj->ij", weighted, jacobian[used])
    _require_determined(normal)
    return np.linalg.solve(normal, np.einsum("nki,nk->i", weighted, residuals[used]))


def _require_determined(normal: Array) -> None:
    diagonal = np.sqrt(np.diag(normal))
    if not np.all(diagonal > 0) or np.linalg.cond(normal / np.outer(diagonal, diagonal)) > MAX_CONDITION:
        raise DegenerateError(
            "the matches do not determine a pose", remedy="They may lie on one line or in one tiny spot of the image."
        )


def _covariance(jacobian: Array, residuals: Array, scale: float) -> Array:
    """Return K^2 mean(psi^2) / mean(psi')^2 (J^T J)^-1, the M-estimator's covariance of Huber (1981, section 7.6).

    psi(r) = w r has, averaged over directions, the slope psi' = w^2 for Cauchy's weight w. As the pose's error is
    Student t when the noise is estimated too, two degrees of freedom are taken off to get the covariance of that.
    """
    normal = np.einsum("nki,nkj->ij", jacobian, jacobian)
    _require_determined(normal)
    squared = (residuals**2).sum(axis=1)
    slope = cauchy_weights(residuals, scale)[np.isfinite(squared)] ** 2
    squared = squared[np.isfinite(squared)]
    correction = 1.0 + 3.0 / len(slope) * slope.var() / slope.mean() ** 2
    sum_of_squares = (correction / slope.mean()) ** 2 * (slope * squared).sum()
    noise = (PRIOR_DOF + sum_of_squares) / (PRIOR_DOF + _degrees_of_freedom(squared) - 2.0)
    return noise * np.linalg.inv(normal)
