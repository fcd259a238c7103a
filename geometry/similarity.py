"""Similarity transforms: closed-form estimate, perturbation and its Jacobian.

The perturbation x (7,) = (log scale, rotation vector in radians, translation in metres) is on the left, in the target
frame, about a point c of it (the centroid of the points keeps the three parts nearly uncorrelated):

    p = c + exp(x0) exp([x1:4]x) (site_from_map p_in_map - c) + x4:7.
"""

from collections.abc import Sequence

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from geometry.frames import skew

Array = NDArray[np.float64]

FRUSTUM = np.array([[0, 0, 0], [-0.4, -0.3, 1], [0.4, -0.3, 1], [0.4, 0.3, 1], [-0.4, 0.3, 1]], dtype=np.float64)
"""A camera's centre, and points it sees at unit depth."""


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


def pose_jacobian_of_frame(cam_from_site: pycolmap.Rigid3d, centroids: ArrayLike) -> Array:
    """Return d xi / d x (..., 6, 7): what a perturbation x of the frame about ``centroids`` (..., 3) does to a pose.

    Moving the frame turns the camera by -R x[1:4] and moves its centre by d p / d x, which is -R^T rho: hence
    rho = -R (d p / d x) x. xi is that of geometry.frames.
    """
    offsets = cam_from_site.tgt_origin_in_src() - np.asarray(centroids, dtype=np.float64)
    rotation = cam_from_site.rotation.matrix()
    jacobian = np.zeros((*offsets.shape[:-1], 6, 7))
    jacobian[..., :3, 1:4] = -rotation
    moved = similarity_jacobian(offsets.reshape(-1, 3)).reshape(*offsets.shape[:-1], 3, 7)
    jacobian[..., 3:, :] = -rotation @ moved
    return jacobian


def pose_covariance_of_frame(cam_from_site: pycolmap.Rigid3d, covariance: Array, centroid: Array) -> Array:
    """Return the pose covariance (6, 6), in the tangent of geometry.frames, that an uncertain site frame adds.

    ``covariance`` (7, 7) is that of the perturbation x about ``centroid``.
    """
    jacobian = pose_jacobian_of_frame(cam_from_site, centroid)
    return jacobian @ np.asarray(covariance, dtype=np.float64) @ jacobian.T


def covariances_in_fitted_frame(covariance: Array, poses: Sequence[pycolmap.Rigid3d], depths: ArrayLike) -> Array:
    """Return the covariances (N, 6, 6) of poses in the frame that fits the whole map best, from their joint (6N, 6N).

    A free network is determined but for its frame, and its covariance depends on how that was fixed. Here it is the
    frame in which the camera centres, and four points before each camera at its depth (N,), lie best at their true
    places in least squares. The points hold the frame where the centres lie nearly on a line, as in an aisle. This is
    the S-transformation of Baarda (1973), P C P^T with P = I - G K, K = (B G)^+ B, where G moves the poses with the
    frame and B gives the places of moved poses.
    """
    count, depth = len(poses), np.asarray(depths, dtype=np.float64)
    centroid = np.mean([pose.tgt_origin_in_src() for pose in poses], axis=0)
    moved_by_frame = np.stack([pose_jacobian_of_frame(pose, centroid) for pose in poses])
    to_site = np.stack([-pose.rotation.matrix().T for pose in poses])
    seen = FRUSTUM * depth[:, None, None]
    identity = np.broadcast_to(np.eye(3), (count, len(FRUSTUM), 3, 3))
    places_by_pose = np.concatenate([-skew(seen), identity], axis=3)
    placed_by_pose = (to_site[:, None] @ places_by_pose).reshape(count, -1, 6)
    placed_by_frame = (placed_by_pose @ moved_by_frame).reshape(-1, 7)
    inverse = np.linalg.pinv(placed_by_frame).reshape(7, count, -1).transpose(1, 0, 2)
    fit = (inverse @ placed_by_pose).transpose(1, 0, 2).reshape(7, 6 * count)
    by_frame = (fit @ covariance).reshape(7, count, 6).transpose(1, 0, 2)
    crossed = moved_by_frame @ by_frame
    blocks = covariance.reshape(count, 6, count, 6)[np.arange(count), :, np.arange(count)]
    frame = moved_by_frame @ (fit @ covariance @ fit.T) @ moved_by_frame.transpose(0, 2, 1)
    return np.asarray(blocks - crossed - crossed.transpose(0, 2, 1) + frame)
