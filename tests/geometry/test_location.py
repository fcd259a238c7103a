import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from geometry.errors import InputError
from geometry.floorplan import KINDS, FloorPlan, Level, Stall, Zone
from geometry.location import MANY_POSITIONS, Locator, floor_height, lane_path, locate, ramp_height
from scenes import floor_plan
from scenes.library import facility
from tests.geometry.plain_location import locate_plainly
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
    together, alone = locate(PLAN, positions), [locate(PLAN, [position]) for position in positions]
    for field, indices in vars(together).items():
        one_by_one = [int(getattr(each, field)[0]) for each in alone]
        np.testing.assert_array_equal(indices, one_by_one, err_msg=field)


def positions_in(plan: FloorPlan, rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw positions all over a plan and around it, some of them exactly on corners and edges, some on floors."""
    x0, y0, x1, y1 = shapely.total_bounds([level.outline for level in plan.levels])
    top = max(level.elevation for level in plan.levels) + 4.0
    positions = rng.uniform((x0 - 2, y0 - 2, -1.5), (x1 + 2, y1 + 2, top), (count, 3))
    shapes = [element.polygon for kind in (plan.stalls, plan.zones, plan.ramps) for element in kind]
    corners = shapely.get_coordinates([shape.boundary for shape in shapes])
    positions[::5, :2] = rng.choice(corners, len(positions[::5]))
    positions[1::5, 0] = rng.choice(corners[:, 0], len(positions[1::5]))
    positions[2::5, 2] = rng.choice([level.elevation for level in plan.levels], len(positions[2::5]))
    return positions


def assert_located_plainly(plan: FloorPlan, positions: np.ndarray) -> None:
    found, expected = locate(plan, positions), locate_plainly(plan, positions)
    for field, indices in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, field), indices, err_msg=field)


def test_many_positions_in_the_garage_are_located_exactly() -> None:
    plan = floor_plan(facility("garage"))
    positions = positions_in(plan, np.random.default_rng(7), 135_000)  # more than a chunk
    assert_located_plainly(plan, positions)
    assert_located_plainly(plan, positions[: MANY_POSITIONS // 2])


@given(seed=st.integers(0, 2**32 - 1), turn=st.floats(0, 90), far=st.sampled_from([0.0, 5e5]))
@settings(max_examples=15)
def test_many_positions_are_located_exactly(seed: int, turn: float, far: float) -> None:
    """Stalls turned and overlapping, zones in zones and with a hole, and a site far from its origin."""
    rng = np.random.default_rng(seed)
    hole = shapely.Polygon(shapely.box(0, 0, 40, 20).exterior, [shapely.box(5, 5, 9, 9).exterior.coords])
    zones = (Zone(id="holed", level="P2", polygon=hole), *PLAN.zones)
    corners = rng.uniform((5, 5), (34, 14), (12, 2))
    stalls = tuple(
        Stall(id=str(i), level=("P1", "P2")[i % 2], polygon=affinity.rotate(shapely.box(x, y, x + 2.5, y + 4), turn))
        for i, (x, y) in enumerate(corners.tolist())
    )
    plan = moved(small_plan(zones=zones, stalls=stalls), far)
    assert_located_plainly(plan, positions_in(plan, rng, MANY_POSITIONS))


def moved(plan: FloorPlan, far: float) -> FloorPlan:
    """Return a plan without signs, moved along x."""
    fields = {}
    for kind in KINDS:
        field = {"levels": "outline", "lanes": "line", "walls": "line", "gates": "line"}.get(kind, "polygon")
        fields[kind] = tuple(
            element.model_copy(update={field: affinity.translate(getattr(element, field), far)})
            for element in (getattr(plan, kind) if kind != "signs" else ())
        )
    return FloorPlan(**fields)


def test_a_locator_answers_again_and_again() -> None:
    locator = Locator(PLAN)
    few, many = [(1.0, 2.0, 0.0), (np.nan, 2.0, 0.0)], np.tile([(1.0, 2.0, UPPER), (np.inf, 2.0, 0.0)], (15_000, 1))
    for _ in range(2):
        np.testing.assert_array_equal(locator.locate(few).stall, [0, -1])
        np.testing.assert_array_equal(locator.locate(many).stall, np.tile([2, -1], 15_000))


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
