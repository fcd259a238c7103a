"""Pose and lens by points: exact without noise, honest with it, refused where nothing is told."""

import numpy as np
import pycolmap
import pytest

from geometry import DegenerateError, InputError, camera_from_params, perturb, pose_difference, pose_error, project
from geometry.camera_fit import LensFreedom, Seen, fit_camera, joined, seen_points
from geometry.frames import transform_points

RADIAL = camera_from_params("SIMPLE_RADIAL", 640, 480, [360.0, 320.0, 240.0, -0.12])
FISHEYE = camera_from_params("OPENCV_FISHEYE", 640, 480, [225.0, 225.0, 320.0, 240.0, 0.02, -0.01, 0.0, 0.0])
LENS = LensFreedom(groups=((0,), (3,)), sigmas=(100.0, 0.2))


def looking_down() -> pycolmap.Rigid3d:
    """A camera 3 m above the floor that looks along +y, 25 degrees down."""
    tilt = np.radians(25.0)
    rotation = np.array([[1, 0, 0], [0, -np.sin(tilt), -np.cos(tilt)], [0, np.cos(tilt), -np.sin(tilt)]])
    centre = np.array([2.0, 1.0, 3.0])
    return pycolmap.Rigid3d(np.column_stack([rotation, -rotation @ centre]))


def shown(camera: pycolmap.Camera, pose: pycolmap.Rigid3d, rng: np.random.Generator, count: int) -> Seen:
    """Points on the floor and up to 2.5 m above it that the camera sees, without noise."""
    points = rng.uniform([-12, 3, 0], [16, 25, 2.5], (count * 6, 3))
    pixels, valid = project(camera, transform_points(pose, points))
    inside = valid & (pixels > 0).all(axis=1) & (pixels < (camera.width, camera.height)).all(axis=1)
    rows = np.flatnonzero(inside)[:count]
    return seen_points(pixels[rows], points[rows], sigma_px=0.5, sigma_m=0.01)


def noisy(seen: Seen, rng: np.random.Generator, camera: pycolmap.Camera, pose: pycolmap.Rigid3d) -> Seen:
    moved = seen.points + rng.normal(0, 0.01, seen.points.shape)
    pixels = project(camera, transform_points(pose, moved))[0] + rng.normal(0, 0.5, seen.pixels.shape)
    return Seen(**{**{n: getattr(seen, n) for n in seen.__dataclass_fields__}, "pixels": pixels})


@pytest.mark.parametrize("camera", [RADIAL, FISHEYE], ids=["radial", "fisheye"])
def test_without_noise_the_pose_is_exact(camera: pycolmap.Camera) -> None:
    rng, true = np.random.default_rng(0), looking_down()
    fit = fit_camera(perturb(true, [0.03, -0.02, 0.03, 0.2, -0.1, 0.2]), camera, shown(camera, true, rng, 60))
    metres, degrees = pose_error(fit.cam_from_site, true)
    assert metres < 1e-6
    assert degrees < 1e-5
    assert fit.inliers.all()


def test_without_noise_the_lens_is_exact() -> None:
    rng, true = np.random.default_rng(1), looking_down()
    start = camera_from_params("SIMPLE_RADIAL", 640, 480, [400.0, 320.0, 240.0, 0.0])
    loose = LensFreedom(groups=LENS.groups, sigmas=(1e6, 1e3))
    fit = fit_camera(perturb(true, np.full(6, 0.01)), start, shown(RADIAL, true, rng, 80), lens=loose)
    np.testing.assert_allclose(fit.camera.params, RADIAL.params, atol=1e-4)


def test_the_covariance_is_that_of_repeated_trials() -> None:
    rng, true, nees = np.random.default_rng(2), looking_down(), []
    for _ in range(150):
        seen = noisy(shown(RADIAL, true, rng, 60), rng, RADIAL, true)
        fit = fit_camera(true, RADIAL, seen, lens=LENS)
        off = np.concatenate([pose_difference(true, fit.cam_from_site), (RADIAL.params - fit.camera.params)[[0, 3]]])
        nees.append(off @ np.linalg.solve(fit.covariance, off) / len(off))
    assert 0.75 < np.mean(nees) < 1.25  # measured 0.85


def test_a_third_of_the_points_may_be_wrong() -> None:
    rng, true = np.random.default_rng(3), looking_down()
    seen = noisy(shown(RADIAL, true, rng, 120), rng, RADIAL, true)
    pixels = seen.pixels.copy()
    pixels[:40] += rng.uniform(-30, 30, (40, 2))
    seen = Seen(**{**{n: getattr(seen, n) for n in seen.__dataclass_fields__}, "pixels": pixels})
    fit = fit_camera(perturb(true, np.full(6, 0.01)), RADIAL, seen)
    metres, degrees = pose_error(fit.cam_from_site, true)
    assert metres < 0.03  # measured 0.004
    assert degrees < 0.15
    assert fit.inliers[40:].mean() > 0.95


def test_shared_errors_of_clusters_widen_the_covariance() -> None:
    rng, true, nees, plain = np.random.default_rng(4), looking_down(), [], []
    for _ in range(60):
        cluster = np.repeat(np.arange(40), 4)
        seen = shown(RADIAL, true, rng, 40).subset(cluster)
        shared = rng.normal(0, 1.0, (40, 2))[cluster] + rng.normal(0, 0.2, seen.pixels.shape)
        fields = {n: getattr(seen, n) for n in seen.__dataclass_fields__} | {"pixels": seen.pixels + shared}
        for own, into in ((cluster, nees), (np.arange(160), plain)):
            fit = fit_camera(true, RADIAL, Seen(**(fields | {"cluster": own})))
            off = pose_difference(true, fit.cam_from_site)
            into.append(off @ np.linalg.solve(fit.covariance, off) / 6)
    assert np.mean(plain) > 2.0  # measured 3.0: four points of one error count as four
    assert 0.6 < np.mean(nees) < 1.5  # measured 0.96


def test_lines_count_across_only() -> None:
    """Observations that are free along u still fix the pose together with others that are free along v."""
    rng, true = np.random.default_rng(5), looking_down()
    seen = shown(RADIAL, true, rng, 80)
    covariances = np.where(np.arange(80)[:, None, None] % 2, np.diag([900.0, 0.01]), np.diag([0.01, 900.0]))
    pixels = seen.pixels.copy()
    pixels[::2, 1] += 25.0
    pixels[1::2, 0] -= 25.0
    fields = {n: getattr(seen, n) for n in seen.__dataclass_fields__}
    fit = fit_camera(
        perturb(true, np.full(6, 0.005)),
        RADIAL,
        Seen(**(fields | {"pixels": pixels, "pixel_covariances": covariances})),
    )
    metres, _ = pose_error(fit.cam_from_site, true)
    assert metres < 1e-4


def test_a_prior_holds_what_points_leave_open() -> None:
    rng, true = np.random.default_rng(6), looking_down()
    seen = shown(RADIAL, true, rng, 60).subset(np.arange(3))
    prior = (true, np.diag([1e-4] * 3 + [0.01] * 3))
    fit = fit_camera(true, RADIAL, seen, prior=prior)
    assert pose_error(fit.cam_from_site, true)[0] < 1e-6
    assert np.all(np.linalg.eigvalsh(prior[1] - fit.covariance / fit.inflation) > -1e-9)


def test_too_little_is_refused() -> None:
    rng, true = np.random.default_rng(7), looking_down()
    seen = shown(RADIAL, true, rng, 60)
    with pytest.raises(DegenerateError):
        fit_camera(true, RADIAL, seen.subset(np.arange(2)))
    line = np.linspace([2, 5, 0], [2, 20, 0], 20)
    pixels, _ = project(RADIAL, transform_points(true, line))
    with pytest.raises(DegenerateError):
        fit_camera(true, RADIAL, seen_points(pixels, line, sigma_px=0.5, sigma_m=0.0))
    with pytest.raises(DegenerateError):
        fit_camera(true, RADIAL, joined([]))
    with pytest.raises(InputError, match="points: expected"):
        Seen(**{**{n: getattr(seen, n) for n in seen.__dataclass_fields__}, "points": np.zeros((2, 3))})
