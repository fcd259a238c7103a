"""Clustered vectors with rows, and queries of them, that the benchmarks of search share.

Gaussian centres with a decaying spectrum, noise of the same spectrum around them, unit length: what embeddings of many
views of fewer things look like. Half of the queries are noisy views of a stored vector, half new members of a cluster.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from retrieval.stores.rows import Rows, checked_rows
from retrieval.stores.schema import Schema, sighting_schema

Vectors = NDArray[np.float32]

CLUSTERS, NOISE, DECAY = 20_000, 0.45, -0.5
QUERY_NOISE = 0.2
CHUNK = 50_000
EXTENT_M, SECONDS = 1000.0, 1e6


def search_schema(name: str, dimension: int) -> Schema:
    """Return the schema of the benchmark's collections."""
    return sighting_schema(name, dimension, "benchmark/1")


class Clusters:
    """Draws vectors of one distribution."""

    def __init__(self, dimension: int, seed: int) -> None:
        self._rng = np.random.default_rng([seed, dimension])
        spectrum = (1.0 + np.arange(dimension)) ** DECAY
        rotation, _ = np.linalg.qr(self._rng.normal(size=(dimension, dimension)))
        self._mixing = (spectrum[:, None] * rotation).astype(np.float32)
        self._centres = self._rng.standard_normal((CLUSTERS, dimension), dtype=np.float32) @ self._mixing

    def draw(self, count: int) -> Vectors:
        """Return (count, D) vectors of unit length."""
        centres = self._centres[self._rng.integers(CLUSTERS, size=count)]
        noise = self._rng.standard_normal((count, centres.shape[1]), dtype=np.float32) @ self._mixing
        return unit(centres + NOISE * noise)

    def seen_again(self, vectors: Vectors) -> Vectors:
        """Return noisy views of vectors."""
        noise = self._rng.standard_normal(vectors.shape, dtype=np.float32) @ self._mixing
        return unit(vectors + QUERY_NOISE * noise / np.linalg.norm(self._mixing))


def unit(vectors: Vectors) -> Vectors:
    """Return vectors of unit length."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def batches(schema: Schema, vectors: Vectors, seed: int, size: int = CHUNK, first: int = 0) -> Iterator[Rows]:
    """Yield rows for vectors: ``level`` has 2 words, ``camera`` 100, ``zone`` 10,000, the plane is a square."""
    rng = np.random.default_rng([seed, 1])
    for start in range(0, len(vectors), size):
        part = vectors[start : start + size]
        n = len(part)
        ids = [f"s{i:09d}" for i in range(first + start, first + start + n)]
        yield checked_rows(
            schema,
            ids,
            part,
            {
                "facility": [f"f{i}" for i in rng.integers(10, size=n).tolist()],
                "level": [f"P{i}" for i in rng.integers(2, size=n).tolist()],
                "camera": [f"c{i}" for i in rng.integers(100, size=n).tolist()],
                "zone": [f"z{i}" for i in rng.integers(10_000, size=n).tolist()],
                "track": rng.integers(0, 1_000_000, size=n).tolist(),
                "time": rng.uniform(0, SECONDS, n).tolist(),
                "x": rng.uniform(0, EXTENT_M, n).tolist(),
                "y": rng.uniform(0, EXTENT_M, n).tolist(),
                "z": np.zeros(n).tolist(),
            },
        )
