import numpy as np
import pycolmap
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from geometry.frames import pose_difference, position_covariance
from geometry.similarity import perturb_similarity, pose_covariance_of_frame, sim3d_from_matrix
from tests.support import assert_covariance_claimed, rigid

Array = NDArray[np.float64]

SITE_FROM_MAP = sim3d_from_matrix(0.7, Rotation.from_rotvec([0.3, -0.2, 1.0]).as_matrix(), np.array([10.0, -5.0, 2.0]))
CENTROID = np.array([12.0, -3.0, 1.0])
CAM_FROM_MAP = rigid([0.4, 1.1, -0.3], [3.0, 1.0, -8.0])


def frame_covariance(seed: int = 0) -> Array:
    """Return a (7, 7) covariance with correlations: about 0.3 % of scale, 0.2 deg, 2 cm."""
    root = np.random.default_rng(seed).normal(size=(7, 7)) * np.array([0.003] + [0.003] * 3 + [0.02] * 3)[:, None]
    return root @ root.T / 7.0


def pose_in_site(site_from_map: pycolmap.Sim3d) -> pycolmap.Rigid3d:
    """Return cam_from_site of the camera that is known in the map."""
    reconstructed = pycolmap.Sim3d(1.0, CAM_FROM_MAP.rotation, CAM_FROM_MAP.translation) * site_from_map.inverse()
    return pycolmap.Rigid3d(reconstructed.rotation, site_from_map.scale * reconstructed.translation)


def test_the_pose_moves_with_the_frame() -> None:
    """The helper of these tests: the centre in site is the centre in the map, transformed."""
    centre_in_map = CAM_FROM_MAP.tgt_origin_in_src()
    moved = pose_in_site(SITE_FROM_MAP).tgt_origin_in_src()
    np.testing.assert_allclose(moved, SITE_FROM_MAP * centre_in_map, atol=1e-12)


def test_covariance_of_the_frame_is_that_of_monte_carlo() -> None:
    rng, covariance, trials = np.random.default_rng(1), frame_covariance(), 2000
    estimate = pose_in_site(SITE_FROM_MAP)
    drawn = rng.multivariate_normal(np.zeros(7), covariance, size=trials)
    errors = [pose_difference(pose_in_site(perturb_similarity(SITE_FROM_MAP, CENTROID, x)), estimate) for x in drawn]
    claimed = pose_covariance_of_frame(estimate, covariance, CENTROID)
    # measured NEES 5.88 of 6, sigma ratios 0.98 to 1.01
    assert_covariance_claimed(np.array(errors), np.tile(claimed, (trials, 1, 1)))


@pytest.mark.parametrize("axis", range(7))
def test_each_part_moves_the_pose_as_the_frame_does(axis: int) -> None:
    """A variance of one component alone is the outer product of the derivative by it."""
    estimate, step = pose_in_site(SITE_FROM_MAP), 1e-6
    x = step * np.eye(7)[axis]
    forward, back = (pose_in_site(perturb_similarity(SITE_FROM_MAP, CENTROID, sign * x)) for sign in (1, -1))
    derivative = (pose_difference(forward, estimate) - pose_difference(back, estimate)) / (2.0 * step)
    covariance = np.diag(np.eye(7)[axis])
    claimed = pose_covariance_of_frame(estimate, covariance, CENTROID)
    np.testing.assert_allclose(claimed, np.outer(derivative, derivative), atol=1e-6)


def test_a_frame_known_exactly_adds_nothing() -> None:
    estimate = pose_in_site(SITE_FROM_MAP)
    np.testing.assert_array_equal(pose_covariance_of_frame(estimate, np.zeros((7, 7)), CENTROID), np.zeros((6, 6)))


def test_a_shift_of_the_frame_is_one_of_the_camera_in_site() -> None:
    covariance = np.zeros((7, 7))
    covariance[4:, 4:] = np.diag([1.0, 4.0, 9.0])
    estimate = pose_in_site(SITE_FROM_MAP)
    claimed = pose_covariance_of_frame(estimate, covariance, CENTROID)
    np.testing.assert_allclose(position_covariance(estimate, claimed), np.diag([1.0, 4.0, 9.0]), atol=1e-12)
    np.testing.assert_array_equal(claimed[:3], np.zeros((3, 6)))


def test_scale_and_rotation_do_not_move_a_camera_at_the_centroid() -> None:
    covariance = np.zeros((7, 7))
    covariance[:4, :4] = np.eye(4)
    estimate = pose_in_site(SITE_FROM_MAP)
    claimed = pose_covariance_of_frame(estimate, covariance, estimate.tgt_origin_in_src())
    np.testing.assert_allclose(position_covariance(estimate, claimed), np.zeros((3, 3)), atol=1e-12)
    np.testing.assert_allclose(claimed[:3, :3], np.eye(3), atol=1e-12)
