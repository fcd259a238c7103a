"""Who tracks a group of cameras: one process of however many services on one database; the others stand by."""

import fcntl
import os
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from zlib import crc32

import sqlalchemy as sa

from twin.live.database.connection import Database

CHECK_S = 5.0
KEEPALIVE = {"idle": 10, "interval": 5, "count": 3}
"""After so many seconds, and tries, PostgreSQL lets go of what a machine held that vanished; else after two hours."""


class Hold:
    """The right to track a group; two processes that track the same cameras would disagree.

    It is a lock of a file beside SQLite, or of a connection to PostgreSQL, so that it goes with the process.
    """

    def __init__(self, database: Database, twin: str, group: str) -> None:
        self._database, self._name = database, f"{twin} {group}"
        self._kept = ExitStack()
        self._connection: sa.Connection | None = None
        self._checked = time.monotonic()

    def take(self) -> bool:
        """Take the right if nobody has it, at once."""
        with ExitStack() as stack:
            taken = self._lock_file(stack) if self._database.is_sqlite else self._lock_row(stack)
            if taken:
                self._kept = stack.pop_all()
            return taken

    def check(self) -> None:
        """Make sure, now and then, that it was not lost with its connection; raises SQLAlchemy's error where it was."""
        if self._connection is not None and time.monotonic() - self._checked > CHECK_S:
            self._connection.execute(sa.select(1))
            self._connection.commit()
            self._checked = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection = None
        self._kept.close()

    def _lock_file(self, stack: ExitStack) -> bool:
        path = Path(f"{self._database.url.database}.{crc32(self._name.encode()):08x}.lock")
        file = stack.enter_context(path.open("w"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _lock_row(self, stack: ExitStack) -> bool:
        connection = stack.enter_context(self._database.engine.connect())
        query = sa.select(sa.func.pg_try_advisory_lock(crc32(b"group " + self._name.encode())))
        taken = bool(connection.execute(query).scalar_one())
        if taken:
            for name, value in KEEPALIVE.items():
                connection.exec_driver_sql(f"SET tcp_keepalives_{name} = {value}")
        connection.commit()
        if taken:
            stack.callback(connection.invalidate)  # a pool would keep the session, and the lock with it
            self._connection = connection
        return taken


def own_name() -> str:
    """Return how this process's service is named to others."""
    return f"process {os.getppid()} on {socket.gethostname()}"[:200]
