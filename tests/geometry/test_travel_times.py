import itertools

import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.errors import InputError
from geometry.floorplan import FloorPlan, Gate, Lane, Level
from geometry.lane_graph import Drive, LanePosition, gate_drives, lane_graph, times_between_drives, travel_time
from geometry.location import floor_height, lane_path, locate
from geometry.plan_approaches import MANOEUVRE_M
from geometry.travel_times import STREET_MPS, TravelTimes
from scenes import floor_plan
from scenes.library import facility
from scenes.traffic import simulate
from tests.geometry.test_floorplan import UPPER, small_plan
from tests.geometry.test_lane_graph import square

GARAGE = floor_plan(facility("garage"))
SMALL = small_plan()


def on_lanes(plan: FloorPlan, rng: np.random.Generator, count: int) -> tuple[np.ndarray, list[LanePosition]]:
    """Draw positions on the middle of lanes."""
    positions, places = np.empty((count, 3)), []
    for row in range(count):
        lane = plan.lanes[int(rng.integers(len(plan.lanes)))]
        path = lane_path(plan, lane)
        along = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1)))
        s = float(rng.uniform(0, along[-1]))
        positions[row] = [np.interp(s, along, path[:, axis]) for axis in range(3)]
        places.append(LanePosition(lane.id, s))
    return positions, places


def on_floors(plan: FloorPlan, rng: np.random.Generator, count: int) -> np.ndarray:
    x0, y0, x1, y1 = shapely.total_bounds([level.outline for level in plan.levels])
    xy, level = rng.uniform((x0, y0), (x1, y1), (count, 2)), rng.integers(0, len(plan.levels), count)
    return np.column_stack([xy, floor_height(plan, xy, level)])


def sampled_time(plan: FloorPlan, start: np.ndarray, end: np.ndarray, spacing: float) -> float:
    """Return the least time from start to end by points on the lanes, ``spacing`` apart: the simple, slow way.

    The points are those on the own floor no further than MANOEUVRE_M beyond the nearest; each pair of them is timed by
    ``travel_time``. It exceeds the least time by what the spacing costs.
    """
    graph = lane_graph(plan)
    ways: list[list[tuple[float, LanePosition]]] = []
    for position in (start, end):
        here = locate(plan, [position])
        legs = []
        for lane in plan.lanes:
            path = lane_path(plan, lane, spacing)
            middle = locate(plan, (path[:-1] + path[1:]) / 2)
            pieces = (middle.level == here.level) & (middle.ramp == here.ramp)
            along = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1)))
            distance = np.linalg.norm((path - position)[:, :2], axis=1)
            for point in np.flatnonzero(np.append(pieces, False) | np.append(False, pieces)):
                legs.append((float(distance[point]), lane.speed_mps, LanePosition(lane.id, float(along[point]))))
        reach = min(leg[0] for leg in legs) + MANOEUVRE_M
        ways.append([(distance / speed, place) for distance, speed, place in legs if distance <= reach])
    return min(a + travel_time(graph, start, end) + b for (a, start), (b, end) in itertools.product(*ways))


def test_times_between_positions_on_lanes_are_never_above_the_exact_ones() -> None:
    rng = np.random.default_rng(1)
    (starts, here), (ends, there) = on_lanes(GARAGE, rng, 300), on_lanes(GARAGE, rng, 300)
    graph = lane_graph(GARAGE)
    exact = np.array([travel_time(graph, a, b) for a, b in zip(here, there, strict=True)])
    found = TravelTimes.of(GARAGE).between(starts, ends)
    assert (found <= exact + 1e-9).all()
    reached = np.isfinite(exact)
    assert np.median(exact[reached] - found[reached]) < 0.2  # 0.07 s of 39, as corners are cut by MANOEUVRE_M


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        ((2, 0), (7, 0), 5.0),
        ((6, 0), (4, 0), 2.0),  # near enough for a straight way back
        ((9.9, 5), (0, 5), 2.5 + 10 + 2.5 + 0.1 / 2 - 0.05),
        ((15, 0), (20, 0), 5 / 3),
    ],
)
def test_times_on_a_loop(start: tuple, end: tuple, seconds: float) -> None:
    found = TravelTimes.of(square()).between([(*start, 0.0)], [(*end, 1.0)])
    np.testing.assert_allclose(found, seconds, atol=0.01)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None)
def test_times_are_those_of_the_simple_way(seed: int) -> None:
    """By lanes on two floors; where both are on one lane the bound is the straight line, and may be lower."""
    rng = np.random.default_rng(seed)
    spacing = 0.5
    starts, ends = on_floors(SMALL, rng, 3), on_floors(SMALL, rng, 3)
    found = TravelTimes.of(SMALL).between(starts, ends)
    for time, start, end in zip(found, starts, ends, strict=True):
        simple = sampled_time(SMALL, start, end, spacing)
        assert time <= simple + 1e-9
        if locate(SMALL, [start]).level != locate(SMALL, [end]).level and np.isfinite(simple):
            assert simple <= time + 2 * 2 * spacing / 2.0  # the spacing at both ends at the least speed


def test_stalls_of_the_garage() -> None:
    """From each stall to each other one: all reach each other, none before the straight line at the top speed."""
    centres = np.array([shapely.centroid(stall.polygon).coords[0] for stall in GARAGE.stalls])
    heights = np.array([3.5 if stall.level == "P2" else 0.0 for stall in GARAGE.stalls])
    positions = np.column_stack([centres, heights])
    first, last = np.divmod(np.arange(len(positions) ** 2), len(positions))
    times = TravelTimes.of(GARAGE)
    found = times.between(positions[first], positions[last])
    straight = np.linalg.norm(centres[first] - centres[last], axis=1)
    assert np.isfinite(found).all()
    top_speed = max(lane.speed_mps for lane in GARAGE.lanes)
    inside = TravelTimes.of(GARAGE.model_copy(update={"gates": ()})).between(positions[first], positions[last])
    assert (found <= inside).all()
    assert (inside >= straight / top_speed - 1e-9).all()
    assert np.isinf(inside).mean() < 0.1  # 0.05: the motorcycles' stalls have only the lanes at the gates
    np.testing.assert_allclose(found[first == last], 0.0, atol=1e-9)
    between_levels = heights[first] != heights[last]
    assert found[between_levels].min() > 26.5 / top_speed
    faster = TravelTimes.of(GARAGE, speeding=1.5).between(positions[first[:500]], positions[last[:500]])
    np.testing.assert_allclose(faster, found[:500] / 1.5)


def test_who_goes_out_by_a_gate_may_come_back_by_another() -> None:
    """The upper floor's lane ends at a gate, so that the lower floor is reached by the street."""
    out = Gate(id="out", level="P2", line=shapely.LineString([(37.5, 8), (37.5, 12)]), direction="out")
    start, end = [(32.0, 10, UPPER)], [(5.0, 10, 0.0)]
    assert np.isinf(TravelTimes.of(SMALL).between(start, end))
    way = TravelTimes.of(small_plan(gates=(*SMALL.gates, out))).between(start, end)
    np.testing.assert_allclose(way, 6 / 3 + 37 / STREET_MPS + 5 / 3, atol=0.01)
    assert gate_drives(SMALL, out, lane_graph(SMALL)) == ([], [Drive("top", True)])
    assert gate_drives(SMALL, SMALL.gates[0], lane_graph(SMALL)) == ([Drive("in", True)], [])


def test_chunks_give_what_single_pairs_give() -> None:
    rng = np.random.default_rng(3)
    starts, ends = on_floors(GARAGE, rng, 70_000), on_floors(GARAGE, rng, 70_000)
    times = TravelTimes.of(GARAGE)
    together, on_foot = times.between(starts, ends), times.on_foot(starts, ends)
    for row in (0, 1, 65_535, 65_536, 69_999):
        np.testing.assert_array_equal(times.between(starts[[row]], ends[[row]]), together[[row]])
        np.testing.assert_allclose(times.on_foot(starts[[row]], ends[[row]]), on_foot[[row]])


def test_where_there_is_no_way_or_no_floor() -> None:
    times = TravelTimes.of(SMALL)
    starts = [(35.0, 15, UPPER), (5.0, 15, 0.0), (np.nan, 5, 0.0), (5.0, 5, 0.0), (5, 5, 99)]
    ends = [(5.0, 15, 0.0), (35.0, 15, UPPER), (5.0, 5, 0.0), (-50.0, 5, 0.0), (5, 5, 0)]
    np.testing.assert_array_equal(np.isinf(times.between(starts, ends)), [True, False, False, False, False])
    np.testing.assert_array_equal(np.isnan(times.between(starts, ends)), [False, False, True, True, True])
    np.testing.assert_array_equal(np.isnan(times.on_foot(starts, ends)), [False, False, True, True, True])
    assert times.between(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)
    without = TravelTimes.of(small_plan(lanes=(), ramps=()))
    np.testing.assert_array_equal(without.between(starts[:2], ends[:2]), np.inf)
    np.testing.assert_array_equal(without.on_foot(starts[:2], ends[:2]), np.inf)
    assert np.isnan(TravelTimes.of(FloorPlan(levels=())).between(starts, ends)).all()


def test_what_is_not_positions_or_factors_is_refused() -> None:
    with pytest.raises(InputError, match=r"\(N, 3\)"):
        TravelTimes.of(SMALL).between(np.zeros((2, 3)), np.zeros((3, 3)))
    for wrong in ({"speeding": 0.0}, {"speeding": np.nan}, {"walking_mps": -1.0}):
        with pytest.raises(InputError, match="positive"):
            TravelTimes.of(SMALL, **wrong)


@pytest.mark.parametrize("oneway", [True, False])
def test_the_table_between_drives_holds_the_exact_times(oneway: bool) -> None:
    graph = lane_graph(square(oneway=oneway))
    table = times_between_drives(graph)
    for (i, first), (j, last) in itertools.product(enumerate(graph), enumerate(graph)):
        start, end = graph.nodes[first]["travel_time"], graph.nodes[last]["travel_time"]
        expected = min(
            (nx.dijkstra_path_length(graph, following, last)
             for following in graph.successors(first) if nx.has_path(graph, following, last)),
            default=np.inf,
        )  # fmt: skip
        assert table[i, j] == pytest.approx(expected), (first, last, start, end)
    assert times_between_drives(nx.DiGraph()).shape == (0, 0)
    assert Drive("a") in graph


def test_too_many_lanes_to_tabulate_are_refused() -> None:
    lanes = tuple(
        Lane(id=str(i), level="L", line=shapely.LineString([(i, 0), (i, 1)]), oneway=False) for i in range(2001)
    )
    plan = FloorPlan(levels=(Level(id="L", elevation=0.0, outline=shapely.box(0, 0, 2001, 1)),), lanes=lanes)
    with pytest.raises(InputError, match="4002 directions of lanes"):
        TravelTimes.of(plan)


def test_nobody_in_simulated_traffic_is_faster() -> None:
    """Vehicles brake into slower lanes instead of before them, hence 5 %; people walk at 1.6 m/s at most."""
    episode = simulate(facility("garage"), GARAGE, np.random.default_rng(7), seconds=40.0, step=0.2)
    rng = np.random.default_rng(7)
    present, position = episode.states.present, episode.states.position
    seen: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for index in np.flatnonzero(~episode.is_static & present.any(axis=0)):
        rows = np.flatnonzero(present[:, index])
        first, last = np.sort(rng.choice(rows, (500, 2)), axis=1).T
        elapsed = np.tile((episode.times[last] - episode.times[first])[:, None], 3)
        both = np.stack([position[first, index], position[last, index], elapsed])
        seen[episode.objects[index].kind == "person"].append(both)
    for on_foot, times in (
        (False, TravelTimes.of(GARAGE, speeding=1.05).between),
        (True, TravelTimes.of(GARAGE, walking_mps=1.6).on_foot),
    ):
        starts, ends, elapsed = np.concatenate(seen[on_foot], axis=1)
        found = times(starts, ends)
        known = ~np.isnan(found)  # vehicles come from and vanish beyond the outline
        assert known.mean() > 0.75  # 0.85 and 1.0
        assert (found <= elapsed[:, 0] + 1e-6)[known].all()
        tight = found[known] / np.maximum(elapsed[known, 0], 1e-9)
        assert np.percentile(tight, 90) > 0.7  # 0.93 and 0.85: the bound is worth something
