"""Matching a photo's features against landmarks rather than images: one search over all candidate observations."""

import faiss
import numpy as np
from numpy.typing import NDArray

from geometry import InputError
from perception import Features
from twin.landmarks import Landmarks

Indices = NDArray[np.int64]

NEIGHBOURS = 6
"""A landmark is usually seen by fewer views than this, so that the nearest other landmark is among them."""


def match_landmarks(
    features: Features, landmarks: Landmarks, observations: Indices, ratio: float
) -> tuple[Indices, Indices]:
    """Return (feature (M,), landmark (M,)) pairs; neither a feature nor a landmark occurs twice.

    Lowe's ratio is taken between the nearest and the nearest *other* landmark among ``observations``, as several
    views of one landmark are no contradiction. Where several features want one landmark the nearest gets it.
    """
    if features.kind != landmarks.kind:
        raise InputError(f"features are {features.kind}, the twin's are {landmarks.kind}")
    if len(features) == 0 or len(observations) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    k = min(NEIGHBOURS, len(observations))
    descriptors = landmarks.descriptors[observations].astype(np.float32)
    squared, nearest = faiss.knn(features.descriptors, descriptors, k)
    seen = np.asarray(landmarks.landmark[observations], dtype=np.int64)[nearest]
    other = seen != seen[:, :1]
    # Where all neighbours are one landmark, the furthest of them is a lower bound of the distance to any other.
    second = np.where(other.any(axis=1), other.argmax(axis=1), k - 1)
    limit = ratio**2 * squared[np.arange(len(squared)), second]
    distinct = np.flatnonzero(squared[:, 0] < limit)
    by_distance = distinct[np.argsort(squared[distinct, 0], kind="stable")]
    landmark, first = np.unique(seen[by_distance, 0], return_index=True)
    return by_distance[first].astype(np.int64), landmark
