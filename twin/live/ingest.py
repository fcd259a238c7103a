"""Frames into the database: what is acknowledged is on the disk, and the same frame sent twice is there once.

Senders wait together: one thread writes all that has come in one transaction, so that a disk's sync is shared.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import sqlalchemy as sa

from geometry.errors import TiepointError
from geometry.track_records import FrameRecord
from twin.live.database.connection import Database
from twin.live.database.schema import frames

logger = logging.getLogger(__name__)

MAX_WAITING_FRAMES = 20_000
MAX_AT_ONCE = 2_000
LOOK_UP = 400
PASSING = (sa.exc.OperationalError, sa.exc.TimeoutError)
"""The database is locked, full or not to be reached: whoever sent the frames keeps them and tries again."""


class FullError(TiepointError):
    """More comes in than is worked off; try again in ``retry_after_s``."""

    def __init__(self, what: str, retry_after_s: float = 1.0) -> None:
        super().__init__(what, remedy=f"Send it again in {retry_after_s:.0f} s.")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What became of frames: stored now; there before; there before with other content, which stays as it was."""

    accepted: int = 0
    repeated: int = 0
    conflicting: int = 0

    def __add__(self, other: "Stored") -> "Stored":
        return Stored(
            accepted=self.accepted + other.accepted,
            repeated=self.repeated + other.repeated,
            conflicting=self.conflicting + other.conflicting,
        )


@dataclass(kw_only=True, eq=False)
class _Batch:
    twin: str
    groups: Sequence[str]
    frames: Sequence[FrameRecord]
    outcome: "Future[Stored]" = field(default_factory=Future)
    is_wanted: bool = True


class Ingest:
    """Takes batches of frames from any thread and stores each in a transaction."""

    def __init__(self, database: Database, on_stored: Callable[[str, str, int], None] = lambda *_: None) -> None:
        """Begin; ``on_stored(twin, group, last seq)`` is called after a transaction, from this object's thread."""
        self._database, self._on_stored = database, on_stored
        self._batches: list[_Batch] = []
        self._waiting = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        self._thread.start()

    def submit(self, twin: str, groups: Sequence[str], frames: Sequence[FrameRecord]) -> "Future[Stored]":
        """Take frames with the group of each one's camera; the result comes when they are on the disk.

        Raises ``FullError`` where too many wait.
        """
        batch = _Batch(twin=twin, groups=groups, frames=frames)
        with self._changed:
            if self._closing:
                raise FullError("the service is stopping", retry_after_s=5.0)
            if self._waiting and self._waiting + len(frames) > MAX_WAITING_FRAMES:
                raise FullError(f"{self._waiting} frames wait to be written")
            self._batches.append(batch)
            self._waiting += len(frames)
            self._changed.notify()
        return batch.outcome

    def close(self) -> None:
        """Write what has been taken, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while batches := self._next():
            for twin in {batch.twin for batch in batches}:
                self._store(twin, [batch for batch in batches if batch.twin == twin])

    def _next(self) -> list[_Batch]:
        with self._changed:
            while not self._batches and not self._closing:
                self._changed.wait()
            taken: list[_Batch] = []
            count = 0
            while self._batches and (not taken or count + len(self._batches[0].frames) <= MAX_AT_ONCE):
                taken.append(self._batches.pop(0))
                count += len(taken[-1].frames)
            self._waiting -= count
            for batch in taken:  # from here on nobody can take it back, which would end this thread
                batch.is_wanted = batch.outcome.set_running_or_notify_cancel()
        return taken

    def _store(self, twin: str, batches: list[_Batch]) -> None:
        try:
            with self._database.write(f"frames {twin}") as connection:
                outcomes = [store_frames(connection, self._database, twin, b.groups, b.frames) for b in batches]
                groups = sorted({group for batch in batches for group in batch.groups})
                last = {group: _last(connection, twin, group) for group in groups}
        except Exception as error:  # whoever waits gets to know
            logger.error("frames were not stored: %s", error)
            told = FullError("the frames can't be stored now", 5.0) if isinstance(error, PASSING) else error
            for batch in batches:
                if batch.is_wanted:
                    batch.outcome.set_exception(told)
            return
        for batch, outcome in zip(batches, outcomes, strict=True):
            if batch.is_wanted:
                batch.outcome.set_result(outcome)
        for group, seq in last.items():
            self._on_stored(twin, group, seq)


def store_frames(
    connection: sa.Connection, database: Database, twin: str, groups: Sequence[str], batch: Sequence[FrameRecord]
) -> Stored:
    """Store frames that are not there yet, in a transaction that is open."""
    lines = [frame.model_dump_json(by_alias=True, exclude_defaults=True) for frame in batch]
    there = _content(connection, twin, batch)
    now, fresh, repeated, conflicting = time.time(), [], 0, 0
    for frame, group, line in zip(batch, groups, lines, strict=True):
        key = (frame.camera, frame.time)
        if key in there:
            repeated += 1
            conflicting += there[key] != line
            continue
        there[key] = line
        row = {"twin": twin, "cameras": group, "camera": frame.camera, "time": frame.time, "received": now}
        fresh.append(row | {"boxes": len(frame.detections), "content": line})
    if fresh:
        connection.execute(sa.insert(frames), fresh)
    return Stored(accepted=len(fresh), repeated=repeated, conflicting=conflicting)


def _content(connection: sa.Connection, twin: str, batch: Sequence[FrameRecord]) -> dict[tuple[str, float], str]:
    """Return what is stored of frames by camera and time."""
    found: dict[tuple[str, float], str] = {}
    for camera in {frame.camera for frame in batch}:
        times = [frame.time for frame in batch if frame.camera == camera]
        for first in range(0, len(times), LOOK_UP):
            query = sa.select(frames.c.time, frames.c.content).where(
                frames.c.twin == twin, frames.c.camera == camera, frames.c.time.in_(times[first : first + LOOK_UP])
            )
            found |= {(camera, row.time): row.content for row in connection.execute(query)}
    return found


def _last(connection: sa.Connection, twin: str, group: str) -> int:
    query = sa.select(sa.func.max(frames.c.seq)).where(frames.c.twin == twin, frames.c.cameras == group)
    return int(connection.execute(query).scalar() or 0)
