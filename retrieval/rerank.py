"""Which of the sightings that look like one are of the same vehicle, by what is physically possible in the building.

Candidates become hypotheses of trajectories that are solved jointly (``retrieval.hypotheses``): a candidate is ruled
out not only by the query but by others that must be the query's vehicle. Every answer has a probability and says why.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from retrieval.consistency import Pairs, Site, compare
from retrieval.hypotheses import partitions
from retrieval.reasons import reason
from retrieval.sightings import Sightings, joined
from retrieval.stores.rows import Vectors

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """How cosines of views are spread: of things that look the same, and of others; measured on one's own embedding.

    The defaults are those of the benchmark's simulated embeddings.
    """

    same_mean: float = 0.60
    same_sigma: float = 0.065
    other_mean: float = 0.10
    other_sigma: float = 0.12

    def __post_init__(self) -> None:
        if not (self.same_mean > self.other_mean and self.same_sigma > 0 and self.other_sigma > 0):
            raise InputError(f"things that look the same must be more alike than others: {self}")

    @classmethod
    def fitted(cls, same: Array, other: Array) -> "Appearance":
        """Return the spread of cosines measured, of pairs known to look the same and of others."""
        if len(same) < 10 or len(other) < 10:
            raise InputError("at least ten pairs of each kind are needed", remedy="Take pairs from known tracks.")
        return cls(
            same_mean=float(np.mean(same)),
            same_sigma=float(np.std(same)),
            other_mean=float(np.mean(other)),
            other_sigma=float(np.std(other)),
        )

    def log_ratio(self, cosines: Array) -> Array:
        """Return log-likelihood ratios of same against other, within ``MAX_LOG_RATIO``; more alike is never less."""
        capped = np.clip(cosines, self.other_mean, self.same_mean)
        same = -(((capped - self.same_mean) / self.same_sigma) ** 2) / 2 - np.log(self.same_sigma)
        other = -(((capped - self.other_mean) / self.other_sigma) ** 2) / 2 - np.log(self.other_sigma)
        return np.asarray(np.clip(same - other, -MAX_LOG_RATIO, MAX_LOG_RATIO))


MAX_LOG_RATIO = 12.0
VIEWS, SURE = 5, 1.5
"""Up to so many candidates stand beside the query for its look: those within so many sigmas of the usual cosine."""


@dataclass(frozen=True, kw_only=True)
class RerankOptions:
    """How to re-rank.

    look_alike: prior probability that another vehicle among the candidates looks as the query does
    another: expected number of further vehicles among the candidates
    alike: below this probability to look as the query does, a candidate is left to its similarity
    sharpness: factor on log-odds; fitted so that probabilities are frequencies (seed 7 of the benchmark)
    decisive: differences of probability below this leave the order by similarity
    """

    look_alike: float = 0.1
    another: float = 3.0
    alike: float = 0.25
    sharpness: float = 1.0
    decisive: float = 0.02


@dataclass(frozen=True, kw_only=True, eq=False)
class Reranked:
    """Candidates in a new order.

    order: (K,) positions in the list given, best first; probability: (K,) of each, in the list's order, to be of the
        query's vehicle; together: (K,) which are of it in the most probable of all that can be true
    why: K sentences; moved: whether the order differs from that by similarity
    """

    order: NDArray[np.int64]
    probability: Array
    together: NDArray[np.bool_]
    why: tuple[str, ...]
    moved: bool


def rerank(
    query: Sightings,
    candidates: Sightings,
    site: Site,
    appearance: Appearance | None = None,
    options: RerankOptions | None = None,
) -> Reranked:
    """Re-rank the candidates (K) of one query by what can be true together.

    Where every candidate that looks like the query conflicts with it, clocks or places are doubted and the order by
    similarity stays. Raises ``InputError`` for more than one query or vectors of different dimensions.
    """
    if len(query) != 1 or query.vectors.shape[1] != candidates.vectors.shape[1]:
        raise InputError(f"expected one query of dimension {candidates.vectors.shape[1]}, got {query.vectors.shape}")
    appearance, options = appearance or Appearance(), options or RerankOptions()
    k = len(candidates)
    cosines = np.asarray(candidates.vectors @ query.vectors[0], dtype=np.float64)
    by_likeness = np.argsort(-cosines, kind="stable")
    looks = appearance.log_ratio(_likeness(candidates.vectors, cosines, by_likeness, appearance))
    alike = by_likeness[_odds(looks[by_likeness], options.look_alike) > options.alike]
    probability, together = np.zeros(k), np.zeros(k, dtype=bool)
    if len(alike) == 0:
        why = tuple(f"looks different (cosine {cosine:.2f})" for cosine in cosines)
        return Reranked(order=by_likeness, probability=probability, together=together, why=why, moved=False)
    views = joined(query, candidates.take(alike))
    pairs = compare(site, views)
    time_order = np.argsort(views.first, kind="stable")
    found = partitions(
        pairs,
        time_order,
        0,
        np.concatenate([[0.0], looks[alike]]),
        look_alike=options.look_alike,
        another=options.another,
    )
    probability[alike] = _sharpened(found.together(0)[1:], options.sharpness)
    together[alike] = found.vehicle[0, 1:] == found.vehicle[0, 0]
    order = by_likeness if pairs.conflict[0, 1:].all() else _ordered(by_likeness, probability, options.decisive)
    why = _reasons(site, views, pairs, alike, probability, cosines)
    return Reranked(
        order=order, probability=probability, together=together, why=why, moved=bool((order != by_likeness).any())
    )


def _likeness(vectors: Vectors, cosines: Array, by_likeness: NDArray[np.int64], appearance: Appearance) -> Array:
    """Return the mean cosines (K,) to the query and those few candidates that surely look as it does, oneself left out.

    One view alone looks like a stranger's by chance; several hardly do.
    """
    sure = by_likeness[:VIEWS][cosines[by_likeness[:VIEWS]] >= appearance.same_mean - SURE * appearance.same_sigma]
    mutual = np.asarray(vectors @ vectors[sure].T, dtype=np.float64)
    mutual[sure, np.arange(len(sure))] = 0.0
    views = 1 + len(sure) - np.isin(np.arange(len(cosines)), sure)
    return np.asarray((cosines + mutual.sum(axis=1)) / views)


def _odds(looks: Array, prior: float) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-looks) * (1.0 - prior) / prior))


def _sharpened(probability: Array, sharpness: float) -> Array:
    """Return probabilities with their log-odds scaled, never surer than one in a thousand."""
    bounded = np.clip(probability, 1e-3, 1 - 1e-3)
    return np.asarray(1.0 / (1.0 + (1.0 / bounded - 1.0) ** sharpness))


def _ordered(by_likeness: NDArray[np.int64], probability: Array, decisive: float) -> NDArray[np.int64]:
    """Return the order by probability in which those hardly apart stay as they were."""
    rank = np.argsort(by_likeness)
    return np.lexsort([rank, -np.floor(probability / decisive)])


def _reasons(
    site: Site, views: Sightings, pairs: Pairs, alike: NDArray[np.int64], probability: Array, cosines: Array
) -> tuple[str, ...]:
    """Return a sentence for each candidate."""
    sentences = [f"looks different (cosine {cosine:.2f})" for cosine in cosines]
    place = {int(candidate): number for number, candidate in enumerate(alike.tolist(), start=1)}
    sure = [number for candidate, number in place.items() if probability[candidate] > 0.5]
    for candidate, number in place.items():
        others = [other for other in sure if other != number]
        sentences[candidate] = reason(site, views, pairs, number, float(probability[candidate]), others)
    return tuple(sentences)
