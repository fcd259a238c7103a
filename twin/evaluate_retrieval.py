"""Judging search results by their true answers, with trec_eval: recall, success, precision, gain, and calibration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geometry import InputError, MissingExtraError
from retrieval.sighting_records import ResultRow, read_qrels, read_results

DEPTHS = (1, 5, 10, 20)
BINS = 10
MIN_ANSWERS = 100
"""Fewer probabilities than this say nothing of calibration."""


def evaluate_retrieval(result: Path, truth: Path, depths: Sequence[int] = DEPTHS) -> dict[str, Any]:
    """Return the figures of results.jsonl against qrels.csv, over all queries of the truth, answered or not.

    recall_at: share of the true answers among the first k; cmc: share of queries with a true one among the first k
    (cumulative match characteristic, which place recognition calls recall@k); mAP over all answers given; ndcg_at.
    calibration: expected error (Guo et al. 2017) of the probabilities claimed. Raises ``InputError`` for queries that
    the truth doesn't know, for depths below 1, and for a query or an answer that comes twice.
    """
    try:
        import pytrec_eval
    except ImportError as error:
        raise MissingExtraError("pytrec_eval", 'pip install "tiepoint[evaluate]"') from error
    if not depths or min(depths) < 1:
        raise InputError(f"depths {tuple(depths)} must be at least 1")
    relevance, rows = read_qrels(truth), list(read_results(result))
    ranked = _ranked(rows, relevance, str(result))
    listed = ",".join(map(str, sorted(set(depths))))
    measures = {"map", "recip_rank", f"recall.{listed}", f"success.{listed}", f"ndcg_cut.{listed}"}
    judged = pytrec_eval.RelevanceEvaluator(relevance, measures).evaluate(ranked)
    asked = [query for query, answers in relevance.items() if any(answers.values())]

    def mean(name: str) -> float:
        return float(np.mean([judged.get(query, {}).get(name, 0.0) for query in asked]))

    return {
        "queries": len(asked),
        "answered": sum(query in ranked and bool(ranked[query]) for query in asked),
        "mAP": mean("map"),
        "reciprocal_rank": mean("recip_rank"),
        "recall_at": {k: mean(f"recall_{k}") for k in sorted(set(depths))},
        "cmc": {k: mean(f"success_{k}") for k in sorted(set(depths))},
        "ndcg_at": {k: mean(f"ndcg_cut_{k}") for k in sorted(set(depths))},
        "calibration": _calibration(rows, relevance),
    }


def _ranked(rows: Sequence[ResultRow], relevance: dict[str, dict[str, int]], where: str) -> dict[str, dict[str, float]]:
    """Return a score by query and id that falls with the rank: trec_eval sorts by score, we mean the order given."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        ids = [hit.id for hit in row.results]
        if row.query not in relevance:
            raise InputError(f"the truth knows no query '{row.query}'", where=where, remedy="Is it of other data?")
        if row.query in found or len(set(ids)) != len(ids):
            raise InputError(f"query '{row.query}', or an answer to it, comes twice", where=where)
        found[row.query] = {id: float(len(ids) - rank) for rank, id in enumerate(ids)}
    return found


def _calibration(rows: Sequence[ResultRow], relevance: dict[str, dict[str, int]]) -> dict[str, Any] | None:
    """Return the expected calibration error of all probabilities claimed, in bins of equal width."""
    claims = [
        (hit.probability, relevance[row.query].get(hit.id, 0) > 0)
        for row in rows
        for hit in row.results
        if hit.probability is not None
    ]
    if len(claims) < MIN_ANSWERS:
        return None
    claimed, true = (np.array(each, dtype=np.float64) for each in zip(*claims, strict=True))
    which = np.minimum((claimed * BINS).astype(int), BINS - 1)
    error = sum(abs(claimed[which == b].sum() - true[which == b].sum()) for b in range(BINS)) / len(claimed)
    return {"answers": len(claims), "error": float(error)}
