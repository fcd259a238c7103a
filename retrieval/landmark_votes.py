"""Which map images a photo resembles, by its local features one by one: each votes for the views of like landmarks.

Where a building repeats itself most of a photo resembles everything, which one vector an image can't tell from the few
features that do not. Here a feature counts by how few views it fits (Sivic and Zisserman 2003), at most once a view
(Jegou et al. 2009, on bursts), and only if its orientation agrees with the one roll that most of a photo's have.
"""

from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from geometry.errors import InputError
from retrieval.vocabulary import Vocabulary, require_rows

Array = NDArray[np.float64]

NEIGHBOURS = 16
"""Landmarks a feature is compared with; the last of them tells how near an unrelated one is."""
PROBED_WORDS = 8
MANY_LANDMARKS = 10_000
CODED_TOGETHER, CODE_BITS, REFINED = 2, 4, 4
"""Dimensions to a code, of so many bits (André, Kermarrec & Le Scouarnec 2015); so many times the neighbours are
compared exactly."""
ROLL_BINS = 36
ROLL_TOLERANCE = np.radians(25.0)
MIN_ROLL_SIGMAS = 5.0
"""By how much the fullest three bins must exceed the mean; else any orientation counts."""


@dataclass(frozen=True, kw_only=True)
class Votes:
    """What the N features of a photo say of V views.

    weights: (N, V) sparse, a feature's vote for a view, not negative
    roll: by how much the photo's orientations exceed those of the landmarks, radians; None where they do not agree
    """

    weights: csc_array
    roll: float | None

    def of_views(self) -> Array:
        """Return the score (V,) of every view alone."""
        return np.asarray(self.weights.sum(axis=0)).ravel()

    def of_groups(self, groups: NDArray[np.integer]) -> Array:
        """Return the score (G,) of groups (G, M) of views; a feature counts once a group, by its best vote."""
        used, position = np.unique(groups, return_inverse=True)
        dense = self.weights[:, used].toarray()
        return np.array([dense[:, members].max(axis=1).sum() for members in position.reshape(groups.shape)])


class LandmarkVotes:
    """An index over the descriptors of landmarks that knows which views see them."""

    def __init__(
        self, descriptors: NDArray[np.float32], orientations: Array, seen_by: csr_array, vocabulary: Vocabulary
    ) -> None:
        """Take descriptors (L, D), orientations (L,) in radians, and by how much each counts for each view.

        That is (L, V) sparse, and not zero where a view sees a landmark. ``vocabulary`` divides the space for the
        search. Raises ``InputError`` where shapes differ.
        """
        require_rows(descriptors, vocabulary.centers.shape[1])
        if len(orientations) != len(descriptors) or seen_by.shape[0] != len(descriptors):
            raise InputError(f"{len(descriptors)} landmarks, but {len(orientations)} and {seen_by.shape[0]} of theirs")
        self._orientations = np.asarray(orientations, dtype=np.float64)
        self._seen_by = csr_array(seen_by)
        self._descriptors = np.ascontiguousarray(descriptors)
        self._words = faiss.IndexFlatL2(descriptors.shape[1])
        self._words.add(vocabulary.centers)
        self._lists = self._inverted_lists()
        self._lists.nprobe = PROBED_WORDS
        self._lists.add(self._descriptors)
        self._index: faiss.Index = self._lists
        if isinstance(self._lists, faiss.IndexIVFPQFastScan):
            self._index = faiss.IndexRefineFlat(self._lists, faiss.swig_ptr(self._descriptors))
            self._index.k_factor = REFINED

    def _inverted_lists(self) -> faiss.IndexIVF:
        """Return empty lists of a word each: of codes in many landmarks, which are found four times as fast."""
        count, width = self._descriptors.shape
        if count < MANY_LANDMARKS or width % CODED_TOGETHER:
            lists = faiss.IndexIVFFlat(self._words, width, self._words.ntotal, faiss.METRIC_L2)
            lists.is_trained = True
            return lists
        coded = faiss.IndexIVFPQFastScan(self._words, width, self._words.ntotal, width // CODED_TOGETHER, CODE_BITS)
        coded.train(self._descriptors)
        return coded

    def vote(self, descriptors: NDArray[np.float32], orientations: Array) -> Votes:
        """Return the votes of a photo's features: descriptors (N, D) and orientations (N,) in radians."""
        views = self._seen_by.shape[1]
        if len(descriptors) == 0 or len(self._orientations) == 0:
            return Votes(weights=csc_array((len(descriptors), views)), roll=None)
        k = min(NEIGHBOURS, len(self._orientations))
        squared, landmark = self._index.search(np.ascontiguousarray(descriptors), k)
        found = landmark >= 0
        background = np.where(found, squared, 0.0).max(axis=1, keepdims=True)
        weights = np.where(found, 1.0 - squared / np.maximum(background, 1e-12), 0.0)
        turns = np.asarray(orientations, dtype=np.float64)[:, None] - self._orientations[landmark]
        roll = _common_roll(turns, weights)
        if roll is not None:
            weights *= np.abs(angle_between(turns, roll)) < ROLL_TOLERANCE
        feature, rank = np.nonzero(weights > 0.0)
        best = self._best_by_view(feature, landmark[feature, rank], weights[feature, rank], len(descriptors))
        best.data *= np.repeat(_rarity(best), np.diff(best.indptr))
        return Votes(weights=best.tocsc(), roll=roll)

    def _best_by_view(
        self, feature: NDArray[np.int64], landmark: NDArray[np.int64], weight: Array, features: int
    ) -> csr_array:
        """Return (N, V) with the largest weight of a feature's landmarks that a view sees."""
        rows = self._seen_by[landmark]
        seen = np.diff(rows.indptr)
        key = np.repeat(feature, seen) * self._seen_by.shape[1] + rows.indices
        votes = np.repeat(weight, seen) * rows.data
        order = np.lexsort((-votes, key))
        key, first = np.unique(key[order], return_index=True)
        at = np.divmod(key, self._seen_by.shape[1])
        return csr_array((votes[order][first], at), shape=(features, self._seen_by.shape[1]))


def _rarity(votes: csr_array) -> Array:
    """Return (N,) log of all views over those a feature fits, each counted by its vote against the feature's best."""
    views = votes.shape[1]
    if views == 1:
        return np.ones(votes.shape[0])
    total, best = np.asarray(votes.sum(axis=1)).ravel(), votes.max(axis=1).toarray().ravel()
    fits = np.divide(total, best, out=np.ones(len(total)), where=best > 0.0)
    return np.log(views / fits)


def angle_between(a: Array, b: Array | float) -> Array:
    """Return a - b, wrapped to [-pi, pi)."""
    return (np.asarray(a) - b + np.pi) % (2 * np.pi) - np.pi


def _common_roll(turns: Array, weights: Array) -> float | None:
    """Return the turn that most votes agree on, None where they are spread as by chance."""
    width = 2 * np.pi / ROLL_BINS
    bins = np.floor(turns % (2 * np.pi) / width).astype(np.int64) % ROLL_BINS
    histogram = np.bincount(bins.ravel(), weights.ravel(), ROLL_BINS)
    smooth = histogram + np.roll(histogram, 1) + np.roll(histogram, -1)
    peak = int(smooth.argmax())
    if smooth[peak] - smooth.mean() < MIN_ROLL_SIGMAS * np.sqrt(3.0 * (weights**2).sum() / ROLL_BINS):
        return None
    off = angle_between(turns, (peak + 0.5) * width)
    near = np.abs(off) < 1.5 * width
    return float((peak + 0.5) * width + np.average(off[near], weights=weights[near]))
