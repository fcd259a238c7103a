"""Lines of sightings.jsonl and of search's results.jsonl, and the true answers of qrels.csv."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from geometry.errors import InputError
from geometry.jsonl import read_jsonl, write_jsonl
from geometry.tables import Column, read_table
from retrieval.stores.rows import Rows, checked_rows
from retrieval.stores.schema import Schema

QREL_COLUMNS = (Column("query", str), Column("id", str), Column("relevance", int, minimum=0))
Vector3 = tuple[float, float, float]


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_by_name=True, validate_by_alias=True
    )


class SightingRow(_Strict):
    """A stored view of an object: its ``embedding``, or the ``image`` (a path) that one is made of.

    meta: free; search knows ``first``, ``last`` (epoch seconds), ``start``, ``end`` (site metres) of the stay,
        ``colour``, and ``bbox`` (px), which of the image shows the object
    """

    id: str
    time: float
    facility: str | None = None
    level: str | None = None
    zone: str | None = None
    camera: str | None = None
    track: int | None = None
    kind: Annotated[str | None, Field(alias="class")] = None
    position: Vector3
    embedding: tuple[float, ...] | None = None
    image: str | None = None
    meta: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check(self) -> "SightingRow":
        if self.embedding is None and self.image is None:
            raise ValueError("a sighting has an embedding or an image")
        return self


class ResultHit(_Strict):
    """One answer to a query: its raw score, the probability that it is right, and why."""

    id: str
    score: float
    probability: float | None = None
    why: str | None = None


class ResultRow(_Strict):
    """The answers to one query, best first: a line of results.jsonl."""

    query: str
    results: tuple[ResultHit, ...]
    meta: dict[str, Any] = {}


def read_sightings(path: Path) -> Iterator[SightingRow]:
    """Yield the sightings of a file; ``InputError`` names the line and what is wrong with it."""
    return read_jsonl(path, SightingRow)


def read_results(path: Path) -> Iterator[ResultRow]:
    """Yield the results of a file; ``InputError`` names the line and what is wrong with it."""
    return read_jsonl(path, ResultRow)


def write_results(path: Path, results: Iterable[ResultRow]) -> None:
    """Write results.jsonl."""
    write_jsonl(path, (row.model_dump(by_alias=True, exclude_defaults=True) for row in results))


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Return the relevance of ids by query; ``InputError`` for a file without any or with a pair twice."""
    table = read_table(path, QREL_COLUMNS)
    found: dict[str, dict[str, int]] = {}
    relevances = np.asarray(table.numbers("relevance"), dtype=np.int64).tolist()
    for row, (query, id, relevance) in enumerate(zip(table.text("query"), table.text("id"), relevances, strict=True)):
        if id in found.setdefault(query, {}):
            raise InputError(f"'{id}' comes twice for '{query}'", where=table.where(row, "id"))
        found[query][id] = relevance
    if not found:
        raise InputError("no query has a true answer", where=str(path))
    return found


def rows_of_sightings(schema: Schema, records: Sequence[SightingRow], vectors: NDArray[np.floating]) -> Rows:
    """Return rows for a collection of sightings; ``vectors`` (N, D) are those of the records."""
    position = np.array([record.position for record in records], dtype=np.float64).reshape(-1, 3)
    columns: dict[str, list[Any]] = {
        name: [getattr(record, name) or None for record in records]
        for name in ("facility", "level", "zone", "camera", "kind")
    }
    columns |= {
        "track": [record.track for record in records],
        "colour": [record.meta.get("colour") for record in records],
        "time": [record.time for record in records],
        **{axis: position[:, i].tolist() for i, axis in enumerate("xyz")},
    }
    meta = [record.meta | ({"image": record.image} if record.image else {}) for record in records]
    return checked_rows(schema, [record.id for record in records], vectors, columns, meta)
