"""Which way is up in a map that nothing ties to the site: from how people hold cameras."""

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from geometry.errors import DegenerateError, InputError
from geometry.frames import pose_from_matrix

Array = NDArray[np.float64]

MIN_SPREAD = 0.05
"""Mean square of the cameras' x axes along the second direction: a photographer who never turns has less."""
ROBUST_ROLL = np.radians(3.0)
ITERATIONS = 20


def up_from_cameras(cam_from_map: ArrayLike) -> tuple[Array, float]:
    """Return the unit vector (3,) that is up in the map, and its sigma in radians, from rotations (M, 3, 3).

    Cameras are pitched, but hardly rolled: their x axes lie in the horizontal plane, whose normal is the direction of
    least spread; iteratively reweighted (Cauchy), so that some pictures taken upright by mistake do not count. Up is
    away from the mean of the y axes. Raises ``DegenerateError`` where all x axes are about parallel.
    """
    rotations = np.asarray(cam_from_map, dtype=np.float64)
    if rotations.ndim != 3 or rotations.shape[1:] != (3, 3) or not np.isfinite(rotations).all():
        raise InputError(f"expected finite rotations (M, 3, 3), got {rotations.shape}")
    right, down = rotations[:, 0, :], rotations[:, 1, :]
    weights = np.ones(len(right))
    up = -down.mean(axis=0) if len(down) else np.zeros(3)
    for _ in range(ITERATIONS if len(right) else 0):
        spread, axes = np.linalg.eigh(np.einsum("m,mi,mj->ij", weights, right, right) / weights.sum())
        up = axes[:, 0] * (-1.0 if axes[:, 0] @ down.mean(axis=0) > 0 else 1.0)
        weights = 1.0 / (1.0 + (right @ up / ROBUST_ROLL) ** 2)
    if len(right) < 3 or spread[1] < MIN_SPREAD:
        raise DegenerateError(
            "the cameras all look the same way: how they were tilted along it can't be told",
            remedy="Add photos that look in other directions, or tie the map to the site by control points or tags.",
        )
    roll = np.sqrt(np.average((right @ up) ** 2, weights=weights))
    return up, float(roll / np.sqrt(len(right) * spread[1]))


def upright_from_map(up_in_map: ArrayLike) -> pycolmap.Rigid3d:
    """Return the least rotation after which ``up_in_map`` (3,) is z."""
    up = np.asarray(up_in_map, dtype=np.float64)
    rotation, _ = Rotation.align_vectors([[0.0, 0.0, 1.0]], [up / np.linalg.norm(up)])
    return pose_from_matrix(rotation.as_matrix(), np.zeros(3))
