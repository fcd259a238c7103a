"""How right events and occupancy are: states of stalls over time, changes and events by their time, counts at gates."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from geometry.errors import InputError
from twin.events.records import Event, Occupancy, read_events, read_occupancy

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

STEP_S, SETTLE_S = 1.0, 10.0


def evaluate_occupancy(result: Path, truth: Path, *, tolerance_s: float = 10.0) -> dict[str, Any]:
    """Judge an occupancy.jsonl by that of the truth, from its first to its last line; ``InputError`` if it has none."""
    true, found = read_occupancy(truth), read_occupancy(result)
    if not true:
        raise InputError("holds no stall", where=str(truth))
    begin = min(row.time for row in true)
    end = max(row.time for row in (*true, *found))
    return judge_occupancy(found, true, begin=begin, end=end, tolerance_s=tolerance_s)


def evaluate_events(result: Path, truth: Path, *, tolerance_s: float = 2.0) -> dict[str, Any]:
    """Judge an events.jsonl by that of the truth: each kind by time and place, and counts at gates."""
    found, true = read_events(result), read_events(truth)
    return {"events": judge_events(found, true, tolerance_s), "gates": judge_gates(found, true)}


def judge_occupancy(
    found: Sequence[Occupancy],
    truth: Sequence[Occupancy],
    *,
    begin: float,
    end: float,
    stalls: Iterable[str] | None = None,
    in_view: Mapping[str, Mask] | None = None,
    settle_s: float = SETTLE_S,
    tolerance_s: float = 10.0,
) -> dict[str, Any]:
    """Judge states of stalls every second from ``begin + settle_s`` on, and changes within a tolerance.

    stalls: those that count, None for all of the truth. A stall that nothing was told of counts as half right, half
    wrong in balanced accuracy and is counted in ``unknown``. A change that comes twice or late is a miss.
    in_view: of each stall, the seconds (T,) of ``judged_times`` at which it counts; a change counts where one of these
    lies within the tolerance. None for all. Raises ``InputError`` where it lacks a stall or seconds
    """
    own = sorted(set(stalls) if stalls is not None else {row.stall for row in truth})
    times = judged_times(begin, end, settle_s)
    counted = {stall: _counted(stall, in_view, len(times)) for stall in own}
    true = {stall: _states(truth, stall, times) for stall in own}
    told = {stall: _states(found, stall, times) for stall in own}
    right: dict[bool, list[float]] = {True: [], False: []}
    unknown = 0
    for stall in own:
        shown = counted[stall]
        for is_taken, said in zip(true[stall][shown].tolist(), told[stall][shown].tolist(), strict=True):
            unknown += bool(np.isnan(said))
            right[is_taken > 0.5].append(0.5 if np.isnan(said) else float((said > 0.5) == (is_taken > 0.5)))
    shares = {name: float(np.mean(values)) if values else None for name, values in right.items()}
    known = [share for share in shares.values() if share is not None]
    seconds = sum(int(shown.sum()) for shown in counted.values())

    def is_counted(change: tuple[str, float, bool]) -> bool:
        stall, time, _ = change
        is_seen = in_view is None or bool((np.abs(times[counted[stall]] - time) <= tolerance_s).any())
        return time > begin + settle_s and is_seen

    true_changes = [change for stall in own for change in _changes(truth, stall)]
    changes = list(filter(is_counted, true_changes))
    said = [change for stall in own for change in _changes(found, stall)]
    delays = [_delay(change, said) for change in changes]
    met = [abs(delay) <= tolerance_s for delay in delays]
    finite = [delay for delay in delays if np.isfinite(delay)]
    happened = {(stall, taken) for stall, time, taken in true_changes if time > begin + settle_s}
    return {
        "stalls": len(own),
        "seconds": len(times),
        "balanced_accuracy": float(np.mean(known)) if known else None,
        "taken_right": shares[True],
        "free_right": shares[False],
        "stalls_at_a_time": seconds / max(len(times), 1),
        "unknown_share": unknown / max(seconds, 1),
        "changes": len(changes),
        "changes_in_time": float(np.mean(met)) if met else None,
        "delay_s": [float(np.median(finite)), float(np.max(np.abs(finite)))] if finite else None,
        "false_changes": sum((each[0], each[2]) not in happened for each in filter(is_counted, said)),
    }


def _counted(stall: str, in_view: Mapping[str, Mask] | None, seconds: int) -> Mask:
    """Return at which of the judged seconds (T,) a stall counts."""
    if in_view is None:
        return np.ones(seconds, dtype=np.bool_)
    if stall not in in_view or in_view[stall].shape != (seconds,):
        raise InputError(f"it is not told at which of {seconds} seconds the stall is in view", where=f"stall '{stall}'")
    return in_view[stall]


def judged_times(begin: float, end: float, settle_s: float = SETTLE_S) -> Array:
    """Return the times (T,) at which states of stalls are judged."""
    return np.arange(begin + settle_s, end + 1e-9, STEP_S)


def judge_gates(found: Sequence[Event], truth: Sequence[Event]) -> dict[str, Any]:
    """Compare counts of each gate and direction; ``exact`` where all of them are equal."""

    def counts(events: Sequence[Event]) -> Counter[str]:
        return Counter(f"{e.where.gate} {e.kind}" for e in events if e.kind in ("gate_in", "gate_out"))

    own, true = counts(found), counts(truth)
    return {"exact": own == true, "told": dict(sorted(own.items())), "true": dict(sorted(true.items()))}


def judge_events(found: Sequence[Event], truth: Sequence[Event], tolerance_s: float = 2.0) -> dict[str, Any]:
    """Return recall, precision and delays of each kind of event; those at one stall, gate, zone or lane may match.

    Of all ways to match within the tolerance the one with most pairs counts, and of these the one with least delay.
    """
    figures: dict[str, Any] = {}
    for kind in sorted({event.kind for event in (*found, *truth)}):
        own, true = ([e for e in events if e.kind == kind] for events in (found, truth))
        cost = np.full((len(own), len(true)), np.inf)
        for i, a in enumerate(own):
            for j, b in enumerate(true):
                if _place(a) == _place(b) and abs(a.time - b.time) <= tolerance_s:
                    cost[i, j] = abs(a.time - b.time) - 1e6
        rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 0.0))
        pairs = [(i, j) for i, j in zip(rows.tolist(), columns.tolist(), strict=True) if np.isfinite(cost[i, j])]
        delays = [own[i].time - true[j].time for i, j in pairs]
        figures[kind] = {
            "told": len(own),
            "true": len(true),
            "recall": len(pairs) / len(true) if true else None,
            "precision": len(pairs) / len(own) if own else None,
            "delay_s": float(np.median(delays)) if delays else None,
        }
    return figures


def _place(event: Event) -> tuple[str | None, ...]:
    where = event.where
    if event.kind.startswith("zone"):
        return (where.zone,)
    return where.stall if event.kind.startswith("stall") else None, where.gate, where.lane


def _states(rows: Sequence[Occupancy], stall: str, times: Array) -> Array:
    """Return what a stall's state is (T,), NaN before anything was told of it."""
    own = sorted((row.time, row.p_occupied) for row in rows if row.stall == stall)
    if not own:
        return np.full(len(times), np.nan)
    at = np.searchsorted([time for time, _ in own], times, side="right") - 1
    return np.where(at >= 0, np.array([p for _, p in own])[np.maximum(at, 0)], np.nan)


def _changes(rows: Sequence[Occupancy], stall: str) -> list[tuple[str, float, bool]]:
    """Return when a stall's state changed and to what; the first line is no change."""
    own = sorted((row.time, row.p_occupied > 0.5) for row in rows if row.stall == stall)
    return [(stall, time, taken) for (_, before), (time, taken) in pairwise(own) if taken != before]


def _delay(change: tuple[str, float, bool], said: Sequence[tuple[str, float, bool]]) -> float:
    """Return how much later than a change the nearest one of its kind was told, infinite for none."""
    stall, time, taken = change
    delays = [when - time for where, when, what in said if (where, what) == (stall, taken)]
    return min(delays, key=abs, default=np.inf)
