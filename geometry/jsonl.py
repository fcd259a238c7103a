"""JSON lines: written a line at a time and published whole, read a line at a time and checked."""

import json
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from geometry.errors import InputError, nearest_known
from geometry.tables import write_atomic
from geometry.validation import first_problem

MAX_LINE_BYTES = 1 << 20
Row = TypeVar("Row", bound=BaseModel)


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows as they come; a crash leaves the old file or the new one. Raises ``InputError`` for a full disk."""
    write_atomic(path, (json.dumps(row, separators=(",", ":"), allow_nan=False).encode() + b"\n" for row in rows))


def read_jsonl(path: Path, row_type: type[Row]) -> Iterator[Row]:
    """Yield the rows of a file, checked; ``InputError`` names the line and, for an unknown key, the nearest known."""
    for number, line in enumerate(read_lines(path), start=1):
        try:
            yield row_type.model_validate_json(line)
        except ValidationError as error:
            raise line_error(error, f"{path}, line {number}", row_type) from error


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, refusing one longer than ``MAX_LINE_BYTES``."""
    try:
        with open(path, "rb") as file:
            for number in count(1):
                line = file.readline(MAX_LINE_BYTES + 1)
                if not line:
                    return
                if len(line) > MAX_LINE_BYTES:
                    raise InputError(f"line {number} is longer than {MAX_LINE_BYTES} bytes", where=str(path))
                yield line
    except OSError as error:
        raise InputError(f"can't read the file: {error.strerror}", where=str(path)) from error


def line_error(error: ValidationError, where: str, row_type: type[BaseModel]) -> InputError:
    """Return what is wrong with a line of ``row_type``; of an unknown key with the nearest known one."""
    problem, unknown = first_problem(error)
    name = ".".join(str(part) for part in problem["loc"])
    if unknown:
        keys = [field.alias or key for key, field in row_type.model_fields.items()]
        return InputError(f"unknown key '{name}'", where=where, remedy=nearest_known(name, keys))
    return InputError(f"{problem['msg']}{f' ({name})' if name else ''}", where=where)
