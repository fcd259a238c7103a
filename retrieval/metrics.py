"""How good ranked results are, on arrays of ids.

``ids`` is (Q, k) integers, best first, -1 where a query has fewer than k results. ``relevant`` holds one array of
ids a query. A repeated result counts once. Queries without any relevant id are left out.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError


def recall_at(ids: ArrayLike, relevant: Sequence[ArrayLike], k: int) -> float:
    """Return the share of queries with at least one relevant id among the first ``k``, as in place recognition."""
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    hits, _ = _hits(ids, relevant)
    return float(hits[:, :k].any(axis=1).mean())


def mean_average_precision(ids: ArrayLike, relevant: Sequence[ArrayLike]) -> float:
    """Return the mean over queries of the average precision among the results given.

    The average of a query runs over the ranks of its hits and is divided by the hits there could be: the number
    of relevant ids, or k where that is smaller.
    """
    hits, counts = _hits(ids, relevant)
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return float(np.mean((precision * hits).sum(axis=1) / np.minimum(counts, hits.shape[1])))


def _hits(ids: ArrayLike, relevant: Sequence[ArrayLike]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return, of queries with relevant ids, which results are relevant (Q', k) and how many could be (Q',)."""
    ranked, wanted = np.asarray(ids), [np.unique(np.asarray(row, dtype=np.int64)) for row in relevant]
    if ranked.ndim != 2 or ranked.shape[1] == 0 or len(ranked) != len(wanted):
        raise InputError(f"ids: expected ({len(wanted)}, k) with k > 0, got {ranked.shape}")
    if any((row < 0).any() for row in wanted):
        raise InputError("relevant ids must not be negative", remedy="-1 marks a missing result.")
    rows = [_first_hits(found, row) for found, row in zip(ranked, wanted, strict=True) if len(row)]
    if not rows:
        raise InputError("no query has a relevant id", remedy="Check that queries and map are of the same place.")
    return np.stack(rows), np.array([len(row) for row in wanted if len(row)], dtype=np.int64)


def _first_hits(found: NDArray[np.integer], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    first = np.zeros(len(found), dtype=bool)
    first[np.unique(found, return_index=True)[1]] = True
    return np.isin(found, wanted) & first
