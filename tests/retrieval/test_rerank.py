"""Re-ranking in a corridor on two levels, where what can be true is worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.errors import InputError
from retrieval.consistency import Site, compare
from retrieval.expansion import expanded_query, reciprocal_distances
from retrieval.rerank import Appearance, rerank
from retrieval.sightings import Sightings
from tests.retrieval.corridor import RISE_M, SPEED_MPS, corridor, looking_down, sightings

ALIKE = Appearance(same_mean=0.9, same_sigma=0.1, other_mean=0.0, other_sigma=0.2)
P1, P2 = (20.0, 0.0, 0.0), (100.0, 0.0, RISE_M)
STALL, OTHER_STALL = (6.2, 5.5, 0.0), (24.2, 5.5, 0.0)


@pytest.fixture(scope="module")
def site() -> Site:
    cameras = [looking_down("west", "P1", 20.0, 2.4), looking_down("middle", "P1", 45.0, 2.4)]
    cameras.append(looking_down("up", "P2", 100.0, RISE_M + 2.4))
    return Site(corridor(), cameras, begin=0.0, end=1000.0)


def test_two_levels_a_few_seconds_apart_are_impossible(site: Site) -> None:
    """From x = 20 on P1 to x = 100 on P2 are 80 m: 18 s at one and a half times the limit."""
    query = sightings(("q", 100, 100, P1, P1, "west"))
    late, early = ("late", 130, 130, P2, P2, "up"), ("early", 112, 112, P2, P2, "up")
    pairs = compare(site, sightings(("q", 100, 100, P1, P1, "west"), late, early))
    best = 80.2 / (1.5 * SPEED_MPS)
    assert pairs.least[0, 2] == pytest.approx(best, abs=0.3)
    assert pairs.conflict[0].tolist() == [False, False, True]
    found = rerank(query, sightings(early), site, ALIKE)
    assert found.probability[0] == pytest.approx(0.001)
    assert found.why[0] == "P1 to P2 takes 18 s at best; seen 12 s apart: impossible"
    found = rerank(query, sightings(late), site, ALIKE)
    assert found.probability[0] > 0.5  # measured 0.85
    assert "P1 to P2 in 30 s" in found.why[0]


def test_who_stood_in_a_stall_was_nowhere_else(site: Site) -> None:
    query = sightings(("q", 0, 300, STALL, STALL, "west"))
    passing = ("passing", 100, 104, (40, 0, 0), (50, 0, 0), "middle")
    same = ("same", 320, 600, STALL, STALL, "west")
    found = rerank(query, sightings(passing, same), site, ALIKE)
    assert found.order.tolist() == [1, 0]
    assert "stood at P1 stall P1-0 for 300 s" in found.why[0]
    assert found.probability[1] > 0.9  # measured 0.99
    assert "at the same place 20 s apart" in found.why[1]


def test_a_candidate_is_ruled_out_by_another_answer(site: Site) -> None:
    """The query alone could be either; but it stays where it was, and from there the other can't have come."""
    query = sightings(("q", 0, 100, STALL, STALL, "west"))
    stays = ("stays", 110, 400, STALL, STALL, "west")
    elsewhere = ("elsewhere", 250, 380, OTHER_STALL, OTHER_STALL, "west")
    found = rerank(query, sightings(elsewhere, stays), site, ALIKE)
    assert not compare(site, sightings(("q", 0, 100, STALL, STALL, "west"), elsewhere)).conflict.any()
    assert found.order.tolist() == [1, 0]
    assert found.probability[0] < 0.05  # measured 0.001
    assert "beside stays" in found.why[0] or found.why[0].startswith("stays, probably the query's, stood")
    assert found.together.tolist() == [False, True]


def test_a_camera_that_saw_nothing_speaks_against(site: Site) -> None:
    """From x = 20 to x = 100 on P2 leads past "middle"; a vehicle that it did see is more likely to be the one."""
    query = sightings(("q", 100, 100, P1, P1, "west"))
    arrives = ("arrives", 130, 130, P2, P2, "up")
    seen = ("seen", 108, 112, (37, 0, 0), (53, 0, 0), "middle")
    assert "past middle, which saw nothing" in rerank(query, sightings(arrives), site, ALIKE).why[0]
    pairs = compare(site, sightings(("q", 100, 100, P1, P1, "west"), arrives, seen))
    assert pairs.passed[0].tolist() == [0, 1, 0]
    assert pairs.link[0, 2] > pairs.link[0, 1] + 1.0  # measured 2.2
    blind = Site(corridor(), [], begin=0.0, end=1000.0)
    assert not compare(blind, sightings(("q", 100, 100, P1, P1, "west"), arrives)).passed.any()


def test_known_tracks_are_one_object(site: Site) -> None:
    query = sightings(("q", 100, 100, P1, P1, "west"))
    linked = sightings(("a", 101, 101, P2, P2, "up"), ("b", 130, 130, P2, P2, "up"))
    linked.track[:] = 7
    query.track[:] = 7
    found = rerank(query, linked.take([0]), site, ALIKE)
    assert found.probability[0] == pytest.approx(0.999)
    assert found.why == ("is of the query's own track",)


def test_where_all_is_impossible_similarity_stays(site: Site) -> None:
    query = sightings(("q", 100, 100, P1, P1, "west"))
    found = rerank(query, sightings(("a", 101, 101, P2, P2, "up"), ("b", 103, 103, P2, P2, "up")), site, ALIKE)
    assert found.order.tolist() == [0, 1]
    assert not found.moved
    assert (found.probability < 0.01).all()


def test_what_looks_different_is_left_to_its_similarity(site: Site) -> None:
    query = sightings(("q", 100, 100, P1, P1, "west"))
    candidates = sightings(("a", 130, 130, P2, P2, "up"), ("b", 140, 140, P2, P2, "up"))
    candidates.vectors[:] = [[0.1, 0.995], [0.2, 0.98]]
    found = rerank(query, candidates, site, ALIKE)
    assert found.order.tolist() == [1, 0]
    assert found.probability.tolist() == [0.0, 0.0]
    assert found.why[0] == "looks different (cosine 0.10)"
    assert rerank(query, candidates.take([]), site, ALIKE).order.tolist() == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 12))
def test_answers_are_permutations_with_probabilities_whatever_comes(site: Site, seed: int, count: int) -> None:
    """Order is a permutation, the joint answer holds no conflict, and the list's order changes nothing."""
    rng = np.random.default_rng(seed)
    first = rng.uniform(0, 900, count + 1)
    x = rng.uniform(-5, 150, (count + 1, 2))
    places = np.stack([x, rng.uniform(-4, 8, (count + 1, 2)), np.where(x > 80, RISE_M, 0.0)], axis=2)
    vectors = np.tile(np.array([1.0, 0.0]), (count + 1, 1)) + rng.normal(0, 0.2, (count + 1, 2))
    every = Sightings(
        ids=tuple(f"s{i}" for i in range(count + 1)),
        vectors=(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32),
        first=first,
        last=first + rng.choice([0.0, 5.0, 100.0], count + 1),
        start=places[:, 0],
        end=places[:, 1],
        camera=tuple(rng.choice(["west", "up"], count + 1)),
        track=np.full(count + 1, -1),
    )
    query, candidates = every.take([0]), every.take(np.arange(1, count + 1))
    found = rerank(query, candidates, site, ALIKE)
    assert sorted(found.order.tolist()) == list(range(count))
    assert ((found.probability >= 0) & (found.probability <= 1)).all()
    assert len(found.why) == count
    members = [0, *(np.flatnonzero(found.together) + 1).tolist()]
    assert not compare(site, every).conflict[np.ix_(members, members)].any()
    shuffled = rng.permutation(count)
    again = rerank(query, candidates.take(shuffled), site, ALIKE)
    np.testing.assert_allclose(again.probability, found.probability[shuffled], atol=1e-6)


def test_what_makes_no_sense_is_refused(site: Site) -> None:
    two = sightings(("a", 0, 0, P1, P1, "west"), ("b", 0, 0, P1, P1, "west"))
    with pytest.raises(InputError, match="expected one query"):
        rerank(two, two, site, ALIKE)
    with pytest.raises(InputError, match="ends before it begins"):
        sightings(("a", 5, 4, P1, P1, "west"))
    with pytest.raises(InputError, match="more alike"):
        Appearance(same_mean=0.1, other_mean=0.2)
    with pytest.raises(InputError, match="no lanes"):
        Site(corridor().model_copy(update={"lanes": ()}), [], begin=0, end=1)


def test_an_expanded_query_moves_towards_its_answers() -> None:
    query, near = np.array([1.0, 0.0], np.float32), np.array([[0.6, 0.8], [0.8, 0.6]], np.float32)
    moved = expanded_query(query, near, 3.0)
    by_hand = query + 0.6**3 * near[0] + 0.8**3 * near[1]
    np.testing.assert_allclose(moved, by_hand / np.linalg.norm(by_hand), rtol=1e-6)


def test_reciprocal_neighbours_come_before_a_nearer_stranger() -> None:
    """Points on a line: the stranger is nearest to the query but has its own crowd, of which the query is no part."""
    angles = np.radians([0.0, 10, 12, 14, -8, *np.linspace(-16, -14, 12)])
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    plain = np.argsort(-vectors[1:] @ vectors[0])
    distances = reciprocal_distances(vectors[0], vectors[1:], k1=3, k2=1, share=0.3)
    assert plain[0] == 3
    assert np.argmin(distances) == 0  # reciprocal, as the stranger is not
    same = reciprocal_distances(vectors[0], vectors[1:], k1=3, k2=1, share=1.0)
    np.testing.assert_array_equal(np.argsort(same, kind="stable")[:3], plain[:3])
