"""Eight simulated cameras live for half an hour: how old the state is, how right, and does memory grow."""

import os
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from shapely import box

from benchmarks.protocol import spread
from benchmarks.service_server import RunningService
from benchmarks.tracking_load import Walkers, frames, hall_cameras
from geometry import FloorPlan, write_cameras_json, write_plan
from geometry.floorplan import Level
from geometry.track_records import TrackRow
from twin.client import Client

Array = NDArray[np.float64]

CAMERAS, FPS, SEED = 8, 10.0, 1
ASK_S, MEMORY_S = 1.0, 10.0
WARM_UP_S = 300.0
NEAR_M = 1.0


def live(work: Path, minutes: float, database: str | None = None) -> dict[str, Any]:
    """Return figures of a run in real time; frames of all cameras are sent each tenth of a second."""
    cameras = hall_cameras(CAMERAS)
    site = work / "halls"
    site.mkdir(parents=True, exist_ok=True)
    level = Level(id="hall", name="hall", elevation=0.0, ceiling=6.0, outline=box(-10, -10, 100, 20))
    write_plan(site / "plan.json", FloorPlan(levels=(level,)))
    write_cameras_json(site / "cameras.json", [c.model_copy(update={"level": "hall"}) for c in cameras])
    walkers = Walkers(CAMERAS, np.random.default_rng(SEED))
    arguments = ["--workers", "1", *(["--database", database] if database else [])]
    with RunningService([site], work / "live-data", *arguments) as service:
        start, over = time.time() + 1.0, Event()
        sender = _Sender(service.url, start, minutes * 60, over)
        sender.start()
        before = service.cpu_s()
        samples, memory = _watch(service, walkers, start, minutes * 60)
        used = {name: seconds - before[name] for name, seconds in service.cpu_s().items()}
        over.set()
        sender.join()
        stop_s = service.stop()
        size_mb = sum(path.stat().st_size for path in service.data.glob("tiepoint.db*")) / 1e6
    ages = np.array([each["age_s"] for each in samples])
    return {
        "minutes": minutes,
        "cameras": CAMERAS,
        "frames_a_second": CAMERAS * FPS,
        "frames_sent": sender.sent,
        "frames_late_to_be_sent_s": spread(sender.behind),
        "errors": sender.errors,
        "age_s": {**(spread(ages) or {}), "p99": float(np.percentile(ages, 99))},
        "share_within_1_s": float(np.mean(ages <= 1.0)),
        "asked": len(samples),
        "position_error_at_its_time_m": spread(np.concatenate([each["errors"] for each in samples])),
        "people_with_a_row": float(np.mean([each["found"] for each in samples])),
        "rows_without_a_person": float(np.mean([each["false"] for each in samples])),
        "answer_ms": spread([each["answer_ms"] for each in samples]),
        "cores_used": {name: seconds / (minutes * 60) for name, seconds in used.items()},
        "load_average": list(os.getloadavg()),
        "priority": os.nice(0),
        "rss_mb": [round(mb, 1) for _, mb in memory][:: max(1, len(memory) // 60)],
        "rss_slope_mb_per_minute": _slope(memory),
        "rss_slope_second_half_mb_per_minute": _slope(memory[len(memory) // 2 :], 0.0),
        "rss_slope_after_s": min(WARM_UP_S, minutes * 20),
        "database_mb": size_mb,
        "stop_s": stop_s,
    }


class _Sender(Thread):
    def __init__(self, url: str, start: float, seconds: float, over: Event) -> None:
        super().__init__(daemon=True)
        self._url, self._start_at, self._seconds, self._over = url, start, seconds, over
        self.sent, self.errors = 0, 0
        self.behind: list[float] = []

    def run(self) -> None:
        waiting = []
        with Client(self._url) as client:
            for frame in frames(hall_cameras(CAMERAS), FPS, self._seconds, SEED):
                waiting.append(frame.model_copy(update={"time": frame.time + self._start_at}))
                if len(waiting) < CAMERAS:
                    continue
                wait = waiting[-1].time - time.time()
                if wait > 0:
                    time.sleep(wait)
                self.behind.append(max(0.0, -wait))
                try:
                    self.sent += client.send("halls", waiting).accepted
                except Exception as error:
                    self.errors += 1
                    print(f"not sent: {error}")
                waiting = []
                if self._over.is_set():
                    return


def _watch(
    service: RunningService, walkers: Walkers, start: float, seconds: float
) -> tuple[list[dict[str, Any]], list[tuple[float, float]]]:
    samples: list[dict[str, Any]] = []
    memory: list[tuple[float, float]] = []
    with Client(service.url) as client:
        while time.time() < start + 5.0:
            time.sleep(0.1)
        while (now := time.time()) < start + seconds - 1.0:
            begin = time.perf_counter()
            state = client.tracks("halls", within_s=1.0)
            answered, asked_at = time.perf_counter() - begin, time.time()
            age = float("inf") if state.watermark is None else asked_at - state.watermark
            samples.append({"age_s": age, "answer_ms": 1e3 * answered} | judged(state.tracks, walkers, start))
            if not memory or now - memory[-1][0] >= MEMORY_S:
                memory.append((now, service.rss_mb()))
                if len(memory) % 12 == 1:
                    last = samples[-1]
                    print(
                        f"{now - start:6.0f} s  state is {last['age_s']:.2f} s  rss {memory[-1][1]:.0f} MB", flush=True
                    )
            time.sleep(max(0.0, ASK_S - (time.time() - now)))
    return samples, memory


def judged(rows: list[TrackRow], walkers: Walkers, start: float) -> dict[str, Any]:
    """Return how far rows are from the people they stand for, at the rows' own time."""
    if not rows:
        return {"errors": [], "found": 0.0, "false": 0.0}
    newest = max(row.time for row in rows)
    current = [row for row in rows if row.time > newest - 0.3]
    truth = walkers.at(newest - start)
    places = np.array([row.position[:2] for row in current])
    velocity = np.array([(row.velocity or (0.0, 0.0, 0.0))[:2] for row in current])
    places += velocity * (newest - np.array([row.time for row in current]))[:, None]
    distance = np.linalg.norm(places[:, None] - truth[None], axis=2)
    i, j = linear_sum_assignment(np.minimum(distance, NEAR_M))
    errors = distance[i, j]
    near = errors < NEAR_M
    return {
        "errors": errors[near].tolist(),
        "found": float(near.sum() / len(truth)),
        "false": float(len(current) - near.sum()) / len(current),
    }


def _slope(memory: list[tuple[float, float]], warm_up_s: float = WARM_UP_S) -> float | None:
    """Return how fast memory grows, MB a minute, by least squares, once everything has been in use for a while."""
    times, mb = np.array(memory).T
    late = times > times[0] + min(warm_up_s, (times[-1] - times[0]) / 3)
    return float(np.polyfit(times[late] / 60, mb[late], 1)[0]) if late.sum() > 2 else None
