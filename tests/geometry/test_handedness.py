"""A mirrored world is noticed and put right without moving a pixel."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry import InputError
from geometry.handedness import MIRROR_Y, is_left_handed, right_handed


def test_a_mirrored_world_is_put_right() -> None:
    rng = np.random.default_rng(0)
    rotation, translation = Rotation.random(random_state=1).as_matrix(), rng.normal(0, 3, 3)
    in_cam = rng.uniform([-2, -2, 3], [2, 2, 12], (50, 3))
    points = (in_cam - translation) @ rotation
    assert not is_left_handed(rotation, translation, points)
    mirrored, offset = right_handed(rotation, translation)
    assert np.linalg.det(mirrored) == pytest.approx(1.0)
    other = points @ MIRROR_Y
    assert is_left_handed(mirrored, offset, other)
    seen = other @ mirrored.T + offset
    np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], in_cam[:, :2] / in_cam[:, 2:], atol=1e-9)
    again, back = right_handed(mirrored, offset)
    np.testing.assert_allclose(again, rotation, atol=1e-12)
    np.testing.assert_allclose(back, translation, atol=1e-12)


def test_points_on_both_sides_are_no_hand() -> None:
    with pytest.raises(InputError, match="behind the camera"):
        is_left_handed(np.eye(3), np.zeros(3), [[0, 0, 1], [0, 0, -1]])
    with pytest.raises(InputError, match="needed"):
        is_left_handed(np.eye(3), np.zeros(3), np.empty((0, 3)))
