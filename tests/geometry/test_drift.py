"""Alignment to priors that drift: its claimed covariance against what simulated walks give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry import align_points, calibration
from geometry.drift import UNSTEADY, drift_process, is_drift, walks_covariance, way_walked, with_correlated_errors


def path() -> np.ndarray:
    angle = np.linspace(0, 1.8 * np.pi, 40)
    return np.stack([6 * np.cos(angle), 4 * np.sin(angle), 1.6 + 0.1 * np.sin(5 * angle)], axis=1)


def test_sigmas_of_a_random_walk_give_the_covariance_of_simulated_ones() -> None:
    rng = np.random.default_rng(0)
    steps = rng.uniform(0.2, 1.0, 12)
    way = np.concatenate([[0.0], np.cumsum(steps)])
    increments = 0.03 * np.sqrt(np.diff(way, prepend=0.0)) * rng.standard_normal((20000, 13))
    walks = np.cumsum(increments, axis=1) + 0.02 * rng.standard_normal((20000, 13))
    process, own = drift_process(np.sqrt(0.02**2 + 0.03**2 * way), way)
    off = np.abs(np.cov(walks.T) - process - own * np.eye(13)).max()
    assert off < 0.03 * (0.03**2 * way[-1])  # measured 0.016


def test_sigmas_that_grow_with_the_way_are_one_rate() -> None:
    way = np.cumsum(np.random.default_rng(0).uniform(0.5, 2.0, 30))
    way -= way[0]
    process, own = drift_process(np.hypot(0.3, 0.01 * way), way)
    assert own == pytest.approx(0.09)
    off = np.abs(process - 1e-4 * ((1.0 - UNSTEADY) * np.outer(way, way) + UNSTEADY * np.minimum.outer(way, way) ** 2))
    assert off.max() < 0.01 * process[-1, -1]  # measured 0.003: between positions variances are interpolated


@given(st.lists(st.floats(0.0, 3.0), min_size=3, max_size=40), st.floats(0.1, 5.0))
def test_a_drift_process_has_the_variances_it_was_made_of(growth: list[float], step_m: float) -> None:
    sigma = np.hypot(0.2, np.cumsum(growth))
    process, own = drift_process(sigma, step_m * np.arange(len(sigma)))
    np.testing.assert_allclose(np.diag(process) + own, sigma**2, rtol=1e-9)
    assert np.linalg.eigvalsh(process).min() > -1e-9 * max(1.0, np.abs(process).max())


def test_walks_drift_apart_from_each_other_and_the_rest() -> None:
    places, sigma = np.random.default_rng(0).normal(size=(9, 3)), np.linspace(0.1, 0.9, 9)
    covariance = walks_covariance(sigma, places, [[0, 2, 4], [1, 3, 5]])
    np.testing.assert_allclose(np.diag(covariance), sigma**2)
    assert covariance[2, 4] > 0.0
    assert covariance[3, 5] > 0.0
    assert not covariance[np.ix_([0, 2, 4], [1, 3, 5, 6, 7, 8])].any()
    assert not (covariance[6:, 6:] - np.diag(sigma[6:] ** 2)).any()
    assert np.allclose(walks_covariance(sigma, places, []), np.diag(sigma**2))


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
    process, own = drift_process(sigma, way_walked(true))
    errors, claimed, boasted = [], [], []
    for _ in range(300):
        drift = np.cumsum(0.03 * np.sqrt(steps)[:, None] * rng.standard_normal((40, 3)), axis=0)
        priors = true + drift + 0.02 * rng.standard_normal((40, 3))
        plain = align_points(true, priors, sigma, rng=rng)
        alignment = with_correlated_errors(plain, priors, sigma, process + own * np.eye(40))
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
