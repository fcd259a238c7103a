"""Candidates among many vectors: an inverted file of product-quantised codes (Jegou et al. 2011; 4 bit fast scan, Andre
et al. 2015), as FAISS has it, whose candidates are then scored by the vectors themselves.

After it is built it tries itself on stored vectors against exact search, and takes the fewest probes that reach
``WANTED_RECALL``; what they reached is kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.stores.exact import top_of_rows
from retrieval.stores.schema import Metric

_FAISS: Any = faiss
"""Its stubs leave out what we use."""
Vectors = NDArray[np.float32]
RowNumbers = NDArray[np.int64]

WANTED_RECALL = 0.98
"""Of the ten best. Recall of queries that aren't stored is a little lower; 0.95 is promised."""
TRIAL_QUERIES, TRIAL_K = 200, 10
TRAINING_ROWS_PER_LIST = 64
ADDED_AT_ONCE = 20_000
LEAST_PROBES = 8


def depth_for(k: int) -> int:
    """Return how many candidates are scored for the ``k`` best."""
    return 8 * k + 80


@dataclass(kw_only=True, eq=False)
class CandidateIndex:
    """An index over the rows numbered 0 to ``covered`` - 1 that were there when they were added.

    probes: lists that a search visits; trained_on: rows there were at training; recall: of the ten best, as tried
    """

    index: Any
    metric: Metric
    covered: int
    probes: int
    trained_on: int
    recall: float

    @property
    def lists(self) -> int:
        """Number of lists that rows are sorted into."""
        return int(self.index.nlist)

    def add(self, vectors: Vectors, rows: RowNumbers, covered: int) -> None:
        """Add rows, after which all below ``covered`` are in. Nobody may search meanwhile."""
        if len(rows):
            self.index.add_with_ids(_padded(vectors, self.index.d), rows)
        self.covered = covered

    def search(
        self, queries: Vectors, depth: int, effort: float = 1.0, allowed: NDArray[np.uint8] | None = None
    ) -> RowNumbers:
        """Return (Q, depth) candidates, -1 where there are no more; ``allowed`` has a bit a row, the lowest first."""
        probes = int(min(self.lists, max(1.0, np.ceil(self.probes * effort))))
        if allowed is None:
            parameters = _plain_parameters(probes)
        else:
            selector = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(allowed))
            parameters = _FAISS.SearchParametersIVF(nprobe=probes, sel=selector)
        found = np.empty((len(queries), depth), dtype=np.int64)
        scores = np.empty((len(queries), depth), dtype=np.float32)
        padded = _padded(queries, self.index.d)
        self.index.search_c(
            len(queries), faiss.swig_ptr(padded), depth, faiss.swig_ptr(scores), faiss.swig_ptr(found), parameters
        )
        return found


@lru_cache(maxsize=64)
def _plain_parameters(probes: int) -> Any:
    return _FAISS.SearchParametersIVF(nprobe=probes)


def build_candidates(
    values: Vectors,
    rows: RowNumbers,
    metric: Metric,
    on_progress: Callable[[int, int], None] | None = None,
) -> CandidateIndex:
    """Train on, and add, the given rows of ``values`` (N, D); the index then covers all N."""
    n, dimension = len(rows), values.shape[1]
    width = -(-dimension // 4) * 4
    lists = int(2 ** np.clip(np.round(np.log2(4 * np.sqrt(n))), 4, 16))
    faiss_metric = faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
    index: Any = faiss.index_factory(width, f"IVF{lists},PQ{width // 4}x4fs", faiss_metric)
    index.cp.seed = 1
    rng = np.random.default_rng(n)
    sample = np.sort(rng.choice(n, min(n, TRAINING_ROWS_PER_LIST * lists), replace=False))
    index.cp.min_points_per_centroid = 1
    index.train(_padded(values[rows[sample]], width))
    for start in range(0, n, ADDED_AT_ONCE):
        part = rows[start : start + ADDED_AT_ONCE]
        index.add_with_ids(_padded(values[part], width), part)
        if on_progress:
            on_progress(start + len(part), n)
    built = CandidateIndex(
        index=index, metric=metric, covered=len(values), probes=LEAST_PROBES, trained_on=n, recall=0.0
    )
    tried = np.sort(rng.choice(rows, min(n, TRIAL_QUERIES), replace=False))
    _choose_probes(built, values, rows, tried)
    return built


def _choose_probes(index: CandidateIndex, values: Vectors, rows: RowNumbers, tried: RowNumbers) -> None:
    """Set the fewest probes that reach the recall wanted for stored vectors as queries, themselves left out."""
    queries = np.ascontiguousarray(values[tried])
    truth, _ = top_of_rows(queries, values, rows, TRIAL_K + 1, index.metric)
    wanted = [set(best[best != own].tolist()[:TRIAL_K]) for best, own in zip(truth, tried, strict=True)]
    while True:
        candidates = index.search(queries, depth_for(TRIAL_K + 1))
        reached = []
        for query, best, found in zip(queries, wanted, candidates, strict=True):
            rows_found = found[found >= 0]
            ours, _ = top_of_rows(query[None], values, rows_found, TRIAL_K + 1, index.metric)
            reached.append(len(best & set(ours[0].tolist())) / max(1, len(best)))
        index.recall = float(np.mean(reached))
        if index.recall >= WANTED_RECALL or index.probes >= index.lists:
            return
        index.probes = min(index.lists, int(np.ceil(index.probes * 1.25)))


def _padded(vectors: Vectors, width: int) -> Vectors:
    """Return contiguous vectors with zeros up to ``width``, which changes no score."""
    missing = width - vectors.shape[1]
    return np.ascontiguousarray(np.pad(vectors, ((0, 0), (0, missing))) if missing else vectors, dtype=np.float32)
