"""Drift taken out of a walk by fixes along it."""

import numpy as np
import pytest

from geometry import InputError, correct_drift

OWN_M = 0.3
STEP_M = 2.0


def walk(seed: int, count: int = 120, noise_m: float = OWN_M) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sigmas (N,), errors (N, 3) and the drift (N, 3) of them: 1 % of the way, by a rate that changes slowly."""
    rng = np.random.default_rng(seed)
    along = np.arange(count) * STEP_M
    rate = 0.01 * (rng.standard_normal(3) + 0.4 * np.cumsum(rng.standard_normal((count, 3)), axis=0) / np.sqrt(count))
    drift = np.cumsum(STEP_M * rate, axis=0) - STEP_M * rate[0]
    sigma = np.hypot(OWN_M, 0.01 * along)
    return sigma, drift + noise_m * rng.standard_normal((count, 3)), drift


def way(sigma: np.ndarray) -> np.ndarray:
    """Return how far each position of such a walk has come."""
    return np.arange(len(sigma)) * STEP_M


def test_fixes_take_most_of_a_drift_away_and_the_rest_is_as_large_as_claimed() -> None:
    left, before, scaled = [], [], []
    for seed in range(30):
        sigma, errors, drift = walk(seed)
        rows = np.arange(10, 120, 12)
        noise = 0.1 * np.random.default_rng(seed + 99).standard_normal((len(rows), 3))
        found, variance, agreed = correct_drift(sigma, way(sigma), rows, errors[rows] - noise, np.full(len(rows), 0.01))
        assert agreed.all()
        left.append(np.linalg.norm(found - drift, axis=1))
        before.append(np.linalg.norm(drift, axis=1))
        scaled.append(((found - drift)[10:] ** 2 / variance[10:, None]).mean())
    # Measured: 1.97 m before, 0.17 m after, and 0.55 of the variance claimed, which allows for quicker changes too.
    assert np.mean(before) > 1.2
    assert np.mean(left) < 0.25
    assert 0.3 < np.mean(scaled) < 1.2


def test_a_fix_that_contradicts_the_others_does_not_count() -> None:
    sigma, errors, drift = walk(3)
    rows = np.arange(5, 120, 8)
    wrong = errors[rows].copy()
    wrong[6] += (0.0, 0.0, 5.0)  # the tag of another storey
    found, _, agreed = correct_drift(sigma, way(sigma), rows, wrong, np.full(len(rows), 0.01))
    assert list(np.flatnonzero(~agreed)) == [6]
    assert np.linalg.norm(found - drift, axis=1).max() < 1.5  # measured 1.0, at the very end


@pytest.mark.parametrize("sigma", [np.full(50, 0.3), np.zeros(0), np.array([0.3, 0.2])])
def test_errors_that_do_not_grow_are_no_drift(sigma: np.ndarray) -> None:
    rows = np.arange(min(2, len(sigma)))
    found, variance, _ = correct_drift(sigma, way(sigma), rows, np.ones((len(rows), 3)), np.full(len(rows), 0.01))
    assert not found.any()
    assert not variance.any()


def test_without_fixes_the_claim_stays() -> None:
    sigma = np.hypot(OWN_M, 0.01 * np.arange(40.0))
    found, variance, agreed = correct_drift(sigma, way(sigma), [], np.zeros((0, 3)), [])
    assert not found.any()
    assert len(agreed) == 0
    np.testing.assert_allclose(variance, sigma**2 - sigma[0] ** 2, atol=1e-12)


def test_shapes_are_checked() -> None:
    with pytest.raises(InputError, match="expected errors"):
        correct_drift(np.arange(1.0, 6.0), np.arange(5.0), [0, 1], np.zeros((1, 3)), [0.1, 0.1])
