"""All that can be true together of some sightings: which are of one vehicle, jointly, with probabilities.

Multiple hypotheses in the manner of Reid (1979): sightings are taken in the order of time, and each goes on with a
vehicle that it doesn't conflict with, or begins another. The best hypotheses are kept; their weights are probabilities.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.consistency import Pairs

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

KEPT = 200
MAX_VEHICLES = 24


@dataclass(frozen=True, kw_only=True, eq=False)
class Hypotheses:
    """H partitions of N sightings into vehicles, the most probable first.

    vehicle: (H, N) numbers of vehicles; weight: (H,) probabilities, which sum to 1
    """

    vehicle: Labels
    weight: Array

    def together(self, sighting: int) -> Array:
        """Return the probability (N,) of each sighting to be of the same vehicle as one of them."""
        same = self.vehicle == self.vehicle[:, sighting : sighting + 1]
        return np.asarray(self.weight @ same)


def partitions(
    pairs: Pairs, order: NDArray[np.int64], query: int, looks: Array, *, look_alike: float, another: float
) -> Hypotheses:
    """Return the most probable partitions.

    order: the sightings by time; looks: (N,) log-likelihood ratio of each to look as the query does, rather than
        otherwise; look_alike: prior probability that a vehicle which isn't the query's looks as it does
    another: expected number of further vehicles among the sightings
    """
    n = len(order)
    vehicle, count = np.full((1, n), -1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    score = np.zeros(1)
    last = np.full((1, MAX_VEHICLES), -1, dtype=np.int64)
    look = np.zeros((1, MAX_VEHICLES))
    for i in order.tolist():
        allowed = _allowed(vehicle, count, i, pairs)
        known = last >= 0
        step = np.where(known, pairs.link[last, i] + pairs.goes_on[last], -np.inf)
        unseen = ~known & (np.arange(MAX_VEHICLES) == count[:, None])
        step[unseen] = np.log(another)
        step[~allowed] = -np.inf
        gain = _look(look + looks[i], look_alike) - _look(look, look_alike)
        total = (score[:, None] + step + gain).ravel()
        best = np.argsort(-total)[:KEPT]
        best = best[np.isfinite(total[best])]
        if not len(best):  # too many vehicles: nothing that is left fits, so this one stands alone
            continue
        parent, child = np.divmod(best, MAX_VEHICLES)
        rows = np.arange(len(best))
        vehicle, last, look = vehicle[parent], last[parent], look[parent]
        score = total[best]
        vehicle[rows, i] = child
        count = np.maximum(count[parent], child + 1)
        before = last[rows, child]
        goes_on_longer = (before >= 0) & (pairs.until[before] > pairs.until[i])
        last[rows, child] = np.where(goes_on_longer, before, i)
        look[rows, child] += looks[i]
    return _finished(vehicle, last, look, score, pairs, query, look_alike)


def _allowed(vehicle: Labels, count: Labels, i: int, pairs: Pairs) -> NDArray[np.bool_]:
    """Return which vehicles (H, V) a sighting may go on with: no conflict, and its own track if that has one."""
    allowed = np.ones((len(vehicle), MAX_VEHICLES), dtype=bool)
    each = np.arange(len(vehicle))
    for j in np.flatnonzero(pairs.conflict[i]):
        taken = vehicle[:, j] >= 0
        allowed[each[taken], vehicle[taken, j]] = False
    for j in np.flatnonzero(pairs.same_track[i]):
        taken = vehicle[:, j] >= 0
        only = np.zeros_like(allowed)
        only[each[taken], vehicle[taken, j]] = True
        allowed = np.where(taken[:, None], only, allowed)
    return allowed


def _look(looks: Array, look_alike: float) -> Array:
    """Return the log-likelihood of a vehicle's views if it may look as the query does or otherwise."""
    return np.logaddexp(np.log(look_alike) + looks, np.log1p(-look_alike))


def _finished(
    vehicle: Labels, last: Labels, look: Array, score: Array, pairs: Pairs, query: int, look_alike: float
) -> Hypotheses:
    """Add what speaks for or against the ends of vehicles, and that the query looks as itself; weigh."""
    known = last >= 0
    score = score + np.where(known, pairs.ends[last], 0.0).sum(axis=1)
    own = look[np.arange(len(look)), vehicle[:, query]]
    score += own - _look(own, look_alike)
    order = np.argsort(-score)
    weight = np.exp(score[order] - score[order[0]])
    return Hypotheses(vehicle=vehicle[order], weight=weight / weight.sum())
