"""The process that tracks a group of cameras: frames out of the database, what it makes of them back into it.

Frames are taken in the order in which they were stored, and the tracker is deterministic. After a crash the last saved
state is taken up and the frames since then are tracked again: the same rows come out, and those that were written
already are left as they are.
"""

import ctypes
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import isfinite
from typing import Any

from geometry.errors import InputError
from geometry.track_records import FrameRecord, TrackRow
from twin.events.moments import Moments
from twin.live.database.connection import Database
from twin.live.holding import Hold, own_name
from twin.live.journal import GROUP_STRIDE, Journal, Record, record_of_event, record_of_occupancy, record_of_track
from twin.live.signals import Signals
from twin.live.snapshot import restore, saved
from twin.live.task import GroupTask

logger = logging.getLogger(__name__)

AT_ONCE = 64
IDLE_S = 0.2
STAND_BY_S = 0.5
"""How soon a group that nobody tracks any more is taken over."""
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
        self._begin_anew()
        self.counts: dict[str, int] = {"frames": 0, "rows": 0, "events": 0, "refused frames": 0, "failed frames": 0}
        known = self.journal.progress()
        self.number, self.done, self.saved = known.number, known.done, known.saved
        if known.state is None or self._took_up(known.state, known.made_with):
            self.done = known.saved  # what came since then is tracked again
        else:
            self._begin_anew()
            self.tracker._identities = count(self.journal.largest_track(self.number) + 1)

    def _begin_anew(self) -> None:
        self.tracker, events = self.task.tracker(), self.task.events()
        self.moments = None if events is None else Moments(engine=events)

    def _took_up(self, state: bytes, made_with: str | None) -> bool:
        if made_with != self.made_with:
            logger.warning("%s: cameras, plan or software changed; tracks begin anew, ids go on", self.task.twin)
            return False
        try:
            extra = restore(self.tracker, state, None if self.moments is None else self.moments.engine)
        except InputError as error:
            logger.error("%s: %s; tracks begin anew, ids go on", self.task.twin, error)
            return False
        self.counts |= extra["counts"]
        self.thinning.last = extra["thinning"]
        if self.moments is not None:
            self.moments.looked, self.moments.told = set(extra["looked"]), extra["told"]
        return True

    def step(self) -> int:
        """Track the frames that are due, up to ``AT_ONCE``, store what comes out, and return how many they were."""
        due = self.journal.due(self.done, AT_ONCE)
        if not due:
            return 0
        said: list[Record] = []
        for each in due:
            try:
                said += self._take(each.frame)
            except InputError as error:
                self.counts["refused frames"] += 1
                logger.warning("%s: a frame is left out: %s", self.task.twin, error)
            except Exception:  # a defect; it would come again at each start, and the group be tracked no more
                self.counts["failed frames"] += 1
                logger.exception("%s: a frame of %s failed; tracks begin anew", self.task.twin, each.frame.camera)
                ids = self.tracker._identities
                self._begin_anew()
                self.tracker._identities = ids
        self.done = due[-1].seq
        self.journal.write(said, self.done, self.all_counts())
        return len(due)

    def save(self) -> None:
        """Store the whole state."""
        if self.saved == self.done:
            return
        self.thinning.forget(self.tracker._newest - 10 * self.thinning.still_every_s)
        extra: dict[str, Any] = {"counts": self.counts, "thinning": self.thinning.last}
        if self.moments is not None:
            extra |= {"looked": sorted(self.moments.looked), "told": self.moments.told}
        state = saved(self.tracker, None if self.moments is None else self.moments.engine, extra)
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

    def _take(self, frame: FrameRecord) -> list[Record]:
        """Track one frame and return what is to be said of it."""
        exposed = self.tracker.utc(frame)
        rows = self.tracker.push(frame)
        self.counts["frames"] += 1
        self.counts["rows"] += len(rows)
        if self.moments is not None:
            self.moments.look(frame, exposed)
        numbered = [row.model_copy(update={"track": row.track + self.number * GROUP_STRIDE}) for row in rows]
        tracks = [record_of_track(row, is_kept=self.thinning.is_kept(row)) for row in numbered]
        return tracks + self._happenings(numbered)

    def _happenings(self, rows: Sequence[TrackRow]) -> list[Record]:
        """Return what the rows of one moment after the other, or a while without any, tell."""
        said: list[Record] = []
        for happened in [] if self.moments is None else self.moments.pass_to(self.tracker.time, rows):
            self.counts["events"] += len(happened.events)
            said += [record_of_event(event) for event in happened.events]
            said += [record_of_occupancy(row) for row in happened.occupancy]
        return said


def run(task: GroupTask, signals: Signals) -> None:
    """Be the process: track until told to stop or until the parent is gone, then save.

    While another process tracks the group, stand by.
    """
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's to answer
    signal.signal(signal.SIGTERM, lambda *_: signals.stop())
    die_with_parent()

    def is_over() -> bool:
        return signals.is_stopped or os.getppid() != parent

    database = Database(task.database, waits_for_disk=False)  # all of it can be tracked again
    try:
        with Hold(database, task.twin, task.group) as hold:
            journal = Journal(database, task.twin, task.group)
            while not is_over() and not hold.take():
                signals.note(journal.standing()[0], waits=True)
                signals.wait(STAND_BY_S)
            if not is_over():
                _track(GroupWorker(task, database), hold, signals, is_over)
    finally:
        database.close()


def _track(worker: GroupWorker, hold: Hold, signals: Signals, is_over: Callable[[], bool]) -> None:
    worker.journal.take_up(own_name())
    saved_at = forgot_at = time.monotonic()
    while not is_over():
        hold.check()
        took = worker.step()
        signals.note(worker.done)
        now = time.monotonic()
        if now - saved_at >= worker.task.options.save_every_s:
            worker.save()
            saved_at = now
        if now - forgot_at >= FORGET_EVERY_S:
            worker.forget()
            forgot_at = now
        if took == 0:
            signals.wait(IDLE_S)
    worker.save()


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent is killed; elsewhere the loop notices."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (AttributeError, OSError):
        logger.debug("no prctl here")
