"""Motion of objects as points on the ground, filtered forwards and backwards in time, and how well two pieces join.

The filter of ``perception.tracking`` decides with the past alone. With the whole recording at hand, a piece of a
track that
ends and one that begins are compared by position and velocity from both sides: with x ~ N(f, F) from the past and
N(b, B) from the future at one moment, the likelihood of both showing one object is N(f - b; 0, F + B).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.tracking.states import SUDDEN_SHARE

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

POSITION = np.eye(2, 4)
SPEED_MPS = {True: 1.2, False: 3.0}
"""Standard deviation of velocities along an axis, of people and of vehicles."""
STANDS = {True: 0.02, False: 0.5}
"""Share of people and of vehicles that stand quite still at a moment."""
STAND_SIGMA_M = {True: 0.15, False: 0.1}
STAND_SIGMA_MPS = 0.1
STAND_S = 120.0
"""Time in which standing on becomes less likely by a factor of e."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """N observations of objects on the ground.

    time: (N,) seconds; position: (N, 2) site metres; covariance: (N, 2, 2), from this instant's boxes alone
    level: (N,); walks: (N,) a person, otherwise a vehicle; usual, sudden: (N,) accelerations as in ``MotionOptions``
    """

    time: Array
    position: Array
    covariance: Array
    level: Indices
    walks: NDArray[np.bool_]
    usual: Array
    sudden: Array

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, kw_only=True, eq=False)
class States:
    """States (N, 4) of (x, y, vx, vy) with covariances (N, 4, 4), each just after its point was taken in."""

    mean: Array
    covariance: Array


def start_states(points: Points, at: Indices) -> States:
    """Return the states of points (N,) that begin a piece: nothing is known of their velocity but what is usual."""
    covariance = np.zeros((len(at), 4, 4))
    covariance[:, :2, :2] = points.covariance[at]
    speed = np.where(points.walks[at], SPEED_MPS[True], SPEED_MPS[False])
    covariance[:, 2, 2] = covariance[:, 3, 3] = speed**2
    return States(mean=np.column_stack([points.position[at], np.zeros((len(at), 2))]), covariance=covariance)


def predicted(states: States, dt: Array, acceleration: Array) -> States:
    """Return states after times (N,) of either sign, with white acceleration of root densities (N,)."""
    n = len(dt)
    motion = np.tile(np.eye(4), (n, 1, 1))
    motion[:, 0, 2] = motion[:, 1, 3] = dt
    span, density = np.abs(dt), acceleration**2
    noise = np.zeros((n, 4, 4))
    for axis in (0, 1):
        noise[:, axis, axis] = density * span**3 / 3
        noise[:, axis, axis + 2] = noise[:, axis + 2, axis] = np.sign(dt) * density * span**2 / 2
        noise[:, axis + 2, axis + 2] = density * span
    mean = (motion @ states.mean[..., None])[..., 0]
    return States(mean=mean, covariance=motion @ states.covariance @ np.swapaxes(motion, 1, 2) + noise)


def updated(states: States, points: Points, at: Indices, dt: Array) -> States:
    """Return states after ``dt`` (N,) and the points (N,): by usual motion or, where likelier, by sudden motion."""
    calm = predicted(states, dt, points.usual[at])
    sudden = predicted(states, dt, points.sudden[at])
    offset = points.position[at] - calm.mean[:, :2]
    by_calm = np.log1p(-SUDDEN_SHARE) + log_normal(offset, calm.covariance[:, :2, :2] + points.covariance[at])
    by_sudden = np.log(SUDDEN_SHARE) + log_normal(offset, sudden.covariance[:, :2, :2] + points.covariance[at])
    covariance = np.where((by_sudden > by_calm)[:, None, None], sudden.covariance, calm.covariance)
    spread = covariance[:, :2, :2] + points.covariance[at]
    gain = np.swapaxes(np.linalg.solve(spread, covariance[:, :2]), 1, 2)
    after = covariance - gain @ covariance[:, :2]
    mean = calm.mean + (gain @ offset[..., None])[..., 0]
    return States(mean=mean, covariance=0.5 * (after + np.swapaxes(after, 1, 2)))


def backward_states(points: Points, following: Indices) -> States:
    """Return for each point what it and all that follow tell of its state; ``following`` (N,) is -1 at the end."""
    mean, covariance = np.zeros((len(points), 4)), np.zeros((len(points), 4, 4))
    order = np.argsort(-points.time, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(points.time[order])) + 1):
        last, inner = group[following[group] < 0], group[following[group] >= 0]
        begun = start_states(points, last)
        mean[last], covariance[last] = begun.mean, begun.covariance
        if len(inner):
            after = following[inner]
            known = States(mean=mean[after], covariance=covariance[after])
            now = updated(known, points, inner, points.time[inner] - points.time[after])
            mean[inner], covariance[inner] = now.mean, now.covariance
    return States(mean=mean, covariance=covariance)


def join_odds(past: States, future: States, dt: Array, points: Points, head: Indices) -> Array:
    """Return the log-likelihood ratio (N,) of the future being that of the past against a new object, a square metre.

    past: states at the end of N pieces; future: states at the points ``head`` (N,) that come ``dt`` (N,) seconds later.
    An object goes on as it went, or moves suddenly, or, as far as its past tells that it stood, stands on.
    """
    walks = points.walks[head]
    stood = _stood(past, dt, walks)
    parts = [np.log(stood) + _as_it_stood(past, future, walks)]
    for share, acceleration in ((1 - SUDDEN_SHARE, points.usual[head]), (SUDDEN_SHARE, points.sudden[head])):
        ahead = predicted(past, dt, acceleration)
        offset = future.mean - ahead.mean
        parts.append(np.log(share) + np.log1p(-stood) + log_normal(offset, ahead.covariance + future.covariance))
    speed = _by_family(walks, SPEED_MPS)[:, None, None] ** 2 * np.eye(2)
    new = log_normal(future.mean[:, 2:], speed + future.covariance[:, 2:, 2:])
    return np.asarray(np.logaddexp.reduce(parts) - new)


def _by_family(walks: NDArray[np.bool_], values: dict[bool, float]) -> Array:
    return np.where(walks, values[True], values[False])


def _stood(past: States, dt: Array, walks: NDArray[np.bool_]) -> Array:
    """Return the probability (N,) that objects stood at the end of their past and stood on for ``dt`` (N,) seconds."""
    velocity, unsure = past.mean[:, 2:], past.covariance[:, 2:, 2:]
    share, speed = _by_family(walks, STANDS), _by_family(walks, SPEED_MPS)
    stands = np.log(share) + log_normal(velocity, unsure + STAND_SIGMA_MPS**2 * np.eye(2))
    moves = np.log(1 - share) + log_normal(velocity, unsure + speed[:, None, None] ** 2 * np.eye(2))
    return np.asarray(np.exp(stands - np.logaddexp(stands, moves) - dt / STAND_S))


def _as_it_stood(past: States, future: States, walks: NDArray[np.bool_]) -> Array:
    """Return log-densities (N,) of futures that stand where their pasts stood."""
    offset = future.mean - past.mean * np.array([1.0, 1.0, 0.0, 0.0])
    spread = future.covariance.copy()
    spread[:, :2, :2] += past.covariance[:, :2, :2]
    place = _by_family(walks, STAND_SIGMA_M) ** 2
    sway = np.full_like(place, STAND_SIGMA_MPS**2)
    spread[:, range(4), range(4)] += np.stack([place, place, sway, sway], axis=-1)
    return log_normal(offset, spread)


def log_normal(offset: Array, covariance: Array) -> Array:
    """Return log-densities of offsets (..., D) under covariances (..., D, D)."""
    squared = np.einsum("...i,...i->...", offset, np.linalg.solve(covariance, offset[..., None])[..., 0])
    log_determinant = np.linalg.slogdet(covariance)[1]
    return np.asarray(-0.5 * (squared + log_determinant + offset.shape[-1] * np.log(2 * np.pi)))
