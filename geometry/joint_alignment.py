"""A map tied to the site by all evidence at once, correlated as it is: a walk's drift, points, tags in single photos.

``align_points`` finds the majority and starts it, by independent points. Here the drift of a walk's positions counts
with its whole covariance, so that a few exact points bend what the walk claims (generalized least squares; Aitken
1936), and a surveyed tag counts even where only one photo shows it: by its corners' pixels, as the pose of that photo
in the map is known. So nothing is left to choose of the two poses that a small tag's square alone would allow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.stats import chi2

from geometry.alignment import Alignment, undetermined_parts
from geometry.cameras import projection_jacobian
from geometry.errors import DegenerateError, InputError
from geometry.frames import skew, transform_points
from geometry.similarity import perturb_similarity, similarity_jacobian

Array = NDArray[np.float64]

VIEW_CHI2 = float(chi2.ppf(0.999, 8))
"""A tag's view whose corners are further off together, in squared sigmas, does not count."""
BEHIND_SIGMAS = 1e3
"""By which a corner behind its camera is off."""
MAX_STEPS, STEP_SIGMAS = 50, 1e-6
MAX_ROUNDS = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class TagView:
    """A surveyed tag in one photo of the map.

    pixels: (4, 2) of its corners, sigma_px a coordinate; corners: (4, 3) in site metres, sigma_m a coordinate
    covariance: (6, 6) of ``cam_from_map``, in the map's units and the tangent of geometry.frames
    """

    camera: pycolmap.Camera
    cam_from_map: pycolmap.Rigid3d
    covariance: Array
    pixels: Array
    sigma_px: float
    corners: Array
    sigma_m: float


@dataclass(frozen=True, kw_only=True, eq=False)
class JointPoints:
    """N points in both frames; errors of the site's have covariance (N, N) a coordinate, those of the map (N, 3, 3).

    Points without errors in the map may be correlated among each other; others stand alone.
    """

    in_map: Array
    in_site: Array
    errors: Array
    map_covariances: Array


def refine_alignment(
    alignment: Alignment, points: JointPoints, views: Sequence[TagView] = ()
) -> tuple[Alignment, NDArray[np.bool_]]:
    """Return the alignment that fits inliers of ``points`` and ``views`` best, and which views agree with it (V,).

    Its covariance is that of all evidence together; residuals and inliers are those of the points. Raises
    ``InputError`` for points that are not those of the alignment, ``DegenerateError`` where nothing determines it.
    """
    used = alignment.inliers
    if len(points.in_map) != len(used) or points.errors.shape != (len(used), len(used)):
        raise InputError(f"expected the {len(used)} points of the alignment, got {len(points.in_map)}")
    of_map = points.map_covariances[used]
    alone = np.asarray(of_map.any(axis=(1, 2)))
    errors = points.errors[np.ix_(used, used)]
    if errors[np.ix_(alone, ~alone)].any() or (errors[np.ix_(alone, alone)] - np.diag(np.diag(errors)[alone])).any():
        raise InputError("points with errors of their own in the map can't be correlated with others")
    system = _System(
        in_map=points.in_map[used],
        in_site=points.in_site[used],
        alone=alone,
        factor=np.asarray(np.linalg.cholesky(errors[np.ix_(~alone, ~alone)])),
        variances=np.diag(errors)[alone],
        of_map=of_map[alone],
        centroid=alignment.centroid,
    )
    agreed = np.ones(len(views), dtype=bool)
    estimate, _, squares = _solve(system, alignment.site_from_map, views, robust=True)
    for _ in range(MAX_ROUNDS):
        previous, agreed = agreed, squares < VIEW_CHI2
        kept = [view for view, good in zip(views, agreed, strict=True) if good]
        estimate, covariance, _ = _solve(system, estimate, kept, robust=False)
        squares = np.array([(_view_rows(view, estimate, system.centroid)[0] ** 2).sum() for view in views])
        if np.array_equal(previous, agreed):
            break
    residuals = transform_points(estimate, points.in_map) - points.in_site
    refined = replace(
        alignment,
        site_from_map=estimate,
        covariance=covariance,
        residuals_m=residuals,
        undetermined=undetermined_parts(covariance),
    )
    return refined, agreed


@dataclass(frozen=True, kw_only=True, eq=False)
class _System:
    """Points that count: those ``alone`` with variances and (A, 3, 3) of the map, the others with a Cholesky factor."""

    in_map: Array
    in_site: Array
    alone: NDArray[np.bool_]
    factor: Array
    variances: Array
    of_map: Array
    centroid: Array

    def rows(self, estimate: pycolmap.Sim3d) -> tuple[Array, Array]:
        """Return whitened residuals (R,) and their Jacobian (R, 7)."""
        moved = transform_points(estimate, self.in_map)
        residuals = moved - self.in_site
        stacked = np.concatenate([residuals[:, :, None], similarity_jacobian(moved - self.centroid)], axis=2)
        together = stacked[~self.alone]
        whitened = solve_triangular(self.factor, together.reshape(len(together), -1), lower=True).reshape(-1, 8)
        linear = estimate.matrix()[:, :3]
        covariances = self.variances[:, None, None] * np.eye(3) + linear @ self.of_map @ linear.T
        single = np.linalg.solve(np.linalg.cholesky(covariances), stacked[self.alone]).reshape(-1, 8)
        rows = np.vstack([whitened, single])
        return rows[:, 0], rows[:, 1:]


def _solve(
    system: _System, estimate: pycolmap.Sim3d, views: Sequence[TagView], *, robust: bool
) -> tuple[pycolmap.Sim3d, Array, Array]:
    """Return the similarity by Gauss-Newton, its covariance (7, 7), and the views' squared sigmas (V,)."""
    for _ in range(MAX_STEPS):
        residuals, jacobian = system.rows(estimate)
        squares = np.zeros(len(views))
        for k, view in enumerate(views):
            off, by = _view_rows(view, estimate, system.centroid)
            squares[k] = float((off**2).sum())
            weight = (1.0 + squares[k] / VIEW_CHI2) ** -0.5 if robust else 1.0  # Cauchy's, of the view as a whole
            residuals, jacobian = np.append(residuals, weight * off), np.vstack([jacobian, weight * by])
        normal = jacobian.T @ jacobian
        if not np.isfinite(normal).all() or np.linalg.matrix_rank(normal, hermitian=True) < 7:
            raise DegenerateError("points and tags leave the tie to the site undetermined", remedy="Give more of them.")
        step = np.asarray(np.linalg.lstsq(jacobian, -residuals)[0])
        estimate = perturb_similarity(estimate, system.centroid, step)
        if np.linalg.norm(jacobian @ step) < STEP_SIGMAS:
            break
    return estimate, np.asarray(np.linalg.inv(normal)), squares


def _view_rows(view: TagView, site_from_map: pycolmap.Sim3d, centroid: Array) -> tuple[Array, Array]:
    """Return a tag view's whitened residuals (8,) and their Jacobian (8, 7) by the perturbation of the similarity."""
    in_cam = view.cam_from_map * transform_points(site_from_map.inverse(), view.corners)
    pixels, by_point, valid = projection_jacobian(view.camera, in_cam)
    if not valid.all():
        return np.full(8, BEHIND_SIGMAS), np.zeros((8, 7))
    cam_from_site = view.cam_from_map.rotation.matrix() @ np.linalg.inv(site_from_map.matrix()[:, :3])
    # A point of the site stays while the map moves under it.
    jacobian = -by_point @ cam_from_site @ similarity_jacobian(view.corners - centroid)
    by_pose = by_point @ np.concatenate([-skew(in_cam), np.broadcast_to(np.eye(3), (4, 3, 3))], axis=2)
    by_corner = by_point @ cam_from_site
    covariance = view.sigma_px**2 * np.eye(8) + by_pose.reshape(8, 6) @ view.covariance @ by_pose.reshape(8, 6).T
    for corner in range(4):
        rows = slice(2 * corner, 2 * corner + 2)
        covariance[rows, rows] += view.sigma_m**2 * by_corner[corner] @ by_corner[corner].T
    factor = np.linalg.cholesky(covariance)
    stacked = np.column_stack([(pixels - view.pixels).ravel(), jacobian.reshape(8, 7)])
    whitened = solve_triangular(factor, stacked, lower=True)
    return whitened[:, 0], whitened[:, 1:]
