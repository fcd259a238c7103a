"""Rauch-Tung-Striebel smoothing of tracklets: every state with the knowledge of all boxes, and states in between."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.tracking.options import TrackerOptions
from perception.tracking.states import STATE, process_noise, transition
from perception.tracking.tracks import Tracklet

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory:
    """Smoothed states of one tracklet: times (K,), means (K, STATE), covariances (K, STATE, STATE), levels (K,)."""

    times: Array
    means: Array
    covariances: Array
    levels: NDArray[np.int64]
    acceleration: float


def smooth(tracklet: Tracklet, options: TrackerOptions) -> Trajectory:
    """Smooth a tracklet by a backward pass over its filtered states."""
    motion = options.person if tracklet.family == "person" else options.vehicle
    times = np.array(tracklet.times)
    means, covariances = np.array(tracklet.means), np.array(tracklet.covariances)
    step = np.diff(times)
    forward = transition(step)
    speed = np.linalg.norm(means[:-1, 2:4], axis=1)
    n = len(step)
    noise = process_noise(step, np.full(n, motion.acceleration), np.full(n, motion.turn), speed)
    predicted = forward @ covariances[:-1] @ np.swapaxes(forward, 1, 2) + noise
    gains = np.swapaxes(np.linalg.solve(predicted + 1e-12 * np.eye(STATE), forward @ covariances[:-1]), 1, 2)
    for k in range(n - 1, -1, -1):
        ahead = means[k + 1] - forward[k] @ means[k]
        ahead[4] = np.angle(np.exp(1j * ahead[4]))
        means[k] = means[k] + gains[k] @ ahead
        covariances[k] = covariances[k] + gains[k] @ (covariances[k + 1] - predicted[k]) @ gains[k].T
    return Trajectory(
        times=times,
        means=means,
        covariances=0.5 * (covariances + np.swapaxes(covariances, 1, 2)),
        levels=np.array(tracklet.levels),
        acceleration=motion.acceleration,
    )


def states_at(trajectory: Trajectory, times: Array) -> tuple[Array, Array]:
    """Return positions and velocities (N, 4) with covariances (N, 4, 4) at ``times`` (N,), between or beyond the states.

    Between two states it is the conditional mean of motion with white acceleration given both, a cubic (Hermite) curve.
    Beyond them the object moves on.
    """
    known = trajectory.times
    after = np.clip(np.searchsorted(known, times, side="right"), 1, max(len(known) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(known) - 1)
    q = trajectory.acceleration**2
    mean_a, mean_b = trajectory.means[before, :4], trajectory.means[after, :4]
    cov_a, cov_b = trajectory.covariances[before, :4, :4], trajectory.covariances[after, :4, :4]
    span, into = known[after] - known[before], times - known[before]
    inside = (into > 0) & (into < span)
    forward, noise = _constant_velocity(np.where(inside, into, 0.0), q)
    onward, noise_onward = _constant_velocity(np.where(inside, span - into, 1.0), q)
    through = onward @ noise @ np.swapaxes(onward, 1, 2) + noise_onward
    gain = np.swapaxes(np.linalg.solve(through, onward @ noise), 1, 2)
    rest = forward - gain @ onward @ forward
    mean = (rest @ mean_a[..., None] + gain @ mean_b[..., None])[..., 0]
    own = noise - gain @ onward @ noise
    # the ends' errors go together almost fully over one frame: neither is independent evidence
    share = np.clip(into / np.maximum(span, 1e-9), 0.0, 1.0)[:, None, None]
    covariance = own + (1 - share) * cov_a + share * cov_b
    near_end = np.where(into <= 0, 0, 1)
    end_mean = np.where(near_end[:, None] == 0, mean_a, mean_b)
    end_cov = np.where(near_end[:, None, None] == 0, cov_a, cov_b)
    beyond = np.where(into <= 0, into, into - span)
    drift, growth = _constant_velocity(beyond, q)
    out_mean = (drift @ end_mean[..., None])[..., 0]
    out_cov = drift @ end_cov @ np.swapaxes(drift, 1, 2) + growth
    return (
        np.where(inside[:, None], mean, out_mean),
        np.where(inside[:, None, None], covariance, out_cov),
    )


def _constant_velocity(dt: Array, density: float) -> tuple[Array, Array]:
    """Return transitions (N, 4, 4) of (x, y, vx, vy) and their noise, for times of either sign."""
    n = len(dt)
    return transition(dt)[:, :4, :4], process_noise(np.abs(dt), np.full(n, np.sqrt(density)), np.zeros(n), np.zeros(n))[
        :, :4, :4
    ]
