"""Covariance of a free network in the frame of its best fit, judged by drawing networks and fitting them."""

import numpy as np
import pycolmap
import pytest
from scipy.spatial.transform import Rotation

from geometry import covariance_in_fitted_frame, perturb, pose_from_position, position_of, transform_points
from geometry.similarity import pose_jacobian_of_frame

COUNT = 6


def network(rng: np.random.Generator) -> list[pycolmap.Rigid3d]:
    positions = 4.0 * rng.standard_normal((COUNT, 3))
    return [pose_from_position(p, Rotation.random(rng=rng).as_quat()) for p in positions]


def spread(rng: np.random.Generator) -> np.ndarray:
    root = 1e-3 * rng.standard_normal((6 * COUNT, 6 * COUNT))
    return root @ root.T


@pytest.mark.parametrize("seed", range(3))
def test_moving_the_frame_adds_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    poses, covariance = network(rng), spread(rng)
    centre = np.mean([position_of(pose) for pose in poses], axis=0)
    frame = np.concatenate([pose_jacobian_of_frame(pose, centre) for pose in poses])
    moved = covariance + frame @ np.diag(rng.uniform(0.1, 1.0, 7)) @ frame.T
    fitted = covariance_in_fitted_frame(covariance, poses)
    np.testing.assert_allclose(covariance_in_fitted_frame(moved, poses), fitted, atol=1e-9)
    np.testing.assert_allclose(covariance_in_fitted_frame(fitted, poses), fitted, atol=1e-12)


def test_it_is_what_is_left_after_fitting_the_centres() -> None:
    rng = np.random.default_rng(4)
    poses, covariance = network(rng), spread(rng)
    centres = np.array([position_of(pose) for pose in poses])
    draws = rng.multivariate_normal(np.zeros(6 * COUNT), covariance, size=3000, method="cholesky").reshape(-1, COUNT, 6)
    left = []
    for draw in draws:
        moved = np.array([position_of(perturb(p, xi)) for p, xi in zip(poses, draw, strict=True)])
        left.append((transform_points(pycolmap.estimate_sim3d(moved, centres), moved) - centres).ravel())
    rows = np.concatenate([np.arange(6 * n + 3, 6 * n + 6) for n in range(COUNT)])
    fitted = covariance_in_fitted_frame(covariance, poses)[np.ix_(rows, rows)]
    turned = np.zeros((3 * COUNT, 3 * COUNT))
    for n, pose in enumerate(poses):
        turned[3 * n : 3 * n + 3, 3 * n : 3 * n + 3] = -pose.rotation.matrix().T
    claimed = turned @ fitted @ turned.T
    measured = np.cov(np.array(left).T)
    assert np.abs(measured - claimed).max() < 0.1 * np.abs(claimed).max()  # measured 0.03
