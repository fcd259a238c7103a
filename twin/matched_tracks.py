"""Rows of tracks and true rows as arrays, and which belong together: within a distance, instant by instant."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from geometry.errors import InputError
from geometry.track_records import TrackRow

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

GATE_M = 1.0
SAME_TIME_S = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class Positions:
    """Rows of tracks as arrays: time (N,), track (N,), position (N, 3) and covariance (N, 2, 2), NaN where not
    given, and class (N,)."""

    time: Array
    track: Indices
    position: Array
    covariance: Array
    kind: NDArray[np.object_]

    def take(self, index: NDArray[np.bool_] | Indices) -> "Positions":
        """Return some of the rows."""
        return Positions(
            time=self.time[index],
            track=self.track[index],
            position=self.position[index],
            covariance=self.covariance[index],
            kind=self.kind[index],
        )


def positions_of(rows: Sequence[TrackRow]) -> Positions:
    """Return rows as arrays, in the order of time."""
    rows = sorted(rows, key=lambda row: (row.time, row.track))
    unknown = ((np.nan,) * 3,) * 3
    covariance = np.array([row.position_covariance or unknown for row in rows], dtype=np.float64).reshape(-1, 3, 3)
    return Positions(
        time=np.array([row.time for row in rows], dtype=np.float64),
        track=np.array([row.track for row in rows], dtype=np.int64),
        position=np.array([row.position for row in rows], dtype=np.float64).reshape(-1, 3),
        covariance=covariance[:, :2, :2],
        kind=np.array([row.kind for row in rows], dtype=np.object_),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class MatchedRows:
    """Rows found and true rows, and which belong together.

    instants: (I,) seconds, those of the truth; found_at, true_at: the instant of each row, -1 for none
    pairs: (M, 2) rows of found and of true; asked: which true rows have to be found; kept: which found ones count
    """

    found: Positions
    true: Positions
    instants: Array
    found_at: Indices
    true_at: Indices
    pairs: Indices
    asked: NDArray[np.bool_]
    kept: NDArray[np.bool_]


def match_rows(
    result: Sequence[TrackRow],
    truth: Sequence[TrackRow],
    *,
    counted: Collection[tuple[float, int]] | None = None,
    gate_m: float = GATE_M,
) -> MatchedRows:
    """Match rows to true rows within ``gate_m``, instant by instant, with least distance; as in ``judge_tracks``."""
    found, true = positions_of(result), positions_of(truth)
    instants = np.unique(true.time)
    if len(instants) == 0:
        raise InputError("the truth is empty")
    found_at, true_at = _instant(found.time, instants), np.searchsorted(instants, true.time)
    if len(found.time) and not (found_at >= 0).any():
        what = f"no row of the result is at a time of the truth, {instants[0]} to {instants[-1]}"
        raise InputError(what, remedy="Track with the truth's number of rows a second.")
    keys = {(round(time, 3), track) for time, track in counted} if counted is not None else None
    asked = np.array(
        [
            keys is None or (round(t, 3), k) in keys
            for t, k in zip(true.time.tolist(), true.track.tolist(), strict=True)
        ],
        dtype=np.bool_,
    )
    pairs, kept = _match_all(found, found_at, true, true_at, asked, gate_m)
    return MatchedRows(
        found=found,
        true=true,
        instants=instants,
        found_at=found_at,
        true_at=true_at,
        pairs=pairs,
        asked=asked,
        kept=kept,
    )


def _instant(times: Array, instants: Array) -> Indices:
    """Return the index of each time's instant, -1 for none."""
    after = np.clip(np.searchsorted(instants, times), 0, len(instants) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(instants[before] - times) < np.abs(instants[after] - times), before, after)
    return np.where(np.abs(instants[nearest] - times) <= SAME_TIME_S, nearest, -1)


def by_instant(index: Indices, instants: int) -> list[Indices]:
    """Return the rows at each of so many instants, by the instant (N,) of each row."""
    order = np.argsort(index, kind="stable")
    bounds = np.searchsorted(index[order], np.arange(instants + 1))
    return [order[bounds[k] : bounds[k + 1]] for k in range(instants)]


def _match_all(
    found: Positions, found_at: Indices, true: Positions, true_at: Indices, asked: NDArray[np.bool_], gate_m: float
) -> tuple[Indices, NDArray[np.bool_]]:
    """Return matched rows (M, 2) of found and asked true rows, and which found rows (N,) count.

    Those count that are at an instant of the truth and match no true row that is not asked for.
    """
    kept, pairs = found_at >= 0, []
    instants = int(true_at.max()) + 1
    by_found = by_instant(np.where(kept, found_at, instants), instants)
    for a, b in zip(by_instant(true_at, instants), by_found, strict=True):
        distance = np.linalg.norm(true.position[a][:, None] - found.position[b][None], axis=-1)
        gain = np.where(distance < gate_m, 2.0 * gate_m - distance + 10.0 * gate_m * asked[a][:, None], 0.0)
        for i, j in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
            if distance[i, j] >= gate_m:
                continue
            if asked[a[i]]:
                pairs.append((b[j], a[i]))
            else:
                kept[b[j]] = False
    return np.array(pairs, dtype=np.int64).reshape(-1, 2), kept
