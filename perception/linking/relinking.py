"""Second thoughts on who is who: at every moment, all tracks' pasts and futures are matched anew.

Cutting all tracks between two instants leaves pasts and futures. Their best matching is an assignment problem, solved
exactly; sweeping over all moments, with the futures' states renewed before each sweep, never lowers the likelihood of
the whole.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from geometry.solids import Family
from perception.linking.paths import Points, States, backward_states, join_odds, start_states, updated
from perception.linking.thresholds import ThresholdOptions, log_rates

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

MAX_SPEED_MPS = 12.0


@dataclass(frozen=True, kw_only=True)
class RelinkOptions:
    """What a join is weighed against.

    thresholds: how it is learned where objects come and go
    sway_m: standard deviation of where the boxes of a person are around the way that the person goes
    max_gap_s: longer gaps are left to linking by travel times
    missed: log-odds against a join for each frame interval without a detection, at most ``max_missed`` of them count
    sweeps: at most
    """

    thresholds: ThresholdOptions = field(default_factory=ThresholdOptions)
    sway_m: float = 0.05
    max_gap_s: float = 5.0
    missed: dict[Family, float] = field(default_factory=lambda: {"person": -4.0, "vehicle": -1.5})
    max_missed: float = 3.0
    sweeps: int = 4


def relink(points: Points, following: Indices, options: RelinkOptions) -> Indices:
    """Return for each point the one that follows in its track, -1 for none, better matched than in ``following`` (N,).

    Points of one track follow in time; a point has at most one before it.
    """
    current = following.copy()
    if len(points) == 0:
        return current
    sway = np.where(points.walks, options.sway_m, 0.0)[:, None, None] ** 2 * np.eye(2)
    points = replace(points, covariance=points.covariance + sway)
    pace = _pace(points.time, following)
    for _ in range(options.sweeps):
        before = current.copy()
        current = _sweep(points, current, options, pace)
        if (current == before).all():
            break
    return current


def _pace(times: Array, following: Indices) -> Array:
    """Return the usual time (N,) between the points of the track that each point is in."""
    track = np.arange(len(times))
    for point in np.argsort(times, kind="stable").tolist():
        if following[point] >= 0:
            track[following[point]] = track[point]
    linked = np.flatnonzero(following >= 0)
    step = times[following[linked]] - times[linked]
    usual = float(np.median(step)) if len(step) else 1.0
    pace = np.full(len(times), usual)
    order = np.lexsort((step, track[linked]))
    heads, first, count = np.unique(track[linked][order], return_index=True, return_counts=True)
    pace[heads] = np.maximum(step[order][first + count // 2], usual)
    return pace[track]


def _sweep(points: Points, following: Indices, options: RelinkOptions, pace: Array) -> Indices:
    following = following.copy()
    futures, rates = backward_states(points, following), log_rates(points, following, options.thresholds)
    n = len(points)
    mean, covariance = np.zeros((n, 4)), np.zeros((n, 4, 4))
    pasts = States(mean=mean, covariance=covariance)
    order = np.argsort(points.time, kind="stable")
    tails = np.zeros(0, dtype=np.int64)
    for group in np.split(order, np.flatnonzero(np.diff(points.time[order])) + 1):
        now = points.time[group[0]]
        ahead = (following[tails] >= 0) & (
            points.time[following[tails]] >= now
        )  # a point has one past, however long ago
        tails = tails[ahead | (points.time[tails] >= now - options.max_gap_s)]
        if len(tails):
            _match(points, following, pasts, futures, tails, group, options, pace, rates)
        came = np.full(n, -1)
        linked = tails[following[tails] >= 0]
        came[following[linked]] = linked
        known, fresh = group[came[group] >= 0], group[came[group] < 0]
        begun = start_states(points, fresh)
        mean[fresh], covariance[fresh] = begun.mean, begun.covariance
        if len(known):
            past = came[known]
            state = States(mean=mean[past], covariance=covariance[past])
            after = updated(state, points, known, points.time[known] - points.time[past])
            mean[known], covariance[known] = after.mean, after.covariance
        tails = np.concatenate([np.setdiff1d(tails, came[known]), group])
    return following


def _match(
    points: Points,
    following: Indices,
    pasts: States,
    futures: States,
    tails: Indices,
    heads: Indices,
    options: RelinkOptions,
    pace: Array,
    rates: tuple[Array, Array],
) -> None:
    """Match the tails of pasts with the futures that begin at ``heads``, or later where a past has its own."""
    own = following[tails]
    later = own[(own >= 0) & ~np.isin(own, heads)]
    columns = np.concatenate([heads, later])
    dt = points.time[columns] - points.time[tails][:, None]
    apart = np.linalg.norm(points.position[columns] - pasts.mean[tails, None, :2], axis=-1)
    possible = (apart < 1.0 + MAX_SPEED_MPS * dt) & (points.walks[columns] == points.walks[tails][:, None])
    possible &= points.level[columns] == points.level[tails][:, None]
    is_own = own[:, None] == columns
    possible &= np.isin(columns, heads) | is_own
    possible &= (dt <= options.max_gap_s) | is_own
    row, column = np.nonzero(possible)
    if len(row) == 0:
        return
    tail, head = tails[row], columns[column]
    past = States(mean=pasts.mean[tail], covariance=pasts.covariance[tail])
    future = States(mean=futures.mean[head], covariance=futures.covariance[head])
    walks = points.walks[head]
    new, end = rates
    gain = join_odds(past, future, dt[row, column], points, head) - new[head] - end[tail]
    missed = np.clip(dt[row, column] / pace[tail] - 1, 0, options.max_missed)
    gain += missed * np.where(walks, options.missed["person"], options.missed["vehicle"])
    gain += 1e-9 * is_own[row, column]
    matrix = np.zeros((len(tails), len(columns)))
    matrix[row, column] = np.maximum(gain, 0.0)
    chosen = linear_sum_assignment(matrix, maximize=True)
    following[tails] = -1
    for i, j in zip(*chosen, strict=True):
        if matrix[i, j] > 0:
            following[tails[i]] = columns[j]
