"""Trajectories of objects whose boxes are settled: filtered anew, smoothed backwards, and read off at any time.

Filtering runs over all objects at once, instant after instant, with the states of ``perception.tracking.states``; the
smoother is Rauch, Tung and Striebel's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.box_views import BoxPlanes
from geometry.ground_surface import GroundSurface
from geometry.solids import outlines_of, size_prior
from perception.tracking.options import MotionOptions, TrackerOptions
from perception.tracking.parking import parked
from perception.tracking.states import (
    BIRTH_SIGMA_M,
    HEADING_SIGMA,
    STATE,
    SUDDEN_SHARE,
    Innovation,
    Shapes,
    carried,
    innovation,
    pointing_ahead,
    process_noise,
    roll_without_slipping,
    transition,
    update,
)
from perception.tracking.tracks import Seen, Tracklet

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

PERSON_BIAS_M, VEHICLE_BIAS_M = 0.02, 0.02
"""Standard deviation along an axis of what no number of boxes averages out: how far a shape is from its solid."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """An object's boxes, instant after instant.

    kind: its class; start: a state (STATE,) to linearize at first; level: index at the start
    times: (K,) seconds, growing; boxes: those of each instant, one of a camera
    """

    kind: str
    start: Array
    level: int
    times: Array
    boxes: tuple[tuple[Seen, ...], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory:
    """States of one object: times (K,), means (K, STATE), covariances (K, STATE, STATE), levels (K,)."""

    times: Array
    means: Array
    covariances: Array
    levels: Indices
    motion: MotionOptions
    bias_m: float


def chain_of(tracklets: Sequence[Tracklet], steps: Sequence[tuple[int, int]]) -> Chain:
    """Return the chain of (tracklet, instant) steps in the order of time; its class is the one of most score."""
    boxes, kinds = [], dict[str, float]()
    for piece, number in steps:
        tracklet = tracklets[piece]
        time = tracklet.times[number]
        group = tuple(each for each in tracklet.seen_at(number) if each.time == time)
        boxes.append(group)
        for each in group:
            kinds[each.kind] = kinds.get(each.kind, 0.0) + each.score
    first, begun = tracklets[steps[0][0]], steps[0][1]
    later = min(begun + 5, len(first.means) - 1)
    start = first.means[begun].copy()
    start[4] = first.means[later][4]
    return Chain(
        kind=max(sorted(kinds), key=kinds.__getitem__),
        start=start,
        level=first.levels[begun],
        times=np.array([tracklets[piece].times[number] for piece, number in steps]),
        boxes=tuple(boxes),
    )


def smoothed(chains: Sequence[Chain], ground: GroundSurface, options: TrackerOptions) -> list[Trajectory]:
    """Return the trajectory of each chain."""
    if not chains:
        return []
    run = _Filter(chains, ground, options)
    run.forward()
    return run.backward()


class _Filter:
    """All chains, filtered side by side."""

    def __init__(self, chains: Sequence[Chain], ground: GroundSurface, options: TrackerOptions) -> None:
        self.chains, self.ground, self.options = chains, ground, options
        priors = [size_prior(chain.kind) for chain in chains]
        self.motion = [options.person if prior.family == "person" else options.vehicle for prior in priors]
        self.shapes = Shapes(*outlines_of(tuple(chain.kind for chain in chains)))
        self.usual = np.array([each.acceleration for each in self.motion])
        self.sudden = np.array([each.sudden for each in self.motion])
        self.turn = np.array([each.turn for each in self.motion])
        n, longest = len(chains), max(len(chain.times) for chain in chains)
        self.lengths = np.array([len(chain.times) for chain in chains])
        self.mean = np.array([chain.start for chain in chains])
        self.mean[:, 2:4] = 0.0
        self.mean[:, 5:] = [prior.size for prior in priors]
        sigma = np.zeros((n, STATE))
        sigma[:, :2], sigma[:, 2:4] = BIRTH_SIGMA_M, np.array([[each.speed] for each in self.motion])
        sigma[:, 4] = np.where(self.shapes.is_round, 1e-3, HEADING_SIGMA)
        sigma[:, 5:] = [prior.sigma for prior in priors]
        self.covariance = sigma[:, :, None] * sigma[:, None] * np.eye(STATE)
        self.level = np.array([chain.level for chain in chains])
        self.last = np.array([chain.times[0] for chain in chains])
        self.step = np.zeros(n, dtype=np.int64)
        self.means, self.covariances = np.zeros((n, longest, STATE)), np.zeros((n, longest, STATE, STATE))
        self.predicted = np.zeros((n, longest, STATE, STATE))
        self.priors = np.zeros((n, longest, STATE))
        self.levels = np.zeros((n, longest), dtype=np.int64)

    def forward(self) -> None:
        """Filter all instants in the order of time."""
        times = np.concatenate([chain.times for chain in self.chains])
        owner = np.repeat(np.arange(len(self.chains)), self.lengths)
        order = np.argsort(times, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(times[order])) + 1):
            self._take_in(float(times[group[0]]), owner[group])

    def _take_in(self, now: float, rows: Indices) -> None:
        """Predict some chains to a time and update them with their boxes."""
        boxes = [self.chains[row].boxes[self.step[row]] for row in rows.tolist()]
        first = _planes([group[0] for group in boxes])
        mean, covariance = self._predicted(rows, now, first)
        self.level[rows] = self.ground.levels_at(self.level[rows], mean[:, :2])
        step = self.step[rows]
        self.priors[rows, step], self.predicted[rows, step] = mean, covariance
        for number in range(max(map(len, boxes))):
            here = np.array([i for i, group in enumerate(boxes) if len(group) > number])
            planes = _planes([boxes[i][number] for i in here.tolist()]) if number else first
            seen = self._compare(mean[here], covariance[here], rows[here], planes)
            mean[here], covariance[here] = update(mean[here], covariance[here], seen)
        rolls = ~self.shapes.is_round[rows]
        if rolls.any():
            mean[rolls] = pointing_ahead(mean[rolls], covariance[rolls])
            mean[rolls], covariance[rolls] = roll_without_slipping(mean[rolls], covariance[rolls])
            mean[rolls], covariance[rolls], _ = parked(
                mean[rolls], covariance[rolls], self.level[rows][rolls], self.ground.places
            )
        self.mean[rows], self.covariance[rows], self.last[rows] = mean, covariance, now
        self.means[rows, step], self.covariances[rows, step] = mean, covariance
        self.levels[rows, step] = self.level[rows]
        self.step[rows] += 1

    def _predicted(self, rows: Indices, now: float, planes: BoxPlanes) -> tuple[Array, Array]:
        """Return predictions by usual motion or, where the first box is likelier, by sudden motion."""
        dt = now - self.last[rows]
        mean, ahead = carried(self.mean[rows], self.covariance[rows], dt)
        speed = np.linalg.norm(mean[:, 2:4], axis=1)
        calm = ahead + process_noise(dt, self.usual[rows], self.turn[rows], speed)
        sudden = ahead + process_noise(dt, self.sudden[rows], self.turn[rows], speed)
        by_calm, by_sudden = (self._compare(mean, each, rows, planes).log_likelihood for each in (calm, sudden))
        better = by_sudden - by_calm > np.log((1 - SUDDEN_SHARE) / SUDDEN_SHARE)
        return mean, np.where(better[:, None, None], sudden, calm)

    def _compare(self, mean: Array, covariance: Array, rows: Indices, planes: BoxPlanes) -> Innovation:
        shapes, level, may_hide = self.shapes.take(rows), self.level[rows], self.options.visible_boxes
        return innovation(mean, covariance, shapes, level, self.ground, planes, may_hide=may_hide)

    def backward(self) -> list[Trajectory]:
        """Smooth all chains, from their ends."""
        longest = self.means.shape[1]
        for back in range(2, longest + 1):
            rows = np.flatnonzero(self.lengths >= back)
            k = self.lengths[rows] - back
            times = np.array(
                [self.chains[row].times[i : i + 2] for row, i in zip(rows.tolist(), k.tolist(), strict=True)]
            )
            forward = transition(times[:, 1] - times[:, 0])
            own, ahead = self.covariances[rows, k], self.predicted[rows, k + 1]
            gain = np.swapaxes(np.linalg.solve(ahead + 1e-12 * np.eye(STATE), forward @ own), 1, 2)
            change = self.means[rows, k + 1] - self.priors[rows, k + 1]
            change[:, 4] = 0.5 * np.angle(np.exp(2j * change[:, 4]))
            self.means[rows, k] += (gain @ change[..., None])[..., 0]
            smaller = self.covariances[rows, k + 1] - ahead
            self.covariances[rows, k] = own + gain @ smaller @ np.swapaxes(gain, 1, 2)
        return [
            Trajectory(
                times=chain.times,
                means=self.means[row, : len(chain.times)],
                covariances=self.covariances[row, : len(chain.times)],
                levels=self.levels[row, : len(chain.times)],
                motion=self.motion[row],
                bias_m=PERSON_BIAS_M if self.shapes.is_round[row] else VEHICLE_BIAS_M,
            )
            for row, chain in enumerate(self.chains)
        ]


def _planes(boxes: Sequence[Seen]) -> BoxPlanes:
    """Stack the planes of boxes of several cameras."""
    return BoxPlanes(
        centre=np.array([each.planes.centre for each in boxes]),
        normals=np.array([each.planes.normals[each.row] for each in boxes]),
        rad_per_px=np.array([each.planes.rad_per_px[each.row] for each in boxes]),
        sigma_px=np.array([each.planes.sigma_px[each.row] for each in boxes]),
        room_px=np.array([each.planes.room_px[each.row] for each in boxes]),
        middle=np.array([each.planes.middle[each.row] for each in boxes]),
    )


def states_at(trajectory: Trajectory, times: Array) -> tuple[Array, Array, Indices]:
    """Return states (N, STATE), covariances of position and velocity (N, 4, 4) and levels (N,) at ``times`` (N,).

    Between two states it is the mean of motion with white acceleration given both, a cubic curve; beyond them the
    object moves on. Covariances include the trajectory's ``bias_m``.
    """
    known, density = trajectory.times, trajectory.motion.acceleration**2
    after = np.clip(np.searchsorted(known, times, side="left"), 1, max(len(known) - 1, 1))
    before, after = after - 1, np.minimum(after, len(known) - 1)
    span = np.maximum(known[after] - known[before], 1e-9)
    share = (times - known[before]) / span
    inside = (share > 0) & (share < 1)
    nearest = np.where(share < 0.5, before, after)
    mean = trajectory.means[nearest].copy()
    covariance = trajectory.covariances[nearest][:, :4, :4].copy()
    beyond = np.where(inside, 0.0, times - known[nearest])
    motion, growth = transition(beyond)[:, :4, :4], _noise(np.abs(beyond), density)
    mean[:, :4] = (motion @ mean[:, :4, None])[..., 0]
    covariance = motion @ covariance @ np.swapaxes(motion, 1, 2) + growth
    if inside.any():
        a, b = before[inside], after[inside]
        s, t = share[inside, None], span[inside, None]
        p, q = trajectory.means[a], trajectory.means[b]
        h = s**2 * (3 - 2 * s)
        mean[inside, :2] = (1 - h) * p[:, :2] + h * q[:, :2] + t * s * (1 - s) * ((1 - s) * p[:, 2:4] - s * q[:, 2:4])
        mean[inside, 2:4] = (1 - s) * p[:, 2:4] + s * q[:, 2:4]
        own = density * (t[:, 0] * s[:, 0] * (1 - s[:, 0])) ** 3 / 3
        mixed = (1 - s)[..., None] * trajectory.covariances[a] + s[..., None] * trajectory.covariances[b]
        covariance[inside] = mixed[:, :4, :4]
        covariance[inside, 0, 0] += own
        covariance[inside, 1, 1] += own
    covariance[:, [0, 1], [0, 1]] += trajectory.bias_m**2
    return mean, covariance, trajectory.levels[nearest]


def _noise(dt: Array, density: float) -> Array:
    n = len(dt)
    return process_noise(dt, np.full(n, np.sqrt(density)), np.zeros(n), np.zeros(n))[:, :4, :4]
