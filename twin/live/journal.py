"""What a worker reads and writes in the database: frames that are due, what it said, and how far it is."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from geometry.track_records import FrameRecord, TrackRow
from twin.events.records import Event, Occupancy
from twin.live.database.connection import Database
from twin.live.database.schema import forgotten, frames, latest, progress, records

GROUP_STRIDE = 1 << 40
"""Track ids of a twin's groups of cameras lie this far apart; all fit a double."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One thing said: ``what`` is "track", "event" or "occupancy"; ``key`` names it, ``subject`` whom it is about.

    is_kept: whether it goes into the history; the last of each subject is kept in any case
    """

    what: str
    key: str
    time: float
    content: str
    subject: str | None = None
    track: int | None = None
    kind: str | None = None
    level: str | None = None
    zone: str | None = None
    stall: str | None = None
    position: tuple[float, float, float] | None = None
    is_kept: bool = True


@dataclass(frozen=True, kw_only=True)
class Due:
    """A stored frame and its number."""

    seq: int
    received: float
    frame: FrameRecord


@dataclass(kw_only=True)
class Progress:
    """How far a group of cameras is; ``state`` is the engine's after frame ``saved``, made with ``made_with``."""

    number: int
    done: int = 0
    saved: int = 0
    state: bytes | None = None
    made_with: str | None = None
    counts: dict[str, int] = field(default_factory=dict)


def record_of_track(row: TrackRow, *, is_kept: bool = True) -> Record:
    """Return a row of a track as a record."""
    return Record(
        what="track",
        key=f"{row.track} {row.time!r}",
        time=row.time,
        content=row.model_dump_json(by_alias=True, exclude_defaults=True),
        subject=str(row.track),
        track=row.track,
        kind=row.kind,
        level=row.level,
        zone=row.zone,
        stall=row.stall,
        position=row.position,
        is_kept=is_kept,
    )


def record_of_event(event: Event) -> Record:
    """Return an event as a record."""
    where = event.where
    place = where.gate or where.stall or where.zone or where.lane or ""
    meta = event.meta.get("vehicle", "")
    return Record(
        what="event",
        key=f"{event.kind} {event.time!r} {event.track} {place} {meta}"[:300],
        time=event.time,
        content=event.model_dump_json(exclude_defaults=True),
        track=event.track,
        kind=event.kind,
        level=where.level,
        zone=where.zone,
        stall=where.stall,
        position=where.position,
    )


def record_of_occupancy(row: Occupancy) -> Record:
    """Return a change of a stall as a record."""
    return Record(
        what="occupancy",
        key=f"{row.stall} {row.time!r}"[:300],
        time=row.time,
        content=row.model_dump_json(),
        subject=row.stall,
        track=row.track,
        stall=row.stall,
    )


class Journal:
    """One group of cameras of one twin in the database."""

    def __init__(self, database: Database, twin: str, cameras: str) -> None:
        self.database, self.twin, self.cameras = database, twin, cameras

    def progress(self) -> Progress:
        """Return how far the group is; a new group gets a number of its own."""
        mine = (progress.c.twin == self.twin) & (progress.c.cameras == self.cameras)
        with self.database.write(f"records {self.twin}") as connection:
            row = connection.execute(sa.select(progress).where(mine)).one_or_none()
            if row is not None:
                return Progress(
                    number=row.number,
                    done=row.done,
                    saved=row.saved,
                    state=row.state,
                    made_with=row.made_with,
                    counts=json.loads(row.counts),
                )
            query = sa.select(sa.func.coalesce(sa.func.max(progress.c.number) + 1, 0)).where(
                progress.c.twin == self.twin
            )
            number = int(connection.execute(query).scalar_one())
            values = {"number": number, "done": 0, "saved": 0, "counts": "{}", "updated": time.time()}
            connection.execute(sa.insert(progress).values(twin=self.twin, cameras=self.cameras, **values))
        return Progress(number=number)

    def take_up(self, holder: str) -> None:
        """Store who tracks the group from now on."""
        mine = (progress.c.twin == self.twin) & (progress.c.cameras == self.cameras)
        with self.database.write(f"records {self.twin}") as connection:
            connection.execute(sa.update(progress).where(mine).values(holder=holder))

    def standing(self) -> tuple[int, str | None]:
        """Return the last frame that is done, 0 for none, and who took the group up last."""
        mine = (progress.c.twin == self.twin) & (progress.c.cameras == self.cameras)
        with self.database.read() as connection:
            row = connection.execute(sa.select(progress.c.done, progress.c.holder).where(mine)).one_or_none()
        return (0, None) if row is None else (int(row.done), row.holder)

    def waiting(self, limit: int) -> int:
        """Return how many frames are stored and not done, ``limit`` at most."""
        mine = (progress.c.twin == self.twin) & (progress.c.cameras == self.cameras)
        done = sa.select(sa.func.coalesce(sa.func.max(progress.c.done), 0)).where(mine).scalar_subquery()
        ours = (frames.c.twin == self.twin) & (frames.c.cameras == self.cameras) & (frames.c.seq > done)
        query = sa.select(sa.func.count()).select_from(sa.select(frames.c.seq).where(ours).limit(limit).subquery())
        with self.database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def note(self, counts: dict[str, int]) -> None:
        """Store the counts of a process that tracks nothing."""
        values = {"counts": json.dumps(counts), "updated": time.time()}
        named = {"twin": self.twin, "cameras": self.cameras, "number": -1, "done": 0, "saved": 0}
        insert = self.database.insert(progress).values(**named, **values)
        with self.database.write(f"records {self.twin}") as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["twin", "cameras"], set_=values))

    def due(self, after: int, limit: int) -> list[Due]:
        """Return the frames after one, in the order in which they came."""
        query = (
            sa.select(frames.c.seq, frames.c.received, frames.c.content)
            .where(frames.c.twin == self.twin, frames.c.cameras == self.cameras, frames.c.seq > after)
            .order_by(frames.c.seq)
            .limit(limit)
        )
        with self.database.read() as connection:
            found = connection.execute(query).all()
        return [
            Due(seq=row.seq, received=row.received, frame=FrameRecord.model_validate_json(row.content)) for row in found
        ]

    def largest_track(self, number: int) -> int:
        """Return the largest track id that the group ever gave, without its stride; 0 for none."""
        first = number * GROUP_STRIDE
        query = sa.select(sa.func.max(records.c.track)).where(
            records.c.twin == self.twin, records.c.track >= first, records.c.track < first + GROUP_STRIDE
        )
        with self.database.read() as connection:
            return int(connection.execute(query).scalar() or first) - first

    def write(
        self,
        said: Sequence[Record],
        done: int,
        counts: dict[str, int],
        state: tuple[int, bytes, str] | None = None,
    ) -> int:
        """Store what was said and how far the group is, in one transaction; what was said before is left as it is.

        state: after which frame, the engine's state, and what it was made with. Returns how many records were new.
        """
        kept = [self._row(each) for each in said if each.is_kept]
        news = 0
        with self.database.write(f"records {self.twin}") as connection:
            if kept:
                insert = self.database.insert(records).on_conflict_do_nothing(index_elements=["twin", "what", "key"])
                news = int(connection.execute(insert, kept).rowcount)
            self._note_latest(connection, said)
            values: dict[str, Any] = {"done": done, "counts": json.dumps(counts), "updated": time.time()}
            if state is not None:
                values |= {"saved": state[0], "state": state[1], "made_with": state[2]}
            mine = (progress.c.twin == self.twin) & (progress.c.cameras == self.cameras)
            connection.execute(sa.update(progress).where(mine).values(**values))
        return news

    def forget(self, frames_before: float, records_before: float) -> None:
        """Delete frames that are done and were received before a time, and records of before another one."""
        with self.database.write(f"records {self.twin}") as connection:
            done = sa.select(progress.c.saved).where(progress.c.twin == self.twin, progress.c.cameras == self.cameras)
            old = (frames.c.twin == self.twin) & (frames.c.cameras == self.cameras)
            connection.execute(
                sa.delete(frames).where(old, frames.c.received < frames_before, frames.c.seq <= done.scalar_subquery())
            )
            self._forget_records(connection, (records.c.twin == self.twin) & (records.c.time < records_before))
            connection.execute(
                sa.delete(latest).where(
                    latest.c.twin == self.twin, latest.c.what == "track", latest.c.time < records_before
                )
            )

    def _forget_records(self, connection: sa.Connection, old: sa.ColumnElement[bool]) -> None:
        largest = sa.select(records.c.twin, records.c.what, sa.func.max(records.c.seq).label("seq")).where(old)
        gone = [row._asdict() for row in connection.execute(largest.group_by(records.c.twin, records.c.what))]
        if not gone:
            return
        insert = self.database.insert(forgotten)
        larger = insert.on_conflict_do_update(
            index_elements=["twin", "what"],
            set_={"seq": insert.excluded.seq},
            where=forgotten.c.seq < insert.excluded.seq,
        )
        connection.execute(larger, gone)
        connection.execute(sa.delete(records).where(old))

    def _row(self, record: Record) -> dict[str, Any]:
        x, y, z = record.position or (None, None, None)
        place = {"level": record.level, "zone": record.zone, "stall": record.stall, "x": x, "y": y, "z": z}
        named = {"twin": self.twin, "what": record.what, "key": record.key, "time": record.time}
        return named | place | {"track": record.track, "kind": record.kind, "content": record.content}

    def _note_latest(self, connection: sa.Connection, said: Sequence[Record]) -> None:
        last = {(each.what, each.subject): each for each in said if each.subject is not None}
        if not last:
            return
        rows = [
            {
                "twin": self.twin,
                "what": what,
                "subject": subject,
                "time": each.time,
                "first": each.time,
                "content": each.content,
            }
            for (what, subject), each in sorted(last.items())
        ]
        insert = self.database.insert(latest)
        newer = insert.on_conflict_do_update(
            index_elements=["twin", "what", "subject"],
            set_={"time": insert.excluded.time, "content": insert.excluded.content},
            where=latest.c.time <= insert.excluded.time,
        )
        connection.execute(newer, rows)
