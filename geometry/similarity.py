"""Similarity transforms: closed-form estimate, perturbation and its Jacobian.

The perturbation x (7,) = (log scale, rotation vector in radians, translation in metres) is on the left, in the target
frame, about a point c of it (the centroid of the points keeps the three parts nearly uncorrelated):

    p = c + exp(x0) exp([x1:4]x) (site_from_map p_in_map - c) + x4:7.
"""

from collections.abc import Sequence

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from geometry.frames import skew

Array = NDArray[np.float64]


def similarities(points_in_a: Array, points_in_b: Array, *, with_scale: bool = True) -> tuple[Array, Array, Array]:
    """Return scale (K,), rotation (K, 3, 3) and translation (K, 3) of b_from_a for K sets of points (K, N, 3).

    Least squares in closed form (Umeyama, PAMI 1991). The scale is NaN where the points of a set coincide in a.
    """
    a_mean, b_mean = points_in_a.mean(axis=1, keepdims=True), points_in_b.mean(axis=1, keepdims=True)
    a, b = points_in_a - a_mean, points_in_b - b_mean
    u, d, vt = np.linalg.svd(np.swapaxes(b, 1, 2) @ a)
    signs = np.ones_like(d)
    signs[:, 2] = np.linalg.det(u) * np.linalg.det(vt)
    rotation = (u * signs[:, None]) @ vt
    spread = np.sum(a**2, axis=(1, 2))
    ratio = np.divide(np.sum(d * signs, axis=1), spread, out=np.full(len(a), np.nan), where=spread > 0)
    scale = ratio if with_scale else np.ones(len(a))
    scale = np.where(scale > 0, scale, np.nan)
    translation = b_mean[:, 0] - scale[:, None] * np.squeeze(rotation @ np.swapaxes(a_mean, 1, 2), axis=2)
    return scale, rotation, translation


def similarity_jacobian(offsets: Array) -> Array:
    """Return d p_in_site / d x (N, 3, 7) for points at ``offsets`` (N, 3) from the centroid."""
    identity = np.broadcast_to(np.eye(3), (len(offsets), 3, 3))
    return np.concatenate([offsets[:, :, None], -skew(offsets), identity], axis=2)


def perturb_similarity(site_from_map: pycolmap.Sim3d, centroid: Array, x: Array) -> pycolmap.Sim3d:
    """Apply the perturbation x (7,) of the module's head about ``centroid`` (3,)."""
    factor, turn = np.exp(x[0]), Rotation.from_rotvec(x[1:4]).as_matrix()
    translation = centroid + factor * turn @ (site_from_map.translation - centroid) + x[4:]
    return sim3d_from_matrix(factor * site_from_map.scale, turn @ site_from_map.rotation.matrix(), translation)


def sim3d_from_matrix(scale: float, rotation: Array, translation: Array) -> pycolmap.Sim3d:
    """Build a ``Sim3d`` from a scale, a rotation matrix (3, 3) and a translation (3,)."""
    quat_xyzw = Rotation.from_matrix(rotation).as_quat()
    return pycolmap.Sim3d(scale, pycolmap.Rotation3d(quat_xyzw), translation)


def pose_jacobian_of_frame(cam_from_site: pycolmap.Rigid3d, centroid: Array) -> Array:
    """Return d xi / d x (6, 7): what a perturbation x of the site frame does to a pose, as in geometry.frames.

    Moving the frame turns the camera by -R x[1:4] and moves its centre by d p / d x, which is -R^T rho: hence
    rho = -R (d p / d x) x.
    """
    rotation = cam_from_site.rotation.matrix()
    jacobian = np.zeros((6, 7))
    jacobian[:3, 1:4] = -rotation
    jacobian[3:] = -rotation @ similarity_jacobian(cam_from_site.tgt_origin_in_src()[None] - centroid)[0]
    return jacobian


def pose_covariance_of_frame(cam_from_site: pycolmap.Rigid3d, covariance: Array, centroid: Array) -> Array:
    """Return the pose covariance (6, 6), in the tangent of geometry.frames, that an uncertain site frame adds.

    ``covariance`` (7, 7) is that of the perturbation x about ``centroid``.
    """
    jacobian = pose_jacobian_of_frame(cam_from_site, centroid)
    return jacobian @ np.asarray(covariance, dtype=np.float64) @ jacobian.T


def covariance_in_fitted_frame(covariance: Array, poses: Sequence[pycolmap.Rigid3d]) -> Array:
    """Return the joint covariance (6N, 6N) of poses in the frame that a similarity fit of their centres gives.

    A free network is determined but for its frame, and its covariance depends on how that was fixed. Here it is the
    frame in which the centres lie best, in least squares, at their true places: the S-transformation of Baarda
    (1973), P C P^T with P = I - G (A^T A)^-1 A^T B, where G moves the poses with the frame, B gives the centres of
    moved poses and A = B G.
    """
    centres = np.array([pose.tgt_origin_in_src() for pose in poses])
    moved_by_frame = np.concatenate([pose_jacobian_of_frame(pose, centres.mean(axis=0)) for pose in poses])
    centre_by_pose = np.zeros((3 * len(poses), 6 * len(poses)))
    for n, pose in enumerate(poses):
        centre_by_pose[3 * n : 3 * n + 3, 6 * n + 3 : 6 * n + 6] = -pose.rotation.matrix().T
    projector = (
        np.eye(6 * len(poses)) - moved_by_frame @ np.linalg.pinv(centre_by_pose @ moved_by_frame) @ centre_by_pose
    )
    return projector @ covariance @ projector.T
