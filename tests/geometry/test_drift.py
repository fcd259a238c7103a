"""Alignment to priors that drift: its claimed covariance against what simulated walks give."""

import numpy as np
import pytest

from geometry import align_points, calibration
from geometry.drift import drift_covariance, is_drift, with_correlated_errors


def path() -> np.ndarray:
    angle = np.linspace(0, 1.8 * np.pi, 40)
    return np.stack([6 * np.cos(angle), 4 * np.sin(angle), 1.6 + 0.1 * np.sin(5 * angle)], axis=1)


def test_random_walk_covariance_is_that_of_simulated_walks() -> None:
    rng = np.random.default_rng(0)
    steps = rng.uniform(0.2, 1.0, 12)
    variance = 0.02**2 + np.concatenate([[0.0], np.cumsum(0.03**2 * steps)])
    increments = np.concatenate(
        [np.zeros((20000, 1)), 0.03 * np.sqrt(steps) * rng.standard_normal((20000, 12))], axis=1
    )
    walks = np.cumsum(increments, axis=1) + 0.02 * rng.standard_normal((20000, 13))
    assert np.abs(np.cov(walks.T) - drift_covariance(np.sqrt(variance))).max() < 0.03 * variance[-1]


def test_equal_sigmas_are_independent() -> None:
    assert np.allclose(drift_covariance([0.1, 0.1, 0.1]), 0.01 * np.eye(3))


@pytest.mark.parametrize(
    ("sigmas", "drift"),
    [
        ([0.05] * 5, False),
        ([0.05, 0.06, 0.1], True),
        ([0.05, 0.2, 0.1], False),
        ([0.05, 0.055, 0.06], False),
        ([], False),
    ],
)
def test_growing_sigmas_are_a_drift(sigmas: list[float], drift: bool) -> None:
    assert is_drift(sigmas) is drift


def test_claimed_covariance_holds_for_drifting_priors() -> None:
    rng = np.random.default_rng(1)
    true = path()
    steps = np.linalg.norm(np.diff(true, axis=0, prepend=true[:1]), axis=1)
    sigma = np.sqrt(0.02**2 + 0.03**2 * np.cumsum(steps))
    errors, claimed, boasted = [], [], []
    for _ in range(300):
        drift = np.cumsum(0.03 * np.sqrt(steps)[:, None] * rng.standard_normal((40, 3)), axis=0)
        priors = true + drift + 0.02 * rng.standard_normal((40, 3))
        plain = align_points(true, priors, sigma, rng=rng)
        alignment = with_correlated_errors(plain, priors, sigma, drift_covariance(sigma))
        moved = plain.site_from_map * true[30]
        errors.append(moved - true[30])
        claimed.append(alignment.point_covariances(true[[30]])[0])
        boasted.append(plain.point_covariances(true[[30]])[0])
    honest, naive = calibration(errors, claimed), calibration(errors, boasted)
    assert 0.84 < honest.coverage[0.9] < 0.95
    assert naive.coverage[0.9] < 0.5


def test_uncertain_points_of_the_map_count_too() -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform(-5, 5, (12, 3))
    sigma = np.full(12, 0.01)
    of_map = np.stack([np.diag([0.02, 0.03, 0.05]) ** 2 * (k + 1) for k in range(12)])
    alignment = align_points(points, points, sigma, rng=rng, map_covariances=of_map)
    independent = with_correlated_errors(alignment, points, sigma, np.diag(sigma**2), of_map)
    np.testing.assert_allclose(independent.covariance, alignment.covariance, rtol=1e-6, atol=1e-12)
    ignorant = with_correlated_errors(alignment, points, sigma, np.diag(sigma**2))
    assert np.trace(ignorant.covariance) < 0.2 * np.trace(alignment.covariance)
