"""Exact search: kernels that score chosen rows, and a store in memory that does nothing else, the oracle of others."""

from collections.abc import Sequence
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from retrieval.stores.filters import Filter, check
from retrieval.stores.rows import Rows, Vectors, checked_vectors
from retrieval.stores.schema import Metric, Schema
from retrieval.stores.store import (
    MAX_K,
    Capabilities,
    Hits,
    Page,
    SearchOptions,
    Statistics,
    Written,
    require_k,
    resolve_name,
)
from retrieval.stores.widening import best_of, passing, with_fields

RowNumbers = NDArray[np.int64]
Scores = NDArray[np.float32]
_FAISS: Any = faiss
"""Its stubs leave out what we use."""


def top_of_rows(
    queries: Vectors, values: Vectors, rows: RowNumbers, k: int, metric: Metric
) -> tuple[RowNumbers, Scores]:
    """Return the ``k`` best (Q, k') of some rows of ``values`` (N, D) and their scores, best first; k' at most k.

    Nothing is copied: the vectors may be on disk.
    """
    k = min(k, len(rows))
    found, scores = np.empty((len(queries), k), dtype=np.int64), np.empty((len(queries), k), dtype=np.float32)
    if k and len(queries):
        kernel = _FAISS.knn_L2sqr_by_idx if metric == "l2" else _FAISS.knn_inner_products_by_idx
        queries, rows = np.ascontiguousarray(queries), np.ascontiguousarray(rows, dtype=np.int64)
        pointers = [faiss.swig_ptr(each) for each in (queries, values, rows, scores, found)]
        kernel(*pointers[:3], queries.shape[1], len(queries), len(values), len(rows), k, *pointers[3:], 0)
    return found, scores


def scores_of_rows(queries: Vectors, values: Vectors, rows: RowNumbers, metric: Metric) -> Scores:
    """Return the scores (Q, n) of the rows (Q, n) of ``values`` listed for each query; meaningless for -1."""
    scores = np.empty(rows.shape, dtype=np.float32)
    kernel = _FAISS.fvec_L2sqr_by_idx if metric == "l2" else _FAISS.fvec_inner_products_by_idx
    pointers = [faiss.swig_ptr(each) for each in (scores, queries, values, rows)]
    kernel(*pointers, queries.shape[1], *rows.shape)
    return scores


class ExactCollection:
    """Rows in a dictionary, searched by brute force; as slow as it is plain."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._names = [field.name for field in schema.fields]
        self._rows: dict[str, tuple[Vectors, dict[str, Any], dict[str, Any]]] = {}

    def upsert(self, rows: Rows) -> Written:
        """Write rows whole."""
        assert rows.vectors is not None
        for i, id in enumerate(rows.ids):
            fields = {name: values[i] for name, values in rows.columns.items()}
            self._rows[id] = (rows.vectors[i].copy(), fields, dict(rows.meta[i]))
        return Written(count=len(rows))

    def delete(self, filter: Filter) -> int:
        """Delete the rows that pass."""
        gone = self._passing(filter)
        for id in gone:
            del self._rows[id]
        return len(gone)

    def count(self, filter: Filter | None = None) -> int:
        """Return how many rows pass."""
        return len(self._passing(filter))

    def search(
        self, vectors: Vectors, k: int, filter: Filter | None = None, options: SearchOptions | None = None
    ) -> list[Hits]:
        """Return the ``k`` best rows that pass, of equal scores the first by id."""
        require_k(k)
        queries, options = checked_vectors(self.schema, vectors), options or SearchOptions()
        rows = self._taken(tuple(sorted(self._passing(filter))), self._names, vectors=True)
        return [with_fields(best_of(self.schema, rows, query, k), options.fields) for query in queries]

    def scan(
        self, filter: Filter | None = None, *, size: int = 1000, token: str | None = None, vectors: bool = False
    ) -> Page:
        """Return a page of the rows that pass, by id."""
        ids = [id for id in sorted(self._passing(filter)) if token is None or id > token]
        rows = self._taken(tuple(ids[:size]), self._names, vectors)
        return Page(rows=rows, token=ids[size - 1] if len(ids) > size else None)

    def build(self) -> None:
        """Do nothing."""

    def statistics(self) -> Statistics:
        """Return the state."""
        return Statistics(rows=len(self._rows), indexed=0)

    def _passing(self, filter: Filter | None) -> list[str]:
        ids = list(self._rows)
        if filter is None:
            return ids
        check(filter, self.schema)
        return list(passing(self.schema, self._taken(tuple(ids), self._names, vectors=False), filter).ids)

    def _taken(self, ids: tuple[str, ...], names: Sequence[str], vectors: bool) -> Rows:
        taken = [self._rows[id] for id in ids]
        stacked = np.array([row[0] for row in taken], dtype=np.float32).reshape(-1, self.schema.dimension)
        return Rows(
            ids=ids,
            vectors=stacked if vectors else None,
            columns={name: [row[1][name] for row in taken] for name in names},
            meta=tuple(row[2] for row in taken),
        )


class ExactStore:
    """Collections in memory, exact and gone when the process ends."""

    def __init__(self) -> None:
        self._collections: dict[str, ExactCollection] = {}
        self._aliases: dict[str, str] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What to expect."""
        nodes = frozenset({"Eq", "In", "Range", "IdIn", "InBox", "InPolygon", "WithinRadius", "Not", "And", "Or"})
        return Capabilities(
            engine="memory",
            exact_below=2**62,
            consistency="strong",
            durable="not at all",
            pushed_down=nodes,
            max_k=MAX_K,
        )

    def create(self, schema: Schema) -> ExactCollection:
        """Make a collection, or return the one there is."""
        made = self._collections.setdefault(schema.name, ExactCollection(schema))
        made.schema.require_same(schema)
        return made

    def open(self, name: str) -> ExactCollection:
        """Return a collection by its name or alias."""
        return self._collections[resolve_name(name, self.names(), self._aliases)]

    def names(self) -> tuple[str, ...]:
        """Return the names of all collections."""
        return tuple(sorted(self._collections))

    def aliases(self) -> dict[str, str]:
        """Return which collection each alias stands for."""
        return dict(self._aliases)

    def alias(self, alias: str, name: str) -> None:
        """Let an alias stand for a collection."""
        require_alias(alias, name, self.names())
        self._aliases[alias] = name

    def drop(self, name: str) -> None:
        """Delete a collection and its aliases."""
        del self._collections[resolve_name(name, self.names(), {})]
        self._aliases = {alias: target for alias, target in self._aliases.items() if target != name}

    def close(self) -> None:
        """Do nothing."""


def require_alias(alias: str, name: str, names: Sequence[str]) -> None:
    """Raise ``InputError`` where an alias would hide a collection or stand for none."""
    resolve_name(name, names, {})
    if alias in names:
        raise InputError(f"'{alias}' is a collection", remedy="Take another word for the alias.")
