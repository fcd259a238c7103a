"""Which map images a photo resembles, as ranked views, as groups that may each explain it, and as coarse guesses."""

from collections.abc import Sequence

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from perception import Features
from retrieval import PlaceIndex, Vocabulary, aggregate
from twin.landmarks import Landmarks
from twin.localization import Place

Array = NDArray[np.float64]
Views = NDArray[np.int64]

MAX_GROUPS = 3
MAX_GUESSES = 3
MIN_SHARED_LANDMARKS = 8
SIMILARITY_SHARPNESS = 20.0
"""How quickly a guess's probability falls with its similarity to the query."""


class PlaceFinder:
    """Ranks the views of a map by their likeness to a photo."""

    def __init__(self, landmarks: Landmarks, vocabulary: Vocabulary, index: PlaceIndex, view_positions: Array) -> None:
        """``index`` holds the views of ``landmarks`` in order, ``view_positions`` (V, 3) their centres in site."""
        self._vocabulary = vocabulary
        self._index = index
        self._view_positions = view_positions
        self._reach_m = _spacing(view_positions)
        self._covisible = _covisibility(landmarks)

    def rank(self, features: Features, limit: int) -> tuple[Views, NDArray[np.float32]]:
        """Return up to ``limit`` views and their similarities, most alike first."""
        query = aggregate(self._vocabulary, features.descriptors)
        ids, scores = self._index.search(query[None], min(limit, len(self._index)))
        return ids[0], scores[0]

    def groups(self, views: Sequence[int] | Views) -> list[Views]:
        """Split ranked views into places: up to ``MAX_GROUPS`` sets of views that share landmarks, best first.

        Different parts of a building that look alike share no landmarks; each gets its own chance to explain the
        query, so that their poses can be compared.
        """
        rank = {int(view): r for r, view in enumerate(views)}
        parts = nx.connected_components(self._covisible.subgraph(rank))
        ordered = sorted((sorted(part, key=rank.__getitem__) for part in parts), key=lambda part: rank[part[0]])
        return [np.array(part) for part in ordered[:MAX_GROUPS]]

    def guesses(self, views: Views, scores: NDArray[np.float32]) -> list[Place]:
        """Return the best ranked views as coarse places; their probabilities share 1 with all ranked views."""
        weights = np.exp(SIMILARITY_SHARPNESS * (scores - scores.max()))
        shares = weights / weights.sum()
        return [
            Place(
                position=tuple(self._view_positions[view].tolist()),
                radius_m=self._reach_m,
                probability=float(share),
            )
            for view, share in zip(views[:MAX_GUESSES], shares, strict=False)
        ]


def _covisibility(landmarks: Landmarks) -> nx.Graph:
    """Return the graph of views that share at least ``MIN_SHARED_LANDMARKS``."""
    view = landmarks.view_of_observation()
    shape = (len(landmarks.views), len(landmarks))
    sees = csr_array((np.ones(len(view), np.int32), (view, np.asarray(landmarks.landmark))), shape=shape)
    shared = (sees @ sees.T).tocoo()
    strong = (shared.data >= MIN_SHARED_LANDMARKS) & (shared.row < shared.col)
    graph = nx.Graph()
    graph.add_nodes_from(range(len(landmarks.views)))
    graph.add_edges_from(zip(shared.row[strong].tolist(), shared.col[strong].tolist(), strict=True))
    return graph


def _spacing(positions: Array) -> float:
    """Return the median distance from a view to the third nearest other: how far a place reaches."""
    k = min(4, len(positions))
    distances, _ = cKDTree(positions).query(positions, k=k)
    return float(np.median(np.atleast_2d(distances.reshape(len(positions), -1))[:, -1]))
