"""Tracking: WILDTRACK, clean and with noise, the garage with traffic and wrong clocks, CAMPUS, KITTI, and costs.

python -m benchmarks.tracking [--data FOLDER] [--out FILE] [--wildtrack] [--garage] [--speed] ...

With the names of parts only these are measured anew; the file keeps the others, and each part's date and commit.

Beside ours stand trackers of single cameras on the same boxes, merged on the ground (benchmarks.tracking_baselines).
"""

import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.protocol import describe_machine, parse_arguments, run, write_results
from benchmarks.tracking_baselines import NAMES, track_and_merge
from benchmarks.tracking_campus import campus
from benchmarks.tracking_garage import FPS, Recording, simulate
from benchmarks.tracking_kitti import kitti
from benchmarks.tracking_load import cost, memory, timed
from benchmarks.tracking_wildtrack import measure, measure_baseline
from geometry.ground_surface import GroundSurface
from perception.clocks import ClockEstimate
from twin.evaluate_tracking import judge_tracks
from twin.live_tracking import LiveTracker
from twin.tracking import track

NOISE_SEEDS = (1, 2, 3, 4, 5)
GARAGE_SEEDS = (1, 2, 3)
FLEET = 6
"""Vehicles that are exactly alike."""
FLEET_SEEDS = (1,)
SPEED_FPS, SPEED_S = 10.0, 20.0
LIVE_DELAY_S = 0.8
PARTS = ("wildtrack", "garage", "campus", "kitti", "cost", "speed", "memory", "fleet")
SCORES = ("HOTA", "DetA", "AssA", "MOTA", "IDF1", "switches", "missed", "false", "position_error_m", "coverage_95")


def wildtrack(folder: Path) -> dict[str, Any]:
    """Return figures for truth boxes without ids and for the noise protocol, mean of its seeds; and of others."""
    noisy = [_short(measure(folder, noise_seed=seed)) for seed in NOISE_SEEDS]
    mean = {name: float(np.mean([each[name] for each in noisy])) for name in ("HOTA", "AssA", "MOTA", "IDF1")}
    others = {
        name: {
            "clean": _short(measure_baseline(name, folder)),
            "noise": _short(measure_baseline(name, folder, noise_seed=NOISE_SEEDS[0])),
        }
        for name in NAMES
    }
    return {"clean": _short(measure(folder)), "noise": noisy, "noise_mean": mean, "others": others}


def garage(seed: int, *, look_alikes: int = 4) -> dict[str, Any]:
    """Return figures for one recording of the garage, the errors of clocks, and the time it takes."""
    recording = simulate(seed, look_alikes=look_alikes)
    begin = time.process_time()
    found = track(recording.frames, recording.installed, plan=recording.plan)
    seconds = time.process_time() - begin
    judged = judge_tracks(found.rows, recording.truth, counted=recording.counted)
    persons = {row.track for row in recording.truth if row.kind == "person"}
    vehicles = frozenset((t, k) for t, k in recording.counted if k not in persons)
    only = judge_tracks(found.rows, recording.truth, counted=vehicles)["position_error_m"]
    clocks = clock_errors(recording, found.clocks) if found.clocks else {}
    figures = {**_short(judged), "boxes": judged["boxes"], "vehicle_error_m": only, "clocks": clocks}
    return {
        **figures,
        "cpu_s": seconds,
        "look_alikes": look_alikes,
        "others": _others(recording),
        "live": _live(recording),
    }


def _others(recording: Recording) -> dict[str, Any]:
    """Return what trackers of single cameras make of the same boxes; they take the clocks as they are."""
    ground, figures = GroundSurface.of(recording.plan), {}
    for name in NAMES:
        rows = track_and_merge(name, recording.frames, recording.installed, ground, fps=FPS)
        figures[name] = _short(judge_tracks(rows, recording.truth, counted=recording.counted))
    return figures


def _live(recording: Recording) -> dict[str, Any]:
    """Return figures of tracking live: filtered, without second thoughts."""
    tracker = LiveTracker(recording.installed, plan=recording.plan, delay_s=LIVE_DELAY_S)
    rows = [row for frame in recording.frames for row in tracker.push(frame)] + tracker.finish()
    return _short(judge_tracks(rows, recording.truth, counted=recording.counted)) | {"dropped": tracker.dropped}


def clock_errors(recording: Recording, clocks: ClockEstimate) -> dict[str, Any]:
    """Return how wrong the differences of clocks are, for pairs of cameras with common motion and for the others."""
    error = clocks.offset_s - np.array([camera.clock_offset_s for camera in recording.true])
    shared, others = [], []
    for (i, a), (j, b) in itertools.combinations(enumerate(clocks.cameras), 2):
        row = (f"{a} {b}", float(error[i] - error[j]), clocks.relative_sigma_s(a, b))
        (shared if (a, b) in clocks.pairs else others).append(row)
    return {"shared": shared, "others": others}


def speed(seed: int = GARAGE_SEEDS[0]) -> dict[str, Any]:
    """Return the speed of live tracking in the garage: eight cameras at ten frames a second."""
    recording = simulate(seed, seconds=SPEED_S, fps=SPEED_FPS)
    load = os.getloadavg()[0]
    return {**timed(list(recording.installed), list(recording.frames), SPEED_S, recording.plan), "load": load}


def _short(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: figures[name] for name in SCORES}


def main() -> None:
    """Measure everything; write the results after each part."""
    arguments, machine = parse_arguments(__doc__, "tracking", PARTS), describe_machine()
    data: Path = arguments.data
    parts = {
        "wildtrack": lambda: wildtrack(data / "wildtrack"),
        "garage": lambda: {str(seed): garage(seed) for seed in GARAGE_SEEDS},
        "campus": lambda: campus(data / "campus_auditorium"),
        "kitti": lambda: kitti(data / "kitti_tracking"),
        "cost": cost,
        "speed": speed,
        "memory": memory,
        "fleet": lambda: {str(seed): garage(seed, look_alikes=FLEET) for seed in FLEET_SEEDS},
    }
    asked = [name for name in PARTS if getattr(arguments, name)] or list(PARTS)
    figures: dict[str, Any] = {}
    if len(asked) < len(PARTS) and arguments.out.is_file():
        figures = {
            name: part for name, part in json.loads(arguments.out.read_text("utf-8")).items() if name != "machine"
        }
    measured = figures.setdefault("measured", {})
    for name in asked:
        figures[name] = parts[name]()
        measured[name] = {key: machine[key] for key in ("date", "commit", "load_before")}
        write_results(arguments.out, figures, machine)


if __name__ == "__main__":
    run(main)
