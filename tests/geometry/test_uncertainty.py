import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.uncertainty import (
    calibration,
    inside_ellipsoid,
    largest_sigma,
    probability_within,
    squared_mahalanobis,
)

Array = NDArray[np.float64]


def covariance(size: int, seed: int = 0) -> Array:
    root = np.random.default_rng(seed).normal(size=(size, size))
    return root @ root.T + 0.01 * np.eye(size)


def samples(c: Array, n: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).multivariate_normal(np.zeros(len(c)), c, size=n)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_gaussian_errors_are_calibrated(size: int) -> None:
    c, n = covariance(size), 20_000
    found = calibration(samples(c, n), np.tile(c, (n, 1, 1)))
    assert found.count == n
    # measured within 0.010 of 1, 0.018 of 1 and 0.004 of the probability
    assert found.mean_nees == pytest.approx(1.0, abs=0.04)
    assert found.median_nees == pytest.approx(1.0, abs=0.06)
    assert all(share == pytest.approx(p, abs=0.015) for p, share in found.coverage.items())


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_wrong_sigma_shows_by_its_square(factor: float) -> None:
    c, n = covariance(3), 5_000
    found = calibration(samples(c, n), np.tile(factor**2 * c, (n, 1, 1)))
    assert found.mean_nees == pytest.approx(1 / factor**2, rel=0.05)  # measured within 2 %
    assert found.median_nees == pytest.approx(1 / factor**2, rel=0.08)  # measured within 4 %
    assert (found.coverage[0.9] > 0.9) == (factor > 1)


def test_gross_errors_move_the_mean_and_not_the_median() -> None:
    c, n = covariance(3), 2_000
    errors = samples(c, n)
    errors[:20] *= 100
    found = calibration(errors, np.tile(c, (n, 1, 1)))
    assert found.mean_nees > 10  # measured 99
    assert found.median_nees == pytest.approx(1.0, abs=0.1)  # measured 0.99


def test_asked_probabilities_are_answered() -> None:
    found = calibration([[0.0], [3.0]], [[[1.0]], [[1.0]]], (0.68,))
    assert found.coverage == {0.68: 0.5}


def test_nothing_to_judge_is_refused() -> None:
    with pytest.raises(InputError, match="no error"):
        calibration(np.zeros((0, 3)), np.zeros((0, 3, 3)))


def test_mahalanobis_by_hand_and_broadcast() -> None:
    assert squared_mahalanobis([2.0, 3.0], np.diag([4.0, 9.0])) == pytest.approx(2.0)
    assert squared_mahalanobis(np.ones((4, 5, 3)), np.eye(3)).shape == (4, 5)
    assert squared_mahalanobis(np.zeros((0, 3)), np.zeros((0, 3, 3))).shape == (0,)


@given(st.integers(1, 6), st.integers(0, 1000))
def test_mahalanobis_is_free_of_the_frame(size: int, seed: int) -> None:
    rng, c = np.random.default_rng(seed), covariance(size, seed)
    error, change = rng.normal(size=size), rng.normal(size=(size, size)) + 3 * np.eye(size)
    moved = squared_mahalanobis(change @ error, change @ c @ change.T)
    assert moved == pytest.approx(squared_mahalanobis(error, c), rel=1e-5)


def test_ellipsoid_holds_the_asked_share() -> None:
    c = covariance(2)
    inside = inside_ellipsoid(samples(c, 20_000), c, 0.9)
    assert inside.mean() == pytest.approx(0.9, abs=0.01)  # measured 0.900
    # In two dimensions the radius is sqrt(-2 log(1 - p)).
    edge = np.sqrt(-2 * np.log(0.1))
    assert inside_ellipsoid([[edge - 1e-6, 0], [edge + 1e-6, 0]], np.eye(2), 0.9).tolist() == [True, False]


def test_largest_sigma_is_that_of_the_longest_axis() -> None:
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    assert largest_sigma(turn @ np.diag([0.04, 9.0, 1.0]) @ turn.T) == pytest.approx(3.0)
    assert largest_sigma(-1e-18 * np.eye(3)) == 0.0  # rounding of a singular covariance


@pytest.mark.parametrize(
    "sigmas",
    [
        (2,),
        (1, 1),
        (1, 1, 1),
        (3, 1, 1),
        (2, 2, 0.1),
        (10, 1, 0.1),
        (1000, 10, 10),
        (10, 0, 0),
        (5, 4, 3, 2, 1, 0.1),
    ],
)
def test_probability_within_is_that_of_monte_carlo(sigmas: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(len(sigmas), len(sigmas))))[0]
    c = turn @ np.diag(np.square(sigmas)) @ turn.T
    lengths = np.linalg.norm(rng.normal(size=(100_000, len(sigmas))) * sigmas, axis=1)
    off = [abs(probability_within(c, r) - (lengths < r).mean()) for r in max(sigmas) * np.linspace(0.1, 3.0, 15)]
    assert max(off) < 0.006  # measured at most 0.0022, most of it the sampling of 100000 lengths


def test_probability_within_at_its_ends() -> None:
    assert probability_within(np.zeros((3, 3)), 0.1) == 1.0
    assert probability_within(np.eye(3), 0.0) == 0.0
    assert probability_within(1e12 * np.eye(3), 0.25) < 1e-15
    assert probability_within(1e-12 * np.eye(3), 0.25) == 1.0


@given(st.floats(0.01, 10.0), st.floats(1.01, 3.0))
def test_probability_within_grows_with_the_radius_and_falls_with_the_spread(radius: float, factor: float) -> None:
    c = covariance(3)
    here = probability_within(c, radius)
    assert probability_within(c, factor * radius) >= here
    assert probability_within(factor**2 * c, factor * radius) == pytest.approx(here, abs=1e-12)
