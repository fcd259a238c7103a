"""Clicked points: pose and lens from them, wrong clicks noticed, too few refused."""

import numpy as np
import pytest

from geometry import DegenerateError, InputError, camera_from_params, pose_error, project, transform_points
from tests.geometry.test_camera_fit import looking_down
from twin.calibration.by_points import calibrate_by_points, clicked
from twin.calibration.lenses import FAMILIES, freedom, lenses_to_try

CAMERA = camera_from_params("SIMPLE_RADIAL", 1920, 1080, [1400.0, 960.0, 540.0, -0.15])


def clicks(count: int, seed: int, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng, pose = np.random.default_rng(seed), looking_down()
    points = rng.uniform([-12, 3, 0], [16, 30, 3.0], (3000, 3))
    pixels, valid = project(CAMERA, transform_points(pose, points))
    shown = np.flatnonzero(valid & (pixels > 0).all(axis=1) & (pixels < (1920, 1080)).all(axis=1))[:count]
    return pixels[shown] + rng.normal(0, noise, (count, 2)), points[shown]


def test_known_lens_unknown_lens_and_a_wrong_click() -> None:
    pixels, points = clicks(20, 0)
    pixels[3] += 60.0
    known = calibrate_by_points(clicked(pixels, points), (1920, 1080), CAMERA)
    assert pose_error(known.fit.cam_from_site, looking_down())[0] < 0.05  # measured 0.005
    assert np.argmax(known.residuals_px) == 3
    free = calibrate_by_points(clicked(pixels, points), (1920, 1080))
    assert free.fit.camera.params[0] == pytest.approx(1400.0, rel=0.02)  # measured 0.3 %
    assert np.median(free.residuals_px) < 3.0


def test_too_few_or_contradicting_clicks_are_refused() -> None:
    pixels, points = clicks(6, 1)
    with pytest.raises(InputError, match="7 are needed"):
        calibrate_by_points(clicked(pixels, points), (1920, 1080))
    with pytest.raises(InputError, match="4 are needed"):
        calibrate_by_points(clicked(pixels[:3], points[:3]), (1920, 1080), CAMERA)
    line = np.linspace([0, 5, 0], [0, 25, 0], 8)
    with pytest.raises(DegenerateError):
        calibrate_by_points(clicked(np.full((8, 2), 500.0), line), (1920, 1080), CAMERA)


def test_lenses_to_try() -> None:
    assert len(lenses_to_try(tuple(FAMILIES), 640, 480)) == sum(len(ratios) for _, ratios in FAMILIES.values())
    with pytest.raises(InputError, match="unknown lens 'fish'"):
        lenses_to_try(("fish",), 640, 480)
    with pytest.raises(InputError, match="can't be adjusted"):
        freedom(camera_from_params("FULL_OPENCV", 640, 480, [500.0, 500, 320, 240, *[0.0] * 8]))
    assert freedom(CAMERA, principal_point=False).groups == ((0,), (3,))
