import itertools

import networkx as nx
import numpy as np
import pytest

from perception.linking.links import LinkOptions, Piece, explain, follow, merge, same_time_graph, succession_graph
from perception.linking.paths import Points
from perception.linking.relinking import RelinkOptions, relink

OPTIONS = LinkOptions()


def piece(begin, end, start, stop, kind="car", size=(4.4, 1.8, 1.5), camera="a", embedding=None):
    times = np.arange(begin, end, 0.2)
    share = np.linspace(0, 1, len(times))[:, None]
    positions = np.column_stack([np.array(start) * (1 - share) + np.array(stop) * share, np.zeros(len(times))])
    return Piece(
        family="person" if kind == "person" else "vehicle",
        kind=kind,
        times=times,
        positions=positions,
        covariances=np.tile(0.05**2 * np.eye(2), (len(times), 1, 1)),
        size=np.array(size),
        size_covariance=0.1**2 * np.eye(3),
        frames=frozenset((camera, round(time, 3)) for time in times.tolist()),
        embedding=embedding,
    )


def by_speed(family, starts, ends):
    return np.linalg.norm(ends - starts, axis=1) / (2.0 if family == "person" else 8.0)


def test_a_parked_car_is_found_again_where_it_was():
    pieces = [piece(0, 5, (0, 0), (0, 0)), piece(20, 25, (0.1, 0), (0.1, 0)), piece(20, 25, (0.7, 0), (0.7, 0))]
    graph = succession_graph(pieces, by_speed, OPTIONS)
    assert follow(graph, OPTIONS).tolist() == [1, -1, -1]
    why = explain(graph, 0, 1)
    assert why["joined"]
    assert set(why["terms"]) == {"place and time", "size", "class"}
    assert why["odds"] == pytest.approx(sum(why["terms"].values()))
    assert "0 and 1 fit better" in explain(graph, 0, 2)["why"]


def test_nobody_comes_faster_than_the_ways_allow():
    pieces = [piece(0, 5, (0, 0), (10, 0)), piece(6, 8, (80, 0), (90, 0))]
    graph = succession_graph(pieces, by_speed, OPTIONS)
    assert follow(graph, OPTIONS).tolist() == [-1, -1]
    why = explain(graph, 0, 1)
    assert not why["joined"]
    assert why["facts"]["came"] == -np.inf
    assert why["facts"]["least_s"] == pytest.approx(70 / 8)


def test_looks_and_sizes_break_ties():
    red, blue = np.eye(2)
    pieces = [
        piece(0, 5, (0, 0), (10, 0), embedding=red),
        piece(0, 5, (0, 3), (10, 3), embedding=blue),
        piece(10, 12, (40, 0), (50, 0), embedding=blue),
        piece(10, 12, (40, 3), (50, 3), embedding=red),
    ]
    assert follow(succession_graph(pieces, by_speed, OPTIONS), OPTIONS).tolist()[:2] == [3, 2]
    long = (5.4, 1.9, 2.0)
    sizes = [
        piece(0, 5, (0, 0), (10, 0), size=long),
        piece(0, 5, (0, 3), (10, 3)),
        piece(10, 12, (40, 0), (50, 0)),
        piece(10, 12, (40, 3), (50, 3), size=long),
    ]
    assert follow(succession_graph(sizes, by_speed, OPTIONS), OPTIONS).tolist()[:2] == [3, 2]


def test_follow_finds_the_best_of_all_path_covers():
    rng = np.random.default_rng(8)
    for _ in range(20):
        graph = nx.DiGraph()
        graph.add_nodes_from(range(7))
        for i, j in itertools.product(range(3), range(3, 7)):
            if rng.random() < 0.7:
                graph.add_edge(i, j, odds=float(rng.normal(2, 2)), terms={})
        got = follow(graph, OPTIONS)
        value = sum(graph.edges[i, j]["odds"] for i, j in enumerate(got.tolist()) if j >= 0)
        best = 0.0
        for choice in itertools.product([*range(3, 7), -1], repeat=3):
            used = [j for j in choice if j >= 0]
            if len(set(used)) < len(used):
                continue
            edges = [(i, j) for i, j in enumerate(choice) if j >= 0]
            if all(graph.has_edge(*e) and graph.edges[e]["odds"] >= OPTIONS.min_odds for e in edges):
                best = max(best, sum(graph.edges[e]["odds"] for e in edges))
        assert value == pytest.approx(best)


def test_one_object_in_two_cameras_is_joined_and_two_in_one_camera_are_not():
    here = piece(0, 5, (0, 0), (5, 0))
    there = piece(0.1, 5, (0.1, 0.1), (5, 0.1), camera="b")
    beside = piece(0, 5, (0, 0.5), (5, 0.5))
    assert merge(same_time_graph([here, there], OPTIONS), OPTIONS) == [(0, 1)]
    graph = same_time_graph([here, beside], OPTIONS)
    assert merge(graph, OPTIONS) == []
    assert graph.edges[0, 1]["terms"]["no camera shows both"] < 0
    person = piece(0, 5, (0, 0), (5, 0), kind="person", camera="b")
    assert same_time_graph([here, person], OPTIONS).number_of_edges() == 0


def test_two_vehicles_have_no_room_in_one_place_however_many_boxes_a_camera_draws():
    """One camera shows two boxes frame after frame: of one car twice, or of people who stand side by side."""
    twice = [piece(0, 20, (0, 0), (0, 0)), piece(0, 20, (0.2, 0.1), (0.2, 0.1))]
    assert merge(same_time_graph(twice, OPTIONS), OPTIONS) == [(0, 1)]
    beside = [piece(0, 20, (0, 0), (0, 0)), piece(0, 20, (0.6, 0), (0.6, 0))]
    assert merge(same_time_graph(beside, OPTIONS), OPTIONS) == []
    people = [piece(0, 20, (0, 0), (0, 0), kind="person"), piece(0, 20, (0.2, 0), (0.2, 0), kind="person")]
    assert merge(same_time_graph(people, OPTIONS), OPTIONS) == []


def walkers(swap_at):
    """Two people pass each other at a metre; their tracks were swapped at an instant."""
    times = np.repeat(np.arange(20) * 0.5, 2)
    x = np.where(np.arange(40) % 2 == 0, -5 + times, 5 - times)
    y = np.where(np.arange(40) % 2 == 0, 0.4, -0.4)
    following = np.arange(40) + 2
    following[-2:] = -1
    if swap_at is not None:
        following[2 * swap_at], following[2 * swap_at + 1] = 2 * swap_at + 3, 2 * swap_at + 2
    points = Points(
        time=times,
        position=np.column_stack([x, y]),
        covariance=np.tile(0.05**2 * np.eye(2), (40, 1, 1)),
        level=np.zeros(40, dtype=np.int64),
        walks=np.ones(40, dtype=np.bool_),
        usual=np.full(40, 0.6),
        sudden=np.full(40, 3.0),
    )
    return points, following


@pytest.mark.parametrize("swap_at", [None, 2, 9, 10, 15])
def test_relinking_takes_back_a_swap(swap_at):
    points, following = walkers(swap_at)
    right = walkers(None)[1]
    np.testing.assert_array_equal(relink(points, following, RelinkOptions()), right)


def test_relinking_nothing():
    points, _ = walkers(None)
    empty = Points(**{name: getattr(points, name)[:0] for name in points.__dataclass_fields__})
    assert len(relink(empty, np.zeros(0, dtype=np.int64), RelinkOptions())) == 0
