"""Vehicles that stand in stalls: a row of stalls 2.5 m wide, open at y = 0, middles at (1.25 + 2.5 k, 2.5)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.parking_places import ParkingPlaces
from perception.tracking.parking import doubles, parked
from perception.tracking.states import STATE, Array, carried, process_noise
from tests.geometry.test_parking_places import plan

PLACES = ParkingPlaces.of(plan())


def state(x: float, y: float, *, speed: float = 0.0, heading: float = 1.4) -> Array:
    return np.array([x, y, speed, 0.0, heading, 4.5, 1.8, 1.5])


def spread(metres: float) -> Array:
    return np.diag([metres, metres, 0.5, 0.5, 0.2, 0.3, 0.1, 0.1]) ** 2


def ask(*states: Array, sigma: float = 0.5, level: int = 0) -> tuple[Array, Array, list[int]]:
    covariance = np.tile(spread(sigma), (len(states), 1, 1))
    mean, after, stall = parked(np.array(states), covariance, np.full(len(states), level), PLACES)
    return mean, after, stall.tolist()


def test_one_that_stands_askew_between_lines_is_set_right() -> None:
    mean, covariance, stall = ask(state(6.9, 3.3, speed=0.2, heading=1.4 - np.pi), level=1)
    assert stall == [8]
    assert np.linalg.norm(mean[0, :2] - (6.25, 2.5)) < 0.5 * np.linalg.norm((0.65, 0.8))
    assert abs(mean[0, 2]) < 0.1
    assert abs(mean[0, 4] - (-np.pi / 2)) < 0.1  # it may stand backwards in its stall
    assert (np.linalg.eigvalsh(spread(0.5) - covariance[0]) > -1e-12).all()


@pytest.mark.parametrize(
    ("where", "speed"),
    [((5.0, 2.5), 0.0), ((6.3, -3.5), 0.0), ((6.3, 2.5), 2.0), ((30.0, 2.5), 0.0)],
    ids=["between two", "in the lane", "driving", "nowhere near"],
)
def test_others_are_left_as_they_are(where: tuple[float, float], speed: float) -> None:
    before = state(*where, speed=speed)
    mean, covariance, stall = ask(before)
    assert stall == [-1]
    np.testing.assert_array_equal(mean[0], before)
    np.testing.assert_array_equal(covariance[0], spread(0.5))


def test_motorcycles_are_left_as_they_are() -> None:
    narrow = state(6.3, 2.6)
    narrow[6] = 0.8
    mean, _, stall = ask(narrow)
    assert stall == [-1]
    np.testing.assert_array_equal(mean[0], narrow)


def test_a_velocity_that_nothing_has_shown_yet_stays_open() -> None:
    covariance = spread(0.5)[None]
    covariance[:, [2, 3], [2, 3]] = 3.0**2
    _, after, stall = parked(state(6.3, 2.6)[None], covariance, np.zeros(1, np.int64), PLACES)
    assert stall.tolist() == [2]
    np.testing.assert_allclose(np.sqrt(after[0, [2, 3], [2, 3]]), 1.5)


def test_one_that_stands_badly_is_drawn_in_by_loose_boxes_and_not_by_exact_ones() -> None:
    """A car 0.5 m off along its stall, seen 100 times at five a second; what stays of that with boxes of some sigma."""
    rng, true = np.random.default_rng(6), np.array([6.25, 3.0])
    for sigma, most in ((0.05, 0.05), (0.5, 0.35)):  # measured 0.02 and 0.29
        mean, covariance = state(*true)[None], spread(sigma)[None]
        for _ in range(100):
            mean, covariance = carried(mean, covariance, np.full(1, 0.2))
            covariance += process_noise(np.full(1, 0.2), np.ones(1), np.full(1, 0.25), np.zeros(1))
            row = np.eye(STATE)[:2]
            gain = covariance[0] @ row.T @ np.linalg.inv(row @ covariance[0] @ row.T + sigma**2 * np.eye(2))
            mean[0] += gain @ (true + sigma * rng.normal(size=2) - mean[0, :2])
            covariance[0] -= gain @ row @ covariance[0]
            mean, covariance, stall = parked(mean, covariance, np.zeros(1, np.int64), PLACES)
        assert stall.tolist() == [2]
        assert abs(mean[0, 1] - true[1]) < most


def test_what_boxes_show_exactly_stays_where_it_is() -> None:
    mean, _, stall = ask(state(6.6, 2.9, heading=1.57), sigma=0.02)
    assert stall == [2]
    np.testing.assert_allclose(mean[0, :2], (6.6, 2.9), atol=0.01)


@given(seed=st.integers(0, 500), sigma=st.floats(0.05, 1.5))
def test_covariances_shrink_and_stay_positive(seed: int, sigma: float) -> None:
    rng = np.random.default_rng(seed)
    states = [state(*rng.uniform(0, 15, 2), speed=rng.uniform(0, 1), heading=rng.uniform(-4, 4)) for _ in range(8)]
    _, covariance, _ = ask(*states, sigma=sigma)
    for after in covariance:
        assert (np.linalg.eigvalsh(after) > 0).all()
        assert (np.linalg.eigvalsh(spread(sigma) - after) > -1e-9).all()


def test_parked_cars_with_loose_boxes_are_placed_by_their_stalls() -> None:
    """Cars stand 0.15 m off their middles, boxes 0.5 m off the cars."""
    rng = np.random.default_rng(4)
    own = rng.integers(0, 6, 400)
    true = PLACES.middles[own] + 0.15 * rng.normal(size=(400, 2))
    seen = true + 0.5 * rng.normal(size=(400, 2))
    mean, _, stall = ask(*(state(x, y) for x, y in seen.tolist()))
    before, after = (np.median(np.linalg.norm(each - true, axis=1)) for each in (seen, mean[:, :2]))
    placed = np.array(stall) >= 0
    assert after < 0.5 * before  # measured 0.22 m of 0.57 m
    assert placed.mean() > 0.95  # measured 0.98
    assert (np.array(stall) == own)[placed].mean() > 0.98  # measured 0.99


def test_of_two_in_a_stall_the_better_known_stays() -> None:
    stall, standing = np.array([3, -1, 3, -1, 5, 3]), np.array([2.0, 1.0, 9.0, 1.0, 4.0, 8.0])
    np.testing.assert_array_equal(doubles(stall, standing), [True, False, False, False, False, True])


def test_nobody_and_no_stalls() -> None:
    nothing = np.zeros((0, STATE)), np.zeros((0, STATE, STATE)), np.zeros(0, dtype=np.int64)
    assert len(parked(*nothing, PLACES)[0]) == 0
    mean, _, stall = parked(state(6.3, 2.5)[None], spread(0.5)[None], np.zeros(1, np.int64), ParkingPlaces.none())
    np.testing.assert_array_equal(mean, state(6.3, 2.5)[None])
    assert stall.tolist() == [-1]
    assert doubles(np.zeros(0, np.int64), np.zeros(0)).tolist() == []
