"""Re-ranking by vectors alone, as it is usually done: baselines for what knows the building."""

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError

Vectors = NDArray[np.float32]
Array = NDArray[np.float64]


def expanded_query(query: Vectors, nearest: Vectors, alpha: float = 3.0) -> Vectors:
    """Return the query (D,) moved towards its nearest answers (n, D), each weighted by its cosine to the ``alpha``.

    Alpha query expansion (Radenovic, Tolias and Chum 2018); vectors are of unit length, and so is the result.
    """
    if alpha < 0:
        raise InputError(f"alpha {alpha} is negative")
    weights = np.maximum(nearest @ query, 0.0) ** alpha
    moved = query + weights @ nearest
    return np.asarray(moved / max(float(np.linalg.norm(moved)), 1e-12), dtype=np.float32)


def reciprocal_distances(query: Vectors, gallery: Vectors, *, k1: int = 20, k2: int = 6, share: float = 0.3) -> Array:
    """Return distances (N,) of a gallery (N, D) to a query (D,), lower is nearer, by k-reciprocal neighbours.

    Zhong et al. (2017) with their parameters: ``k1`` neighbours, local expansion over ``k2``, and ``share`` of the
    original distance beside that of Jaccard. Vectors are of unit length.
    """
    if not (k1 >= 1 and k2 >= 1 and 0 <= share <= 1):
        raise InputError(f"k1 {k1}, k2 {k2} or share {share} is out of bounds")
    every = np.vstack([query[None], gallery]).astype(np.float64)
    distance = np.maximum(2.0 - 2.0 * every @ every.T, 0.0)
    scaled = distance / np.maximum(distance.max(axis=0), 1e-12)
    ranks = np.argsort(distance, axis=1, kind="stable")
    n = len(every)
    weights = np.zeros((n, n))
    for i in range(n):
        members = _expanded(ranks, i, k1)
        near = np.exp(-scaled[i, members])
        weights[i, members] = near / near.sum()
    if k2 > 1:
        weights = np.array([weights[row].mean(axis=0) for row in ranks[:, :k2]])
    overlap = np.minimum(weights[0], weights[1:]).sum(axis=1)
    jaccard = 1.0 - overlap / np.maximum(2.0 - overlap, 1e-12)
    return np.asarray((1.0 - share) * jaccard + share * scaled[0, 1:])


def _reciprocal(ranks: NDArray[np.int64], i: int, k: int) -> NDArray[np.int64]:
    """Return those among the ``k`` nearest of i that have i among their own."""
    forward = ranks[i, : k + 1]
    return forward[(ranks[forward, : k + 1] == i).any(axis=1)]


def _expanded(ranks: NDArray[np.int64], i: int, k1: int) -> NDArray[np.int64]:
    """Return the reciprocal neighbours of i with those of each that mostly lie among them."""
    own = _reciprocal(ranks, i, k1)
    found = [own]
    for j in own.tolist():
        half = _reciprocal(ranks, j, max(1, round(k1 / 2)))
        if len(np.intersect1d(half, own)) > 2 / 3 * len(half):
            found.append(half)
    return np.unique(np.concatenate(found))
