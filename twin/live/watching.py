"""The process that looks at a group's videos: pictures in, frames of detections into the database, as if they were
pushed.

Of network cameras the newest picture is taken and the others are counted as dropped; one that breaks off is opened
again (``twin.video``). While too many frames wait to be tracked, new ones are dropped and counted: a camera can't wait.
"""

import logging
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event

from geometry.track_records import FrameRecord
from twin.live.database.connection import Database
from twin.live.ingest import store_frames
from twin.live.journal import Journal
from twin.live.worker import die_with_parent
from twin.video import DetectionOptions, SourceOptions, detect_videos

logger = logging.getLogger(__name__)

STORE_EVERY_S, NOTE_EVERY_S = 0.1, 5.0


@dataclass(frozen=True, kw_only=True)
class WatchTask:
    """Videos of one group of cameras: (camera, file, folder or address) each; ``group`` is the one that is tracked."""

    twin: str
    tracked: str
    database: str
    videos: tuple[tuple[str, str], ...]
    detector: str
    max_backlog: int

    @property
    def group(self) -> str:
        """The name of this process among the twin's."""
        return f"video of {self.tracked}"


class VideoStore:
    """Stores frames a few at a time, and counts what was dropped."""

    def __init__(self, database: Database, task: WatchTask) -> None:
        self._database, self._task = database, task
        self._journal = Journal(database, task.twin, task.tracked)
        self.counts = {"frames": 0, "dropped for lack of time": 0, "dropped pictures": 0}

    def store(self, frames: Sequence[FrameRecord]) -> None:
        """Store frames, or drop them where too many wait."""
        if self._journal.waiting(self._task.max_backlog) >= self._task.max_backlog:
            self.counts["dropped for lack of time"] += len(frames)
            return
        twin, groups = self._task.twin, [self._task.tracked] * len(frames)
        with self._database.write(f"frames {twin}") as connection:
            stored = store_frames(connection, self._database, twin, groups, frames)
        self.counts["frames"] += stored.accepted

    def note(self) -> None:
        """Store the counts, for who asks for figures."""
        Journal(self._database, self._task.twin, self._task.group).note(self.counts)


def watch(task: WatchTask, wake: Event, stop: Event, done: "Synchronized[int]", beat: "Synchronized[float]") -> None:
    """Be the process: look at videos until they end, until told to stop, or until the parent is gone."""
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    die_with_parent()
    database, dropped = Database(task.database), dict[str, int]()
    store, waiting = VideoStore(database, task), list[FrameRecord]()
    stored_at = noted_at = time.monotonic()
    options = DetectionOptions(detector=task.detector, sources=SourceOptions(start=time.time()))
    frames = detect_videos(dict(task.videos), options, dropped)
    try:
        beat.value = time.time()
        for frame in frames:
            waiting.append(frame)
            now = time.monotonic()
            if now - stored_at >= STORE_EVERY_S:
                store.store(waiting)
                waiting, stored_at = [], now
                done.value, beat.value = store.counts["frames"], time.time()
            if now - noted_at >= NOTE_EVERY_S:
                store.counts["dropped pictures"] = sum(dropped.values())
                store.note()
                noted_at = now
            if stop.is_set() or os.getppid() != parent:
                break
        if waiting:
            store.store(waiting)
        store.counts["dropped pictures"] = sum(dropped.values())
        store.note()
    finally:
        frames.close()  # type: ignore[attr-defined]
        database.close()
