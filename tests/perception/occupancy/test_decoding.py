"""The likeliest course of stalls, against all courses one by one."""

from itertools import pairwise, product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perception.occupancy.decoding import CHANGE_ODDS, WEIGHT_PER_S, decoded, levelled


def worth(odds: list[float], states: tuple[bool, ...]) -> float:
    """Return what one course of one stall is worth, as the docstring has it."""
    speaks = sum(WEIGHT_PER_S * each for each, taken in zip(odds, states, strict=True) if taken)
    return speaks - CHANGE_ODDS * sum(a != b for a, b in pairwise(states))


@given(st.lists(st.floats(-40, 40), min_size=1, max_size=8))
def test_no_other_course_is_worth_more(odds: list[float]) -> None:
    (found,) = decoded(np.array(odds)[:, None], np.ones(len(odds)), 0.0).T.tolist()
    best = max(worth(odds, states) for states in product((False, True), repeat=len(odds)))
    assert worth(odds, tuple(found)) >= best - 1e-9


def test_stalls_are_told_each_for_itself_and_a_threshold_moves_what_speaks_neither_way() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(0.5, 2.0, (50, 6))
    together = decoded(odds, np.ones(50), 0.3)
    for stall in range(6):
        np.testing.assert_array_equal(together[:, [stall]], decoded(odds[:, [stall]] - 0.3, np.ones(50), 0.0))


def test_clean_and_noisy_looks() -> None:
    """Of 40 stalls over ten minutes that change once: the share of seconds that is told right."""
    rng = np.random.default_rng(1)
    truth = np.arange(600)[:, None] >= rng.integers(100, 500, 40)
    for noise, least in ((0.0, 0.999), (3.0, 0.98)):  # measured 1 and 0.99 to 1
        odds = np.where(truth, 2.0, -2.0) + rng.normal(0, noise, truth.shape)
        assert (decoded(odds, np.ones(600), 0.0) == truth).mean() >= least


def test_stretches_have_their_mean() -> None:
    odds = np.array([[1.0], [3.0], [-1.0], [-5.0]])
    states = np.array([[True], [True], [False], [False]])
    np.testing.assert_array_equal(levelled(odds, states)[:, 0], [2.0, 2.0, -3.0, -3.0])


def test_nothing() -> None:
    assert decoded(np.zeros((0, 3)), np.zeros(0), 0.0).shape == (0, 3)
    assert decoded(np.zeros((4, 0)), np.ones(4), 0.0).shape == (4, 0)
    assert levelled(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.bool_)).shape == (0, 3)
