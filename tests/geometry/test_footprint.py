import numpy as np
import pycolmap
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geometry import camera_from_params, ground_footprint, pose_from_matrix

LENS = camera_from_params("PINHOLE", 640, 480, [500.0, 500.0, 320.0, 240.0])


def mounted(tilt: float, height: float = 3.0, turn: float = 0.0) -> pycolmap.Rigid3d:
    """A camera above the origin that looks along +y, turned, and down by ``tilt`` radians."""
    forward = np.array([np.sin(turn) * np.cos(tilt), np.cos(turn) * np.cos(tilt), -np.sin(tilt)])
    right = np.array([np.cos(turn), -np.sin(turn), 0.0])
    rotation = np.stack([right, np.cross(forward, right), forward])
    return pose_from_matrix(rotation, -rotation @ [0.0, 0.0, height])


@given(tilt=st.floats(0.6, 1.2), turn=st.floats(-3.0, 3.0), u=st.floats(5.0, 635.0), v=st.floats(5.0, 475.0))
def test_a_floor_point_is_inside_where_its_pixel_is(tilt: float, turn: float, u: float, v: float) -> None:
    pose = mounted(tilt, turn=turn)
    ray = pose.rotation.matrix().T @ [*LENS.cam_from_img(np.array([[u, v]]))[0], 1.0]
    point = ray * (3.0 / -ray[2])
    shown = ground_footprint(LENS, pose, 0.0, reach_m=1000.0)
    assert shown is not None
    assert shown.buffer(1e-6).contains(shapely.Point(point[:2]))


def test_straight_down_is_a_rectangle_of_the_lens() -> None:
    rotation = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])
    shown = ground_footprint(LENS, pose_from_matrix(rotation, -rotation @ [1.0, 2.0, 5.0]), 0.0)
    assert shown is not None
    assert shown.bounds == pytest.approx((1 - 3.2, 2 - 2.4, 1 + 3.2, 2 + 2.4))
    assert shown.area == pytest.approx(6.4 * 4.8)


def test_above_the_horizon_it_ends_at_the_reach() -> None:
    shown = ground_footprint(LENS, mounted(0.1), 0.0, reach_m=25.0)
    assert shown is not None
    away = np.linalg.norm(np.array(shown.exterior.coords), axis=1)
    assert away.max() == pytest.approx(25.0)


def test_a_camera_below_the_floor_sees_none_of_it() -> None:
    assert ground_footprint(LENS, mounted(0.5), 4.0) is None


def test_corners_without_rays_are_left_out() -> None:
    fisheye = camera_from_params("OPENCV_FISHEYE", 640, 480, [150.0, 150.0, 320.0, 240.0, 0.0, 0.0, 0.0, 0.0])
    shown = ground_footprint(fisheye, mounted(1.0), 0.0)
    assert shown is not None
    assert shown.is_valid
    assert shown.area > 50.0
