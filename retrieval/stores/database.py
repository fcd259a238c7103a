"""The truth of an embedded collection: rows with their vectors in one SQLite file, so that they can't come apart.

Every commit is synced to disk before it is acknowledged (write-ahead log, synchronous = FULL). Rows are numbered in the
order they were written and no number comes twice: what is kept beside the database, in columns and an index, is made
of rows up to some number and of the numbers removed since, and can be made again.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from retrieval.stores.rows import Rows
from retrieval.stores.schema import Schema, schema_from_dict
from retrieval.stores.store import StoreError

RowNumbers = NDArray[np.int64]

FILE = "rows.sqlite"
FORMAT = 1
SQL_TYPES = {"keyword": "TEXT", "integer": "INTEGER", "number": "REAL"}
AT_ONCE = 500
"""Rows a statement asks for; SQLite takes 999 parameters."""


class Database:
    """The rows of one collection. Writes come from one thread at a time, reads from any."""

    def __init__(self, folder: Path, schema: Schema | None = None) -> None:
        """Open the database of a folder; with ``schema``, make it first. ``StoreError`` where it is damaged."""
        self.path = folder / FILE
        if schema is None and not self.path.is_file():
            raise StoreError("the collection has no rows.sqlite", where=str(folder), remedy="Restore a snapshot.")
        try:
            self._writer, self._reader = self._connect(), self._connect()
            if schema is not None:
                self._make(schema)
            self.schema = self._read_schema()
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error
        self._write_lock, self._read_lock = Lock(), Lock()
        self.names = [field.name for field in self.schema.fields]
        self._columns = ", ".join(f'"f_{name}"' for name in self.names)

    @property
    def next_row(self) -> int:
        """The number that the next row will get."""
        with self._reading() as connection:
            (number,) = connection.execute("SELECT value FROM state WHERE key = 'next_row'").fetchone()
        return int(number)

    def upsert(self, rows: Rows) -> tuple[int, RowNumbers]:
        """Write rows and return the number of the first, the rest follow, and the numbers of those they replace."""
        assert rows.vectors is not None
        with self._writing() as connection:
            (first,) = connection.execute("SELECT value FROM state WHERE key = 'next_row'").fetchone()
            replaced = self._numbers(connection, rows.ids)
            self._remove(connection, replaced)
            marks = ", ".join("?" * (4 + len(self.names)))
            columns = [rows.columns[name] for name in self.names]
            connection.executemany(
                f"INSERT INTO rows (row, id, vector, meta{''.join(f', f_{n}' for n in self.names)}) VALUES ({marks})",
                (
                    (first + i, id, vector.tobytes(), json.dumps(meta) if meta else None, *(c[i] for c in columns))
                    for i, (id, vector, meta) in enumerate(zip(rows.ids, rows.vectors, rows.meta, strict=True))
                ),
            )
            connection.execute("UPDATE state SET value = ? WHERE key = 'next_row'", (first + len(rows),))
        return int(first), replaced

    def remove(self, numbers: RowNumbers) -> None:
        """Delete rows by their numbers; their bytes are overwritten."""
        with self._writing() as connection:
            self._remove(connection, numbers)

    def numbers_of(self, ids: Sequence[str]) -> RowNumbers:
        """Return the numbers of the rows that have one of these ids, in no order."""
        with self._reading() as connection:
            return self._numbers(connection, ids)

    def removed(self) -> RowNumbers:
        """Return the numbers of all rows that were removed or replaced."""
        with self._reading() as connection:
            found = connection.execute("SELECT row FROM removed").fetchall()
        return np.array(found, dtype=np.int64).reshape(-1)

    def rows(self, numbers: Sequence[int]) -> list[tuple[Any, ...]]:
        """Return (row, id, meta, fields ...) of rows by their numbers, ascending."""
        found: list[tuple[Any, ...]] = []
        with self._reading() as connection:
            for part in _parts(list(numbers)):
                marks = ", ".join("?" * len(part))
                ask = f"SELECT row, id, meta, {self._columns} FROM rows WHERE row IN ({marks}) ORDER BY row"
                found += connection.execute(ask, part).fetchall()
        return sorted(found)

    def since(self, first: int, size: int = 20_000) -> Iterator[list[tuple[Any, ...]]]:
        """Yield (row, id, vector bytes, fields ...) of rows from a number on, ascending, in portions."""
        ask = f"SELECT row, id, vector, {self._columns} FROM rows WHERE row >= ? ORDER BY row LIMIT ?"
        while True:
            with self._reading() as connection:
                found = connection.execute(ask, (first, size)).fetchall()
            if not found:
                return
            yield found
            first = found[-1][0] + 1

    def vectors_between(self, first: int, end: int) -> list[tuple[int, bytes]]:
        """Return (row, vector bytes) of the rows numbered ``first`` to ``end`` - 1."""
        with self._reading() as connection:
            return connection.execute(
                "SELECT row, vector FROM rows WHERE row >= ? AND row < ? ORDER BY row", (first, end)
            ).fetchall()

    def vacuum(self) -> None:
        """Rewrite the file without what was deleted, and empty the log."""
        with self._write_lock, self._read_lock:
            self._writer.execute("VACUUM")
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file."""
        with self._write_lock, self._read_lock:
            self._reader.close()
            self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None, timeout=60.0)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        return connection

    def _make(self, schema: Schema) -> None:
        fields = "".join(f', "f_{field.name}" {SQL_TYPES[field.type]}' for field in schema.fields)
        connection = self._writer
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "CREATE TABLE rows "
            f"(row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, meta TEXT{fields}, vector BLOB NOT NULL)"
        )
        connection.execute("CREATE TABLE removed (row INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE state (key TEXT PRIMARY KEY, value)")
        content = {"format": FORMAT, "next_row": 0, "schema": json.dumps(schema.as_dict())}
        connection.executemany("INSERT INTO state VALUES (?, ?)", content.items())
        connection.execute("COMMIT")

    def _read_schema(self) -> Schema:
        state = dict(self._reader.execute("SELECT key, value FROM state").fetchall())
        if state.get("format", 0) != FORMAT:
            raise StoreError(
                f"the collection has format {state.get('format')}, this Tiepoint reads {FORMAT}",
                where=str(self.path),
                remedy="Use the Tiepoint that wrote it.",
            )
        return schema_from_dict(json.loads(state["schema"]))

    def _numbers(self, connection: sqlite3.Connection, ids: Sequence[str]) -> RowNumbers:
        found: list[tuple[int]] = []
        for part in _parts(list(ids)):
            marks = ", ".join("?" * len(part))
            found += connection.execute(f"SELECT row FROM rows WHERE id IN ({marks})", part).fetchall()
        return np.array(found, dtype=np.int64).reshape(-1)

    def _remove(self, connection: sqlite3.Connection, numbers: RowNumbers) -> None:
        rows = [(number,) for number in numbers.tolist()]
        connection.executemany("DELETE FROM rows WHERE row = ?", rows)
        connection.executemany("INSERT INTO removed VALUES (?)", rows)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._read_lock:
            try:
                yield self._reader
            except sqlite3.DatabaseError as error:
                raise self._damaged(error) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction; after an error of whatever kind the database is as before."""
        with self._write_lock:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    yield self._writer
                    self._writer.execute("COMMIT")
                except BaseException:
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    raise
            except sqlite3.OperationalError as error:
                what = f"can't write: {error}"
                raise InputError(what, where=str(self.path), remedy="Free space; all is as before.") from error
            except sqlite3.DatabaseError as error:
                raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> StoreError:
        return StoreError(f"the rows can't be read ({error})", where=str(self.path), remedy="Restore a snapshot.")


def _parts(values: list[Any]) -> list[list[Any]]:
    return [values[i : i + AT_ONCE] for i in range(0, len(values), AT_ONCE)]
