"""The process that looks at a group's videos: pictures in, frames of detections into the database, as if they were
pushed.

Of network cameras the newest picture is taken and the others are counted as dropped; one that breaks off is opened
again (``twin.video``). While too many frames wait to be tracked, new ones are dropped and counted: a camera can't wait.
"""

import logging
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence

from geometry.track_records import FrameRecord
from twin.live.database.connection import Database
from twin.live.ingest import store_frames
from twin.live.journal import Journal
from twin.live.signals import Signals
from twin.live.watch_task import WatchTask
from twin.live.worker import die_with_parent
from twin.video import detect_videos

logger = logging.getLogger(__name__)

STORE_EVERY_S, NOTE_EVERY_S = 0.1, 5.0
TURN_S = 0.25
"""How long nobody looks up from the videos, however silent they are."""
END_S = 1.0
WAITING = 8


class VideoStore:
    """Stores frames a few at a time, and counts what was dropped."""

    def __init__(self, database: Database, task: WatchTask, lookers: Collection[str] = ()) -> None:
        """Begin; frames of ``lookers``, cameras that are to look at stalls, are counted where they could not."""
        self._database, self._task, self._lookers = database, task, frozenset(lookers)
        self._journal = Journal(database, task.twin, task.tracked)
        self.counts = {"frames": 0, "dropped for lack of time": 0, "dropped pictures": 0}

    def store(self, frames: Sequence[FrameRecord]) -> None:
        """Store frames, or drop them where too many wait."""
        for frame in frames:
            if frame.stalls is None and frame.camera in self._lookers:
                what = f"frames without looks at stalls: {frame.camera}"
                self.counts[what] = self.counts.get(what, 0) + 1
        if self._journal.waiting(self._task.max_backlog) >= self._task.max_backlog:
            self.counts["dropped for lack of time"] += len(frames)
            return
        twin, groups = self._task.twin, [self._task.tracked] * len(frames)
        with self._database.write(f"frames {twin}") as connection:
            stored = store_frames(connection, self._database, twin, groups, frames)
        self.counts["frames"] += stored.accepted

    def note(self, dropped: int) -> None:
        """Store the counts, with so many pictures that were dropped, for who asks for figures."""
        self.counts["dropped pictures"] = dropped
        Journal(self._database, self._task.twin, self._task.group).note(self.counts)


class Looking:
    """A thread that looks at videos, so that whoever takes its frames can do other things while none comes."""

    def __init__(self, make: Callable[[], Iterator[FrameRecord]]) -> None:
        """Begin at once; ``make`` is called in the thread."""
        self._frames: queue.Queue[FrameRecord] = queue.Queue(WAITING)
        self._over = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(make,), name="videos", daemon=True)
        self._thread.start()

    def take(self, seconds: float) -> FrameRecord | None:
        """Return the next frame, None where none comes for so long."""
        try:
            return self._frames.get(timeout=seconds)
        except queue.Empty:
            return None

    @property
    def is_over(self) -> bool:
        """Whether there are no more frames. Raises what ended them before their end."""
        if self._thread.is_alive() or not self._frames.empty():
            return False
        if self._error is not None:
            raise self._error
        return True

    def end(self, seconds: float) -> bool:
        """Tell the thread to end, and whether it did within so long: one that waits for a camera can't."""
        self._over.set()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self, make: Callable[[], Iterator[FrameRecord]]) -> None:
        frames = make()
        try:
            for frame in frames:
                while not self._over.is_set():
                    try:
                        self._frames.put(frame, timeout=TURN_S)
                        break
                    except queue.Full:
                        continue
                if self._over.is_set():
                    break
        except BaseException as error:
            self._error = error
        finally:
            frames.close()  # type: ignore[attr-defined]


def watch(task: WatchTask, signals: Signals) -> None:
    """Be the process: look at videos until they end, until told to stop, or until the parent is gone."""
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signals.stop())
    die_with_parent()
    database, dropped = Database(task.database), dict[str, int]()
    options = task.detection_options()
    looking = Looking(lambda: detect_videos(dict(task.videos), options, dropped))
    store, waiting = VideoStore(database, task, options.sights), list[FrameRecord]()
    try:
        stored_at = noted_at = time.monotonic()
        while not (signals.is_stopped or os.getppid() != parent or looking.is_over):
            frame = looking.take(TURN_S)
            waiting += [] if frame is None else [frame]
            now = time.monotonic()
            if now - stored_at >= STORE_EVERY_S:
                if waiting:
                    store.store(waiting)
                waiting, stored_at = [], now
                signals.note(store.counts["frames"])
            if now - noted_at >= NOTE_EVERY_S:
                store.note(sum(dropped.values()))
                noted_at = now
        if waiting:
            store.store(waiting)
        store.note(sum(dropped.values()))
    except Exception:
        if waiting:  # a video broke off: what was looked at before is kept
            store.store(waiting)
        raise
    finally:
        database.close()
        if not looking.end(END_S):
            _leave(sys.exception())


def _leave(error: BaseException | None) -> None:
    """End this process though a thread waits for a silent camera, which can't be told to end; nothing of it is kept."""
    if error is not None:
        logger.error("looking at videos failed", exc_info=error)
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(0 if error is None else 1)
