"""What a map's uncertainty adds to poses found in it."""

import numpy as np

from geometry import pose_covariance_of_frame, position_covariance
from tests.twin.worlds import looking
from twin.map_uncertainty import MapUncertainty

POSES = [looking((0.0, 0.0, 1.5), 0.3), looking((8.0, 2.0, 1.5), -1.0)]
LOOSE, TIGHT = np.diag([1e-4] * 3 + [0.04] * 3), np.diag([1e-8] * 3 + [1e-6] * 3)


def test_an_exact_map_adds_nothing() -> None:
    exact = MapUncertainty.of(POSES, None, None, None)
    np.testing.assert_array_equal(exact.pose_covariance(looking((1.0, 1.0, 1.6), 2.0), [3, 4]), np.zeros((6, 6)))


def test_a_view_has_its_own_covariance_and_that_of_the_frame() -> None:
    frame = np.diag([1e-6, 1e-5, 1e-5, 1e-5, 0.01, 0.02, 0.03])
    uncertainty = MapUncertainty.of(POSES, [LOOSE, TIGHT], frame, [4.0, 1.0, 1.5])
    expected = LOOSE + pose_covariance_of_frame(POSES[0], frame, np.array([4.0, 1.0, 1.5]))
    np.testing.assert_allclose(uncertainty.view_covariance(0, POSES[0]), expected, atol=1e-12)


def test_a_query_is_as_uncertain_as_the_views_it_was_found_from() -> None:
    uncertainty = MapUncertainty.of(POSES, [LOOSE, TIGHT], None, None)
    query = looking((4.0, 1.0, 1.5), 0.0)
    sigmas = [
        np.sqrt(np.trace(position_covariance(query, uncertainty.pose_covariance(query, weights))))
        for weights in ([1, 0], [1, 1], [0, 1])
    ]
    assert sigmas[0] > sigmas[1] > sigmas[2]
    # A loose view's rotation of 0.01 rad moves what is 4 m away by 4 cm, beside its own 20 cm.
    assert 0.34 < sigmas[0] < 0.37


def test_no_view_counts_as_the_frame_alone() -> None:
    uncertainty = MapUncertainty.of(POSES, [LOOSE, LOOSE], None, None)
    np.testing.assert_array_equal(uncertainty.pose_covariance(POSES[0], [0, 0]), np.zeros((6, 6)))


def test_a_point_is_as_uncertain_as_the_views_it_was_placed_from_make_it() -> None:
    rng = np.random.default_rng(0)
    frame = np.diag([1e-6, 1e-4, 1e-4, 1e-4, 0.01, 0.02, 0.03])
    uncertainty = MapUncertainty.of(POSES, [LOOSE, TIGHT], frame, [4.0, 1.0, 1.5])
    point = np.array([3.0, 6.0, 2.0])
    # What moves with the first view, drawn: its pose errs, and the point keeps its place before the camera.
    errors = rng.multivariate_normal(np.zeros(6), LOOSE, 20_000)
    rotation, at = POSES[0].rotation.matrix(), POSES[0] * point
    off = -np.cross(errors[:, :3], at) - errors[:, 3:]
    moved = np.cov((off @ rotation).T)
    only = MapUncertainty.of(POSES, [LOOSE, TIGHT], None, None).point_covariance(point, [0])
    np.testing.assert_allclose(only, moved, atol=0.03 * np.trace(moved))
    assert np.linalg.eigvalsh(uncertainty.point_covariance(point, [0]) - only).min() > 0
    assert np.trace(uncertainty.point_covariance(point, [1])) < np.trace(uncertainty.point_covariance(point, [0, 1]))
