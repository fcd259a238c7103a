"""Boxes measured by a calibrated camera: what is as large as a metre there is a metre."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geometry import project
from geometry.cameras import camera_from_params
from geometry.floorplan import FloorPlan, Level
from geometry.frames import transform_points
from geometry.records import FixedCamera
from perception.detection.floor_below import LEAST_DOWN, MEASURES, FloorBelow, floors_below
from tests.perception.sites import camera_over, looking

SIZE = 640, 480
FLOOR = FloorBelow(camera_over(*SIZE), 0.0)


def box_around(floor: FloorBelow, at: np.ndarray, wide: float, high: float) -> np.ndarray:
    """Return the box (4,) px of an upright board on the floor that faces the camera."""
    camera = floor.camera
    across = np.array([1.0, 0.0, 0.0])
    points = [at + side * wide / 2 * across + up * high * np.array([0, 0, 1.0]) for side in (-1, 1) for up in (0, 1)]
    pixels, _ = project(camera.camera(), transform_points(camera.pose(), np.array(points)))
    return np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])


@given(st.floats(-2, 2), st.floats(-3, 12), st.floats(1.5, 5.0), st.floats(1.0, 2.5))
def test_an_upright_board_is_measured(x: float, y: float, wide: float, high: float) -> None:
    box = box_around(FLOOR, np.array([x, y, 0.0]), wide, high)
    metres_a_pixel, across, up, down, top = FLOOR.measured(box[None], SIZE)[0]
    # Angles times the distance to the foot: what is upright is seen from above, and its far end is further away.
    assert across == pytest.approx(wide, rel=0.25)
    assert 0.4 * high < up < 1.05 * high
    assert metres_a_pixel * (box[2] - box[0]) == pytest.approx(across)
    assert down > top
    distance = np.linalg.norm([x, y + 12.0, 6.0])
    assert down == pytest.approx(6.0 / distance, rel=0.1)


def test_the_floor_is_where_it_is_said_to_be() -> None:
    box = box_around(FLOOR, np.zeros(3), 4.0, 1.5)[None]
    lower = FloorBelow(FLOOR.camera, -6.0)
    np.testing.assert_allclose(lower.measured(box, SIZE)[:, :3], 2 * FLOOR.measured(box, SIZE)[:, :3], rtol=1e-9)


def test_rays_near_the_horizon_meet_the_floor_far_away() -> None:
    flat = FixedCamera.of(
        "flat", camera_from_params("PINHOLE", 640, 480, [640, 640, 320, 240]), looking((0, -12, 2), (0, 0, 2)), level=""
    )
    found = FloorBelow(flat, 0.0).measured(np.array([[300.0, 150, 340, 240], [300, 150, 340, 200]]), SIZE)
    assert np.isfinite(found).all()
    assert (found[:, 1] <= 2.0 / LEAST_DOWN * 0.1).all()


def test_where_a_lens_has_no_rays_nothing_is_measured() -> None:
    fisheye = camera_from_params("OPENCV_FISHEYE", 640, 480, [100.0, 100.0, 320, 240, 0.1, 0.0, 0.0, 0.0])
    camera = FixedCamera.of("wide", fisheye, looking((0, 0, 5), (0.01, 0, 0)), level="")
    found = FloorBelow(camera, 0.0).measured(np.array([[0.0, 0, 8, 6], [300, 200, 340, 240]]), SIZE)
    assert np.isnan(found[0]).any()
    assert np.isfinite(found[1]).all()
    assert FLOOR.measured(np.zeros((0, 4)), SIZE).shape == (0, MEASURES)


def test_smaller_pictures_of_the_same_camera_measure_the_same() -> None:
    box = box_around(FLOOR, np.zeros(3), 4.0, 1.5)[None]
    whole, half = FLOOR.measured(box, SIZE), FLOOR.measured(box / 2, (320, 240))
    np.testing.assert_allclose(half[:, 1:], whole[:, 1:], rtol=1e-9)
    np.testing.assert_allclose(half[:, 0], 2 * whole[:, 0], rtol=1e-9)
    assert np.isnan(FLOOR.measured(box, (640, 360))).all(), "a part of what it was calibrated by"


@pytest.mark.parametrize("elevation", [5.6, 6.0, 30.0])
def test_a_camera_below_its_floor_measures_nothing(elevation: float) -> None:
    box = box_around(FLOOR, np.zeros(3), 4.0, 1.5)[None]
    assert np.isnan(FloorBelow(FLOOR.camera, elevation).measured(box, SIZE)).all()


def test_cameras_of_levels_that_the_plan_has_get_their_floors() -> None:
    outline = shapely.box(0, 0, 9, 9)
    first, second = (Level(id=id, elevation=height, outline=outline) for id, height in (("P1", -3.0), ("P2", 0.0)))
    camera = FLOOR.camera
    elsewhere = camera.model_copy(update={"id": "roof", "level": "R"})
    both = FloorPlan(levels=(first, second))
    assert floors_below(both, [camera, elsewhere]) == {camera.id: FloorBelow(camera, -3.0)}
    one = floors_below(FloorPlan(levels=(first,)), [camera, elsewhere])
    assert one == {camera.id: FloorBelow(camera, -3.0), "roof": FloorBelow(elsewhere, -3.0)}
