"""The poses a phone would claim along a walk: they drift with the distance walked, and their sigmas say how much."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid
from scipy.spatial.transform import Rotation

from geometry.errors import InputError
from geometry.records import PoseTable

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DriftOptions:
    """How a phone's own tracking errs: each picture for itself, and by a drift since the recording began.

    noise_m, noise_deg: standard deviations of each picture's own error, along and about each axis
    drift: share of the distance walked by which the position is off along each axis
    heading_deg_per_m: by which the heading is off; gravity keeps roll and pitch from drifting
    correlation_m: distance after which the direction of the drift is another one
    """

    noise_m: float = 0.3
    noise_deg: float = 2.0
    drift: float = 0.01
    heading_deg_per_m: float = 0.005
    correlation_m: float = 500.0

    def __post_init__(self) -> None:
        if min(self.noise_m, self.noise_deg, self.drift, self.heading_deg_per_m) < 0 or not self.correlation_m > 0:
            raise InputError("noise and drift can't be negative, and the drift's correlation length is positive")


def claimed_poses(truth: PoseTable, options: DriftOptions, rng: np.random.Generator) -> PoseTable:
    """Return what a phone would claim, in one recording for each of the table's sequences, each begun without error.

    The sigmas are the true standard deviations of the errors: sigma_m along each axis of site, sigma_deg of the
    heading, the worst of the three axes. The drift is the integral over the way of a velocity error, an
    Ornstein-Uhlenbeck process with standard deviation ``drift`` and correlation length L, so that after s metres it has
    the variance 2 drift^2 L^2 (s / L - 1 + exp(-s / L)): drift * s at first, and less beyond L.
    """
    way, drift = np.zeros(len(truth)), np.zeros((len(truth), 4))
    for rows in _recordings(truth):
        way[rows] = _way_walked(truth.positions[rows])
        drift[rows] = _unit_drift(way[rows], options.correlation_m, rng)
    sigma = _unit_sigma(way, options.correlation_m)
    turn_deg = options.noise_deg * rng.standard_normal((len(truth), 3))
    turn_deg[:, 2] += options.heading_deg_per_m * drift[:, 3]
    noise = options.noise_m * rng.standard_normal((len(truth), 3))
    error = Rotation.from_rotvec(turn_deg, degrees=True)
    return PoseTable(
        images=truth.images,
        positions=truth.positions + options.drift * drift[:, :3] + noise,
        quats_xyzw=(error * Rotation.from_quat(truth.quats_xyzw)).as_quat(canonical=True),
        sigma_m=np.hypot(options.noise_m, options.drift * sigma),
        sigma_deg=np.hypot(options.noise_deg, options.heading_deg_per_m * sigma),
        time=truth.time,
        sequence=truth.sequence,
    )


def _recordings(truth: PoseTable) -> list[NDArray[np.int64]]:
    """Return the rows of each sequence, in order; all rows where there are no sequences."""
    names = np.array(truth.sequence or [""] * len(truth))
    return [np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())]


def _way_walked(positions: Array) -> Array:
    return np.cumsum(np.linalg.norm(np.diff(positions, axis=0, prepend=positions[:1]), axis=1))


def _unit_drift(way: Array, correlation_m: float, rng: np.random.Generator) -> Array:
    """Return drifts (N, 4) after ``way`` (N,) metres for a velocity error of standard deviation 1.

    The process is a Wiener process W in another time, v(s) = exp(-s / L) W(exp(2 s / L)): Doob, The Brownian movement
    and stochastic equations, 1942.
    """
    steps = np.diff(np.exp(2 * way / correlation_m), prepend=0.0)
    wiener = np.cumsum(np.sqrt(steps)[:, None] * rng.standard_normal((len(way), 4)), axis=0)
    velocity = np.exp(-way / correlation_m)[:, None] * wiener
    return np.asarray(cumulative_trapezoid(velocity, way, axis=0, initial=0.0))


def _unit_sigma(way: Array, correlation_m: float) -> Array:
    """Return the standard deviations (N,) of ``_unit_drift``."""
    share = way / correlation_m
    return correlation_m * np.sqrt(2 * np.maximum(share + np.expm1(-share), 0.0))
