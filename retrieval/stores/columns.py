"""The fields of an embedded collection in memory, a column each, by which filters become sets of rows.

Words are kept as numbers of a dictionary, so that a test reads four or eight bytes a row: about a millisecond for a
million rows.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.stores.filters import Mask, Value
from retrieval.stores.schema import Schema

NO_INTEGER = np.iinfo(np.int64).min
NO_WORD = -1


class GrowingArray:
    """An array whose rows can be appended to; ``values`` is a view that stays as it is while the array grows."""

    def __init__(self, values: NDArray[Any]) -> None:
        self._room, self._count = values, len(values)

    @property
    def values(self) -> NDArray[Any]:
        """All rows."""
        return self._room[: self._count]

    def append(self, values: NDArray[Any]) -> None:
        """Add rows at the end."""
        end = self._count + len(values)
        if end > len(self._room):
            room = np.empty((max(end, 1024, len(self._room) * 3 // 2), *self._room.shape[1:]), dtype=self._room.dtype)
            room[: self._count] = self.values
            self._room = room
        self._room[self._count : end] = values
        self._count = end


class Columns:
    """Ids and fields of rows 0 to N - 1, removed ones among them: ``alive`` (N,) tells which aren't."""

    def __init__(self, schema: Schema, numbers_of: Callable[[Sequence[str]], NDArray[np.int64]]) -> None:
        """Start without rows; ``numbers_of`` looks ids up."""
        self._schema, self._numbers_of = schema, numbers_of
        types = {"keyword": np.int32, "integer": np.int64, "number": np.float64}
        self._fields = {f.name: GrowingArray(np.empty(0, dtype=types[f.type])) for f in schema.fields}
        self._words: dict[str, dict[str, int]] = {f.name: {} for f in schema.fields if f.type == "keyword"}
        self._id_bytes, self._id_ends = GrowingArray(np.empty(0, np.uint8)), GrowingArray(np.zeros(1, np.int64))
        self._alive = GrowingArray(np.empty(0, dtype=bool))
        self.removed_rows = 0

    def __len__(self) -> int:
        return len(self._alive.values)

    @property
    def alive(self) -> Mask:
        """Which rows (N,) are there."""
        return self._alive.values

    def append(self, ids: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
        """Add rows; ``columns`` in the order of the schema's fields."""
        encoded = [id.encode() for id in ids]
        self._id_bytes.append(np.frombuffer(b"".join(encoded), dtype=np.uint8))
        ends = self._id_ends.values[-1] + np.cumsum([len(id) for id in encoded], dtype=np.int64)
        self._id_ends.append(ends)
        for field, values in zip(self._schema.fields, columns, strict=True):
            self._fields[field.name].append(self._encoded(field.name, field.type, values))
        self._alive.append(np.ones(len(ids), dtype=bool))

    def append_gap(self, count: int) -> None:
        """Add rows that were removed already."""
        fill = {"keyword": None, "integer": None, "number": np.nan}
        self.append([""] * count, [[fill[field.type]] * count for field in self._schema.fields])
        self.remove(np.arange(len(self) - count, len(self)))

    def remove(self, rows: NDArray[np.int64]) -> None:
        """Mark rows as gone."""
        self.removed_rows += int(np.count_nonzero(self.alive[rows]))
        self.alive[rows] = False

    def ids(self, rows: Sequence[int]) -> tuple[str, ...]:
        """Return the ids of rows."""
        numbers = np.asarray(rows, dtype=np.int64)
        starts, ends = self._id_ends.values[numbers].tolist(), self._id_ends.values[numbers + 1].tolist()
        room = self._id_bytes.values.data
        return tuple([str(room[start:end], "utf-8") for start, end in zip(starts, ends, strict=True)])

    def erase(self, rows: NDArray[np.int64]) -> None:
        """Overwrite all that is known of rows, which must be gone."""
        assert not self.alive[rows].any()
        for field in self._schema.fields:
            empty = {"keyword": NO_WORD, "integer": NO_INTEGER, "number": np.nan}[field.type]
            self._fields[field.name].values[rows] = empty
        for row in rows.tolist():
            start, end = self._id_ends.values[row : row + 2]
            self._id_bytes.values[start:end] = 0

    def equals(self, field: str, values: Sequence[Value]) -> Mask:
        """Return where (N,) a field has one of the values."""
        column = self._fields[field].values
        if field in self._words:
            words = self._words[field]
            numbers = np.array([words[str(v)] for v in values if v in words], dtype=np.int32)
        else:
            numbers = np.array(values, dtype=np.float64 if column.dtype == np.float64 else np.int64)
        if len(numbers) == 1:
            return np.asarray(column == numbers[0])
        if field in self._words:
            listed = np.zeros(len(self._words[field]) + 1, dtype=bool)  # the last stands for NO_WORD
            listed[numbers] = True
            return np.asarray(listed[column])
        return np.isin(column, numbers)

    def within(self, field: str, at_least: float | None, at_most: float | None) -> Mask:
        """Return where (N,) a number or integer is within inclusive bounds."""
        column = self._fields[field].values
        passed = column != NO_INTEGER if column.dtype == np.int64 else np.ones(len(column), dtype=bool)
        if at_least is not None:
            passed &= column >= at_least
        if at_most is not None:
            passed &= column <= at_most
        return np.asarray(passed)

    def has_id(self, ids: Sequence[str]) -> Mask:
        """Return where (N,) the id is one of these."""
        passed = np.zeros(len(self), dtype=bool)
        numbers = self._numbers_of(ids)
        passed[numbers[numbers < len(self)]] = True
        return passed

    def plane(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the coordinates (N,) in the plane of the schema."""
        x, y = self._schema.plane
        return self._fields[x].values, self._fields[y].values

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything but ``alive`` as arrays for a file."""
        words = {f"words_{name}": _packed(list(known)) for name, known in self._words.items()}
        fields = {f"field_{name}": column.values for name, column in self._fields.items()}
        return {"id_bytes": self._id_bytes.values, "id_ends": self._id_ends.values, **fields, **words}

    def fill(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what ``arrays`` returned, no row removed; ``ValueError`` or ``KeyError`` if it doesn't fit."""
        n = len(arrays["id_ends"]) - 1
        for name, column in self._fields.items():
            given = arrays[f"field_{name}"]
            if given.shape != (n,) or given.dtype != column.values.dtype:
                raise ValueError(f"column {name} is {given.dtype} {given.shape}")
            self._fields[name] = GrowingArray(given)
        for name in self._words:
            words = arrays[f"words_{name}"].tobytes().decode().split("\x00")[:-1]
            self._words[name] = {word: number for number, word in enumerate(words)}
        self._id_bytes, self._id_ends = GrowingArray(arrays["id_bytes"]), GrowingArray(arrays["id_ends"])
        self._alive = GrowingArray(np.ones(n, dtype=bool))

    def _encoded(self, name: str, kind: str, values: Sequence[Any]) -> NDArray[Any]:
        if kind == "keyword":
            words = self._words[name]
            numbers = [NO_WORD if value is None else words.setdefault(value, len(words)) for value in values]
            return np.array(numbers, dtype=np.int32)
        if kind == "integer":
            return np.array([NO_INTEGER if value is None else value for value in values], dtype=np.int64)
        return np.asarray(values, dtype=np.float64)


def _packed(words: list[str]) -> NDArray[np.uint8]:
    return np.frombuffer("".join(f"{word}\x00" for word in words).encode(), dtype=np.uint8)
