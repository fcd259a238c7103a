"""Frames, pixel centres and pose uncertainty; the formulas are in docs/conventions.md.

Transforms are ``target_from_source`` and are pycolmap's ``Rigid3d``. A pose covariance is 6x6 over
xi = (rotation vector in radians, translation in metres) as a left perturbation,

    cam_from_site = Exp(xi) * estimate,   Exp((w, rho)) = (exp([w]x), rho),

so that a point moves as x_cam -> exp([w]x) x_cam + rho. It equals the SE(3) exponential to first order.
"""

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from geometry.errors import InputError

Array = NDArray[np.float64]

OPENCV_PIXEL_OFFSET = 0.5
"""Added to OpenCV pixels, where the first pixel's centre is (0, 0), to get ours, where it is (0.5, 0.5)."""


def pixels_from_opencv(points_px: ArrayLike) -> Array:
    """Convert pixels (..., 2) from OpenCV's pixel centres (0, 0) to ours (0.5, 0.5)."""
    return np.asarray(points_px, dtype=np.float64) + OPENCV_PIXEL_OFFSET


def pixels_to_opencv(points_px: ArrayLike) -> Array:
    """Convert pixels (..., 2) from our pixel centres (0.5, 0.5) to OpenCV's (0, 0)."""
    return np.asarray(points_px, dtype=np.float64) - OPENCV_PIXEL_OFFSET


def skew(vectors: ArrayLike) -> Array:
    """Return the cross-product matrices (..., 3, 3) of ``vectors`` (..., 3): skew(a) @ b = a x b."""
    v = np.asarray(vectors, dtype=np.float64)
    zero = np.zeros_like(v[..., 0])
    rows = [zero, -v[..., 2], v[..., 1], v[..., 2], zero, -v[..., 0], -v[..., 1], v[..., 0], zero]
    return np.stack(rows, axis=-1).reshape(*v.shape[:-1], 3, 3)


def pose_from_matrix(rotation: ArrayLike, translation: ArrayLike) -> pycolmap.Rigid3d:
    """Build a ``Rigid3d`` from a rotation matrix (3, 3) and a translation (3,) in metres.

    Raises ``InputError`` where the matrix is not a rotation (to 1e-3) or a number is not finite.
    """
    r, t = np.asarray(rotation, dtype=np.float64), np.asarray(translation, dtype=np.float64)
    if r.shape != (3, 3) or t.shape != (3,) or not (np.isfinite(r).all() and np.isfinite(t).all()):
        raise InputError(f"a pose needs a finite (3, 3) rotation and (3,) translation, got {r.shape} and {t.shape}")
    if np.abs(r @ r.T - np.eye(3)).max() > 1e-3 or np.linalg.det(r) < 0:
        raise InputError("the matrix is not a rotation", remedy="Check its handedness and that rows are orthonormal.")
    return pycolmap.Rigid3d(pycolmap.Rotation3d(Rotation.from_matrix(r).as_quat()), t)


def pose_from_position(position_in_site: ArrayLike, site_from_cam_quat_xyzw: ArrayLike) -> pycolmap.Rigid3d:
    """Return ``cam_from_site`` of a camera at ``position_in_site`` (3,) metres with orientation ``site_from_cam``."""
    site_from_cam = Rotation.from_quat(np.asarray(site_from_cam_quat_xyzw, dtype=np.float64))
    rotation = site_from_cam.inv()
    translation = -rotation.apply(np.asarray(position_in_site, dtype=np.float64))
    return pycolmap.Rigid3d(pycolmap.Rotation3d(rotation.as_quat()), translation)


def position_of(cam_from_site: pycolmap.Rigid3d) -> Array:
    """Return the camera centre (3,) in site metres."""
    return np.asarray(cam_from_site.tgt_origin_in_src())


def quat_xyzw_of(cam_from_site: pycolmap.Rigid3d) -> Array:
    """Return the orientation ``site_from_cam`` as ``quat_xyzw`` (4,) with w >= 0."""
    quat = np.asarray(cam_from_site.inverse().rotation.quat, dtype=np.float64)
    return -quat if quat[3] < 0 else quat


def perturb(cam_from_site: pycolmap.Rigid3d, xi: ArrayLike) -> pycolmap.Rigid3d:
    """Return Exp(xi) * cam_from_site for xi (6,) = (rotation vector, translation)."""
    step = np.asarray(xi, dtype=np.float64)
    delta = pycolmap.Rigid3d(pycolmap.Rotation3d(Rotation.from_rotvec(step[:3]).as_quat()), step[3:])
    return delta * cam_from_site


def pose_difference(pose: pycolmap.Rigid3d, reference: pycolmap.Rigid3d) -> Array:
    """Return xi (6,) with pose = Exp(xi) * reference; the inverse of ``perturb``."""
    delta = pose * reference.inverse()
    rotvec = Rotation.from_quat(delta.rotation.quat).as_rotvec()
    return np.concatenate([rotvec, delta.translation])


def pose_error(estimate: pycolmap.Rigid3d, truth: pycolmap.Rigid3d) -> tuple[float, float]:
    """Return (distance of the camera centres in metres, angle between the orientations in degrees)."""
    metres = float(np.linalg.norm(position_of(estimate) - position_of(truth)))
    angle = np.linalg.norm(pose_difference(estimate, truth)[:3])
    return metres, float(np.degrees(angle))


def position_covariance(cam_from_site: pycolmap.Rigid3d, covariance: ArrayLike) -> Array:
    """Return the covariance (3, 3) of the camera centre in site, from the 6x6 pose covariance.

    With the left perturbation the centre moves by -R^T rho to first order: rotation does not enter.
    """
    rotation = cam_from_site.rotation.matrix()
    return rotation.T @ np.asarray(covariance, dtype=np.float64)[3:, 3:] @ rotation


def tangent_from_pycolmap(cam_from_site: pycolmap.Rigid3d) -> Array:
    """Return the matrix (6, 6) that takes pycolmap's perturbation of a pose to ours.

    pycolmap 4.2 perturbs (half-angle vector of a left quaternion factor, additive translation):
    R' = exp([2h]x) R, t' = t + d. Ours has t' = exp([w]x) t + rho, hence w = 2h and rho = d + [t]x w.
    """
    jacobian = np.zeros((6, 6))
    jacobian[:3, :3] = 2.0 * np.eye(3)
    jacobian[3:, :3] = 2.0 * skew(cam_from_site.translation)
    jacobian[3:, 3:] = np.eye(3)
    return jacobian


def covariance_from_pycolmap(cam_from_site: pycolmap.Rigid3d, covariance: ArrayLike) -> Array:
    """Convert pycolmap's absolute-pose covariance (6, 6) to our tangent."""
    jacobian = tangent_from_pycolmap(cam_from_site)
    return jacobian @ np.asarray(covariance, dtype=np.float64) @ jacobian.T


def transform_points(target_from_source: pycolmap.Rigid3d | pycolmap.Sim3d, points_in_source: ArrayLike) -> Array:
    """Map points (..., 3) from the source to the target frame."""
    matrix = target_from_source.matrix()
    return np.asarray(points_in_source, dtype=np.float64) @ matrix[:, :3].T + matrix[:, 3]
