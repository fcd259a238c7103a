import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.errors import InputError
from geometry.floorplan import FloorPlan, Level, Ramp, Zone
from geometry.location import ramp_height
from geometry.plan_walking import MAX_PASSAGES, STEP_M, WALKING_MPS, Footways
from geometry.travel_times import TravelTimes
from tests.geometry.test_floorplan import UPPER, small_plan

PLAN = small_plan()
STEEPNESS = UPPER / 20


def length(path: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def test_on_one_floor_it_is_the_straight_line() -> None:
    found = TravelTimes.of(PLAN).on_foot([(0, 0, 0.0), (35, 1, UPPER)], [(3, 4, 1.5), (35, 15, UPPER + 1)])
    np.testing.assert_allclose(found, np.array([5.0, 14.0]) / WALKING_MPS)


@given(seed=st.integers(0, 2**32 - 1), rising=st.booleans())
@settings(max_examples=60)
def test_no_way_over_the_ramp_is_shorter(seed: int, rising: bool) -> None:
    """Random ways from the lower floor onto the ramp, at its foot or its side, along it and off at its head."""
    rng = np.random.default_rng(seed)
    on, off = rng.uniform(0, STEP_M / STEEPNESS), rng.uniform(20 - STEP_M / STEEPNESS, 20)
    along = np.sort(np.concatenate([[on, off], rng.uniform(on, off, 3)]))
    over = np.column_stack([10 + along, rng.uniform(8, 12, 5), np.zeros(5)])
    over[:, 2] = ramp_height(PLAN.ramps[0], over[:, :2])
    start, end = np.append(rng.uniform((0, 0), (9, 20)), 0.0), np.append(rng.uniform((31, 0), (40, 20)), UPPER)
    stepped = [np.append(over[0, :2], 0.0), *over, np.append(over[-1, :2], UPPER)]
    path = np.array([start, *stepped, end])
    walked = length(path) - (over[0, 2] + UPPER - over[-1, 2])  # a step up or down costs nothing
    ends = (start, end) if rising else (end, start)
    found = TravelTimes.of(PLAN).on_foot([ends[0]], [ends[1]])[0] * WALKING_MPS
    assert np.linalg.norm(start - end) - 1e-9 <= found <= walked + 1e-9
    midway = over[2]
    part = TravelTimes.of(PLAN).on_foot([start], [midway])[0] * WALKING_MPS
    assert part <= length(path[:5]) + 1e-9


def test_one_has_to_go_to_the_ramp() -> None:
    """Two places over one another: to the foot's region and from the head's region, and what lies between."""
    found = TravelTimes.of(PLAN).on_foot([(1.0, 10, 0)], [(1.0, 10, UPPER)])[0] * WALKING_MPS
    region = STEP_M / STEEPNESS
    expected = 9 + np.hypot(20 - 2 * region, UPPER - 2 * STEP_M) + (30 - region - 1)
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_stairs_in_the_plan_are_used() -> None:
    stairs = tuple(
        Zone(id=f"{level}-s", level=level, polygon=shapely.box(1, 17, 3, 19), name="Stairs north")
        for level in ("P1", "P2")
    )
    plan = small_plan(zones=(*PLAN.zones, *stairs))
    found = TravelTimes.of(plan).on_foot([(1.0, 10, 0)], [(1.0, 10, UPPER)])[0] * WALKING_MPS
    np.testing.assert_allclose(found, 7 + UPPER + 7)
    lifts = tuple(zone.model_copy(update={"name": "Lift"}) for zone in stairs)
    by_lift = TravelTimes.of(small_plan(zones=lifts)).on_foot([(1.0, 10, 0)], [(1.0, 10, UPPER)])[0] * WALKING_MPS
    np.testing.assert_allclose(by_lift, 14.0)
    apart = (stairs[0], stairs[1].model_copy(update={"polygon": shapely.box(30, 17, 32, 19)}))
    far = TravelTimes.of(small_plan(zones=apart)).on_foot([(1.0, 10, 0)], [(1.0, 10, UPPER)])
    np.testing.assert_allclose(far, TravelTimes.of(PLAN).on_foot([(1.0, 10, 0)], [(1.0, 10, UPPER)]))


@given(corner=st.tuples(st.floats(-4, 4), st.floats(-4, 4)), height=st.floats(1.5, 6))
def test_the_region_to_step_on_is_where_the_ramp_is_low(corner: tuple[float, float], height: float) -> None:
    """Ramps that widen or narrow: inside of the region the surface is within a step of the floor, beyond it is not."""
    quadrilateral = shapely.Polygon([(0, 5), (0, 0), (20, 0), (20 + corner[0], 6 + corner[1])])
    levels = tuple(
        Level(id=id, elevation=z, outline=shapely.box(-9, -9, 40, 40)) for id, z in (("A", 0.0), ("B", height))
    )
    ramp = Ramp(**{"from": "A", "to": "B"}, id="r", polygon=quadrilateral, profile=((0.0, 0.0), (20.0, height)))
    low, high = (passage.region for passage in Footways(FloorPlan(levels=levels, ramps=(ramp,))).passages)
    grid = np.stack(np.meshgrid(np.linspace(0, 24, 60), np.linspace(0, 10, 40)), axis=-1).reshape(-1, 2)
    grid = grid[shapely.contains_xy(quadrilateral, grid)]
    z = ramp_height(ramp, grid)
    for region, floor in ((low, 0.0), (high, height)):
        inside = shapely.contains_xy(region.buffer(0.05), grid)
        assert inside[np.abs(z - floor) <= STEP_M].all()
        assert not inside[np.abs(z - floor) > STEP_M + 0.1 * height].any()


def test_too_many_ramps_to_tabulate_are_refused() -> None:
    ramps = tuple(PLAN.ramps[0].model_copy(update={"id": str(i)}) for i in range(MAX_PASSAGES // 2 + 1))
    with pytest.raises(InputError, match="ends of ramps"):
        Footways(small_plan(ramps=ramps, signs=()))
