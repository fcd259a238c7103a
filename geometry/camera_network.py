"""Several cameras adjusted together by floor points that they saw at one time, such as the feet of one walker.

Each camera keeps its own calibration as a prior; what several see of one point has to meet on the floor. The map that
the calibrations rest on is fixed, or free to move as a whole within its own uncertainty.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray

from geometry.camera_fit import CAUCHY_WIDTH_1D
from geometry.cameras import projection_jacobian, unproject
from geometry.errors import DegenerateError, InputError
from geometry.frames import perturb, pose_difference, position_of, skew, transform_points

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

ITERATIONS, TOLERANCE = 30, 1e-8


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkCamera:
    """A camera with its calibration: lens, cam_from_site and covariance (6, 6)."""

    camera: pycolmap.Camera
    cam_from_site: pycolmap.Rigid3d
    covariance: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedPoints:
    """M sightings of floor points: indices camera (M,) and point (M,), pixels (M, 2); floor_z (P,) of the points."""

    camera: Indices
    point: Indices
    pixels: Array
    floor_z: Array

    def __post_init__(self) -> None:
        m, p = len(self.camera), len(self.floor_z)
        if self.point.shape != (m,) or self.pixels.shape != (m, 2):
            raise InputError(f"{m} cameras need as many points and pixels, got {self.point.shape}, {self.pixels.shape}")
        if m and not (self.point.min() >= 0 and self.point.max() < p and self.camera.min() >= 0):
            raise InputError("a sighting is of a camera or a point that is not there")


@dataclass(frozen=True, kw_only=True, eq=False)
class AdjustedNetwork:
    """Cameras adjusted together.

    cams_from_site: C poses; covariances: (C, 6, 6); points: (P, 3) site metres
    map_motion: (6,) rotation vector and translation of the site by which the map was off, None where it is fixed
    disagreement_m: root mean square distance on the floor between what cameras say of one point, before and after
    """

    cams_from_site: tuple[pycolmap.Rigid3d, ...]
    covariances: Array
    points: Array
    map_motion: Array | None
    disagreement_m: tuple[float, float]


def adjust_network(
    cameras: Sequence[NetworkCamera],
    shared: SharedPoints,
    *,
    sigma_px: float = 2.0,
    sigma_floor_m: float = 0.03,
    map_covariance: ArrayLike | None = None,
) -> AdjustedNetwork:
    """Adjust poses and points by robust least squares; points are eliminated, so that many cost little.

    sigma_floor_m: of a point's height; map_covariance: (6, 6) of a motion of the whole site, which frees the map
    Raises ``DegenerateError`` where no point is seen by two cameras, and ``InputError`` for indices beyond the cameras.
    """
    if len(shared.camera) and shared.camera.max() >= len(cameras):
        raise InputError(f"a sighting is of camera {shared.camera.max()}, there are {len(cameras)}")
    seen_by = [len(np.unique(shared.camera[shared.point == p])) for p in range(len(shared.floor_z))]
    if max(seen_by, default=0) < 2:
        raise DegenerateError("no point is seen by two cameras", remedy="Cameras that do not overlap can't be tied.")
    poses = [camera.cam_from_site for camera in cameras]
    lenses = [camera.camera for camera in cameras]
    before = disagreement(lenses, poses, shared)
    points = _first_points(lenses, poses, shared)
    free = map_covariance is not None
    motion = np.zeros(6)
    own = [np.asarray(np.linalg.inv(camera.covariance), dtype=np.float64) for camera in cameras]
    of_map = np.linalg.inv(np.asarray(map_covariance, dtype=np.float64)) if map_covariance is not None else None
    size = 6 * len(cameras) + 6 * free
    reduced = np.eye(size)
    for _ in range(ITERATIONS):
        normal, gradient = _priors(cameras, poses, own, motion, of_map, size)
        blocks, sides, crosses = _sightings(cameras, poses, shared, points, sigma_px, sigma_floor_m, normal, gradient)
        inverse = np.linalg.inv(blocks)
        reduced = normal - np.einsum("pij,pjk,plk->il", crosses, inverse, crosses)
        right = gradient - np.einsum("pij,pjk,pk->i", crosses, inverse, sides)
        step = np.linalg.solve(reduced, right)
        points = points + np.einsum("pij,pj->pi", inverse, sides - np.einsum("pij,i->pj", crosses, step))
        poses = [perturb(pose, step[6 * c : 6 * c + 6]) for c, pose in enumerate(poses)]
        motion = motion + step[6 * len(cameras) :] if free else motion
        if np.abs(step).max() < TOLERANCE:
            break
    covariance = np.linalg.inv(reduced)
    return AdjustedNetwork(
        cams_from_site=tuple(poses),
        covariances=np.stack([covariance[6 * c : 6 * c + 6, 6 * c : 6 * c + 6] for c in range(len(cameras))]),
        points=points,
        map_motion=motion if free else None,
        disagreement_m=(before, disagreement(lenses, poses, shared)),
    )


def _priors(
    cameras: Sequence[NetworkCamera],
    poses: Sequence[pycolmap.Rigid3d],
    own: Sequence[Array],
    motion: Array,
    of_map: Array | None,
    size: int,
) -> tuple[Array, Array]:
    """Return normal equations of the calibrations; a free map moves all of them by what it is off."""
    normal, gradient = np.zeros((size, size)), np.zeros(size)
    for c, (camera, pose, information) in enumerate(zip(cameras, poses, own, strict=True)):
        rows = slice(6 * c, 6 * c + 6)
        off = pose_difference(pose, camera.cam_from_site)
        if of_map is None:
            normal[rows, rows] += information
            gradient[rows] -= information @ off
            continue
        moved = site_motion_in_camera(camera.cam_from_site)
        off = off - moved @ motion
        last = slice(size - 6, size)
        normal[rows, rows] += information
        normal[rows, last] -= information @ moved
        normal[last, rows] -= moved.T @ information
        normal[last, last] += moved.T @ information @ moved
        gradient[rows] -= information @ off
        gradient[last] += moved.T @ information @ off
    if of_map is not None:
        normal[-6:, -6:] += of_map
        gradient[-6:] -= of_map @ motion
    return normal, gradient


def site_motion_in_camera(cam_from_site: pycolmap.Rigid3d) -> Array:
    """Return (6, 6): by which xi a camera's pose changes if the site it was found in turns and shifts (first order).

    A camera that is carried along by x -> x + w x x + t keeps what it sees: cam_from_site becomes cam_from_site times
    the inverse motion, so that xi = -Ad (w, t).
    """
    rotation, offset = cam_from_site.rotation.matrix(), np.asarray(cam_from_site.translation)
    adjoint = np.zeros((6, 6))
    adjoint[:3, :3] = adjoint[3:, 3:] = rotation
    adjoint[3:, :3] = skew(offset) @ rotation
    return -adjoint


def _sightings(
    cameras: Sequence[NetworkCamera],
    poses: Sequence[pycolmap.Rigid3d],
    shared: SharedPoints,
    points: Array,
    sigma_px: float,
    sigma_floor_m: float,
    normal: Array,
    gradient: Array,
) -> tuple[Array, Array, Array]:
    """Add what sightings say of the cameras; return the points' blocks (P, 3, 3), sides (P, 3), crosses (P, S, 3)."""
    count = len(points)
    blocks = np.tile(np.diag([1e-8, 1e-8, sigma_floor_m**-2]), (count, 1, 1))
    sides = np.zeros((count, 3))
    sides[:, 2] = (shared.floor_z - points[:, 2]) / sigma_floor_m**2
    crosses = np.zeros((count, len(normal), 3))
    for c, (camera, pose) in enumerate(zip(cameras, poses, strict=True)):
        rows = np.flatnonzero(shared.camera == c)
        in_cam = transform_points(pose, points[shared.point[rows]])
        predicted, by_point, valid = projection_jacobian(camera.camera, in_cam)
        rows, in_cam, by_point = rows[valid], in_cam[valid], by_point[valid]
        residual = (shared.pixels[rows] - predicted[valid]) / sigma_px
        weight = 1.0 / (1.0 + (residual**2).mean(axis=1) / CAUCHY_WIDTH_1D**2) / sigma_px**2
        by_pose = np.concatenate([-by_point @ skew(in_cam), by_point], axis=2)
        by_site = by_point @ pose.rotation.matrix()
        residual = residual * sigma_px
        here, which = slice(6 * c, 6 * c + 6), shared.point[rows]
        normal[here, here] += np.einsum("m,mki,mkj->ij", weight, by_pose, by_pose)
        gradient[here] += np.einsum("m,mki,mk->i", weight, by_pose, residual)
        np.add.at(blocks, which, np.einsum("m,mki,mkj->mij", weight, by_site, by_site))
        np.add.at(sides, which, np.einsum("m,mki,mk->mi", weight, by_site, residual))
        np.add.at(crosses[:, here], which, np.einsum("m,mki,mkj->mij", weight, by_pose, by_site))
    return blocks, sides, crosses


def _lifted(cameras: Sequence[pycolmap.Camera], poses: Sequence[pycolmap.Rigid3d], shared: SharedPoints) -> Array:
    """Return where (M, 3) each sighting meets its point's floor, NaN above the horizon."""
    lifted = np.full((len(shared.camera), 3), np.nan)
    for c, (camera, pose) in enumerate(zip(cameras, poses, strict=True)):
        rows = np.flatnonzero(shared.camera == c)
        rays = unproject(camera, shared.pixels[rows]) @ pose.rotation.matrix()
        start = position_of(pose)
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = (shared.floor_z[shared.point[rows]] - start[2]) / rays[:, 2]
        lifted[rows] = start + rays * np.where(reach > 0, reach, np.nan)[:, None]
    return lifted


def _first_points(cameras: Sequence[pycolmap.Camera], poses: Sequence[pycolmap.Rigid3d], shared: SharedPoints) -> Array:
    lifted = _lifted(cameras, poses, shared)
    points = np.zeros((len(shared.floor_z), 3))
    points[:, 2] = shared.floor_z
    for p in range(len(points)):
        mine = lifted[shared.point == p]
        mine = mine[np.isfinite(mine).all(axis=1)]
        if len(mine):
            points[p, :2] = np.median(mine[:, :2], axis=0)
    return points


def disagreement(
    cameras: Sequence[pycolmap.Camera], cams_from_site: Sequence[pycolmap.Rigid3d], shared: SharedPoints
) -> float:
    """Return by how many metres on the floor, root mean square, cameras differ on points that two or more see."""
    lifted = _lifted(cameras, cams_from_site, shared)
    off: list[float] = []
    for p in range(len(shared.floor_z)):
        mine = lifted[shared.point == p]
        mine = mine[np.isfinite(mine).all(axis=1)]
        off += (np.linalg.norm(mine - mine.mean(axis=0), axis=1) ** 2).tolist() if len(mine) > 1 else []
    return float(np.sqrt(np.mean(off))) if off else 0.0
