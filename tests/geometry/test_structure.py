from dataclasses import replace

import numpy as np
import pycolmap
import pytest
from numpy.typing import NDArray

from geometry.cameras import camera_from_params, project
from geometry.errors import InputError
from geometry.frames import pose_from_position, position_of, transform_points
from geometry.structure import Observations, Structure, refine_points
from geometry.uncertainty import calibration

Array = NDArray[np.float64]

CAMERA = camera_from_params("SIMPLE_RADIAL", 1152, 768, [900, 576, 384, -0.05])


def poses_along(views: int) -> list[pycolmap.Rigid3d]:
    """Cameras at z = 0 over a baseline of 4 m, all looking along +z."""
    xs = np.linspace(-2.0, 2.0, views)
    return [pose_from_position([x, 0.3 * np.sin(3.0 * x), 0.0], [0.0, 0.0, 0.0, 1.0]) for x in xs]


def seen(points: Array, poses: list[pycolmap.Rigid3d], sigma_px: float = 1.0) -> Observations:
    """Every point in every view, without noise."""
    count, views = len(points), len(poses)
    pixels = [project(CAMERA, transform_points(pose, points))[0] for pose in poses]
    return Observations(
        point=np.tile(np.arange(count), views),
        view=np.repeat(np.arange(views), count),
        pixels=np.concatenate(pixels),
        sigma_px=np.full(count * views, sigma_px),
    )


def some_points(count: int, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(-2, 2, (count, 2)), rng.uniform(8, 14, count)])


def refine(points: Array, observations: Observations, poses: list[pycolmap.Rigid3d]) -> Structure:
    return refine_points(points, observations, poses, [CAMERA] * len(poses))


@pytest.mark.parametrize("views", [2, 6])
def test_clean_observations_give_the_points_back(views: int) -> None:
    truth, poses = some_points(100), poses_along(views)
    start = truth + np.random.default_rng(1).normal(0, 0.2, truth.shape)
    start.flags.writeable = False
    structure = refine(start, seen(truth, poses), poses)
    np.testing.assert_allclose(structure.points, truth, atol=1e-9)
    np.testing.assert_allclose(structure.residuals, 0.0, atol=1e-7)


@pytest.mark.parametrize(("views", "least"), [(2, 2.5), (5, 2.2), (20, 2.1)])
def test_covariance_is_that_of_monte_carlo(views: int, least: float) -> None:
    """The mean NEES should be 3; with many views the covariance is a fifth too large, as documented."""
    rng, truth, poses = np.random.default_rng(2), some_points(1000), poses_along(views)
    clean = seen(truth, poses)
    sigma_px = rng.uniform(0.3, 2.0, len(clean.point))
    pixels = clean.pixels + sigma_px[:, None] * rng.normal(size=clean.pixels.shape)
    structure = refine(truth + 0.1, replace(clean, pixels=pixels, sigma_px=sigma_px), poses)
    found = calibration(structure.points - truth, structure.covariances)
    assert least < 3.0 * found.mean_nees < 3.2  # measured 2.78, 2.59, 2.52 for 2, 5, 20 views
    assert 0.88 < found.coverage[0.9] < 0.96  # measured 0.92, 0.93, 0.94
    assert np.all(structure.covariances[:, 2, 2] > structure.covariances[:, 0, 0])  # depth is the weak direction


def test_a_view_that_contradicts_the_others_is_resisted() -> None:
    truth, poses = some_points(100), poses_along(6)
    clean = seen(truth, poses)
    wrong = replace(clean, pixels=clean.pixels + np.where(clean.view[:, None] == 2, [40.0, -30.0], 0.0))
    structure = refine(truth + 0.1, wrong, poses)
    pulled = np.linalg.norm(structure.points - truth, axis=1)
    # measured 0.6 mm, a thirtieth of the smallest sigma in depth
    assert pulled.max() < 0.1 * np.sqrt(structure.covariances[:, 2, 2]).min()
    large = np.linalg.norm(structure.residuals, axis=1) > 10
    np.testing.assert_array_equal(large, clean.view == 2)


@pytest.mark.parametrize("metres", [1.0, 0.01])
def test_a_point_of_one_view_keeps_its_depth_with_a_huge_variance(metres: float) -> None:
    truth, poses = metres * some_points(50), poses_along(3)
    one_view = seen(truth, poses).without_view(0).without_view(2)
    start = truth + 0.002 * metres
    structure = refine(start, one_view, poses)
    centre = position_of(poses[1])
    depth, start_depth = (np.linalg.norm(p - centre, axis=1) for p in (structure.points, start))
    np.testing.assert_allclose(depth, start_depth, atol=1e-3 * metres)
    sigmas = np.sqrt(np.linalg.eigvalsh(structure.covariances))
    assert np.all(sigmas[:, 2] > 100 * metres)
    assert np.all(sigmas[:, 1] < 0.03 * metres)  # across the ray it is as good as one pixel


def test_a_point_of_no_view_keeps_its_place() -> None:
    truth, poses = some_points(3), poses_along(2)
    observations = seen(truth[:2], poses)
    structure = refine(truth, observations, poses)
    np.testing.assert_array_equal(structure.points[2], truth[2])
    assert np.linalg.eigvalsh(structure.covariances[2])[0] > 1e8


def test_an_observation_from_behind_has_no_weight() -> None:
    truth, poses = some_points(20), poses_along(3)
    away = pose_from_position([0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0])
    clean = seen(truth, poses)
    behind = Observations(
        point=np.concatenate([clean.point, np.arange(20)]),
        view=np.concatenate([clean.view, np.full(20, 3)]),
        pixels=np.vstack([clean.pixels, np.full((20, 2), 300.0)]),
        sigma_px=np.ones(80),
    )
    structure = refine(truth + 0.05, behind, [*poses, away])
    np.testing.assert_allclose(structure.points, truth, atol=1e-9)
    np.testing.assert_array_equal(structure.residuals[60:], 0.0)


@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize("views", [0, 2])
def test_empty_arrays_go_through(count: int, views: int) -> None:
    none = np.zeros(0, dtype=np.int64)
    nothing = Observations(point=none, view=none, pixels=np.zeros((0, 2)), sigma_px=np.zeros(0))
    structure = refine(some_points(count), nothing, poses_along(views))
    np.testing.assert_array_equal(structure.points, some_points(count))
    assert structure.covariances.shape == (count, 3, 3)
    assert structure.residuals.shape == (0, 2)


def test_without_view_leaves_the_others_untouched() -> None:
    observations = seen(some_points(4), poses_along(3))
    left = observations.without_view(1)
    keep = observations.view != 1
    assert left.view.tolist() == [0] * 4 + [2] * 4
    for name in ("point", "pixels", "sigma_px"):
        np.testing.assert_array_equal(getattr(left, name), getattr(observations, name)[keep])
    assert len(left.without_view(7).point) == 8


def test_unsorted_observations_are_refused() -> None:
    with pytest.raises(InputError, match="sorted by view"):
        Observations(point=np.array([0, 0]), view=np.array([1, 0]), pixels=np.zeros((2, 2)), sigma_px=np.ones(2))
