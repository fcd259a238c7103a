"""Claimed poses: the sigmas are the true standard deviations, by Monte Carlo."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry.errors import InputError
from geometry.records import PoseTable
from scenes.captures.claims import DriftOptions, claimed_poses

TRIALS = 3000


def walked(count: int = 60, step: float = 5.0, recordings: int = 1) -> PoseTable:
    """Return a zigzag walk with arbitrary orientations."""
    rng = np.random.default_rng(3)
    along = step * np.arange(count) / np.sqrt(2)
    positions = np.column_stack([along, step / np.sqrt(2) * (np.arange(count) % 2), np.full(count, 1.6)])
    names = tuple(f"path {i * recordings // count}" for i in range(count))
    return PoseTable(
        images=tuple(f"{i:04d}.jpg" for i in range(count)),
        positions=positions,
        quats_xyzw=Rotation.random(count, random_state=rng).as_quat(),
        sigma_m=np.zeros(count),
        sigma_deg=np.zeros(count),
        sequence=names,
    )


def test_sigmas_are_the_standard_deviations_of_the_errors() -> None:
    truth, options = walked(), DriftOptions(noise_m=0.1, noise_deg=0.5, heading_deg_per_m=0.02, correlation_m=120.0)
    rng = np.random.default_rng(0)
    claims = [claimed_poses(truth, options, rng) for _ in range(TRIALS)]
    errors = np.array([claim.positions for claim in claims]) - truth.positions
    measured = np.sqrt((errors**2).mean(axis=(0, 2)))
    assert np.abs(measured / claims[0].sigma_m - 1).max() < 0.06  # measured 0.02
    true_turn = Rotation.from_quat(truth.quats_xyzw)
    turns = np.array([(Rotation.from_quat(c.quats_xyzw) * true_turn.inv()).as_rotvec(degrees=True) for c in claims])
    heading = np.sqrt((turns[..., 2] ** 2).mean(axis=0))
    assert np.abs(heading / claims[0].sigma_deg - 1).max() < 0.06  # measured 0.03
    tilt = np.sqrt((turns[..., :2] ** 2).mean(axis=(0, 2)))
    assert np.abs(tilt / 0.5 - 1).max() < 0.06  # measured 0.03: gravity keeps tilt from drifting
    inside = (np.abs(errors) < claims[0].sigma_m[:, None]).mean()
    assert inside == pytest.approx(0.6827, abs=0.01)  # measured 0.683: errors are Gaussian


def test_the_drift_is_a_share_of_the_distance_at_first() -> None:
    claim = claimed_poses(walked(step=1.0), DriftOptions(noise_m=0.0), np.random.default_rng(1))
    distance = np.arange(60.0)
    assert claim.sigma_m[1:] == pytest.approx(0.01 * distance[1:], rel=0.03)  # measured 0.02 less at 59 m
    assert claim.sigma_m[0] == 0.0


def test_errors_along_a_walk_are_correlated_and_recordings_are_not() -> None:
    truth, options, rng = walked(count=40, recordings=2), DriftOptions(noise_m=0.0), np.random.default_rng(2)
    errors = (
        np.array([claimed_poses(truth, options, rng).positions[:, 0] for _ in range(TRIALS)]) - truth.positions[:, 0]
    )
    correlation = np.corrcoef(errors[:, [18, 19, 38]].T)
    assert correlation[0, 1] > 0.99
    assert abs(correlation[1, 2]) < 0.08  # 4 sigma of nothing


def test_without_noise_and_drift_claims_are_the_truth() -> None:
    truth = walked()
    none = DriftOptions(noise_m=0.0, noise_deg=0.0, drift=0.0, heading_deg_per_m=0.0)
    claim = claimed_poses(truth, none, np.random.default_rng(0))
    assert claim.positions == pytest.approx(truth.positions)
    assert np.abs((claim.quats_xyzw * truth.quats_xyzw).sum(axis=1)) == pytest.approx(1.0)


@pytest.mark.parametrize("bad", [{"noise_m": -1.0}, {"drift": -0.1}, {"correlation_m": 0.0}])
def test_impossible_options_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match="negative"):
        DriftOptions(**bad)
