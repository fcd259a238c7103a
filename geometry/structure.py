"""Many 3D points, each seen by several cameras of known pose: batched robust refinement with covariances."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.sparse import csr_array

from geometry.cameras import projection_jacobian
from geometry.errors import InputError
from geometry.frames import transform_points
from geometry.robust import cauchy_weights

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

ITERATIONS = 8
MIN_INFORMATION = 1e-9
"""Added along every axis, per square metre, so that a point nobody sees has a variance and not an error."""
ROUNDING = 1e-12
"""The same relative to what is known along the other axes: less than this would be rounding error."""


@dataclass(frozen=True, kw_only=True)
class Observations:
    """What cameras saw of points, struct of arrays sorted by view.

    point: (O,) index of the point; view: (O,) index of the view, ascending
    pixels: (O, 2) float64; sigma_px: (O,) float64
    """

    point: Indices
    view: Indices
    pixels: Array
    sigma_px: Array

    def __post_init__(self) -> None:
        if np.any(np.diff(self.view) < 0):
            raise InputError("observations must be sorted by view")

    def without_view(self, view: int) -> "Observations":
        """Return the observations of all other views."""
        keep = self.view != view
        return Observations(
            point=self.point[keep], view=self.view[keep], pixels=self.pixels[keep], sigma_px=self.sigma_px[keep]
        )


@dataclass(frozen=True, kw_only=True)
class Structure:
    """Refined points (P, 3), their covariances (P, 3, 3) for the claimed sigmas, and whitened residuals (O, 2)."""

    points: Array
    covariances: Array
    residuals: Array


def refine_points(
    points: Array,
    observations: Observations,
    cams_from_site: Sequence[pycolmap.Rigid3d],
    cameras: Sequence[pycolmap.Camera],
) -> Structure:
    """Refine points (P, 3) in site, metres, with the poses and cameras of the views held fixed.

    Gauss-Newton with a Cauchy loss on whitened residuals, all points at once; ``cams_from_site`` and ``cameras`` are
    indexed by ``observations.view``. A direction that no observation determines keeps its start value and gets a
    huge variance. Observations that do not project count as residual 0 with no weight. The covariances are up to a
    fifth too large (in variance) where many views agree, as Cauchy's weights discount good observations a little too.
    """
    points = points.copy()
    for _ in range(ITERATIONS):
        normal, gradient, _ = _normal_equations(points, observations, cams_from_site, cameras)
        points += np.linalg.solve(normal, gradient[:, :, None])[:, :, 0]
    normal, _, residuals = _normal_equations(points, observations, cams_from_site, cameras)
    return Structure(points=points, covariances=np.linalg.inv(normal).astype(np.float64), residuals=residuals)


def _normal_equations(
    points: Array, observations: Observations, poses: Sequence[pycolmap.Rigid3d], cameras: Sequence[pycolmap.Camera]
) -> tuple[Array, Array, Array]:
    """Return J^T W J (P, 3, 3), damped, and J^T W r (P, 3) of each point, and the whitened residuals r (O, 2)."""
    jacobian, residuals = _whiten(points, observations, poses, cameras)
    weights = cauchy_weights(residuals)
    weighted = jacobian * weights[:, None, None]
    normals = np.einsum("oki,okj->oij", weighted, jacobian).reshape(-1, 9)
    gradients = np.einsum("oki,ok->oi", weighted, residuals)
    count = len(observations.point)
    of_point = csr_array((np.ones(count), (observations.point, np.arange(count))), shape=(len(points), count))
    sums = of_point @ np.hstack([normals, gradients])
    normal = sums[:, :9].reshape(-1, 3, 3)
    size = np.trace(normal, axis1=1, axis2=2)
    damped = normal + (MIN_INFORMATION + ROUNDING * size)[:, None, None] * np.eye(3)
    return damped, sums[:, 9:], residuals


def _whiten(
    points: Array, observations: Observations, poses: Sequence[pycolmap.Rigid3d], cameras: Sequence[pycolmap.Camera]
) -> tuple[Array, Array]:
    """Return Jacobians (O, 2, 3) over the point and residuals (O, 2), both over sigma; zero where not projecting."""
    jacobian = np.zeros((len(observations.point), 2, 3))
    residuals = np.zeros((len(observations.point), 2))
    bounds = np.searchsorted(observations.view, np.arange(len(poses) + 1))
    for pose, camera, start, stop in zip(poses, cameras, bounds[:-1], bounds[1:], strict=True):
        rows = slice(start, stop)
        in_cam = transform_points(pose, points[observations.point[rows]])
        predicted, by_point, valid = projection_jacobian(camera, in_cam)
        jacobian[rows] = np.where(valid[:, None, None], by_point @ pose.rotation.matrix(), 0.0)
        residuals[rows] = np.where(valid[:, None], observations.pixels[rows] - predicted, 0.0)
    return jacobian / observations.sigma_px[:, None, None], residuals / observations.sigma_px[:, None]
