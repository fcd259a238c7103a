"""The service killed again and again while 100,000 detections come in: all that was acknowledged is there once, ids and
occupancy are those of a run that nobody disturbed."""

import hashlib
import time
from itertools import count as count_up
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import sqlalchemy as sa

from benchmarks.service_server import RunningService
from benchmarks.tracking_garage import simulate
from geometry import write_cameras_json, write_plan
from geometry.track_records import FrameRecord, read_detections
from tests.twin.live import databases
from twin.client import Client
from twin.live.database.connection import Database
from twin.live.database.schema import frames as frame_table
from twin.live.database.schema import latest, progress, records
from twin.live.ingest import store_frames
from twin.live.task import GroupTask, LiveOptions
from twin.live.worker import GroupWorker

DETECTIONS = 100_000
SECONDS, EVERY_S, SEED = 40.0, 60.0, 1
BATCH = 50
KILLS = 5
WAIT_S = 1800.0


def kill(work: Path) -> dict[str, Any]:
    """Return what was found on SQLite and on PostgreSQL, where there is one."""
    site, frames = recording(work)
    expected = undisturbed(site, frames, work)
    found: dict[str, Any] = {
        "frames": len(frames),
        "detections": sum(len(frame.detections) for frame in frames),
        "records_of_an_undisturbed_run": len(expected[0]),
        "tracks": len({row[2] for row in expected[0] if row[0] == "track"}),
        "stalls_told": sum(row[0] == "occupancy" for row in expected[1]),
    }
    print(found, flush=True)
    found["sqlite"] = attacked(site, frames, expected, work / "kill-sqlite", None)
    print(found["sqlite"], flush=True)
    absent = databases.missing()
    if absent:
        return found | {"postgresql": {"absent": absent}}
    with databases.postgres(work / "kill-postgres") as url:
        found["postgresql"] = attacked(site, frames, expected, work / "kill-postgres-data", url)
    return found


def recording(work: Path) -> tuple[Path, list[FrameRecord]]:
    """Return a garage and noisy boxes of its eight cameras: 40 s, each minute again, cut off at ``DETECTIONS``."""
    site = work / "garage-boxes"
    lines = site / "frames.jsonl"
    if not lines.is_file():
        site.mkdir(parents=True, exist_ok=True)
        made = simulate(SEED, seconds=SECONDS)
        write_cameras_json(site / "cameras.json", made.true)
        write_plan(site / "plan.json", made.plan)
        with lines.open("w", encoding="utf-8") as file:
            for frame in sorted(made.frames, key=lambda each: each.time):
                file.write(frame.model_dump_json(by_alias=True, exclude_defaults=True) + "\n")
    frames, count = [], 0
    once = list(read_detections(lines))
    for number in count_up():
        frame, left = once[number % len(once)], DETECTIONS - count
        time = frame.time + EVERY_S * (number // len(once))
        frames.append(frame.model_copy(update={"time": time, "detections": frame.detections[:left]}))
        count += len(frames[-1].detections)
        if count == DETECTIONS:
            break
    return site, frames


Told = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]


def undisturbed(site: Path, frames: list[FrameRecord], work: Path) -> Told:
    """Return all that a worker says of the frames in one go, in this process."""
    path = work / "undisturbed.db"
    path.unlink(missing_ok=True)
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    with database.write("frames") as connection:
        store_frames(connection, database, site.name, ["all"] * len(frames), frames)
    task = GroupTask(
        twin=site.name, group="all", database=f"sqlite:///{path}", cameras=site / "cameras.json",
        plan=site / "plan.json", options=LiveOptions(),
    )  # fmt: skip
    worker = GroupWorker(task, database)
    while worker.step():
        pass
    found = told(database)
    database.close()
    return found


def told(database: Database) -> Told:
    """Return records and the last of each subject, but their numbers."""
    with database.read() as connection:
        said = connection.execute(
            sa.select(records.c.what, records.c.key, records.c.track, records.c.content).order_by(records.c.seq)
        ).all()
        last = connection.execute(
            sa.select(latest.c.what, latest.c.subject, latest.c.content).order_by(latest.c.what, latest.c.subject)
        ).all()
    return [tuple(row) for row in said], sorted(tuple(row) for row in last)


class _Sender(Thread):
    """Sends batch after batch, each until it is acknowledged."""

    def __init__(self, url: str, twin: str, frames: list[FrameRecord]) -> None:
        super().__init__(daemon=True)
        self._url, self._twin, self._frames = url, twin, frames
        self.acknowledged, self.repeated = 0, 0
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            with Client(self._url, patience_s=WAIT_S, timeout_s=60.0) as client:
                for first in range(0, len(self._frames), BATCH):
                    batch = self._frames[first : first + BATCH]
                    answer = client.send(self._twin, batch)
                    assert answer.accepted + answer.repeated == len(batch)
                    assert answer.conflicting == 0
                    self.repeated += answer.repeated
                    self.acknowledged = first + len(batch)
        except Exception as error:
            self.error = error


def attacked(site: Path, frames: list[FrameRecord], expected: Told, data: Path, url: str | None) -> dict[str, Any]:
    """Return what is in the database after the service was killed ``KILLS`` times while frames came in."""
    rng = np.random.default_rng(SEED)
    arguments = ["--workers", "1", *(["--database", url] if url else [])]
    service = RunningService([site], data, *arguments).wait()
    database = Database(url or f"sqlite:///{data.resolve() / 'tiepoint.db'}")
    sender = _Sender(service.url, site.name, frames)
    sender.start()
    begin, kills, restarts = time.perf_counter(), [], []
    for share in (np.arange(KILLS) + rng.uniform(0.2, 0.8, KILLS)) / KILLS:
        while sender.acknowledged < share * len(frames) and sender.is_alive():
            time.sleep(0.01)
        time.sleep(float(rng.uniform(0, 0.3)))
        before = sender.acknowledged
        service.kill()
        kills.append({"acknowledged": before, "lost": missing(database, frames[:before], site.name)})
        clock = time.perf_counter()
        service = RunningService([site], data, *arguments, port=service.port).wait()
        restarts.append(time.perf_counter() - clock)
    sender.join(WAIT_S)
    took = time.perf_counter() - begin
    wait_for_tracking(database, Event())
    stop_s = service.stop()
    got = told(database)
    figures = {
        "kills": kills,
        "ready_again_s": restarts,
        "sent_s": took,
        "detections_a_second": DETECTIONS / took,
        "error": repr(sender.error) if sender.error else None,
        "acknowledged_frames": sender.acknowledged,
        "acknowledged_again": sender.repeated,
        **stored(database, frames, site.name),
        "records": len(got[0]),
        "records_equal_to_undisturbed": got[0] == expected[0],
        "records_that_differ": len(set(got[0]) ^ set(expected[0])),
        "last_of_tracks_and_stalls_equal": got[1] == expected[1],
        "stop_s": stop_s,
    }
    database.close()
    return figures


def missing(database: Database, frames: list[FrameRecord], twin: str) -> int:
    """Return how many acknowledged frames are not in the database, read directly while the service is dead."""
    there = content(database, twin)
    return sum((frame.camera, frame.time) not in there for frame in frames)


def stored(database: Database, frames: list[FrameRecord], twin: str) -> dict[str, Any]:
    """Return how many frames are stored, twice, missing, and other than they were sent."""
    with database.read() as connection:
        rows = connection.execute(sa.select(sa.func.count()).where(frame_table.c.twin == twin)).scalar_one()
        boxes = connection.execute(sa.select(sa.func.sum(frame_table.c.boxes))).scalar_one()
    there = content(database, twin)
    sent = {(f.camera, f.time): _digest(f.model_dump_json(by_alias=True, exclude_defaults=True)) for f in frames}
    return {
        "stored_frames": rows,
        "stored_detections": int(boxes),
        "stored_twice": rows - len(there),
        "missing": len(sent.keys() - there.keys()),
        "altered": sum(there[key] != sent[key] for key in sent.keys() & there.keys()),
    }


def content(database: Database, twin: str) -> dict[tuple[str, float], str]:
    """Return digests of all frames by camera and time."""
    query = sa.select(frame_table.c.camera, frame_table.c.time, frame_table.c.content)
    with database.read() as connection:
        rows = connection.execute(query.where(frame_table.c.twin == twin)).all()
    return {(row.camera, row.time): _digest(row.content) for row in rows}


def wait_for_tracking(database: Database, over: Event) -> None:
    """Wait until all stored frames are tracked."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline and not over.wait(0.5):
        with database.read() as connection:
            last = connection.execute(sa.select(sa.func.max(frame_table.c.seq))).scalar_one()
            done = connection.execute(sa.select(sa.func.min(progress.c.done))).scalar_one()
        if done == last:
            return
    raise RuntimeError("the tracking did not come to an end")


def _digest(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()
