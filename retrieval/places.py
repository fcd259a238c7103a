"""Which map images show the same place: search by the inner product of global descriptors."""

import os
from pathlib import Path
from tempfile import mkstemp

import faiss
import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError, TwinDamagedError
from retrieval.vocabulary import require_rows

FloatArray = NDArray[np.float32]
Ids = NDArray[np.int64]

EXACT_UP_TO = 50_000
"""Number of vectors up to which search is exact; beyond it a graph (HNSW, Malkov and Yashunin 2018) finds most."""

_VECTORS_FILE = "vectors.npy"
_NEIGHBOURS, _SEARCH_WIDTH, _BUILD_WIDTH = 32, 128, 100


class PlaceIndex:
    """An immutable index over vectors (N, D) float32; the id of a vector is its row."""

    def __init__(self, vectors: FloatArray, *, exact_up_to: int = EXACT_UP_TO) -> None:
        """Index the vectors; raises ``InputError`` where they aren't finite (N, D) float32 with D > 0."""
        if vectors.ndim != 2 or vectors.shape[1] == 0:
            raise InputError(f"expected (N, D) vectors with D > 0, got {vectors.shape}")
        require_rows(vectors, vectors.shape[1])
        self.vectors = np.ascontiguousarray(vectors)
        self.exact = len(vectors) <= exact_up_to
        self._index = _build(self.vectors, self.exact)

    def __len__(self) -> int:
        return len(self.vectors)

    def search(self, queries: FloatArray, k: int) -> tuple[Ids, FloatArray]:
        """Return the ids (Q, k) int64 and scores (Q, k) float32 of the best ``k``, higher is better.

        Equal scores come by ascending id. Where the index holds fewer than ``k``, ids are padded with -1 and
        scores with -inf. Raises ``InputError`` for vectors of another dimension.
        """
        require_rows(queries, self.vectors.shape[1])
        require_k(k)
        ids, scores = np.full((len(queries), k), -1, dtype=np.int64), np.full((len(queries), k), -np.inf, np.float32)
        if len(queries) and len(self):
            depth = min(k, len(self))
            found_scores, found = self._index.search(np.ascontiguousarray(queries), depth)
            found_scores[found < 0] = -np.inf
            order = np.lexsort((found, -found_scores), axis=1)
            ids[:, :depth] = np.take_along_axis(found, order, axis=1)
            scores[:, :depth] = np.take_along_axis(found_scores, order, axis=1)
        return ids, scores

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the vectors to ``folder`` (made if needed); an existing file is replaced in one step."""
        target = Path(folder) / _VECTORS_FILE
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = mkstemp(dir=target.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, self.vectors, allow_pickle=False)
            os.replace(temporary, target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, expected: int | None = None) -> "PlaceIndex":
        """Read an index that ``save`` wrote and rebuild its search structure.

        Raises ``TwinDamagedError`` where the file is missing, truncated, of another type, or doesn't hold the
        ``expected`` number of vectors.
        """
        file = Path(folder) / _VECTORS_FILE
        remedy = "Restore the twin from a backup or map again."
        try:
            vectors = np.load(file, mmap_mode="r", allow_pickle=False)  # refuses a header that claims too much
            index = cls(vectors)
        except (OSError, ValueError, EOFError, InputError) as error:
            raise TwinDamagedError(f"no usable place vectors ({error})", where=str(file), remedy=remedy) from error
        if expected is not None and len(index) != expected:
            raise TwinDamagedError(f"holds {len(index)} vectors, not {expected}", where=str(file), remedy=remedy)
        return index


def exact_search(vectors: FloatArray, queries: FloatArray, k: int) -> tuple[Ids, FloatArray]:
    """Do what ``PlaceIndex.search`` does in plain numpy: the oracle it's tested against."""
    require_rows(vectors, vectors.shape[-1])
    require_rows(queries, vectors.shape[1])
    require_k(k)
    products = queries @ vectors.T
    order = np.argsort(-products, axis=1, kind="stable")[:, :k]
    missing = ((0, 0), (0, k - order.shape[1]))
    scores = np.pad(np.take_along_axis(products, order, axis=1), missing, constant_values=-np.inf)
    return np.pad(order, missing, constant_values=-1).astype(np.int64), scores.astype(np.float32)


def require_k(k: int) -> None:
    """Raise ``InputError`` unless ``k`` is at least 1."""
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")


def _build(vectors: FloatArray, exact: bool) -> faiss.Index:
    if exact:
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return index
    graph = faiss.IndexHNSWFlat(vectors.shape[1], _NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction, graph.hnsw.efSearch = _BUILD_WIDTH, _SEARCH_WIDTH
    graph.add(vectors)
    return graph
