"""Drift in height told from ramps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from geometry import InputError
from geometry.level_walking import climbed_by_drift

Array = NDArray[np.float64]


def walk(rise: float = 0.0, ramp: float = 0.12) -> tuple[Array, Array]:
    """Return 240 m at 1.5 m steps, level but for a ramp of ``rise`` after 100 m, and sigmas that grow to 2 m."""
    along = np.arange(0.0, 240.0, 1.5)
    turn = np.pi / 2 * np.floor(along / 60.0)
    steps = 1.5 * np.column_stack([np.cos(turn), np.sin(turn)])
    height = 1.6 + np.clip((along - 100.0) * ramp, 0.0, rise)
    return np.column_stack([np.cumsum(steps, axis=0), height]), np.sqrt(0.3**2 + (2.0 * along / 240.0) ** 2)


@given(
    rate=st.floats(-0.01, 0.01), rise=st.sampled_from([0.0, 3.0, 3.5, 6.0]), bob=st.floats(0.0, 0.05),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_a_slow_climb_is_drift_and_a_ramp_is_none(rate: float, rise: float, bob: float, seed: int) -> None:
    true, sigma = walk(rise)
    along = 1.5 * np.arange(len(true))
    drift = rate * along * (1 + 0.3 * np.sin(along / 40.0))
    hand = bob * np.random.default_rng(seed).normal(size=len(true))
    found, _ = climbed_by_drift(true + np.column_stack([0 * along, 0 * along, drift + hand]), sigma)
    # Where a ramp begins and ends, and while it is climbed, nothing tells drift from it.
    unsure = 0.1 + 0.5 * bob * 4 + (0.35 + 40 * abs(rate) if rise else 0.0)
    limit = 2.0 * np.sqrt(sigma**2 - sigma[0] ** 2)
    expected = np.clip(drift, -limit, limit)
    assert np.abs(found - expected).max() < unsure + 0.05 * np.abs(drift).max()


def test_no_more_than_is_claimed_is_taken_for_drift() -> None:
    true, sigma = walk()
    steep = true + np.column_stack([np.zeros((len(true), 2)), 0.03 * 1.5 * np.arange(len(true))])
    found, _ = climbed_by_drift(steep, 0.1 * sigma)
    assert found.max() <= 0.41
    assert found[0] == 0


def test_fixes_that_do_not_drift_keep_their_height() -> None:
    true, _ = walk()
    true[:, 2] += 0.01 * np.arange(len(true))
    drift, sigma = climbed_by_drift(true, np.full(len(true), 0.3))
    np.testing.assert_array_equal(drift, 0)
    np.testing.assert_array_equal(sigma, 0.3)


def test_standing_still_and_odd_shapes() -> None:
    still = np.zeros((5, 3))
    np.testing.assert_array_equal(climbed_by_drift(still, np.linspace(0.3, 1.0, 5))[0], 0)
    with pytest.raises(InputError):
        climbed_by_drift(still[:, :2], np.ones(5))


@pytest.mark.parametrize(("rise", "most"), [(0.0, 1.1), (3.5, 1.25)])
def test_what_is_left_is_claimed_as_it_is(rise: float, most: float) -> None:
    """Drifts at one rate a walk, as large as claimed, with each picture's own noise: errors over the claimed sigma."""
    rng = np.random.default_rng(5)
    true, sigma = walk(rise)
    claimed = np.sqrt(sigma**2 - sigma[0] ** 2)
    ratios = []
    for _ in range(200):
        error = rng.normal() * claimed + rng.normal(size=len(true)) * sigma[0]
        drift, left = climbed_by_drift(true + error[:, None] * (0.0, 0.0, 1.0), sigma)
        ratios.append((error - drift) / left)
    spread = float(np.sqrt(np.mean(np.square(ratios))))
    assert 0.9 < spread < most  # measured 1.00 on level floor and 1.18 with a ramp
