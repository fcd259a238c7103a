"""Rows on their way into or out of a collection: struct of arrays, checked against a schema once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError, nearest_known
from retrieval.stores.schema import MAX_ID_BYTES, MAX_KEYWORD_BYTES, Field, Schema

Vectors = NDArray[np.float32]
INTEGERS = np.iinfo(np.int64)
MAX_META_BYTES = 64 * 1024
UNIT = 1e-6
"""How far from 1 the length of a vector of unit length may be."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """N rows.

    ids: unique strings of at most 512 bytes; vectors: (N, D) float32, or None where they weren't asked for
    columns: N values of each field; meta: N dictionaries of free metadata, which can't be filtered by
    """

    ids: tuple[str, ...]
    vectors: Vectors | None
    columns: Mapping[str, Sequence[Any]]
    meta: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, which: Sequence[int]) -> "Rows":
        """Return some of the rows, by position."""
        return Rows(
            ids=tuple(self.ids[i] for i in which),
            vectors=None if self.vectors is None else self.vectors[list(which)],
            columns={name: [values[i] for i in which] for name, values in self.columns.items()},
            meta=tuple(self.meta[i] for i in which),
        )


def checked_rows(
    schema: Schema,
    ids: Sequence[str],
    vectors: NDArray[np.floating],
    columns: Mapping[str, Sequence[Any]],
    meta: Sequence[dict[str, Any]] | None = None,
) -> Rows:
    """Return rows that a collection of ``schema`` can take, with vectors of unit length where the metric is cosine.

    Raises ``InputError`` naming the row and field: for ids twice or too long, vectors of another dimension or not
    finite or, for cosine, zero; for a field that's missing or unknown, and for a value of another type.
    """
    n = len(ids)
    unknown = set(columns) - {field.name for field in schema.fields}
    if unknown:
        name = min(unknown)
        raise InputError(f"unknown field '{name}'", remedy=nearest_known(name, [f.name for f in schema.fields]))
    if len(set(ids)) != n:
        raise InputError("an id comes twice in one batch", where=schema.name)
    for id in ids:
        if not isinstance(id, str) or not id or len(id.encode()) > MAX_ID_BYTES or "\x00" in id:
            raise InputError(f"an id is a string of 1 to {MAX_ID_BYTES} bytes, got {id!r:.60}", where=schema.name)
    given = list(meta) if meta is not None else [{}] * n
    if len(given) != n:
        raise InputError(f"{n} ids with {len(given)} dictionaries of metadata", where=schema.name)
    for id, each in zip(ids, given, strict=True):
        if each and len(_json(each, id)) > MAX_META_BYTES:
            raise InputError(f"metadata is longer than {MAX_META_BYTES} bytes", where=id)
    values = {field.name: _column(field, columns.get(field.name), ids) for field in schema.fields}
    return Rows(ids=tuple(ids), vectors=checked_vectors(schema, vectors, n), columns=values, meta=tuple(given))


def checked_vectors(schema: Schema, vectors: NDArray[np.floating], count: int | None = None) -> Vectors:
    """Return vectors (N, D) as the schema's metric compares them; ``InputError`` where they can't be compared."""
    array = np.asarray(vectors)
    if array.ndim != 2 or array.shape[1] != schema.dimension or (count is not None and len(array) != count):
        expected = f"({'N' if count is None else count}, {schema.dimension})"
        raise InputError(f"expected {expected} vectors, got {array.shape}", where=schema.name)
    if array.dtype != np.float32:
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
    array = np.ascontiguousarray(array)
    lengths = np.sqrt(np.vecdot(array, array))
    if not np.isfinite(lengths).all():
        raise InputError("a vector has numbers that aren't finite, or too large", where=schema.name)
    if schema.metric != "cosine":
        return array
    if (lengths < 1e-12).any():
        raise InputError("a vector of zeros has no direction to compare", where=schema.name)
    if (np.abs(lengths - 1.0) < UNIT).all():  # what was stored once is stored again bit by bit
        return array
    return np.asarray(array / lengths[:, None], dtype=np.float32)


def _json(meta: dict[str, Any], id: str) -> bytes:
    try:
        return json.dumps(meta, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InputError(f"metadata can't be stored ({error})", where=id) from error


def _column(field: Field, values: Sequence[Any] | None, ids: Sequence[str]) -> list[Any]:
    if values is None:
        if field.type == "number" and len(ids):
            raise InputError(f"no values of '{field.name}', which every row must have")
        return [None] * len(ids)
    if len(values) != len(ids):
        raise InputError(f"{len(ids)} ids with {len(values)} values", where=field.name)
    if field.type == "number":
        return _numbers(field, values, ids)
    return [_word_or_integer(field, value, id) for value, id in zip(values, ids, strict=True)]


def _numbers(field: Field, values: Sequence[Any], ids: Sequence[str]) -> list[float]:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"not numbers ({error})", where=field.name) from error
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        raise InputError(f"'{field.name}' is {values[wrong[0]]}, not a finite number", where=ids[wrong[0]])
    return list(map(float, numbers))


def _word_or_integer(field: Field, value: Any, id: str) -> Any:
    if value is None:
        return None
    good: bool | np.bool_
    if field.type == "keyword":
        good = isinstance(value, str) and 0 < len(value.encode()) <= MAX_KEYWORD_BYTES and "\x00" not in value
    else:
        good = isinstance(value, int | np.integer) and INTEGERS.min < value <= INTEGERS.max
        value = int(value) if good else value
    if not good:
        raise InputError(f"'{field.name}' can't be {value!r:.60}: its type is {field.type}, or None", where=id)
    return value
