import numpy as np
import pycolmap
import pytest
from scipy.spatial.transform import Rotation

from geometry.cameras import camera_from_params, project
from geometry.errors import DegenerateError, InputError
from geometry.frames import pose_from_position, transform_points
from geometry.triangulation import triangulate_marks
from tests.support import assert_covariance_claimed

CAMERA = camera_from_params("SIMPLE_RADIAL", 640, 480, [500, 320, 240, -0.05])
POINT = np.array([0.3, -0.2, 6.0])


def cameras_along(baseline: float, n: int = 5) -> list[pycolmap.Rigid3d]:
    offsets = np.linspace(-baseline / 2, baseline / 2, n)
    quats = Rotation.from_euler("y", -offsets[:, None] / 6).as_quat()
    return [pose_from_position([x, 0.1 * x * x, 0], quat) for x, quat in zip(offsets, quats, strict=True)]


def marks_of(poses: list[pycolmap.Rigid3d]) -> np.ndarray:
    return np.array([project(CAMERA, transform_points(pose, POINT))[0][0] for pose in poses])


def test_clean_marks_give_the_point_back() -> None:
    poses = cameras_along(3.0)
    point, covariance = triangulate_marks(marks_of(poses), poses, [CAMERA] * 5, 1.0, rng=np.random.default_rng(0))
    np.testing.assert_allclose(point, POINT, atol=1e-6)
    assert covariance[2, 2] > 4 * covariance[0, 0]  # depth is the weak direction


def test_covariance_is_that_of_monte_carlo() -> None:
    rng, poses = np.random.default_rng(0), cameras_along(3.0)
    found = [
        triangulate_marks(marks_of(poses) + rng.normal(size=(5, 2)), poses, [CAMERA] * 5, 1.0, rng=rng)
        for _ in range(200)
    ]
    # measured NEES 3.16 of 3, sigma ratios 0.94 to 1.08
    assert_covariance_claimed([point - POINT for point, _ in found], [covariance for _, covariance in found])


def test_a_wrong_mark_is_left_out() -> None:
    poses = cameras_along(3.0)
    marks = marks_of(poses)
    marks[2] += [30, -40]
    point, _ = triangulate_marks(marks, poses, [CAMERA] * 5, 1.0, rng=np.random.default_rng(0))
    np.testing.assert_allclose(point, POINT, atol=1e-6)


@pytest.mark.parametrize(("baseline", "n"), [(3.0, 0), (3.0, 1), (0.0, 5), (0.01, 5)])
def test_too_few_marks_and_parallel_rays_are_degenerate(baseline: float, n: int) -> None:
    poses = cameras_along(baseline)[:n]
    marks = marks_of(poses).reshape(-1, 2)
    with pytest.raises(DegenerateError, match="undetermined"):
        triangulate_marks(marks, poses, [CAMERA] * n, 1.0, rng=np.random.default_rng(0))


def test_bad_numbers_are_refused() -> None:
    poses = cameras_along(3.0)
    for marks, sigma_px in ((marks_of(poses)[:3], 1.0), (marks_of(poses) * np.nan, 1.0), (marks_of(poses), 0.0)):
        with pytest.raises(InputError):
            triangulate_marks(marks, poses, [CAMERA] * 5, sigma_px, rng=np.random.default_rng(0))
