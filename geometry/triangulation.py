"""One point from its marks in several images with known poses, with its covariance."""

from collections.abc import Sequence

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from geometry.cameras import project, projection_jacobian
from geometry.errors import DegenerateError, InputError
from geometry.frames import position_of, transform_points

Array = NDArray[np.float64]

MAX_MARK_SIGMAS = 4.0
"""A mark whose ray misses the point by more is an outlier."""

MAX_RELATIVE_SIGMA = 0.2
"""With a larger sigma, relative to the nearest camera's distance, the depth counts as undetermined."""

BEHIND_SIGMAS = 1e6
"""Residual of a mark while the point is behind its camera."""


def triangulate_marks(
    pixels: ArrayLike,
    cams_from_map: Sequence[pycolmap.Rigid3d],
    cameras: Sequence[pycolmap.Camera],
    sigma_px: float,
    *,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Return a point (3,) of the map and its covariance (3, 3) from M marks of it.

    ``pixels`` (M, 2), the poses and the cameras belong together row by row; ``sigma_px`` is the standard deviation of
    a mark along each image axis. Poses and lenses count as exact. Robust start by pycolmap's LO-RANSAC, then least
    squares of the reprojection over its inliers. Raises ``DegenerateError`` where fewer than two marks agree or the
    rays are so nearly parallel that the depth is undetermined, and ``InputError`` for bad numbers.
    """
    marks = np.asarray(pixels, dtype=np.float64)
    n = len(cams_from_map)
    if marks.shape != (n, 2) or len(cameras) != n or not np.isfinite(marks).all() or not sigma_px > 0:
        what = f"expected finite pixels ({n}, 2), {n} cameras and a positive sigma, got {marks.shape}, {len(cameras)}"
        raise InputError(what)
    start, inliers = _robust_start(marks, cams_from_map, cameras, sigma_px, rng)
    views = [(cams_from_map[i], cameras[i], marks[i]) for i in np.flatnonzero(inliers).tolist()]

    def residuals(point: Array) -> Array:
        seen = [project(camera, transform_points(cam_from_map, point))[0][0] for cam_from_map, camera, _ in views]
        missed = np.array(seen) - np.array([mark for _, _, mark in views])
        return np.nan_to_num(missed.ravel() / sigma_px, nan=BEHIND_SIGMAS)

    point = least_squares(residuals, start, x_scale="jac").x
    return point, _covariance(point, [view[:2] for view in views], sigma_px)


def _robust_start(
    marks: Array,
    cams_from_map: Sequence[pycolmap.Rigid3d],
    cameras: Sequence[pycolmap.Camera],
    sigma_px: float,
    rng: np.random.Generator,
) -> tuple[Array, NDArray[np.bool_]]:
    options = pycolmap.EstimateTriangulationOptions()
    options.residual_type = pycolmap.TriangulationResidualType.REPROJECTION_ERROR
    options.ransac.max_error = MAX_MARK_SIGMAS * sigma_px
    options.ransac.random_seed = int(rng.integers(2**31))
    found = None
    if len(marks) >= 2:
        found = pycolmap.estimate_triangulation(marks, list(cams_from_map), list(cameras), options)
    if found is None or np.count_nonzero(found["inliers"]) < 2:
        what = f"of {len(marks)} marks no two agree on a point: its position is undetermined"
        raise DegenerateError(what, remedy="Mark the point in two or more images taken from different places.")
    return np.asarray(found["xyz"]), np.asarray(found["inliers"], dtype=bool)


def _covariance(point: Array, views: list[tuple[pycolmap.Rigid3d, pycolmap.Camera]], sigma_px: float) -> Array:
    rows = []
    for cam_from_map, camera in views:
        _, jacobian, _ = projection_jacobian(camera, transform_points(cam_from_map, point))
        rows.append(jacobian[0] @ cam_from_map.rotation.matrix() / sigma_px)
    stacked = np.concatenate(rows)
    information, axes = np.linalg.eigh(stacked.T @ stacked)
    distance = min(np.linalg.norm(position_of(cam_from_map) - point) for cam_from_map, _ in views)
    if not information[0] * (MAX_RELATIVE_SIGMA * distance) ** 2 > 1.0:
        what = "the rays of the marks are nearly parallel: the depth of the point is undetermined"
        raise DegenerateError(what, remedy="Mark it in images taken further apart.")
    return (axes / information) @ axes.T
