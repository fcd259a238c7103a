"""Looks add up: averaged within a camera, summed over cameras, forgotten with time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perception.occupancy.looks import FORGET_S, MOST, SETTLE_S, StallLooks

SHARES = st.floats(0.003, 0.997)  # within what one look is believed


def logit(p: float) -> float:
    return float(np.log(p) - np.log1p(-p))


def looks() -> StallLooks:
    return StallLooks(stalls=("A", "B", "C"))


@given(p=SHARES, time=st.floats(-1e9, 1e10))
def test_the_first_look_counts_in_full(p: float, time: float) -> None:
    told = looks()
    told.update("cam", time, {"B": p})
    np.testing.assert_allclose(told.log_odds(time), [0, np.clip(logit(p), -MOST, MOST), 0], atol=1e-9)
    np.testing.assert_array_equal(told.seen(time), [False, True, False])


@given(p=SHARES, rate=st.floats(0.5, 30), count=st.integers(1, 60))
def test_looks_of_one_camera_that_say_the_same_say_no_more(p: float, rate: float, count: int) -> None:
    told = looks()
    for k in range(count):
        told.update("cam", k / rate, {"A": p})
    assert told.log_odds((count - 1) / rate)[0] == pytest.approx(logit(p))


@given(p=SHARES, q=SHARES)
def test_looks_of_two_cameras_add_up(p: float, q: float) -> None:
    told = looks()
    told.update("one", 5.0, {"A": p, "B": p})
    told.update("two", 5.0, {"A": q})
    np.testing.assert_allclose(told.log_odds(5.0)[:2], [np.clip(logit(p) + logit(q), -MOST, MOST), logit(p)])


@given(seed=st.integers(0, 1000), rate=st.floats(1, 20))
def test_the_average_lies_between_what_was_said(seed: int, rate: float) -> None:
    told, said = looks(), np.random.default_rng(seed).uniform(0.01, 0.99, 20)
    for k, p in enumerate(said.tolist()):
        told.update("cam", k / rate, {"A": p})
    odds = told.log_odds(19 / rate)[0]
    assert logit(said.min()) - 1e-9 <= odds <= logit(said.max()) + 1e-9


def test_a_change_shows_as_fast_however_many_looks_there_are() -> None:
    after = []
    for rate in (2, 10, 50):
        told = looks()
        told.update("cam", 0.0, {"A": 0.99})
        for k in range(1, 2 * rate + 1):
            told.update("cam", k / rate, {"A": 0.01})
        after.append(told.log_odds(2.0)[0])
    np.testing.assert_allclose(after, logit(0.01) + np.exp(-2 / SETTLE_S) * (logit(0.99) - logit(0.01)))


def test_noise_is_averaged_over_some_seconds() -> None:
    rng, told, odds = np.random.default_rng(2), looks(), []
    for k in range(10_000):
        told.update("cam", k / 10, {"A": float(1 / (1 + np.exp(-(1.0 + 2.0 * rng.normal()))))})
        odds.append(told.log_odds(k / 10)[0])
    kept = np.array(odds[100:])
    assert kept.mean() == pytest.approx(1.0, abs=0.1)  # measured 1.02
    expected = 2.0 * np.sqrt(np.tanh(0.5 * 0.1 / SETTLE_S))
    assert 0.8 * expected < kept.std() < 1.2 * expected  # measured 0.315 of 0.316, where looks settle in 2 s


def test_what_nobody_looks_at_any_more_is_forgotten_slowly() -> None:
    told = looks()
    told.update("cam", 100.0, {"A": 0.9})
    for later in (0.0, 10.0, FORGET_S, 1e6):
        assert told.log_odds(100.0 + later)[0] == pytest.approx(logit(0.9) * np.exp(-later / FORGET_S))
    told.update("cam", 100.0 + 1e4, {"A": 0.2})
    assert told.log_odds(100.0 + 1e4)[0] == pytest.approx(logit(0.2))
    assert told.seen(100.0 + 1e4).tolist() == [True, False, False]


def test_a_look_that_comes_late_and_one_that_comes_twice_change_nothing() -> None:
    told = looks()
    told.update("cam", 10.0, {"A": 0.9})
    for time in (10.0, 9.0):
        told.update("cam", time, {"A": 0.1})
        assert told.log_odds(10.0)[0] == pytest.approx(logit(0.9))
    assert told.times["cam"][0] == 10.0


def test_after_a_clock_was_set_back_looks_begin_anew() -> None:
    told = looks()
    told.update("cam", 1e6, {"A": 0.9})
    told.update("cam", 10.0, {"A": 0.1})
    assert told.log_odds(10.0)[0] == pytest.approx(logit(0.1))
    assert told.seen(10.0).tolist() == [True, False, False]


def test_a_camera_whose_clock_is_ahead_hides_no_look_of_another() -> None:
    told = looks()
    told.update("right", 100.0, {"A": 0.9})
    told.update("ahead", 3700.0, {"A": 0.1})
    assert told.seen(101.0).tolist() == [True, False, False]
    assert told.log_odds(101.0)[0] > 0.5 * logit(0.9)


def test_unknown_stalls_are_passed_over() -> None:
    told = looks()
    told.update("cam", 1.0, {"X": 0.99})
    told.update("cam", 1.0, {})
    assert not told.odds
    assert not told.seen(1.0).any()
    told.update("cam", 1.0, {"X": 0.99, "C": 0.7})
    np.testing.assert_allclose(told.log_odds(1.0), [0, 0, logit(0.7)])


@pytest.mark.parametrize(("p", "most"), [(0.0, -MOST), (1.0, MOST)])
def test_no_look_is_believed_without_a_doubt(p: float, most: float) -> None:
    told = looks()
    for camera in "abc":
        told.update(camera, 1.0, {"A": p})
    assert told.log_odds(1.0)[0] == most


def test_without_stalls_and_without_looks_there_are_no_odds() -> None:
    nothing = StallLooks(stalls=())
    nothing.update("cam", 1.0, {"A": 0.5})
    assert nothing.log_odds(1.0).shape == nothing.seen(1.0).shape == (0,)
    np.testing.assert_array_equal(looks().log_odds(5.0), 0)
