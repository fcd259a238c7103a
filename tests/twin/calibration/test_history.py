"""A camera's calibrations over time, and ground points that were lifted under a pose that no longer held."""

import numpy as np
import pycolmap
import pytest

from geometry import FixedCamera, InputError, camera_from_params, perturb, pose_from_position, project, transform_points
from twin.calibration.answer import CameraCalibration
from twin.calibration.history import at_time, calibrations, merged, relifted, with_calibration

CAMERA = camera_from_params("SIMPLE_RADIAL", 640, 480, [360.0, 320.0, 240.0, -0.1])
POSE = pose_from_position([1.0, 2.0, 3.0], [-0.82, 0.1, 0.05, 0.56])


def answer(pose: pycolmap.Rigid3d) -> CameraCalibration:
    return CameraCalibration(
        id="cam1", status="ok", camera=CAMERA, cam_from_site=pose, covariance=1e-6 * np.eye(6), method="localizer"
    )


def test_every_calibration_is_kept_with_its_time() -> None:
    installed = FixedCamera.of("cam1", CAMERA, POSE, level="P1", clock_offset_s=0.25, meta={"mount": "pole"})
    moved = perturb(POSE, [0, 0.02, 0, 0, 0, 0.05])
    first = with_calibration(installed, answer(POSE), since=100.0, calibrated=120.0)
    second = with_calibration(first, answer(moved), since=200.0, calibrated=230.0)
    assert FixedCamera.model_validate_json(second.model_dump_json()) == second
    assert [each.since for each in calibrations(second)] == [0.0, 100.0, 200.0]
    assert (second.clock_offset_s, second.level, second.meta) == (0.25, "P1", {"mount": "pole"})
    for time, pose in ((50.0, POSE), (150.0, POSE), (250.0, moved)):
        np.testing.assert_allclose(at_time(second, time).cam_from_site.matrix(), pose.matrix(), atol=1e-9)
    with pytest.raises(InputError, match="was not calibrated: dark"):
        with_calibration(None, CameraCalibration(id="x", status="refused", reason="dark"), since=0.0, calibrated=0.0)
    broken = second.model_copy(update={"history": ({"since": 1.0},)})
    with pytest.raises(InputError, match=r"history\[0\]"):
        calibrations(broken)


def test_points_are_lifted_again() -> None:
    moved = perturb(POSE, [0.01, 0.03, -0.01, 0.02, 0, 0.05])
    rng = np.random.default_rng(0)
    true = np.column_stack([rng.uniform(-20, 20, (400, 2)), np.zeros(400)])
    pixels, valid = project(CAMERA, transform_points(moved, true))
    true = true[valid & (pixels > 0).all(axis=1) & (pixels < (640, 480)).all(axis=1)]
    assert len(true) > 10
    installed = FixedCamera.of("cam1", CAMERA, POSE, level="")
    entry = with_calibration(installed, answer(moved), since=10.0, calibrated=11.0)
    right, wrong = at_time(entry, 20.0), at_time(entry, 0.0)
    lifted_wrongly = relifted(true, right, wrong, floor_z=0.0)
    shown = np.isfinite(lifted_wrongly).all(axis=1)
    assert np.linalg.norm(lifted_wrongly[shown] - true[shown], axis=1).mean() > 0.1
    again = relifted(lifted_wrongly[shown], wrong, right, floor_z=0.0)
    np.testing.assert_allclose(again, true[shown], atol=1e-6)


def test_entries_are_replaced_by_id() -> None:
    a, b = (FixedCamera.of(id, CAMERA, POSE, level="") for id in ("a", "b"))
    new = a.model_copy(update={"level": "P2"})
    assert [(c.id, c.level) for c in merged([a, b], [new, FixedCamera.of("c", CAMERA, POSE, level="")])] == [
        ("a", "P2"),
        ("b", ""),
        ("c", ""),
    ]
