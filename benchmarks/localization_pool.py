"""What runs of ``benchmarks.localization`` found, put together: figures that are asked of all photos at once."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from geometry import InputError
from geometry.tables import read_bounded

LEAST_BIN = 100
PARTS = ("cases", "strangers")
COUNTED = ("photos", "localized", "right", "wrong and sure")


def together(paths: Sequence[Path]) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Return the cases and strangers of earlier runs by name, and of each run machine and note.

    Raises ``InputError`` where a file was not written by a run that keeps single answers, or a case comes twice.
    """
    found: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    runs = []
    for path in paths:
        earlier = _read(path)
        if any("forced" not in case for case in earlier.get("cases", {}).values()):
            raise InputError(
                "the single answers are not there", where=str(path), remedy="Pool the runs of single cases."
            )
        for part in PARTS:
            twice = found[part].keys() & earlier.get(part, {}).keys()
            if twice:
                raise InputError(
                    f"{sorted(twice)[0]} comes a second time", where=str(path), remedy="Name each run once."
                )
            found[part] |= earlier.get(part, {})
        runs.append({"machine": earlier.get("machine"), "note": earlier.get("note", "")})
    return found, runs


def require_once(names: Sequence[str]) -> None:
    """Raise ``InputError`` for a name that comes twice, before the second run of that name replaces the first."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InputError(f"{twice[0]} comes a second time", remedy="Name the folders of cases differently.")


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a result, which is of this benchmark."""
    try:
        content = json.loads(read_bounded(path))
    except ValueError as error:
        raise InputError(f"it is no JSON ({error})", where=str(path)) from error
    if not (isinstance(content, dict) and "pooled" in content and all(isinstance(content.get(k), dict) for k in PARTS)):
        raise InputError("it is no result of benchmarks.localization", where=str(path))
    return content


def pooled(cases: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the figures that are asked of all cases together, None without any."""
    if not cases:
        return None
    forced = np.concatenate([np.reshape(case["forced"], (-1, 2)) for case in cases.values()])
    everything = [case["strata"]["all"] for case in cases.values()]
    counted = {key: sum(one[key] for one in everything) for key in COUNTED}
    return counted | {"confidence": reliability(forced[:, 0], forced[:, 1])}


def reliability(claimed: ArrayLike, right: ArrayLike) -> dict[str, float | None] | None:
    """Return how well confidence (N,) tells right poses, answered or not: equal-mass bins of at least ``LEAST_BIN``.

    None without answers; there is no AUROC where all of them are right, or none.
    """
    confidence, is_right = np.asarray(claimed, dtype=np.float64), np.asarray(right, dtype=np.float64) > 0
    if len(confidence) == 0:
        return None
    order = np.argsort(confidence, kind="stable")
    bins = np.array_split(order, max(1, len(order) // LEAST_BIN))
    error = sum(len(rows) * abs(confidence[rows].mean() - is_right[rows].mean()) for rows in bins) / len(order)
    above = confidence[is_right][:, None] - confidence[~is_right][None]
    return {
        "forced answers": len(confidence),
        "wrong share": float(1.0 - is_right.mean()),
        "calibration error": float(error),
        "AUROC": float(((above > 0) + 0.5 * (above == 0)).mean()) if above.size else None,
        "Brier score": float(((confidence - is_right) ** 2).mean()),
        "Brier score of the best constant": float(is_right.mean() * (1.0 - is_right.mean())),
    }
