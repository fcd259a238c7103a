"""Filters that an engine can't evaluate: asked for more widely, and evaluated by us on what comes back."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.stores.filters import And, Filter, InBox, InPolygon, Mask, Not, Or, Value, WithinRadius, bounds, matches
from retrieval.stores.rows import Rows, Vectors
from retrieval.stores.schema import Schema
from retrieval.stores.store import Hits

WIDER = 4
"""How many times more are asked for when too few of what came back pass."""


def widened(filter: Filter, pushed_down: frozenset[str]) -> tuple[Filter, bool]:
    """Return a filter of known kinds that all rows pass which pass ``filter``, and whether it is the same."""
    wide = _bound(filter, pushed_down, over=True)
    return wide, wide == filter


def _bound(filter: Filter, pushed_down: frozenset[str], over: bool) -> Filter:
    """Return a filter that is passed by more rows, or with ``over`` False by fewer; the same where it is known."""
    match filter:
        case And(parts):
            return And(tuple(_bound(part, pushed_down, over) for part in parts))
        case Or(parts):
            return Or(tuple(_bound(part, pushed_down, over) for part in parts))
        case Not(part):
            return Not(_bound(part, pushed_down, not over))
        case InPolygon() | WithinRadius() if type(filter).__name__ not in pushed_down:
            return InBox(*bounds(filter)) if over else Or(())
    return filter


class RowsTable:
    """Rows as a table that filters can be evaluated on."""

    def __init__(self, schema: Schema, rows: Rows) -> None:
        self._schema, self._rows = schema, rows

    def __len__(self) -> int:
        return len(self._rows)

    def equals(self, field: str, values: Sequence[Value]) -> Mask:
        """Return where the field has one of the values."""
        listed = set(values)
        return np.array([value in listed for value in self._rows.columns[field]], dtype=bool)

    def within(self, field: str, at_least: float | None, at_most: float | None) -> Mask:
        """Return where the field is within inclusive bounds."""
        low, high = -np.inf if at_least is None else at_least, np.inf if at_most is None else at_most
        values = self._rows.columns[field]
        return np.array([value is not None and low <= value <= high for value in values], dtype=bool)

    def has_id(self, ids: Sequence[str]) -> Mask:
        """Return where the id is one of these."""
        listed = set(ids)
        return np.array([id in listed for id in self._rows.ids], dtype=bool)

    def plane(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the coordinates in the plane."""
        x, y = (np.array(self._rows.columns[axis], dtype=np.float64) for axis in self._schema.plane)
        return x, y


def passing(schema: Schema, rows: Rows, filter: Filter | None) -> Rows:
    """Return the rows that pass."""
    if filter is None:
        return rows
    return rows.take(np.flatnonzero(matches(filter, RowsTable(schema, rows))).tolist())


def search_verified(
    ask: Callable[[int], Hits],
    scan: Callable[[], Rows],
    schema: Schema,
    query: Vectors,
    k: int,
    filter: Filter,
    max_k: int,
) -> Hits:
    """Return the ``k`` best that pass ``filter``.

    ask: returns so many hits of the wider filter, with all fields; scan: returns all rows that pass, with vectors,
    which is what remains to be done where too few pass among the ``max_k`` best
    """
    depth = k
    while True:
        hits = ask(depth)
        assert hits.rows is not None
        kept = np.flatnonzero(matches(filter, RowsTable(schema, hits.rows)))[:k].tolist()
        if len(kept) == k or hits.exhausted or hits.partial:
            return replace(
                hits,
                ids=tuple(hits.ids[i] for i in kept),
                scores=hits.scores[kept],
                exhausted=hits.exhausted and len(kept) < k,
                rows=hits.rows.take(kept),
            )
        if depth >= max_k:
            return best_of(schema, scan(), query, k)
        depth = min(max_k, WIDER * depth)


def joined(parts: list[Rows], schema: Schema) -> Rows:
    """Return the rows of several pages, with vectors, as one."""
    stacked = [part.vectors for part in parts if part.vectors is not None]
    return Rows(
        ids=tuple(id for part in parts for id in part.ids),
        vectors=np.vstack([np.empty((0, schema.dimension), dtype=np.float32), *stacked]),
        columns={f.name: [value for part in parts for value in part.columns[f.name]] for f in schema.fields},
        meta=tuple(meta for part in parts for meta in part.meta),
    )


def best_of(schema: Schema, rows: Rows, query: Vectors, k: int) -> Hits:
    """Return the ``k`` best of rows with vectors, exactly, of equal scores the first."""
    assert rows.vectors is not None
    scores = ((rows.vectors - query) ** 2).sum(axis=1) if schema.metric == "l2" else rows.vectors @ query
    order: list[Any] = np.argsort(-scores if schema.higher_is_better else scores, kind="stable")[:k].tolist()
    return Hits(
        ids=tuple(rows.ids[i] for i in order),
        scores=scores[order].astype(np.float32),
        exact=True,
        exhausted=len(order) < k,
        rows=rows.take(order),
    )


def with_fields(hits: Hits, fields: Sequence[str] | None) -> Hits:
    """Return hits with only these fields of their rows, without rows for None."""
    if fields is None or hits.rows is None:
        return replace(hits, rows=None)
    columns = {name: hits.rows.columns[name] for name in fields}
    return replace(hits, rows=replace(hits.rows, columns=columns, vectors=None))
