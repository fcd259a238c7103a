"""Covariance of a free network in the frame of its best fit, judged by drawing networks and fitting them."""

import numpy as np
import pycolmap
import pytest
from scipy.spatial.transform import Rotation

from geometry import (
    covariances_in_fitted_frame,
    perturb,
    pose_from_position,
    position_covariance,
    position_of,
    transform_points,
)
from geometry.similarity import FRUSTUM, pose_jacobian_of_frame

COUNT = 6


def network(rng: np.random.Generator) -> list[pycolmap.Rigid3d]:
    positions = 4.0 * rng.standard_normal((COUNT, 3))
    return [pose_from_position(p, Rotation.random(rng=rng).as_quat()) for p in positions]


def spread(rng: np.random.Generator) -> np.ndarray:
    root = 1e-3 * rng.standard_normal((6 * COUNT, 6 * COUNT))
    return root @ root.T


DEPTHS = np.full(COUNT, 3.0)


@pytest.mark.parametrize("seed", range(3))
def test_moving_the_frame_adds_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    poses, covariance = network(rng), spread(rng)
    centre = np.mean([position_of(pose) for pose in poses], axis=0)
    frame = np.concatenate([pose_jacobian_of_frame(pose, centre) for pose in poses])
    moved = covariance + frame @ np.diag(rng.uniform(0.1, 1.0, 7)) @ frame.T
    fitted = covariances_in_fitted_frame(covariance, poses, DEPTHS)
    np.testing.assert_allclose(covariances_in_fitted_frame(moved, poses, DEPTHS), fitted, atol=1e-9)
    assert np.linalg.eigvalsh(fitted).min() > -1e-12


def test_it_is_what_is_left_after_fitting_centres_and_what_they_see() -> None:
    rng = np.random.default_rng(4)
    poses, covariance = network(rng), spread(rng)

    def places(moved: list[pycolmap.Rigid3d]) -> np.ndarray:
        return np.concatenate([transform_points(pose.inverse(), 3.0 * FRUSTUM) for pose in moved])

    draws = rng.multivariate_normal(np.zeros(6 * COUNT), covariance, size=3000, method="cholesky").reshape(-1, COUNT, 6)
    left = []
    for draw in draws:
        moved = [perturb(p, xi) for p, xi in zip(poses, draw, strict=True)]
        fit = pycolmap.estimate_sim3d(places(moved), places(poses))
        left.append((transform_points(fit, places(moved)) - places(poses))[:: len(FRUSTUM)])
    claimed = np.array(
        [
            position_covariance(pose, c)
            for pose, c in zip(poses, covariances_in_fitted_frame(covariance, poses, DEPTHS), strict=True)
        ]
    )
    measured = np.einsum("dni,dnj->nij", left, left) / len(left)
    assert np.abs(measured - claimed).max() < 0.1 * np.abs(claimed).max()  # measured 0.04


@pytest.mark.parametrize("wobble", [0.0, 1e-3, 1e-2, 1e-1])
def test_cameras_nearly_on_a_line_do_not_roll(wobble: float) -> None:
    rng = np.random.default_rng(1)
    line = [np.array([0.8 * k, 0.0, 1.6]) + wobble * rng.standard_normal(3) for k in range(COUNT)]
    poses = [pose_from_position(p, [-0.5, 0.5, -0.5, 0.5]) for p in line]
    fitted = covariances_in_fitted_frame(np.diag(np.tile([1e-6] * 3 + [1e-6] * 3, COUNT)), poses, np.full(COUNT, 5.0))
    assert np.sqrt(fitted[:, range(3), range(3)].max()) < 1.5e-3
    assert np.sqrt(fitted[:, range(3, 6), range(3, 6)].max()) < 2e-3
