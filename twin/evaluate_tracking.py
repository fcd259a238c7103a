"""Judging tracks by truth: HOTA, IDF1, MOTA, position errors, honest covariances, and which identities broke and
why."""

import contextlib
import io
from collections import Counter
from collections.abc import Collection, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from geometry.errors import MissingExtraError
from geometry.floorplan import read_plan
from geometry.solids import size_prior
from geometry.track_records import TrackRow, read_tracks
from geometry.uncertainty import squared_mahalanobis
from twin.matched_tracks import GATE_M, SAME_TIME_S, Array, Indices, Positions, by_instant, match_rows

CHI2_95 = 5.991
"""Of two dimensions."""
EXTRA = "pip install --no-deps trackeval"


def evaluate_tracking(
    result: Path,
    truth: Path,
    *,
    gate_m: float = GATE_M,
    seen_only: bool = True,
    report: Path | None = None,
    plan_path: Path | None = None,
) -> dict[str, Any]:
    """Judge tracks.jsonl by a tracks.jsonl of the truth; return a table of figures.

    report: an HTML file to draw tracks, timelines and changes of identity in, over the plan of ``plan_path``

    ``seen_only``: a true row without observations need not be found, and who finds it is not blamed, unless the truth
    has no observations at all. Raises ``InputError`` where no times are common.
    """
    true_rows = read_tracks(truth)
    counted, rows = seen_rows(true_rows) if seen_only else None, read_tracks(result)
    figures = judge_tracks(rows, true_rows, counted=counted, gate_m=gate_m)
    if report is not None:
        from twin.report.tracking import write_tracking_report

        write_tracking_report(
            report,
            rows,
            plan=read_plan(plan_path) if plan_path else None,
            matched=match_rows(rows, true_rows, counted=counted, gate_m=gate_m),
            figures=figures,
            title=f"{result.name}, judged",
        )
    return figures


def seen_rows(truth: Sequence[TrackRow]) -> set[tuple[float, int]] | None:
    """Return (time, track) of rows that some camera saw, None where the truth has no observations at all."""
    return {(row.time, row.track) for row in truth if row.observations} or None


def judge_tracks(
    result: Sequence[TrackRow],
    truth: Sequence[TrackRow],
    *,
    counted: Collection[tuple[float, int]] | None = None,
    gate_m: float = GATE_M,
) -> dict[str, Any]:
    """Judge rows by true rows on the ground: similarity is max(0, 1 - d / gate_m), d in three dimensions.

    Only the instants of the truth are judged. ``counted`` lists the true rows, by time and track, that have to be
    found; result rows that match others are left out. Raises ``InputError`` where no times are common.
    """
    rows = match_rows(result, truth, counted=counted, gate_m=gate_m)
    found, true, pairs = rows.found, rows.true, rows.pairs
    judged = _Judged(
        found.take(rows.kept),
        rows.found_at[rows.kept],
        true.take(rows.asked),
        rows.true_at[rows.asked],
        len(rows.instants),
        gate_m,
    )
    errors = found.position[pairs[:, 0], :2] - true.position[pairs[:, 1], :2]
    return {
        "instants": len(rows.instants),
        "true_tracks": len(np.unique(judged.true.track)),
        "tracks": len(np.unique(judged.found.track)),
        "true_rows": len(judged.true.time),
        "rows": len(judged.found.time),
        **judged.scores(),
        "position_error_m": _percentiles(np.linalg.norm(errors, axis=1)),
        "coverage_95": _coverage(errors, found.covariance[pairs[:, 0]]),
        "kinds_right": _kinds_right(found, true, pairs),
        "boxes": judge_boxes(result, truth),
        "identities": identity_report(found, true, pairs, rows.instants),
    }


def _kinds_right(found: Positions, true: Positions, pairs: Indices) -> float | None:
    """Return for what share of a vehicle's matched rows (M, 2) its class is right, in the mean over vehicles, None
    where there are none."""
    asked = true.kind[pairs[:, 1]]
    is_vehicle = np.array([size_prior(kind).family == "vehicle" for kind in asked.tolist()], dtype=np.bool_)
    if not is_vehicle.any():
        return None
    right = (found.kind[pairs[:, 0]] == asked)[is_vehicle].astype(np.float64)
    _, track = np.unique(true.track[pairs[:, 1]][is_vehicle], return_inverse=True)
    return float((np.bincount(track, right) / np.bincount(track)).mean())


def judge_boxes(result: Sequence[TrackRow], truth: Sequence[TrackRow]) -> dict[str, float | int] | None:
    """Judge the identities of boxes: those that rows were observed by, one instant for each camera and frame.

    Similarity is intersection over union in the picture; an id counts for all cameras, so that an object that gets
    another in the next camera is a broken identity. None where either side has no observations.
    """
    found, true = _observed(result), _observed(truth)
    if not found or not true:
        return None
    keys = sorted(true)
    nothing: _Observed = ([], [])
    by_true, by_found = [true[key] for key in keys], [found.get(key, nothing) for key in keys]
    similarities = [
        intersection_over_union(np.array(a[1], dtype=np.float64), np.array(b[1], dtype=np.float64).reshape(-1, 4))
        for a, b in zip(by_true, by_found, strict=True)
    ]
    return _scores([a[0] for a in by_true], [b[0] for b in by_found], similarities)


def intersection_over_union(a: Array, b: Array) -> Array:
    """Return (N, M) of boxes (N, 4) and (M, 4)."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = np.maximum(high - low, 0.0).prod(axis=-1)
    area_a, area_b = (np.maximum(each[:, 2:] - each[:, :2], 0.0).prod(axis=-1) for each in (a, b))
    return np.asarray(overlap / np.maximum(area_a[:, None] + area_b - overlap, 1e-12))


_Observed = tuple[list[int], list[tuple[float, float, float, float]]]


def _observed(rows: Sequence[TrackRow]) -> dict[tuple[str, float], _Observed]:
    """Return ids and boxes by camera and time, each box of a track once."""
    boxes: dict[tuple[str, float], dict[int, tuple[float, float, float, float]]] = {}
    for row in rows:
        for seen in row.observations or ():
            if seen.bbox is not None:
                boxes.setdefault((seen.camera, round(seen.time, 3)), {})[row.track] = seen.bbox
    return {key: (list(own), list(own.values())) for key, own in boxes.items()}


class _Judged:
    """Rows to be judged, by instant."""

    def __init__(
        self, found: Positions, found_at: Indices, true: Positions, true_at: Indices, instants: int, gate_m: float
    ) -> None:
        self.found, self.true = found, true
        by_true, by_found = by_instant(true_at, instants), by_instant(found_at, instants)
        similarities = []
        for a, b in zip(by_true, by_found, strict=True):
            distance = np.linalg.norm(true.position[a][:, None] - found.position[b][None], axis=-1)
            similarities.append(np.maximum(0.0, 1.0 - distance / gate_m))
        self.ids = [true.track[a].tolist() for a in by_true], [found.track[b].tolist() for b in by_found]
        self.similarities = similarities

    def scores(self) -> dict[str, float | int]:
        """Return the scores of the positions."""
        return _scores(*self.ids, self.similarities)


def _scores(
    true: Sequence[Sequence[int]], found: Sequence[Sequence[int]], similarities: Sequence[Array]
) -> dict[str, float | int]:
    """Return HOTA (Luiten et al. 2021), CLEAR (Bernardin et al. 2008) and identity figures (Ristani et al. 2016).

    true, found: ids at each instant; similarities: (true, found) of each
    """
    metrics = _trackeval()
    true_ids, found_ids = (
        {id: k for k, id in enumerate(sorted({i for at in ids for i in at}))} for ids in (true, found)
    )
    data = {
        "num_timesteps": len(true),
        "num_gt_ids": len(true_ids),
        "num_tracker_ids": len(found_ids),
        "num_gt_dets": sum(map(len, true)),
        "num_tracker_dets": sum(map(len, found)),
        "gt_ids": [np.array([true_ids[i] for i in at], dtype=np.int64) for at in true],
        "tracker_ids": [np.array([found_ids[i] for i in at], dtype=np.int64) for at in found],
        "similarity_scores": list(similarities),
    }
    options = {"THRESHOLD": 1e-6, "PRINT_CONFIG": False}
    with contextlib.redirect_stdout(io.StringIO()):
        hota = metrics.HOTA().eval_sequence(data)
        clear = metrics.CLEAR(options).eval_sequence(data)
        identity = metrics.Identity(options).eval_sequence(data)
    return {
        "HOTA": float(np.mean(hota["HOTA"])),
        "DetA": float(np.mean(hota["DetA"])),
        "AssA": float(np.mean(hota["AssA"])),
        "MOTA": float(clear["MOTA"]),
        "IDF1": float(identity["IDF1"]),
        "switches": int(clear["IDSW"]),
        "missed": int(clear["CLR_FN"]),
        "false": int(clear["CLR_FP"]),
    }


def identity_report(found: Positions, true: Positions, pairs: Indices, instants: Array) -> list[dict[str, Any]]:
    """Return of each true track that had several ids, or shared one, when it changed and what happened there.

    ``pairs`` (M, 2): matched rows (of found, of true). Tracks with most changes come first.
    """
    rows = pairs[np.lexsort((true.time[pairs[:, 1]], true.track[pairs[:, 1]]))]
    step = float(np.median(np.diff(instants))) if len(instants) > 1 else 1.0
    report = []
    for track in np.unique(true.track[rows[:, 1]]).tolist():
        own = rows[true.track[rows[:, 1]] == track]
        ids, times = found.track[own[:, 0]], true.time[own[:, 1]]
        changes = np.flatnonzero(ids[1:] != ids[:-1])
        if len(changes) == 0:
            continue
        counts = Counter(ids.tolist())
        report.append(
            {
                "true_track": track,
                "ids": dict(counts.most_common()),
                "changes": [_change(true, own, times, ids, int(k), step) for k in changes],
            }
        )
    return sorted(report, key=lambda entry: -len(entry["changes"]))


def _change(true: Positions, own: Indices, times: Array, ids: Indices, k: int, step: float) -> dict[str, Any]:
    """Return when a track's id changed, from what to what, and the likeliest cause."""
    before, after = own[k, 1], own[k + 1, 1]
    gap = float(times[k + 1] - times[k])
    same = np.flatnonzero((np.abs(true.time - times[k]) < SAME_TIME_S) & (true.track != true.track[before]))
    others = np.linalg.norm(true.position[same] - true.position[before], axis=1)
    nearest = float(others.min()) if len(others) else np.inf
    why = "not found in between" if gap > 1.5 * step else "another is near" if nearest < 1.5 else "no cause nearby"
    return {
        "time": float(times[k + 1]),
        "from": int(ids[k]),
        "to": int(ids[k + 1]),
        "gap_s": gap,
        "moved_m": float(np.linalg.norm(true.position[after] - true.position[before])),
        "nearest_other_m": nearest if np.isfinite(nearest) else None,
        "where": true.position[after].round(2).tolist(),
        "why": why,
    }


def _coverage(errors: Array, covariances: Array) -> float | None:
    """Return the share of errors (N, 2) inside their 95 % ellipses, None where no covariance is given."""
    known = np.isfinite(covariances).all(axis=(1, 2))
    if not known.any():
        return None
    return float((squared_mahalanobis(errors[known], covariances[known]) <= CHI2_95).mean())


def _percentiles(values: Array) -> dict[str, float] | None:
    if len(values) == 0:
        return None
    return {name: float(np.percentile(values, q)) for name, q in {"median": 50, "p90": 90, "p95": 95}.items()}


def _trackeval() -> Any:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            metrics = import_module("trackeval").metrics
    except ImportError as error:
        raise MissingExtraError("trackeval", EXTRA) from error
    return metrics
