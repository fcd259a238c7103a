import itertools

import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geometry.errors import InputError
from geometry.floorplan import FloorPlan, Lane, Level
from geometry.lane_graph import Drive, LanePosition, lane_graph, pieces, travel_time
from tests.geometry.test_floorplan import UPPER, small_plan


def square(**changes: bool) -> FloorPlan:
    """Return a one-way loop a, b, c, d of 10 m sides, driven at 1, 2, 1 and 2 m/s, and a spur off its second corner."""
    corners = [(0, 0), (10, 0), (10, 10), (0, 10), (0, 0)]
    lines = [shapely.LineString(pair) for pair in itertools.pairwise(corners)]
    after = {"a": ("b", "spur"), "b": ("c",), "c": ("d",), "d": ("a",)}
    lanes = [
        Lane(id=id, level="L", line=line, speed_mps=1.0 + index % 2, to=after[id], **changes)
        for index, (id, line) in enumerate(zip("abcd", lines, strict=True))
    ]
    spur = Lane(id="spur", level="L", line=shapely.LineString([(10, 0), (20, 0)]), oneway=False)
    level = Level(id="L", elevation=0.0, outline=shapely.box(-5, -5, 25, 25))
    return FloorPlan(levels=(level,), lanes=(*lanes, spur))


def test_ramps_are_as_long_as_their_slope() -> None:
    graph = lane_graph(small_plan())
    node = graph.nodes[Drive("up")]
    np.testing.assert_allclose(node["length"], np.hypot(20, UPPER))
    np.testing.assert_allclose(node["travel_time"], np.hypot(20, UPPER) / 2.0)
    total = travel_time(graph, LanePosition("in", 4.0), LanePosition("top", 3.0))
    np.testing.assert_allclose(total, 6 / 3 + np.hypot(20, UPPER) / 2 + 3 / 3)


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        (("a", 2), ("a", 7), 5.0),
        (("a", 7), ("a", 2), 3 + 5 + 10 + 5 + 2),
        (("a", 5), ("b", 4), 5 + 2),
        (("d", 0), ("spur", 6), 5 + 10 + 2),
        (("spur", 6), ("spur", 3), 1.0),
        (("spur", 0), ("a", 0), np.inf),
    ],
)
def test_travel_times_around_a_one_way_loop(start: tuple, end: tuple, seconds: float) -> None:
    graph = lane_graph(square())
    assert travel_time(graph, LanePosition(*start), LanePosition(*end)) == pytest.approx(seconds)


def test_lanes_of_two_directions_are_driven_back() -> None:
    graph = lane_graph(square(oneway=False))
    assert travel_time(graph, LanePosition("a", 7), LanePosition("a", 2)) == pytest.approx(5)
    assert travel_time(graph, LanePosition("a", 1), LanePosition("d", 9)) == pytest.approx(1 + 0.5)
    assert travel_time(graph, LanePosition("spur", 4), LanePosition("a", 8)) == pytest.approx(4 / 3 + 2)


@given(places=st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 10)), min_size=3, max_size=3))
def test_no_detour_is_shorter(places: list[tuple[str, float]]) -> None:
    graph = lane_graph(square())
    a, b, c = (LanePosition(*place) for place in places)
    assert travel_time(graph, a, c) <= travel_time(graph, a, b) + travel_time(graph, b, c) + 1e-9
    assert travel_time(graph, a, a) == 0


def test_pieces_are_reported() -> None:
    plan = square()
    assert pieces(lane_graph(plan)) == [{"a", "b", "c", "d", "spur"}]
    lonely = Lane(id="e", level="L", line=shapely.LineString([(0, 20), (5, 20)]))
    assert pieces(lane_graph(plan.model_copy(update={"lanes": (*plan.lanes, lonely)})))[1:] == [{"e"}]
    assert nx.is_empty(lane_graph(FloorPlan(levels=plan.levels)))


def test_an_unknown_lane_is_named() -> None:
    with pytest.raises(InputError, match=r"there is no lane 'spurr' in the graph\. Did you mean 'spur'"):
        travel_time(lane_graph(square()), LanePosition("spurr", 0), LanePosition("a", 0))
