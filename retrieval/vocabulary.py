"""Visual words: the centres that local descriptors are grouped by, trained while mapping."""

from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError

FloatArray = NDArray[np.float32]

MAX_TRAINING_DESCRIPTORS = 200_000


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Visual words.

    centers: (K, D) float32, in the space of the local descriptors they were trained on
    """

    centers: FloatArray

    def __post_init__(self) -> None:
        if self.centers.ndim != 2 or self.centers.dtype != np.float32 or 0 in self.centers.shape:
            raise InputError(f"centers: expected (K, D) float32, got {self.centers.shape} {self.centers.dtype}")
        if not np.isfinite(self.centers).all():
            raise InputError("the vocabulary has numbers that aren't finite", remedy="Train it again.")

    def __len__(self) -> int:
        return len(self.centers)

    def words_of(self, descriptors: FloatArray) -> NDArray[np.int64]:
        """Return the nearest word (N,) of each local descriptor (N, D)."""
        require_rows(descriptors, self.centers.shape[1])
        if len(descriptors) == 0:
            return np.empty(0, dtype=np.int64)
        _, words = faiss.knn(np.ascontiguousarray(descriptors), self.centers, k=1)
        return np.asarray(words[:, 0])


def train_vocabulary(descriptors: FloatArray, words: int, rng: np.random.Generator, *, rounds: int = 20) -> Vocabulary:
    """Cluster local descriptors (N, D) float32 into ``words`` visual words by k-means on a bounded random sample.

    32 to 128 words suit residual aggregation. Raises ``InputError`` where there are fewer descriptors than words.
    """
    require_rows(descriptors, descriptors.shape[-1])
    if not 1 <= words <= len(descriptors):
        raise InputError(
            f"can't make {words} visual words of {len(descriptors)} descriptors",
            remedy="Add images with texture or ask for fewer words.",
        )
    sample = descriptors
    if len(descriptors) > MAX_TRAINING_DESCRIPTORS:
        sample = descriptors[np.sort(rng.choice(len(descriptors), MAX_TRAINING_DESCRIPTORS, replace=False))]
    kmeans = faiss.Kmeans(
        sample.shape[1],
        words,
        niter=rounds,
        seed=int(rng.integers(1, 2**31)),
        min_points_per_centroid=1,
        max_points_per_centroid=MAX_TRAINING_DESCRIPTORS,
    )
    kmeans.train(np.ascontiguousarray(sample))
    return Vocabulary(centers=np.asarray(kmeans.centroids, dtype=np.float32))


def require_rows(vectors: FloatArray, dimension: int) -> None:
    """Raise ``InputError`` unless ``vectors`` is a finite (N, dimension) float32 array."""
    if vectors.ndim != 2 or vectors.shape[1] != dimension or vectors.dtype != np.float32:
        raise InputError(f"expected (N, {dimension}) float32, got {vectors.shape} {vectors.dtype}")
    if not np.isfinite(vectors).all():
        raise InputError("a vector has numbers that aren't finite", remedy="Extract the features again.")
