"""The process that tracks a group of cameras: frames out of the database, what it makes of them back into it.

Frames are taken in the order in which they were stored, and the tracker is deterministic. After a crash the last saved
state is taken up and the frames since then are tracked again: the same rows come out, and those that were written
already are left as they are.
"""

import ctypes
import fcntl
import logging
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, groupby
from math import isfinite
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from typing import Any
from zlib import crc32

import sqlalchemy as sa

from geometry.errors import InputError
from geometry.track_records import TrackRow
from twin.live.database.connection import Database
from twin.live.journal import GROUP_STRIDE, Journal, Record, record_of_event, record_of_occupancy, record_of_track
from twin.live.snapshot import restore, saved
from twin.live.task import GroupTask

logger = logging.getLogger(__name__)

AT_ONCE = 64
IDLE_S = 0.2
EMPTY_S = 1.0
"""After so long without a row, cameras that looked are taken to have seen nothing."""
FORGET_EVERY_S = 600.0
_PR_SET_PDEATHSIG = 1


@dataclass(kw_only=True)
class Thinning:
    """Leaves out rows of tracks that stand still, but for one now and then; state is plain, so that it can be saved."""

    still_m: float
    still_every_s: float
    last: dict[int, list[Any]] = field(default_factory=dict)

    def is_kept(self, row: TrackRow) -> bool:
        """Tell whether a row says something new, and remember it if so."""
        before = self.last.get(row.track)
        now = [row.time, *row.position, row.level, row.zone, row.stall]
        if before is not None:
            moved = sum((a - b) ** 2 for a, b in zip(now[1:4], before[1:4], strict=True)) ** 0.5
            if moved < self.still_m and now[4:] == before[4:] and row.time - before[0] < self.still_every_s:
                return False
        self.last[row.track] = now
        return True

    def forget(self, before: float) -> None:
        """Forget tracks that have not been seen for long."""
        self.last = {track: each for track, each in self.last.items() if each[0] >= before}


class GroupWorker:
    """Tracks one group; ``step`` takes what is due."""

    def __init__(self, task: GroupTask, database: Database) -> None:
        """Take up the saved state, if there is one that fits."""
        self.task, self.journal = task, Journal(database, task.twin, task.group)
        self.thinning = Thinning(still_m=task.options.still_m, still_every_s=task.options.still_every_s)
        self.made_with = task.made_with()
        self.tracker, self.events = task.tracker(), task.events()
        self.looked: set[str] = set()
        self.told: float | None = None
        self.counts: dict[str, int] = {"frames": 0, "rows": 0, "events": 0, "refused frames": 0}
        known = self.journal.progress()
        self.number, self.done, self.saved = known.number, known.done, known.saved
        if known.state is None or self._took_up(known.state, known.made_with):
            self.done = known.saved  # what came since then is tracked again
        else:
            self.tracker, self.events = task.tracker(), task.events()
            self.tracker._identities = count(self.journal.largest_track(self.number) + 1)

    def _took_up(self, state: bytes, made_with: str | None) -> bool:
        if made_with != self.made_with:
            logger.warning("%s: cameras, plan or software changed; tracks begin anew, ids go on", self.task.twin)
            return False
        try:
            extra = restore(self.tracker, state, self.events)
        except InputError as error:
            logger.error("%s: %s; tracks begin anew, ids go on", self.task.twin, error)
            return False
        self.counts |= extra["counts"]
        self.thinning.last, self.looked, self.told = extra["thinning"], set(extra["looked"]), extra["told"]
        return True

    def step(self) -> int:
        """Track the frames that are due, up to ``AT_ONCE``, store what comes out, and return how many they were."""
        due = self.journal.due(self.done, AT_ONCE)
        if not due:
            return 0
        said: list[Record] = []
        for each in due:
            try:
                rows = self.tracker.push(each.frame)
            except InputError as error:
                self.counts["refused frames"] += 1
                logger.warning("%s: a frame is left out: %s", self.task.twin, error)
                continue
            self.counts["frames"] += 1
            self.counts["rows"] += len(rows)
            self.looked.add(each.frame.camera)
            numbered = [row.model_copy(update={"track": row.track + self.number * GROUP_STRIDE}) for row in rows]
            said += [record_of_track(row, is_kept=self.thinning.is_kept(row)) for row in numbered]
            said += self._happenings(numbered)
        self.done = due[-1].seq
        self.journal.write(said, self.done, self.all_counts())
        return len(due)

    def save(self) -> None:
        """Store the whole state."""
        if self.saved == self.done:
            return
        self.thinning.forget(self.tracker._newest - 10 * self.thinning.still_every_s)
        extra = {"counts": self.counts, "thinning": self.thinning.last, "looked": sorted(self.looked)}
        state = saved(self.tracker, self.events, extra | {"told": self.told})
        self.journal.write([], self.done, self.all_counts(), (self.done, state, self.made_with))
        self.saved = self.done

    def forget(self) -> None:
        """Delete what is older than it is to be kept: frames by when they came, records by the newest frame's time.

        So a recording of last year, sent today, is not forgotten as soon as it was tracked.
        """
        now, options = time.time(), self.task.options
        newest = min(now, self.tracker._newest)
        if isfinite(newest):
            self.journal.forget(now - options.keep_frames_s, newest - options.keep_records_s)

    def all_counts(self) -> dict[str, int]:
        """Return counts of what was done and dropped."""
        return self.counts | self.tracker.dropped

    def _happenings(self, rows: Sequence[TrackRow]) -> list[Record]:
        """Return what the rows of one moment after the other, or a while without any, tell."""
        if self.events is None:
            return []
        moments = [(moment, list(group)) for moment, group in groupby(rows, key=lambda row: row.time)]
        now = self.tracker.tracker.time
        if not moments and self.told is not None and now - self.told > EMPTY_S:
            moments = [(now, [])]
        said: list[Record] = []
        for moment, present in moments:
            if self.told is not None and moment <= self.told:
                continue
            happened = self.events.update(moment, present, frozenset(self.looked))
            self.told = moment
            self.looked.clear()
            self.counts["events"] += len(happened.events)
            said += [record_of_event(event) for event in happened.events]
            said += [record_of_occupancy(row) for row in happened.occupancy]
        if self.told is None and isfinite(now):
            self.told = now
        return said


def run(task: GroupTask, wake: Event, stop: Event, done: "Synchronized[int]", beat: "Synchronized[float]") -> None:
    """Be the process: track until told to stop or until the parent is gone, then save."""
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's to answer
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    die_with_parent()
    database = Database(task.database, waits_for_disk=False)  # all of it can be tracked again
    try:
        with alone(database, task):
            worker = GroupWorker(task, database)
            saved_at = forgot_at = time.monotonic()
            while not stop.is_set() and os.getppid() == parent:
                took = worker.step()
                done.value, beat.value = worker.done, time.time()
                now = time.monotonic()
                if now - saved_at >= task.options.save_every_s:
                    worker.save()
                    saved_at = now
                if now - forgot_at >= FORGET_EVERY_S:
                    worker.forget()
                    forgot_at = now
                if took == 0:
                    wake.wait(IDLE_S)
                    wake.clear()
            worker.save()
    finally:
        database.close()


@contextmanager
def alone(database: Database, task: GroupTask) -> Iterator[None]:
    """Hold the group: two processes that track the same cameras would disagree. Waits for the other to end."""
    name = f"{task.twin} {task.group}"
    if database.is_sqlite:
        with open(f"{database.url.database}.{crc32(name.encode()):08x}.lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    with database.engine.connect() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_lock(crc32(b"group " + name.encode()))))
        connection.commit()
        yield


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent is killed; elsewhere the loop notices."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (AttributeError, OSError):
        logger.debug("no prctl here")
