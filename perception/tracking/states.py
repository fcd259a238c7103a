"""Kalman filtering of objects on the ground, many at once.

A state is (x, y, vx, vy, heading, length, width, height) in site metres, m/s and radians. Size is part of it since an
error in size is an error in position along the ray that repeats itself in every frame; a filter without it would
claim to be surer with every frame.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geometry.box_views import ROWS, SIDES, UNKNOWN_PX, BoxPlanes
from geometry.ground_surface import GroundSurface
from geometry.lifting import HIDDEN_SIGMAS, Solids, hidden_noise, residuals, shape_sigma

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

STATE = 8
MEASURED = [0, 1, 4, 5, 6, 7]
"""The parts of a state that boxes depend on, in the order of ``geometry.lifting.residuals``."""
STANDING_MPS = 0.15
"""Standard deviation of the velocity of what no picture shows to move."""
SLIP_MPS = 0.5
"""Standard deviation of the sideways velocity of a vehicle's middle: the rear axle does not slip, and what is 1.3 m
before it goes sideways at 0.5 m/s where the vehicle turns at 0.4 radians a second."""
BIRTH_SIGMA_M = 4.0
"""A new object is this unsure before its first box, which settles it."""
HEADING_SIGMA = 0.3
SUDDEN_SHARE = 0.15
"""Share of steps in which an object does not go on as it went."""
REVERSED_MPS = 1.0
"""A vehicle that is surely faster than this points to where it goes, or away from it."""
LOG_2PI = float(np.log(2 * np.pi))


class Shapes(NamedTuple):
    """What of N tracks does not change: outline (N, K, 3), is_round (N,)."""

    outline: Array
    is_round: Mask

    def take(self, index: Indices | Mask) -> "Shapes":
        """Return those of some tracks."""
        return Shapes(self.outline[index], self.is_round[index])


class Innovation(NamedTuple):
    """N pairs of a state and a box: residual (N, ROWS) px, its Jacobian (N, ROWS, STATE) and covariance, and the
    noise's."""

    px: Array
    jacobian: Array
    covariance: Array
    noise: Array
    log_likelihood: Array


def transition(dt: Array) -> Array:
    """Return the matrices (N, STATE, STATE) of constant velocity over times (N,) seconds."""
    matrix = np.tile(np.eye(STATE), (len(dt), 1, 1))
    matrix[:, 0, 2] = matrix[:, 1, 3] = dt
    return matrix


def process_noise(dt: Array, acceleration: Array, turn: Array, speed: Array) -> Array:
    """Return what is added to covariances (N, STATE, STATE) over times (N,): white acceleration, and turning as it
    moves."""
    noise = np.zeros((len(dt), STATE, STATE))
    density = acceleration**2
    flat = noise.reshape(len(dt), STATE * STATE)
    flat[:, [0, STATE + 1]] = (density * dt**3 / 3)[:, None]
    flat[:, [2, STATE + 3, 2 * STATE, 3 * STATE + 1]] = (density * dt**2 / 2)[:, None]
    flat[:, [2 * STATE + 2, 3 * STATE + 3]] = (density * dt)[:, None]
    flat[:, 4 * STATE + 4] = turn**2 * np.maximum(speed, 0.02) * dt
    return noise


def carried(mean: Array, covariance: Array, dt: Array) -> tuple[Array, Array]:
    """Return states (N, STATE) and covariances after times (N,) of constant velocity, without noise.

    As ``transition``, of which all but two elements are those of the unit matrix.
    """
    mean, covariance = mean.copy(), covariance.copy()
    mean[:, :2] += dt[:, None] * mean[:, 2:4]
    covariance[:, :2] += dt[:, None, None] * covariance[:, 2:4]
    covariance[:, :, :2] += dt[:, None, None] * covariance[:, :, 2:4]
    return mean, covariance


def innovation(
    mean: Array,
    covariance: Array,
    shapes: Shapes,
    level: Indices,
    ground: GroundSurface,
    planes: BoxPlanes,
    *,
    may_hide: bool,
) -> Innovation:
    """Compare states (N, STATE) with the N boxes beside them; log-likelihoods are densities a pixel in each row.

    may_hide: whether a side may be where something else begins, ``TrackerOptions.visible_boxes``
    """
    solids = Solids(
        position=mean[:, :2],
        heading=mean[:, 4],
        size=np.maximum(mean[:, 5:], 0.1),
        outline=shapes.outline,
        is_round=shapes.is_round,
    )
    found = residuals(solids, ground, level, planes)
    jacobian = np.zeros((len(mean), ROWS, STATE))
    jacobian[:, :, MEASURED] = found.jacobian
    spread = jacobian @ covariance @ np.swapaxes(jacobian, 1, 2)
    noise = planes.sigma_px**2 + (found.px_per_m * shape_sigma(shapes.is_round)) ** 2
    further_in = (found.px[:, :SIDES] > HIDDEN_SIGMAS * np.sqrt(noise[:, :SIDES])).any(axis=1)
    doubtful = np.flatnonzero(further_in & may_hide)
    if len(doubtful):
        noise[doubtful] += _hidden(found.px[doubtful], spread[doubtful], noise[doubtful])
    diagonal = np.arange(ROWS)
    spread[:, diagonal, diagonal] += noise
    whitener = np.linalg.cholesky(spread)
    white = np.linalg.solve(whitener, found.px[..., None])[..., 0]
    log_determinant = 2 * np.log(np.einsum("nii->ni", whitener)).sum(axis=1)
    log_likelihood = -0.5 * ((white**2).sum(axis=1) + log_determinant + ROWS * LOG_2PI)
    return Innovation(found.px, jacobian, spread, noise, log_likelihood)


def _hidden(px: Array, spread: Array, noise: Array) -> Array:
    """Return variances (N, ROWS) of sides that are hidden, judged by what the state and all other rows say of them.

    The residual of a row left out is (S^-1 r)_i / (S^-1)_ii, its variance 1 / (S^-1)_ii: a state that is not sure of
    its place yet is told it by the other rows.
    """
    inverse = np.linalg.inv(spread + noise[:, :, None] * np.eye(ROWS))
    precision = np.einsum("nii->ni", inverse)
    return hidden_noise((inverse @ px[..., None])[..., 0] / precision, 1.0 / precision)


def update(mean: Array, covariance: Array, seen: Innovation) -> tuple[Array, Array]:
    """Return states after their boxes, in Joseph's form, which keeps covariances positive."""
    gain = np.swapaxes(np.linalg.solve(seen.covariance, seen.jacobian @ covariance), 1, 2)
    moved = mean - (gain @ seen.px[..., None])[..., 0]
    left = np.eye(STATE) - gain @ seen.jacobian
    after = left @ covariance @ np.swapaxes(left, 1, 2) + (gain * seen.noise[:, None]) @ np.swapaxes(gain, 1, 2)
    moved[:, 5:] = np.maximum(moved[:, 5:], 0.1)
    return moved, 0.5 * (after + np.swapaxes(after, 1, 2))


def log_standing(mean: Array, covariance: Array) -> Array:
    """Return the log-probability (N,) that what has these states is slow enough for no picture to show it move."""
    spread = covariance[:, 2:4, 2:4] + STANDING_MPS**2 * np.eye(2)
    squared = np.einsum("ni,ni->n", mean[:, 2:4], np.linalg.solve(spread, mean[:, 2:4, None])[..., 0])
    return np.asarray(2 * np.log(STANDING_MPS) - 0.5 * (squared + np.linalg.slogdet(spread)[1]))


def roll_without_slipping(mean: Array, covariance: Array) -> tuple[Array, Array]:
    """Return states of vehicles after the knowledge that they don't move sideways, which ties heading to velocity."""
    cos, sin = np.cos(mean[:, 4]), np.sin(mean[:, 4])
    sideways = cos * mean[:, 3] - sin * mean[:, 2]
    row = np.zeros((len(mean), STATE))
    row[:, 2], row[:, 3], row[:, 4] = -sin, cos, -(cos * mean[:, 2] + sin * mean[:, 3])
    spread = np.einsum("ni,nij->nj", row, covariance)
    variance = np.einsum("nj,nj->n", spread, row)
    noise = np.maximum(SLIP_MPS**2, (sideways / 2.0) ** 2 - variance)
    gain = spread / (variance + noise)[:, None]
    after = covariance - gain[:, :, None] * spread[:, None]
    return mean - gain * sideways[:, None], 0.5 * (after + np.swapaxes(after, 1, 2))


def pointing_ahead(mean: Array, covariance: Array) -> Array:
    """Turn the heading of fast vehicles by half a turn, or to where they go, where it contradicts their velocity."""
    velocity = mean[:, 2:4]
    speed = np.linalg.norm(velocity, axis=1)
    sigma = np.sqrt(covariance[:, 2, 2] + covariance[:, 3, 3])
    fast = speed > REVERSED_MPS + 2 * sigma
    course = np.arctan2(velocity[:, 1], velocity[:, 0])
    off = np.abs(np.angle(np.exp(2j * (course - mean[:, 4])))) / 2
    turned = mean.copy()
    turned[:, 4] = np.where(fast & (off > np.pi / 4), course, mean[:, 4])
    return turned


def log_clutter(planes: BoxPlanes, boxes: Array, feet: Array, image_size: Array) -> Array:
    """Return the log-density (N,) of a false box a pixel in each row: anywhere, of up to a third of the picture.

    The foot of a false box lies in the box; further out ever less likely, by a Cauchy distribution in two dimensions.
    """
    width, height = image_size
    sides = -np.log(np.array([width, height, width / 3, height / 3]))
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 2.0)
    outside = np.abs(feet - 0.5 * (boxes[:, :2] + boxes[:, 2:])) / (0.5 * size)
    further = np.maximum(np.nan_to_num(outside) - 1.0, 0.0)
    foot = -np.log(size) - 0.75 * np.log1p((further**2).sum(axis=1))[:, None]
    density = np.concatenate([np.broadcast_to(sides, (len(boxes), 4)), foot], axis=1)
    unknown = -np.log(UNKNOWN_PX) - 0.5 * LOG_2PI
    return np.where(planes.sigma_px >= UNKNOWN_PX, unknown, density).sum(axis=1)
