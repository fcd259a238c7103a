import numpy as np
import pycolmap
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.cameras import camera_from_params, project
from geometry.errors import InputError
from geometry.frames import (
    covariance_from_pycolmap,
    perturb,
    pixels_from_opencv,
    pixels_to_opencv,
    pose_difference,
    pose_error,
    pose_from_matrix,
    pose_from_position,
    position_covariance,
    position_of,
    quat_xyzw_of,
    skew,
    transform_points,
)
from tests.support import assert_covariance_claimed, assert_poses_close, points, poses, rigid, vectors

IDENTITY = pycolmap.Rigid3d()


@given(vectors(1e6, 2))
def test_opencv_pixels_convert_back(pixel: np.ndarray) -> None:
    np.testing.assert_allclose(pixels_to_opencv(pixels_from_opencv(pixel)), pixel, atol=1e-9)
    np.testing.assert_array_equal(pixels_from_opencv([0, 0]), [0.5, 0.5])


@given(vectors(), vectors())
def test_skew_is_the_cross_product(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(skew(a) @ b, np.cross(a, b), atol=1e-9)
    np.testing.assert_array_equal(skew(np.stack([[a, b]])), np.stack([[skew(a), skew(b)]]))


@given(poses(), points())
def test_the_inverse_undoes_a_transform(pose: pycolmap.Rigid3d, points_in_site: np.ndarray) -> None:
    back = transform_points(pose.inverse(), transform_points(pose, points_in_site))
    np.testing.assert_allclose(back, points_in_site, atol=1e-9)
    assert_poses_close(pose * pose.inverse(), IDENTITY)


@given(poses(), poses(), poses(), points())
def test_composition_is_associative_and_acts_like_its_parts(
    a: pycolmap.Rigid3d, b: pycolmap.Rigid3d, c: pycolmap.Rigid3d, points_in_site: np.ndarray
) -> None:
    assert_poses_close((a * b) * c, a * (b * c), atol_m=1e-8)
    np.testing.assert_allclose(
        transform_points(a * b, points_in_site), transform_points(a, transform_points(b, points_in_site)), atol=1e-9
    )


@given(poses(), points())
def test_a_negated_quaternion_is_the_same_pose(pose: pycolmap.Rigid3d, points_in_site: np.ndarray) -> None:
    negated = pycolmap.Rigid3d(pycolmap.Rotation3d(-pose.rotation.quat), pose.translation)
    assert_poses_close(negated, pose)
    np.testing.assert_allclose(quat_xyzw_of(negated), quat_xyzw_of(pose), atol=1e-7)
    assert quat_xyzw_of(pose)[3] >= 0


@given(poses())
def test_position_and_quaternion_give_the_pose_back(pose: pycolmap.Rigid3d) -> None:
    assert_poses_close(pose_from_position(position_of(pose), quat_xyzw_of(pose)), pose)
    np.testing.assert_allclose(transform_points(pose, position_of(pose)), 0.0, atol=1e-9)


@given(poses())
def test_a_matrix_gives_the_pose_back(pose: pycolmap.Rigid3d) -> None:
    assert_poses_close(pose_from_matrix(pose.rotation.matrix(), pose.translation), pose)


@pytest.mark.parametrize(
    ("rotation", "translation"),
    [
        (np.diag([1.0, 1, -1]), np.zeros(3)),
        (2 * np.eye(3), np.zeros(3)),
        (np.eye(3), np.full(3, np.nan)),
        (np.eye(4), np.zeros(3)),
        (np.eye(3), np.zeros((3, 1))),
    ],
)
def test_what_is_no_rotation_is_refused(rotation: np.ndarray, translation: np.ndarray) -> None:
    with pytest.raises(InputError):
        pose_from_matrix(rotation, translation)


@given(poses(), vectors(1.0, 6))
def test_difference_undoes_perturbation(pose: pycolmap.Rigid3d, xi: np.ndarray) -> None:
    np.testing.assert_allclose(pose_difference(perturb(pose, xi), pose), xi, atol=1e-7)


@given(poses(), poses())
def test_perturbation_undoes_difference(pose: pycolmap.Rigid3d, reference: pycolmap.Rigid3d) -> None:
    assert_poses_close(perturb(reference, pose_difference(pose, reference)), pose)


@given(poses(), vectors(1.0, 6), points(max_size=5))
def test_perturbation_moves_points_as_documented(
    pose: pycolmap.Rigid3d, xi: np.ndarray, points_in_site: np.ndarray
) -> None:
    moved = transform_points(rigid(xi[:3], [0, 0, 0]), transform_points(pose, points_in_site)) + xi[3:]
    np.testing.assert_allclose(transform_points(perturb(pose, xi), points_in_site), moved, atol=1e-9)


@given(poses(), st.floats(0, 3.1), vectors(10.0))
def test_pose_error_is_the_distance_and_the_angle(pose: pycolmap.Rigid3d, angle: float, shift: np.ndarray) -> None:
    turned = pose_from_position(position_of(pose) + shift, quat_xyzw_of(rigid([0, 0, angle], [0, 0, 0]) * pose))
    metres, degrees = pose_error(turned, pose)
    assert metres == pytest.approx(np.linalg.norm(shift), abs=1e-9)
    assert degrees == pytest.approx(np.degrees(angle), abs=1e-5)


def pose_spread() -> np.ndarray:
    """Return a 6x6 covariance with correlations between rotation and translation."""
    root = np.random.default_rng(1).normal(size=(6, 6)) * 2e-3
    return root @ root.T


def test_position_covariance_is_that_of_monte_carlo() -> None:
    rng, pose, covariance = np.random.default_rng(2), rigid([0.5, -1, 2], [30, -20, 10]), pose_spread()
    drawn = [perturb(pose, xi) for xi in rng.multivariate_normal(np.zeros(6), covariance, size=2000)]
    errors = np.array([position_of(moved) for moved in drawn]) - position_of(pose)
    claimed = position_covariance(pose, covariance)
    # measured NEES 2.95 of 3, sigma ratios 0.98 to 1.01
    assert_covariance_claimed(errors, np.tile(claimed, (2000, 1, 1)))


def test_pycolmap_covariance_is_that_of_monte_carlo() -> None:
    rng, truth = np.random.default_rng(3), rigid([0.2, -0.4, 1.0], [8.0, -5.0, 12.0])
    camera = camera_from_params("PINHOLE", 1000, 800, [700, 700, 500, 400])
    points_in_cam = np.column_stack([rng.uniform(-0.6, 0.6, (60, 2)), np.ones(60)]) * rng.uniform(4, 20, (60, 1))
    points_in_site, pixels = transform_points(truth.inverse(), points_in_cam), project(camera, points_in_cam)[0]
    estimation, refinement = pycolmap.AbsolutePoseEstimationOptions(), pycolmap.AbsolutePoseRefinementOptions()
    estimation.ransac.max_error, estimation.ransac.random_seed = 12.0, 1
    refinement.loss_function_scale, refinement.gradient_tolerance = 1e3, 1e-6
    errors, covariances = [], []
    for _ in range(400):
        noisy = pixels + rng.normal(size=pixels.shape)
        found = pycolmap.estimate_and_refine_absolute_pose(
            noisy, points_in_site, camera, estimation, refinement, return_covariance=True
        )
        estimate = found["cam_from_world"]
        errors.append(pose_difference(truth, estimate))
        covariances.append(covariance_from_pycolmap(estimate, found["covariance"]))
    # measured NEES 6.13 of 6, sigma ratios 0.95 to 1.06
    assert_covariance_claimed(errors, covariances)
