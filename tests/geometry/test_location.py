import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geometry.errors import InputError
from geometry.floorplan import FloorPlan, Level
from geometry.location import floor_height, lane_path, locate, ramp_height
from tests.geometry.test_floorplan import UPPER, small_plan

PLAN = small_plan()


@pytest.mark.parametrize(
    ("position", "level", "ramp", "zone", "stall", "lane"),
    [
        ((1.0, 2.0, 0.0), 0, -1, 1, 0, -1),
        ((1.0, 2.0, 1.6), 0, -1, 1, 0, -1),
        ((3.0, 2.0, -0.3), 0, -1, 1, 1, -1),
        ((1.0, 2.0, UPPER), 1, -1, -1, 2, -1),
        ((1.0, 2.0, UPPER - 0.4), 1, -1, -1, 2, -1),
        ((25.0, 15.0, 1.0), 0, -1, 0, -1, -1),
        ((12.0, 10.0, 0.4), 0, 0, 1, -1, 1),
        ((28.0, 10.0, 2.8), 1, 0, 0, -1, 1),
        ((28.0, 10.0, 4.2), 1, 0, 0, -1, 1),
        ((28.0, 10.0, 0.2), 0, -1, 0, -1, -1),
        ((35.0, 10.0, UPPER), 1, -1, -1, -1, 2),
        ((1.0, 2.0, -2.0), -1, -1, -1, -1, -1),
        ((1.0, 2.0, 9.0), -1, -1, -1, -1, -1),
        ((50.0, 2.0, 0.0), -1, -1, -1, -1, -1),
        ((np.nan, 2.0, 0.0), -1, -1, -1, -1, -1),
        ((1.0, 2.0, np.nan), -1, -1, -1, -1, -1),
    ],
)
def test_positions_are_located(position: tuple, level: int, ramp: int, zone: int, stall: int, lane: int) -> None:
    found = locate(PLAN, [position])
    assert [int(index[0]) for index in (found.level, found.ramp, found.zone, found.stall)] == [level, ramp, zone, stall]
    if (position[0], position[2]) != (28.0, 0.2):
        assert int(found.lane[0]) == lane


@given(seed=st.integers(0, 2**32 - 1))
def test_many_at_once_are_located_as_one_by_one(seed: int) -> None:
    positions = np.random.default_rng(seed).uniform((-2, -2, -1), (42, 22, 7), (20, 3))
    together = locate(PLAN, positions)
    for field, indices in vars(together).items():
        alone = [int(getattr(locate(PLAN, [position]), field)[0]) for position in positions]
        np.testing.assert_array_equal(indices, alone, err_msg=field)


@given(seed=st.integers(0, 2**32 - 1), height=st.floats(0.0, 2.0))
def test_what_stands_on_a_floor_is_on_its_level(seed: int, height: float) -> None:
    rng = np.random.default_rng(seed)
    level, xy = int(rng.integers(2)), rng.uniform((0, 0), (40, 20), (50, 2))
    floors = floor_height(PLAN, xy, level)
    found = locate(PLAN, np.column_stack([xy, floors + height]))
    expected = np.where(found.ramp >= 0, floors > UPPER / 2, level)
    np.testing.assert_array_equal(found.level, expected)


def test_nothing_is_anywhere_in_an_empty_plan() -> None:
    plan = FloorPlan(levels=())
    assert all((index == -1).all() for index in vars(locate(plan, np.zeros((3, 3)))).values())
    assert all(len(index) == 0 for index in vars(locate(PLAN, np.zeros((0, 3)))).values())
    with pytest.raises(InputError, match=r"\(N, 3\)"):
        locate(PLAN, np.zeros((3, 2)))


def test_a_floor_outdoors_reaches_the_sky() -> None:
    plan = FloorPlan(levels=(Level(id="lot", elevation=0.0, outline=shapely.box(0, 0, 9, 9)),))
    assert locate(plan, [(1, 1, 50.0)]).level[0] == 0


def test_floor_heights_follow_ramps_and_end_with_the_level() -> None:
    xy = [(20, 10), (5, 5), (20, 1), (50, 1)]
    np.testing.assert_allclose(floor_height(PLAN, xy, 0), [UPPER / 2, 0, 0, np.nan])
    np.testing.assert_allclose(floor_height(PLAN, xy, [1, 1, 0, 0]), [UPPER / 2, UPPER, 0, np.nan])


@given(t=st.floats(0, 1), across=st.floats(0, 1))
def test_a_ramp_is_level_across_and_rises_along(t: float, across: float) -> None:
    ramp = PLAN.ramps[0]
    point = (10 + 20 * t, 12 - 4 * across)
    np.testing.assert_allclose(ramp_height(ramp, [point]), [UPPER * t], atol=1e-9)


def test_a_lane_has_the_height_of_what_it_runs_on() -> None:
    path = lane_path(PLAN, PLAN.lanes[1], spacing=5.0)
    np.testing.assert_allclose(path[:, 2], np.linspace(0, UPPER, len(path)), atol=1e-9)
    np.testing.assert_array_equal(lane_path(PLAN, PLAN.lanes[2])[:, 2], UPPER)
