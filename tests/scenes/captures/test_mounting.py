import numpy as np
import pytest

from geometry import pose_error, position_of
from geometry.errors import InputError
from scenes.captures.mounting import mounted_cameras
from scenes.facility import Facility, FixedCamera, Level
from scenes.library import facility


def site(**fields):
    values = {"id": "c", "level": "U", "at": (1.0, 2.0), "height": 3.0, "yaw_deg": 90.0, "pitch_deg": -45.0}
    lens = {"model": "PINHOLE", "params": (500.0, 500.0, 320.0, 240.0)}
    level = Level(id="U", elevation=4.0, outline=((0, 0), (9, 0), (9, 9), (0, 9)))
    return Facility(name="site", levels=(level,), cameras=(FixedCamera(**{**values, **lens, **fields}),))


def pixel(camera, point):
    return camera.camera().img_from_cam(camera.pose() * np.array([point]))[0]


def test_a_camera_looks_where_its_angles_say():
    (camera,) = mounted_cameras(site()).true
    np.testing.assert_allclose(position_of(camera.pose()), [1.0, 2.0, 7.0])
    np.testing.assert_allclose(pixel(camera, (1.0, 5.0, 4.0)), [320.0, 240.0], atol=1e-6)
    assert pixel(camera, (2.0, 5.0, 4.0))[0] > 320.0  # looking along +y, +x is on the right
    assert pixel(camera, (1.0, 4.0, 4.0))[1] > 240.0  # nearer ground is lower


def test_a_rolled_camera_sees_the_world_turn_the_other_way():
    (camera,) = mounted_cameras(site(roll_deg=10.0)).true
    assert pixel(camera, (2.0, 5.0, 4.0))[1] < 240.0


def test_only_the_truth_knows_the_clocks():
    cameras = mounted_cameras(site(clock_offset_s=1.5, clock_drift_ppm=-20.0), clock_epoch=100.0)
    assert (cameras.installed[0].clock_offset_s, cameras.installed[0].clock_drift_ppm) == (0.0, 0.0)
    true = cameras.true[0]
    assert (true.clock_offset_s, true.clock_drift_ppm, true.clock_epoch) == (1.5, -20.0, 100.0)


@pytest.mark.parametrize(("name", "moved"), [("garage", set()), ("garage-bumped", {"cam2", "cam3", "cam5"})])
def test_cameras_hang_as_installed_unless_they_were_bumped(name, moved):
    installed, true = mounted_cameras(facility(name))
    away = {a.id for a, b in zip(installed, true, strict=True) if max(pose_error(a.pose(), b.pose())) > 1e-9}
    assert away == moved


def test_a_lens_that_is_none_is_refused_by_name():
    with pytest.raises(InputError, match="camera 'c'"):
        mounted_cameras(site(params=(500.0,)))
