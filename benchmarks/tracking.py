"""Tracking: WILDTRACK with clean and noisy boxes, the garage with traffic and clocks that are off, and what it costs.

python -m benchmarks.tracking [--data FOLDER] [--out FILE]
"""

import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.protocol import describe_machine, parse_arguments, run, write_results
from benchmarks.tracking_garage import Recording, simulate
from benchmarks.tracking_wildtrack import measure
from perception.clocks import ClockEstimate
from twin.evaluate_tracking import judge_tracks
from twin.tracking import track

NOISE_SEEDS = (1, 2, 3, 4, 5)
GARAGE_SEEDS = (1, 2, 3)
FLEET = 6
"""Vehicles that are exactly alike."""
SCORES = ("HOTA", "DetA", "AssA", "MOTA", "IDF1", "switches", "missed", "false", "position_error_m", "coverage_95")


def wildtrack(folder: Path) -> dict[str, Any]:
    """Return figures for truth boxes without ids and for the noise protocol, mean of its seeds."""
    clean = _short(measure(folder))
    noisy = [_short(measure(folder, noise_seed=seed)) for seed in NOISE_SEEDS]
    mean = {name: float(np.mean([each[name] for each in noisy])) for name in ("HOTA", "AssA", "MOTA", "IDF1")}
    return {"clean": clean, "noise": noisy, "noise_mean": mean}


def garage(seed: int, *, look_alikes: int = 4) -> dict[str, Any]:
    """Return figures for one recording of the garage, the errors of clocks, and the time it takes."""
    recording = simulate(seed, look_alikes=look_alikes)
    begin = time.perf_counter()
    found = track(recording.frames, recording.installed, plan=recording.plan)
    seconds = time.perf_counter() - begin
    judged = judge_tracks(found.rows, recording.truth, counted=recording.counted)
    persons = {row.track for row in recording.truth if row.kind == "person"}
    vehicles = frozenset((t, k) for t, k in recording.counted if k not in persons)
    only = judge_tracks(found.rows, recording.truth, counted=vehicles)["position_error_m"]
    clocks = clock_errors(recording, found.clocks) if found.clocks else {}
    return {**_short(judged), "vehicle_error_m": only, "clocks": clocks, "seconds": seconds, "look_alikes": look_alikes}


def clock_errors(recording: Recording, clocks: ClockEstimate) -> dict[str, Any]:
    """Return how wrong the differences of clocks are, for pairs of cameras with common motion and for the others."""
    error = clocks.offset_s - np.array([camera.clock_offset_s for camera in recording.true])
    shared, others = [], []
    for (i, a), (j, b) in itertools.combinations(enumerate(clocks.cameras), 2):
        row = (f"{a} {b}", float(error[i] - error[j]), clocks.relative_sigma_s(a, b))
        (shared if (a, b) in clocks.pairs else others).append(row)
    return {"shared": shared, "others": others}


def _short(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: figures[name] for name in SCORES}


def main() -> None:
    """Measure everything and write the results."""
    arguments, machine = parse_arguments(__doc__, "tracking"), describe_machine()
    figures = {
        "wildtrack": wildtrack(arguments.data / "wildtrack"),
        "garage": {str(seed): garage(seed) for seed in GARAGE_SEEDS},
        "fleet": {str(seed): garage(seed, look_alikes=FLEET) for seed in GARAGE_SEEDS},
    }
    write_results(arguments.out, figures, machine)


if __name__ == "__main__":
    run(main)
