"""Even-numbered photos mapped at their true poses, odd-numbered ones localized with true intrinsics: ours and plain."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import plain
from benchmarks.protocol import Array, Photos, judge_poses, pose_table, write_inputs
from geometry import CameraRule, write_poses
from twin import Localization, Twin, evaluate_localization, localize_images, map_images, write_localizations

REPEATS = 3


def compare(photos: Photos, folder: Path, truth_sigma_m: float) -> dict[str, Any]:
    """Return the figures of both pipelines on one place; ``folder`` holds what is made on the way."""
    even, odd = photos.half(0), photos.half(1)
    return {
        "map_images": len(even.files),
        "ours": run_ours(even, odd, folder / "ours", truth_sigma_m),
        "plain": run_plain(even, odd, folder / "plain"),
    }


def run_ours(even: Photos, odd: Photos, folder: Path, truth_sigma_m: float) -> dict[str, Any]:
    """Map and localize with Tiepoint; ``honesty`` adds ``truth_sigma_m`` a coordinate to the claimed covariance."""
    start = time.perf_counter()
    twin = map_known(even, folder)
    mapping_seconds = time.perf_counter() - start
    answers, seconds = localize(twin, odd)
    write_localizations(folder / "localizations.jsonl", answers)
    write_poses(folder / "truth.csv", pose_table(odd))
    judged = evaluate_localization(folder / "localizations.jsonl", folder / "truth.csv", truth_sigma_m=truth_sigma_m)
    poses = [answer.cam_from_site if answer.status == "ok" else None for answer in answers]
    return {
        "mapping_seconds": mapping_seconds,
        **judge_poses(poses, seconds, odd),
        "honesty": judged["covariance"],
        "refusals": {answer.image: answer.reason for answer in answers if answer.status == "refused"},
    }


def run_plain(even: Photos, odd: Photos, folder: Path) -> dict[str, Any]:
    """Map and localize with the plain pycolmap pipeline."""
    mapped = plain.map_at_poses(even, folder)
    poses, seconds, batched = plain.localize(mapped, odd, folder)
    return {
        "mapping_seconds": mapped.seconds,
        **judge_poses(poses, seconds, odd),
        "seconds_in_a_batch": batched,
    }


def map_known(photos: Photos, folder: Path) -> Twin:
    """Map photos at their true poses and open the twin."""
    map_images(write_inputs(photos, folder, pose_table(photos)), folder / "twin")
    return Twin.open(folder / "twin")


def localize(twin: Twin, queries: Photos, repeats: int = REPEATS) -> tuple[list[Localization], Array]:
    """Return the answers and the seconds (repeats, N), all loaded before: features and reading the file included."""
    rules = [CameraRule("*", queries.camera)]
    named = list(zip(queries.names, queries.files, strict=True))
    localizer = twin.localizer()
    list(localize_images(twin, named[:1], rules, localizer=localizer))  # warm-up
    runs = [list(localize_images(twin, named, rules, localizer=localizer)) for _ in range(repeats)]
    return runs[0], np.array([[answer.seconds for answer in run] for run in runs])
