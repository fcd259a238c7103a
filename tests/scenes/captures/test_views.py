"""Where a camera looks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.frames import position_of
from scenes.captures.views import look

ANGLE = st.floats(-np.pi, np.pi)


@given(ANGLE, st.floats(-1.5, 1.5), ANGLE)
def test_the_optical_axis_has_the_yaw_and_pitch_whatever_the_roll(yaw: float, pitch: float, roll: float) -> None:
    pose = look((1.0, -2.0, 3.0), yaw, pitch, roll)
    axis = pose.inverse().rotation.matrix()[:, 2]
    towards = [np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)]
    assert axis == pytest.approx(np.array(towards), abs=1e-9)
    assert position_of(pose) == pytest.approx([1.0, -2.0, 3.0])


def test_without_roll_the_picture_is_upright_and_not_mirrored() -> None:
    rotation = look((0.0, 0.0, 0.0), 0.0).rotation.matrix()
    assert rotation @ [0.0, -1.0, 0.0] == pytest.approx([1.0, 0.0, 0.0])  # what is to the right of the way is right
    assert rotation @ [0.0, 0.0, 1.0] == pytest.approx([0.0, -1.0, 0.0])


def test_roll_turns_the_camera_clockwise_as_the_photographer_sees_it() -> None:
    rotation = look((0.0, 0.0, 0.0), 0.0, 0.0, np.pi / 2).rotation.matrix()
    assert rotation @ [0.0, 0.0, -1.0] == pytest.approx([1.0, 0.0, 0.0])  # its right side now points down
