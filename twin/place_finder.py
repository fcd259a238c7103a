"""Where in a map a photo may have been taken: groups of views that may each explain it, and coarse guesses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from geometry import position_of
from perception import Features
from retrieval import LandmarkVotes, Reduction, Vocabulary
from twin.landmarks import Landmarks, described, upright_orientations
from twin.localization import Place

Array = NDArray[np.float64]
Views = NDArray[np.int64]

VOTING_FEATURES = 2000
MAX_GROUPS = 6
GROUP_SIZE = 10
MAX_SHARED = 0.3
"""Of its views with better groups; more, and it is the same place."""
SEEDS = 60
"""Best views whose neighbourhoods are compared."""
MAX_GUESSES = 6
GUESS_SHARPNESS = 8.0
"""How quickly a guess's probability falls with its share of the best score."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where a photo may be from, most likely first.

    groups: sets of views that see the same things; scores: (G,) of their votes
    roll: the photo's roll against upright landmarks, radians; None where its features do not agree on one
    """

    groups: list[Views]
    scores: Array
    roll: float | None


class PlaceFinder:
    """Finds the views of a map that a photo's features vote for."""

    def __init__(
        self,
        landmarks: Landmarks,
        vocabulary: Vocabulary,
        cams_from_site: Sequence[pycolmap.Rigid3d],
        down: ArrayLike | None,
    ) -> None:
        """Take the poses of the views of ``landmarks``, in order, and which way is down (3,), None if unknown."""
        view, count = landmarks.view_of_observation(), len(landmarks.views)
        self._view_positions = np.array([position_of(pose) for pose in cams_from_site]).reshape(-1, 3)
        self._reach_m = _spacing(self._view_positions)
        self.orientations = upright_orientations(landmarks, cams_from_site, down)
        shape = (len(landmarks), count)
        seen_by_at = (np.asarray(landmarks.landmark), view)
        seen_by = csr_array((np.ones(len(view), np.int32), seen_by_at), shape=shape)
        descriptors, orientations = described(landmarks, self.orientations)
        votes = seen_by.astype(np.float64)  # a landmark that a view sees twice counts once
        votes.data[:] = np.repeat(landmarks.presence, np.diff(votes.indptr))
        self._reduction = Reduction(descriptors)
        words = Vocabulary(centers=self._reduction(vocabulary.centers))
        self._votes = LandmarkVotes(self._reduction(descriptors), orientations, votes, words)
        self._neighbours = _neighbours(seen_by)

    def find(self, features: Features) -> Places:
        """Return up to ``MAX_GROUPS`` groups of covisible views that a photo resembles, most alike first.

        Different parts of a building that look alike share no landmarks; each gets its own chance to explain the
        photo, so that their poses can be compared.
        """
        strongest = features.take(slice(VOTING_FEATURES))
        described_so = self._reduction(strongest.descriptors)
        votes = self._votes.vote(described_so, strongest.orientations.astype(np.float64))
        alone = votes.of_views()
        seeds = np.argsort(-alone, kind="stable")[:SEEDS]
        seeds = seeds[alone[seeds] > 0.0]
        scores = votes.of_groups(self._neighbours[seeds])
        chosen: list[int] = []
        covered: set[int] = set()
        for row in np.argsort(-scores, kind="stable").tolist():
            members = set(self._neighbours[seeds[row]].tolist())
            if len(chosen) < MAX_GROUPS and len(members & covered) <= MAX_SHARED * len(members):
                chosen.append(row)
                covered |= members
        groups = [_ranked(self._neighbours[seeds[row]], alone) for row in chosen]
        return Places(groups=groups, scores=scores[chosen], roll=votes.roll)

    def guesses(self, places: Places) -> list[Place]:
        """Return the groups as coarse places, each where its best view is; their probabilities sum to 1."""
        if not places.groups:
            return []
        weights = np.exp(GUESS_SHARPNESS * (places.scores / places.scores.max() - 1.0))
        return [
            Place(
                position=tuple(self._view_positions[group[0]].tolist()),
                radius_m=self._reach_m,
                probability=float(share),
            )
            for group, share in zip(places.groups[:MAX_GUESSES], weights / weights.sum(), strict=False)
        ]


def _ranked(views: Views, scores: Array) -> Views:
    unique = np.unique(views)
    return unique[np.argsort(-scores[unique], kind="stable")]


def _neighbours(seen_by: csr_array) -> Views:
    """Return (V, ``GROUP_SIZE``) each view and those that share most landmarks with it; itself where these are few."""
    shared = csr_array(seen_by.T @ seen_by)
    neighbours = np.tile(np.arange(shared.shape[0])[:, None], (1, GROUP_SIZE))
    for view in range(shared.shape[0]):
        row = slice(shared.indptr[view], shared.indptr[view + 1])
        others = shared.indices[row] != view
        order = np.argsort(-shared.data[row][others], kind="stable")[: GROUP_SIZE - 1]
        neighbours[view, 1 : len(order) + 1] = shared.indices[row][others][order]
    return neighbours


def _spacing(positions: Array) -> float:
    """Return the median distance from a view to the third nearest other: how far a place reaches."""
    k = min(4, len(positions))
    distances, _ = cKDTree(positions).query(positions, k=k)
    return float(np.median(np.atleast_2d(distances.reshape(len(positions), -1))[:, -1]))
