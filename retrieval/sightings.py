"""Sightings in arrays: stored, embedded, located views of objects, each with when and where it began and ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from retrieval.stores.rows import Rows, Vectors

Array = NDArray[np.float64]
NO_TRACK = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class Sightings:
    """N stays of objects in cameras.

    vectors: (N, D) float32, of unit length
    first, last: (N,) epoch seconds, the same where only one instant is known
    start, end: (N, 3) site metres, where the object was then
    camera: N names; track: (N,) ids of tracks that are known to be one object, -1 for none
    """

    ids: tuple[str, ...]
    vectors: Vectors
    first: Array
    last: Array
    start: Array
    end: Array
    camera: tuple[str, ...]
    track: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.ids)
        shapes = {"first": (n,), "last": (n,), "start": (n, 3), "end": (n, 3), "track": (n,)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise InputError(f"{name}: expected {shape}, got {getattr(self, name).shape}")
        if len(self.camera) != n or self.vectors.ndim != 2 or len(self.vectors) != n:
            raise InputError(f"{n} sightings with {len(self.camera)} cameras and {self.vectors.shape} vectors")
        numbers = np.column_stack([self.first, self.last, self.start, self.end])
        if not np.isfinite(numbers).all() or (self.last < self.first).any():
            raise InputError("times and positions of sightings are finite, and none ends before it begins")

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, which: Sequence[int] | NDArray[np.integer]) -> "Sightings":
        """Return some of them, by position."""
        index = np.asarray(which, dtype=np.int64)
        return Sightings(
            ids=tuple(self.ids[i] for i in index),
            vectors=self.vectors[index],
            first=self.first[index],
            last=self.last[index],
            start=self.start[index],
            end=self.end[index],
            camera=tuple(self.camera[i] for i in index),
            track=self.track[index],
        )


def joined(one: Sightings, other: Sightings) -> Sightings:
    """Return the sightings of both, one after the other."""
    return Sightings(
        ids=one.ids + other.ids,
        vectors=np.vstack([one.vectors, other.vectors]),
        first=np.concatenate([one.first, other.first]),
        last=np.concatenate([one.last, other.last]),
        start=np.vstack([one.start, other.start]),
        end=np.vstack([one.end, other.end]),
        camera=one.camera + other.camera,
        track=np.concatenate([one.track, other.track]),
    )


def sightings_of_rows(rows: Rows) -> Sightings:
    """Return stored rows of the sighting schema, with vectors, as sightings.

    ``meta`` may say ``first``, ``last`` (epoch seconds) and ``start``, ``end`` (site metres); without, the stay is the
    one instant and place of the row.
    """
    if rows.vectors is None:
        raise InputError("sightings need their vectors", remedy="Ask the collection for them.")
    place = np.column_stack([np.array(rows.columns[axis], dtype=np.float64).reshape(-1) for axis in "xyz"])

    def told(key: str, default: Any) -> Array:
        values = [meta.get(key, own) for meta, own in zip(rows.meta, default, strict=True)]
        return np.array(values, dtype=np.float64).reshape(np.shape(default))

    time = np.array(rows.columns["time"], dtype=np.float64).reshape(-1)
    tracks = [NO_TRACK if track is None else track for track in rows.columns["track"]]
    return Sightings(
        ids=rows.ids,
        vectors=rows.vectors,
        first=told("first", time),
        last=told("last", time),
        start=told("start", place),
        end=told("end", place),
        camera=tuple(camera or "" for camera in rows.columns["camera"]),
        track=np.array(tracks, dtype=np.int64).reshape(-1),
    )
