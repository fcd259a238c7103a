"""One writer or many readers at a time within a process, and one process at a time over a folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition

from geometry.errors import InputError


class ReadWriteLock:
    """Many readers or one writer; a writer that waits goes before readers that come later. Not re-entrant."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._readers = 0
        self._writing = False
        self._waiting = 0

    def reading(self) -> "_Reading":
        """Hold off writers, as a context."""
        return _Reading(self)

    def _begin_reading(self) -> None:
        with self._changed:
            while self._writing or self._waiting:
                self._changed.wait()
            self._readers += 1

    def _end_reading(self) -> None:
        with self._changed:
            self._readers -= 1
            if not self._readers:
                self._changed.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold off everybody else."""
        with self._changed:
            self._waiting += 1
            while self._writing or self._readers:
                self._changed.wait()
            self._waiting -= 1
            self._writing = True
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()


class _Reading:
    """Written out, as a generator would cost each search some microseconds."""

    def __init__(self, lock: ReadWriteLock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        self._lock._begin_reading()

    def __exit__(self, *_: object) -> None:
        self._lock._end_reading()


class FolderLock:
    """Held from construction to ``release``, and let go by the system if the process ends in whatever way."""

    def __init__(self, folder: Path) -> None:
        """Take the lock; ``InputError`` where another process has it."""
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            remedy = "Close it there, or use a server (Milvus, OpenSearch), which many processes can share."
            raise InputError("another process has the store open", where=str(folder), remedy=remedy) from error

    def release(self) -> None:
        """Let others have the folder."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
