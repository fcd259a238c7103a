"""What the engine said, read back: pages of history, the present, and a live stream that can be resumed by number."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from twin.live.database.connection import Database
from twin.live.database.schema import forgotten, latest, records

POLL_S = 0.1
HEARTBEAT_S = 10.0
PAGE = 500
WHATS = ("track", "event", "occupancy")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which records: all conditions that are given hold; ``area`` is x1, y1, x2, y2 in site metres."""

    what: str = "track"
    since: float | None = None
    until: float | None = None
    track: int | None = None
    kind: str | None = None
    level: str | None = None
    zone: str | None = None
    stall: str | None = None
    area: tuple[float, float, float, float] | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """Return them for the table of records."""
        table, found = records.c, [records.c.what == self.what]
        for name in ("track", "kind", "level", "zone", "stall"):
            if getattr(self, name) is not None:
                found.append(table[name] == getattr(self, name))
        if self.since is not None:
            found.append(table.time >= self.since)
        if self.until is not None:
            found.append(table.time <= self.until)
        if self.area is not None:
            x1, y1, x2, y2 = self.area
            found += [table.x.between(x1, x2), table.y.between(y1, y2)]
        return found


class Feed:
    """Reads records of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, twin: str, wanted: Wanted, after: int, limit: int) -> tuple[list[str], int | None]:
        """Return up to ``limit`` lines after a number, in the order in which they were said, and where to go on."""
        conditions = [records.c.twin == twin, records.c.seq > after, *wanted.conditions()]
        query = sa.select(records.c.seq, records.c.content).where(*conditions).order_by(records.c.seq).limit(limit + 1)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [row.content for row in rows[:limit]], rows[limit - 1].seq if len(rows) > limit else None

    def present(self, twin: str, what: str, within_s: float | None, limit: int) -> list[Any]:
        """Return (subject, time, first, content) of the last record of each subject, newest first.

        within_s: only what is at most so much older than the newest of them
        """
        mine = (latest.c.twin == twin) & (latest.c.what == what)
        query = sa.select(latest.c.subject, latest.c.time, latest.c.first, latest.c.content).where(mine)
        if within_s is not None:
            newest = sa.select(sa.func.max(latest.c.time)).where(mine).scalar_subquery()
            query = query.where(latest.c.time >= newest - within_s)
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(latest.c.time.desc(), latest.c.subject).limit(limit)))

    def newest(self, twin: str) -> int:
        """Return the number of the last record of a twin, 0 where there is none."""
        query = sa.select(sa.func.max(records.c.seq)).where(records.c.twin == twin)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar() or 0)

    def is_whole(self, twin: str, whats: Sequence[str], seq: int) -> bool:
        """Return whether all records of a twin after a number are still kept."""
        query = sa.select(sa.func.max(forgotten.c.seq)).where(forgotten.c.twin == twin, forgotten.c.what.in_(whats))
        with self._database.read() as connection:
            return int(connection.execute(query).scalar() or 0) <= seq

    def after(self, twin: str, whats: Sequence[str], seq: int) -> list[Any]:
        """Return (seq, what, content) of the next ``PAGE`` records."""
        query = (
            sa.select(records.c.seq, records.c.what, records.c.content)
            .where(records.c.twin == twin, records.c.seq > seq, records.c.what.in_(whats))
            .order_by(records.c.seq)
            .limit(PAGE)
        )
        with self._database.read() as connection:
            return list(connection.execute(query))

    async def stream(
        self, twin: str, whats: Sequence[str], after: int, is_over: Callable[[], bool], run: Callable[..., Any]
    ) -> AsyncIterator[bytes]:
        """Yield records as Server-Sent Events until ``is_over``; ``run`` awaits a function in a thread.

        Each reader asks the database for itself, so that a slow one holds up nobody and costs no memory.
        """
        yield b"retry: 1000\n\n"
        spoke = time.monotonic()
        if after > 0 and not await run(self.is_whole, twin, whats, after):
            yield b'event: gap\ndata: {"reason": "what came next is not kept any more"}\n\n'
        while not is_over():
            rows = await run(self.after, twin, whats, after)
            if rows:
                yield b"".join(f"id: {seq}\nevent: {what}\ndata: {content}\n\n".encode() for seq, what, content in rows)
                after, spoke = rows[-1][0], time.monotonic()
            elif time.monotonic() - spoke > HEARTBEAT_S:
                yield b": still here\n\n"
                spoke = time.monotonic()
            if len(rows) < PAGE:
                await asyncio.sleep(POLL_S)
