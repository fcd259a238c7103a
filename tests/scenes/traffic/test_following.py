"""Speed control: the laws of the Intelligent Driver Model, and limits that can be kept."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scenes.traffic.following import DriverModel, foreseen_limits, idm_acceleration, stopping_speed

DRIVER = DriverModel()


@given(st.floats(0, 10), st.floats(0.5, 10), st.floats(0.1, 50), st.floats(0, 10))
def test_acceleration_is_bounded_and_grows_with_the_gap(speed, desired, gap, leader):
    near, far = (idm_acceleration(DRIVER, speed, desired, g, leader) for g in (gap, 2 * gap))
    assert -DRIVER.hardest <= near <= far <= DRIVER.acceleration


def test_a_platoon_comes_to_rest_behind_a_wall_without_touching():
    position, speed = np.array([0.0, -8.0, -16.0]), np.full(3, 4.0)
    for _ in range(600):
        gaps = np.concatenate([[20.0 - position[0]], position[:-1] - position[1:] - 4.5])
        leaders = np.concatenate([[0.0], speed[:-1]])
        push = [idm_acceleration(DRIVER, *row) for row in zip(speed, np.full(3, 4.0), gaps, leaders, strict=True)]
        speed = np.maximum(0, speed + 0.1 * np.array(push))
        position = position + 0.1 * speed
        assert gaps.min() > 0.5
    assert speed.max() < 0.05


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=60))
def test_foreseen_limits_are_lower_and_can_be_kept(limits):
    foreseen = foreseen_limits(limits, 0.1, 1.5)
    assert np.all(foreseen <= np.array(limits) + 1e-9)
    assert np.all(foreseen[:-1] ** 2 - foreseen[1:] ** 2 <= 2 * 1.5 * 0.1 + 1e-9)


def test_stopping_speed_is_zero_at_and_beyond_the_point():
    assert stopping_speed(DRIVER, 0.0) == stopping_speed(DRIVER, -1.0) == 0.0
