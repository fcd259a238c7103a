"""Clocks of cameras from common motion: an object seen by two of them is at one place at one time.

Each pair of tracks that may show one object tells by how much one clock is ahead of the other: the shift in time that
brings them nearest. How sure that is follows from how fast the object moved, as its place is uncertain by
``SYSTEMATIC_M`` in each camera however long it was followed. All shifts, less those that contradict the rest, and
what is known of clocks beforehand make one least squares problem in the offsets and drifts of all cameras. A camera
that shares no motion keeps what was known beforehand, with its sigma.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

SYSTEMATIC_M = 0.2
MIN_SPEED_MPS = 0.4
MIN_OVERLAP_S = 0.6
MAX_APART_M = 0.6
"""Tracks of one object lie within this of each other, in the mean, at the best shift."""
SHIFT_STEP_S = 0.02
OUTLIER_SIGMAS = 3.0
MIN_SIGMA_S = 0.02
MIN_WAY_M = 1.0
"""What stays within this tells no time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraTrack:
    """What one camera saw of one object.

    times: (K,) by its own clock, growing; positions: (K, 3) site metres; sigma_m: (K,) the root of the trace of each
    position's covariance
    """

    camera: str
    family: str
    times: Array
    positions: Array
    sigma_m: Array


@dataclass(frozen=True, kw_only=True)
class ClockOptions:
    """What is known of clocks beforehand.

    offset_sigma_s, drift_sigma_ppm: standard deviations; max_shift_s: of one clock against another
    """

    offset_sigma_s: float = 0.3
    drift_sigma_ppm: float = 50.0
    max_shift_s: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ClockEstimate:
    """Clocks of C cameras: utc = time - offset - drift_ppm * 1e-6 * (time - epoch).

    offset_s, drift_ppm: (C,); covariance: (2C, 2C) of all offsets (seconds) and then all drifts (ppm)
    pairs: by two cameras how many common tracks were used, and the sigma of their shift
    The common part of all offsets is known no better than beforehand: no picture tells it.
    """

    cameras: tuple[str, ...]
    epoch: float
    offset_s: Array
    drift_ppm: Array
    covariance: Array
    pairs: dict[tuple[str, str], tuple[int, float]]

    def utc(self, camera: str, time: float) -> float:
        """Return UTC when the clock of a camera shows ``time``."""
        i = self.cameras.index(camera)
        return float(time - self.offset_s[i] - self.drift_ppm[i] * 1e-6 * (time - self.epoch))

    def sigma_s(self, camera: str) -> float:
        """Return the standard deviation of a camera's offset, in seconds."""
        i = self.cameras.index(camera)
        return float(np.sqrt(self.covariance[i, i]))

    def relative_sigma_s(self, first: str, second: str) -> float:
        """Return the standard deviation of the difference of two offsets, in seconds."""
        i, j = self.cameras.index(first), self.cameras.index(second)
        c = self.covariance
        return float(np.sqrt(max(c[i, i] + c[j, j] - 2 * c[i, j], 0.0)))


def estimate_clocks(
    tracks: Sequence[CameraTrack], cameras: Sequence[str], options: ClockOptions | None = None
) -> ClockEstimate:
    """Estimate offset and drift of each camera's clock from tracks of single cameras.

    Raises ``InputError`` for a track of a camera that is not among ``cameras``.
    """
    options = options or ClockOptions()
    index = {id: number for number, id in enumerate(cameras)}
    unknown = sorted({track.camera for track in tracks} - index.keys())
    if unknown:
        raise InputError(f"there is no camera '{unknown[0]}' among those whose clocks are asked for")
    moving = [track for track in tracks if len(track.times) > 3 and _way_m(track) > MIN_WAY_M]
    rows = [
        (index[a.camera], index[b.camera], *shift)
        for a, b in combinations(moving, 2)
        if a.camera != b.camera and a.family == b.family
        for shift in _shifts(a, b, options.max_shift_s)
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    epoch = float(np.median(table[:, 4])) if len(table) else 0.0
    solution, covariance, used = _solve(table, len(cameras), epoch, options)
    return ClockEstimate(
        cameras=tuple(cameras),
        epoch=epoch,
        offset_s=solution[: len(cameras)],
        drift_ppm=solution[len(cameras) :],
        covariance=covariance,
        pairs=_pairs(table[used], cameras),
    )


def _shifts(a: CameraTrack, b: CameraTrack, max_shift: float) -> list[tuple[float, float, float]]:
    """Return (shift, sigma, time) by which clock a is ahead of clock b if both tracks show one object, else nothing."""
    if a.times[-1] + max_shift < b.times[0] or b.times[-1] + max_shift < a.times[0]:
        return []
    low, high = (
        np.maximum(a.positions.min(axis=0), b.positions.min(axis=0)),
        np.minimum(a.positions.max(axis=0), b.positions.max(axis=0)),
    )
    if (low - high > MAX_APART_M).any():  # nowhere as near as one object's have to be
        return []
    shifts = np.arange(-max_shift, max_shift + SHIFT_STEP_S / 2, SHIFT_STEP_S)
    asked = a.times[:, None] - shifts
    covered = (asked >= b.times[0]) & (asked <= b.times[-1]) & _near_in_time(asked, b.times)
    at = np.stack([np.interp(asked, b.times, b.positions[:, axis]) for axis in range(3)], axis=-1)
    squared = ((at - a.positions[:, None]) ** 2).sum(axis=-1)
    variance = np.interp(asked, b.times, b.sigma_m) ** 2 + a.sigma_m[:, None] ** 2
    weight = covered / (variance + SYSTEMATIC_M**2)
    count = covered.sum(axis=0)
    step = float(np.median(np.diff(a.times)))
    enough = count * step >= MIN_OVERLAP_S
    if not enough.any():
        return []
    apart = np.where(enough, (squared * weight).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-12), np.inf)
    best = int(apart.argmin())
    if apart[best] > MAX_APART_M**2 or best in (0, len(shifts) - 1):
        return []
    moved = np.gradient(a.positions[:, :2], a.times, axis=0)
    share = weight[:, best] / weight[:, best].sum()
    speed = float(np.sqrt(((moved**2).sum(axis=1) * share).sum()))
    unsure = float((variance[:, best] * share).sum())
    low, high = apart[best - 1], apart[best + 1]
    if speed < MIN_SPEED_MPS or not np.isfinite(low + high):
        return []
    bend = low - 2 * apart[best] + high
    offset = 0.5 * (low - high) / bend if bend > 0 else 0.0
    sigma = max(float(np.sqrt(SYSTEMATIC_M**2 + apart[best] / 4 + unsure / 2)) / speed, MIN_SIGMA_S)
    return [(float(shifts[best] + SHIFT_STEP_S * np.clip(offset, -1, 1)), float(sigma), float(a.times.mean()))]


def _way_m(track: CameraTrack) -> float:
    return float(np.linalg.norm(np.ptp(track.positions[:, :2], axis=0)))


def _near_in_time(asked: Array, times: Array) -> NDArray[np.bool_]:
    """Tell which times lie in no long gap between known ones."""
    after = np.clip(np.searchsorted(times, asked), 1, len(times) - 1)
    return np.asarray(times[after] - times[after - 1] < 1.0)


def _solve(table: Array, n: int, epoch: float, options: ClockOptions) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return offsets and drifts (2n,), their covariance, and which shifts agree; iteratively reweighted."""
    prior = np.concatenate([np.full(n, options.offset_sigma_s), np.full(n, options.drift_sigma_ppm)]) ** -2.0
    design = np.zeros((len(table), 2 * n))
    first, second = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    row = np.arange(len(table))
    since = (table[:, 4] - epoch) * 1e-6
    design[row, first], design[row, second] = 1.0, -1.0
    design[row, n + first], design[row, n + second] = since, -since
    weight = table[:, 3] ** -2.0
    start = _medians(table, n)
    residual = table[:, 2] - design @ start
    used = np.ones(len(table), dtype=np.bool_)
    for _ in range(20):
        ratio = np.abs(residual) / table[:, 3]
        used = ratio < OUTLIER_SIGMAS
        robust = weight / (1 + ratio**2) * used
        information = design.T @ (robust[:, None] * design) + np.diag(prior)
        solution = np.linalg.solve(information, design.T @ (robust * table[:, 2]))
        residual = table[:, 2] - design @ solution
    return np.asarray(solution), np.asarray(np.linalg.inv(information)), used


def _medians(table: Array, n: int) -> Array:
    """Return offsets (2n,), drifts being 0, that fit the medians of all pairs' shifts: a start that outliers don't
    move."""
    rows, values, weights = [], [], []
    keys = table[:, 0] * n + table[:, 1]
    for key in np.unique(keys):
        part = table[keys == key]
        row = np.zeros(2 * n)
        row[int(part[0, 0])], row[int(part[0, 1])] = 1.0, -1.0
        rows.append(row)
        values.append(np.median(part[:, 2]))
        weights.append(len(part))
    if not rows:
        return np.zeros(2 * n)
    design, weight = np.array(rows), np.array(weights, dtype=np.float64)
    information = design.T @ (weight[:, None] * design) + 1e-6 * np.eye(2 * n)
    return np.linalg.solve(information, design.T @ (weight * np.array(values)))


def _pairs(table: Array, cameras: Sequence[str]) -> dict[tuple[str, str], tuple[int, float]]:
    """Return by two cameras how many shifts there are and the sigma of their weighted mean."""
    found: dict[tuple[str, str], tuple[int, float]] = {}
    for i, j in combinations(range(len(cameras)), 2):
        part = table[((table[:, 0] == i) & (table[:, 1] == j)) | ((table[:, 0] == j) & (table[:, 1] == i))]
        if len(part):
            found[cameras[i], cameras[j]] = (len(part), float((part[:, 3] ** -2.0).sum() ** -0.5))
    return found
