import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry import camera_from_params, pose_from_matrix
from geometry.box_views import ROWS, SIDES, UNKNOWN_PX, CameraModel, box_planes

DOWN = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])
POSE = pose_from_matrix(DOWN, -DOWN @ np.array([0.0, 0.0, 3.0]))
FISHEYE = CameraModel.at(
    "fisheye", camera_from_params("OPENCV_FISHEYE", 640, 480, [225.0, 225, 320, 240, 0, 0, 0, 0]), POSE
)
PINHOLE = CameraModel.at("pinhole", camera_from_params("PINHOLE", 640, 480, [400.0, 400, 320, 240]), POSE)
NO_FOOT = np.full((1, 2), np.nan)


def planes(camera, box, foot=NO_FOOT, sigma=2.0):
    return box_planes(camera, np.array([box], dtype=np.float64), foot, np.full((1, ROWS), sigma))


def test_only_a_lens_whose_corners_have_no_rays_is_wide():
    assert FISHEYE.is_wide
    assert not PINHOLE.is_wide


def test_pixels_beyond_a_right_angle_have_no_ray():
    beyond = np.array([[630.0, 470.0], [616.0, 460.0]])
    assert np.isnan(FISHEYE.rays(beyond)).all()  # COLMAP answers with rays 59 degrees off the axis
    assert np.isfinite(FISHEYE.rays(np.array([[320.0, 10.0], [500.0, 300.0]]))).all()


def test_sides_that_the_edge_of_view_may_have_made_say_nothing():
    found = planes(FISHEYE, [588, 420, 618, 462])
    assert (found.sigma_px >= UNKNOWN_PX).all()
    assert np.isfinite(found.normals).all()
    assert np.linalg.norm(found.middle[0]) == pytest.approx(1.0)
    inner = planes(FISHEYE, [400, 200, 480, 300])
    assert (inner.sigma_px[0, :SIDES] == 2.0).all()


def test_a_box_wholly_beyond_the_edge_is_unknown_and_finite():
    found = planes(FISHEYE, [630, 470, 636, 476])
    assert (found.sigma_px >= UNKNOWN_PX).all()
    assert np.isfinite(found.middle).all()


@given(
    st.floats(30, 500), st.floats(30, 380), st.floats(4, 80), st.floats(4, 80), st.sampled_from(["fisheye", "pinhole"])
)
@settings(max_examples=60, deadline=None)
def test_normals_point_out_of_the_box_and_sides_lie_in_their_planes(x, y, wide, high, name):
    camera = FISHEYE if name == "fisheye" else PINHOLE
    box = [x, y, x + wide, y + high]
    found = planes(camera, box)
    known = found.sigma_px[0, :SIDES] < UNKNOWN_PX
    corners = np.array([[x, y], [x + wide, y], [x + wide, y + high], [x, y + high]])
    for ends in (corners[[0, 0, 1, 3]], corners[[3, 1, 2, 2]]):  # of left, top, right, bottom
        across = np.einsum("mi,mi->m", found.normals[0, :SIDES], camera.rays(ends)) / found.rad_per_px[0, :SIDES]
        assert (np.abs(across[known]) < 1e-6).all()
    assert (found.normals[0, :SIDES][known] @ found.middle[0] < 0).all()


def test_no_boxes():
    found = box_planes(PINHOLE, np.zeros((0, 4)), np.zeros((0, 2)), np.zeros((0, ROWS)))
    assert found.normals.shape == (0, ROWS, 3)
