"""Judging localizations by truth: errors, recall, refusals, wrong answers claimed as right, honest covariances."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry import (
    InputError,
    calibration,
    pose_difference,
    pose_error,
    pose_from_position,
    read_true_poses,
)
from twin.localization import Localization, read_localizations

Array = NDArray[np.float64]

RECALL_BOUNDS = ((0.05, 0.5), (0.25, 2.0), (0.5, 5.0), (5.0, 10.0))
"""(metres, degrees), both to be met."""
CONFIDENT = 0.5
"""An answer with at least this confidence claims to be within 0.25 m and 2 deg."""
CONFIDENCE_BOUND = (0.25, 2.0)
CONFIDENCE_BINS = (0.0, 0.5, 0.8, 0.95, 1.0)


def evaluate_localization(result: Path, truth: Path, *, truth_sigma_m: float = 0.0) -> dict[str, Any]:
    """Judge localizations.jsonl by true poses, a poses.csv or truth/queries.csv; return a table of figures.

    A query without an answer counts as refused. ``truth_sigma_m`` is the truth's own standard deviation a coordinate,
    added to the claimed covariance of positions. Raises ``InputError`` where an answer has no true pose.
    """
    answers = {answer.image: answer for answer in read_localizations(result)}
    poses = read_true_poses(truth)
    full = np.flatnonzero(np.isfinite(np.hstack([poses.positions, poses.quats_xyzw])).all(axis=1))
    true_poses = {poses.images[i]: pose_from_position(poses.positions[i], poses.quats_xyzw[i]) for i in full.tolist()}
    unknown = sorted(answers.keys() - true_poses.keys())
    if unknown:
        raise InputError(f"no true pose for '{unknown[0]}' and {len(unknown) - 1} others", where=str(truth))
    given = [answers[name] for name in true_poses if name in answers and answers[name].status == "ok"]
    return judge(given, [true_poses[answer.image] for answer in given], len(true_poses), truth_sigma_m)


def judge(answers: list[Localization], true_poses: list[Any], queries: int, truth_sigma_m: float) -> dict[str, Any]:
    """Return the figures for answered queries and their true ``cam_from_site``, of ``queries`` in all."""
    errors = np.array([pose_error(a.cam_from_site, t) for a, t in zip(answers, true_poses, strict=True)]).reshape(-1, 2)
    confidence = np.array([answer.confidence for answer in answers])
    right = _within(errors, *CONFIDENCE_BOUND)
    return {
        "queries": queries,
        "localized": len(answers),
        "refused": queries - len(answers),
        "position_error_m": _percentiles(errors[:, 0]),
        "rotation_error_deg": _percentiles(errors[:, 1]),
        "recall": {
            f"{m:g} m, {deg:g} deg": float(_within(errors, m, deg).sum() / queries) if queries else 0.0
            for m, deg in RECALL_BOUNDS
        },
        "wrong_but_confident": int((~right & (confidence >= CONFIDENT)).sum()),
        "covariance": _covariance_honesty(answers, true_poses, truth_sigma_m) if answers else None,
        "confidence": _reliability(confidence, right),
        "seconds": _percentiles(np.array([answer.seconds for answer in answers])),
    }


def _covariance_honesty(answers: list[Localization], true_poses: list[Any], truth_sigma_m: float) -> dict[str, Any]:
    """Return coverage and normalized squared errors of the claimed covariances: position alone, and all six."""
    differences = np.array([pose_difference(t, a.cam_from_site) for a, t in zip(answers, true_poses, strict=True)])
    covariances = np.array([a.covariance for a in answers], dtype=np.float64)
    covariances[:, 3:, 3:] += truth_sigma_m**2 * np.eye(3)
    parts = {"position": slice(3, 6), "rotation": slice(0, 3), "pose": slice(0, 6)}
    found = {}
    for name, part in parts.items():
        judged = calibration(differences[:, part], covariances[:, part, part])
        found[name] = {
            "coverage": {f"{p:g}": share for p, share in judged.coverage.items()},
            "mean_nees": judged.mean_nees,
            "median_nees": judged.median_nees,
        }
    return {"truth_sigma_m": truth_sigma_m, **found}


def _reliability(confidence: Array, right: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Return by bin of confidence: how many, the mean claimed, and the share that was right."""
    rows = []
    for low, high in itertools.pairwise(CONFIDENCE_BINS):
        chosen = (confidence >= low) & ((confidence < high) | (high == 1.0))
        if chosen.any():
            rows.append(
                {
                    "from": low,
                    "to": high,
                    "count": int(chosen.sum()),
                    "claimed": float(confidence[chosen].mean()),
                    "right": float(right[chosen].mean()),
                }
            )
    return rows


def _within(errors: Array, metres: float, degrees: float) -> NDArray[np.bool_]:
    return (errors[:, 0] <= metres) & (errors[:, 1] <= degrees)


def _percentiles(values: Array) -> dict[str, float] | None:
    if len(values) == 0:
        return None
    names = {"median": 50, "p75": 75, "p90": 90, "p95": 95, "max": 100}
    return {name: float(np.percentile(values, q)) for name, q in names.items()}
