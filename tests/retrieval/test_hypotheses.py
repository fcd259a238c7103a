"""The hypotheses kept against all there are: every partition of a few sightings, weighed by the definition."""

from collections.abc import Iterator

import numpy as np
import pytest

from retrieval.consistency import Pairs
from retrieval.hypotheses import partitions

LOOK_ALIKE, ANOTHER = 0.2, 1.5


def draw_pairs(rng: np.random.Generator, n: int) -> Pairs:
    """Draw what pairs may look like; sightings come in the order of time, and may end in another."""
    conflict = np.triu(rng.random((n, n)) < 0.3, 1)
    same = np.triu(rng.random((n, n)) < 0.1, 1) & ~conflict
    stays = rng.uniform(0.05, 0.95, n)
    zeros = np.zeros((n, n))
    return Pairs(
        conflict=conflict | conflict.T,
        least=zeros,
        given=zeros,
        elsewhere=zeros > 0,
        link=rng.normal(0, 2, (n, n)),
        passed=zeros.astype(int),
        passed_by=zeros.astype(int),
        near=zeros > 0,
        until=np.arange(n) + rng.uniform(0, 3, n),
        ends=np.log(stays),
        goes_on=np.log1p(-stays),
        same_track=same | same.T if n < 5 else zeros > 0,
    )


def all_partitions(n: int) -> Iterator[list[int]]:
    def extend(labels: list[int]) -> Iterator[list[int]]:
        if len(labels) == n:
            yield labels
            return
        for label in range(max(labels, default=-1) + 2):
            yield from extend([*labels, label])

    yield from extend([])


def log_weight(labels: list[int], pairs: Pairs, query: int, looks: np.ndarray) -> float:
    """Return the log-weight of a partition, straight from its definition; -inf where it can't be."""
    total = 0.0
    for label in set(labels):
        members = [i for i, each in enumerate(labels) if each == label]
        if pairs.conflict[np.ix_(members, members)].any():
            return -np.inf
        total += np.log(ANOTHER)
        last = members[0]
        for i in members[1:]:
            total += pairs.link[last, i] + pairs.goes_on[last]
            last = last if pairs.until[last] > pairs.until[i] else i
        total += pairs.ends[last]
        look = looks[members].sum()
        total += look if query in members else np.logaddexp(np.log(LOOK_ALIKE) + look, np.log1p(-LOOK_ALIKE))
    for i, j in np.argwhere(pairs.same_track):
        if labels[i] != labels[j]:
            return -np.inf
    return float(total)


@pytest.mark.parametrize("seed", range(12))
def test_probabilities_are_those_of_all_partitions(seed: int) -> None:
    """203 partitions of six; with 200 hypotheses kept hardly any is missing."""
    rng = np.random.default_rng(seed)
    n, query = int(rng.integers(1, 7)), 0
    pairs, looks = draw_pairs(rng, n), rng.normal(0, 2, n)
    looks[query] = 0.0
    pairs.conflict[pairs.same_track] = False
    every = list(all_partitions(n))
    weights = np.array([log_weight(labels, pairs, query, looks) for labels in every])
    if not np.isfinite(weights).any():
        return
    weights = np.exp(weights - weights.max())
    together = sum(w * (np.array(labels) == labels[query]) for w, labels in zip(weights, every, strict=True))
    found = partitions(pairs, np.arange(n), query, looks, look_alike=LOOK_ALIKE, another=ANOTHER)
    assert found.weight.sum() == pytest.approx(1.0)
    if not pairs.same_track.any():  # a later track of one of two vehicles can't join them any more
        np.testing.assert_allclose(found.together(query), together / weights.sum(), atol=0.01)
    best = every[int(np.argmax(weights))]
    if not pairs.same_track.any():
        assert found.vehicle[0].tolist() == best
