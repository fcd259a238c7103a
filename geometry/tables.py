"""Typed CSV tables: a header of known columns, checked cells, errors that name the file, the line and the column."""

import csv
import io
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError, nearest_known

MAX_FILE_BYTES = 64 * 2**20
"""Longer text files are refused before they are decoded."""

CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")

Cells = tuple[str, ...] | NDArray[np.float64] | NDArray[np.int64]
Where = Callable[[int, str], str]


@dataclass(frozen=True)
class Column:
    """One column: a ``str``, ``int`` or ``float`` per row.

    required: the header must have it
    may_be_empty: a cell may be empty and then reads as "" or NaN (not for ``int``)
    minimum, maximum: inclusive bounds of a number
    finite: False also takes the words nan and inf
    """

    name: str
    type: type[str] | type[int] | type[float]
    required: bool = True
    may_be_empty: bool = False
    minimum: float = -np.inf
    maximum: float = np.inf
    finite: bool = True


@dataclass(frozen=True)
class Table:
    """The columns of a CSV file that were present, and the line each row ends on."""

    path: Path
    columns: Mapping[str, Cells]
    lines: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.lines)

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def text(self, name: str) -> tuple[str, ...]:
        """Return a ``str`` column, one string a row."""
        return tuple(str(cell) for cell in self.columns[name])

    def numbers(self, *names: str) -> NDArray[np.float64]:
        """Return one number column as (N,) float64, or several side by side as (N, K)."""
        stacked = np.stack([np.asarray(self.columns[name], dtype=np.float64) for name in names], axis=-1)
        return stacked[:, 0] if len(names) == 1 else stacked

    def where(self, row: int, column: str) -> str:
        """Name a cell for an error message; ``row`` counts from 0."""
        return f"{self.path}, line {self.lines[row]}, column '{column}'"


def read_bounded(path: str | os.PathLike[str]) -> bytes:
    """Read a whole file of at most ``MAX_FILE_BYTES``; ``InputError`` if it is longer or can't be read."""
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"can't read the file: {error.strerror}", where=str(path)) from error
    if len(content) > MAX_FILE_BYTES:
        raise InputError(f"the file is longer than {MAX_FILE_BYTES >> 20} MiB", where=str(path), remedy="Split it.")
    return content


def write_atomic(path: str | os.PathLike[str], content: bytes | Iterable[bytes]) -> None:
    """Write a file, whole or in parts as they come, so that a crash leaves the old content or the new one.

    Raises ``InputError`` if it can't be written.
    """
    target = Path(path)
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        remedy = "Check that the folder exists, its permissions and the free space."
        raise InputError(f"can't write the file: {error.strerror}", where=str(path), remedy=remedy) from error
    finally:
        temporary.unlink(missing_ok=True)


def read_table(path: str | os.PathLike[str], spec: Sequence[Column]) -> Table:
    """Read a CSV file (UTF-8, a header, columns in any order) whose columns are those of ``spec``.

    Raises ``InputError`` for anything else: unknown, duplicate or missing columns, rows of another length, cells
    that are empty, not numbers, out of bounds or hold control characters, broken quoting or encoding, an empty or
    over-long file.
    """
    lines, rows = _parse(read_bounded(path), str(path))
    header = [name.strip() for name in rows[0]] if rows else []
    by_name = {column.name: column for column in spec}
    _check_header(header, by_name, str(path))
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise InputError(f"{len(row)} cells, the header has {len(header)}", where=f"{path}, line {line}")
    table = Table(Path(path), {}, tuple(lines[1:]))
    cells = zip(*rows[1:], strict=True) if len(rows) > 1 else [()] * len(header)
    columns = {n: _convert(by_name[n], c, table.where) for n, c in zip(header, cells, strict=True)}
    return Table(table.path, columns, table.lines)


def write_table(path: str | os.PathLike[str], spec: Sequence[Column], columns: Mapping[str, Sequence[Any]]) -> None:
    """Write the columns of ``spec`` that are given as CSV, atomically; numbers read back exactly, NaN as empty.

    Raises ``InputError`` for what ``read_table`` would refuse, before anything is written.
    """

    def where(row: int, column: str) -> str:
        return f"{path}, row {row + 1}, column '{column}'"

    given = [column for column in spec if column.name in columns]
    _check_header(list(columns), {column.name: column for column in spec}, str(path))
    cells = [[_cell(value, column.finite) for value in columns[column.name]] for column in given]
    for column, column_cells in zip(given, cells, strict=True):
        _convert(column, column_cells, where)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in given])
    writer.writerows(zip(*cells, strict=True))
    write_atomic(path, _encode(text.getvalue(), str(path)))


def _parse(content: bytes, path: str) -> tuple[list[int], list[list[str]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text at byte {error.start}", where=path, remedy="Save it as UTF-8.") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines, rows = [], []
    try:
        for row in reader:
            if row:
                lines.append(reader.line_num)
                rows.append(row)
    except csv.Error as error:
        raise InputError(f"not a CSV table: {error}", where=f"{path}, line {reader.line_num}") from error
    return lines, rows


def _encode(text: str, path: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"{text[error.start]!r} can't be written as UTF-8", where=path) from error


def _check_header(header: Sequence[str], by_name: Mapping[str, Column], path: str) -> None:
    if not header:
        raise InputError("the file is empty", where=path, remedy=f"Begin with a header: {','.join(by_name)}")
    for index, name in enumerate(header):
        if name not in by_name:
            raise InputError(f"unknown column '{name}'", where=path, remedy=nearest_known(name, by_name))
        if name in header[:index]:
            raise InputError(f"column '{name}' occurs twice", where=path)
    for name, column in by_name.items():
        if column.required and name not in header:
            raise InputError(f"column '{name}' is missing", where=path, remedy=f"Found: {', '.join(header)}.")


def _convert(column: Column, cells: Sequence[str], where: Where) -> Cells:
    for row, cell in enumerate(cells):
        if not cell.strip() and not column.may_be_empty:
            raise InputError("the cell is empty", where=where(row, column.name))
        if CONTROL_CHARACTERS.search(cell):
            raise InputError("the cell has a control character, such as a line break", where=where(row, column.name))
    if column.type is str:
        return tuple(cells)
    numbers = [_number(column, cell, row, where) for row, cell in enumerate(cells)]
    if column.type is int:
        return np.array(numbers, dtype=np.int64)
    return np.array(numbers, dtype=np.float64)


def _number(column: Column, cell: str, row: int, where: Where) -> float:
    if not cell.strip():
        return np.nan
    kind = "a whole number" if column.type is int else "a number"
    try:
        number = column.type(cell)
    except ValueError:
        number = None
    if not isinstance(number, int | float) or "_" in cell:
        raise InputError(f"'{cell[:40]}' is not {kind}", where=where(row, column.name))
    if column.type is int and not -(2**63) <= number < 2**63:
        raise InputError(f"'{cell[:40]}' is too large", where=where(row, column.name))
    if column.finite and not np.isfinite(number):
        raise InputError(f"'{cell[:40]}' is not finite", where=where(row, column.name))
    if number < column.minimum or number > column.maximum:
        bounds = f"[{column.minimum:g}, {column.maximum:g}]"
        raise InputError(f"{number} is outside {bounds}", where=where(row, column.name))
    return number


def _cell(value: Any, finite: bool) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | np.integer):
        return str(int(value))
    return "" if finite and np.isnan(value) else repr(float(value))
