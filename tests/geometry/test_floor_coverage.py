"""Pixels a metre on a floor, against what the picture itself shows."""

import numpy as np
import pycolmap

from geometry import camera_from_params
from geometry.floor_coverage import pixels_per_metre
from geometry.frames import transform_points

CAMERA = camera_from_params("PINHOLE", 640, 480, [400.0, 400.0, 320.0, 240.0])


def above(height: float) -> pycolmap.Rigid3d:
    """A camera that looks straight down."""
    rotation = np.diag([1.0, -1.0, -1.0])
    return pycolmap.Rigid3d(np.column_stack([rotation, -rotation @ [0, 0, height]]))


def test_straight_down_it_is_focal_length_over_height() -> None:
    found = pixels_per_metre(CAMERA, above(4.0), [[0, 0, 0], [1, 1, 0], [10, 0, 0]])
    np.testing.assert_allclose(found, [100.0, 100.0, 0.0])


def test_the_worst_direction_counts() -> None:
    tilt = np.radians(70.0)
    rotation = np.array([[1, 0, 0], [0, -np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), -np.cos(tilt)]])
    pose = pycolmap.Rigid3d(np.column_stack([rotation, -rotation @ [0, 0, 3.0]]))
    ahead = np.array([0.0, 8.0, 0.0])
    pixels = [CAMERA.img_from_cam(transform_points(pose, ahead + step)) for step in ([0, -0.05, 0], [0, 0.05, 0])]
    along = np.linalg.norm(np.array(pixels[1]) - pixels[0]) / 0.1
    found = pixels_per_metre(CAMERA, pose, ahead[None])
    assert found[0] < 400 / 8.5
    np.testing.assert_allclose(found[0], along, rtol=1e-3)


def test_what_is_behind_is_not_shown() -> None:
    assert pixels_per_metre(CAMERA, above(-1.0), [[0, 0, 0]])[0] == 0.0
    assert len(pixels_per_metre(CAMERA, above(1.0), np.empty((0, 3)))) == 0
