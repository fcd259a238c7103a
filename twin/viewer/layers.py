"""What is drawn: layers of points and of lines in site, each with a colour and a level, that can be shown or hidden."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Colours = NDArray[np.uint8]

NO_LEVEL = -1
FLOOR_SLACK_M = 0.5
"""What lies at most so far below a floor is still on it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """positions: (N, 3) float64, site metres; colours: (N, 3) uint8; level: (N,) int, index of the storey or -1."""

    name: str
    positions: Array
    colours: Colours
    level: NDArray[np.int64]

    def on(self, level: int | None) -> "Points":
        """Return those of one level, all for None."""
        return self if level is None else self[self.level == level]

    def __getitem__(self, chosen: NDArray[np.bool_] | slice) -> "Points":
        return replace(self, positions=self.positions[chosen], colours=self.colours[chosen], level=self.level[chosen])

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True, kw_only=True, eq=False)
class Lines:
    """segments: (N, 2, 3) float64, site metres; colours: (N, 3) uint8; level: (N,) int, as of points."""

    name: str
    segments: Array
    colours: Colours
    level: NDArray[np.int64]

    def on(self, level: int | None) -> "Lines":
        """Return those of one level and those of none, all for None."""
        if level is None:
            return self
        chosen = (self.level == level) | (self.level == NO_LEVEL)
        return replace(self, segments=self.segments[chosen], colours=self.colours[chosen], level=self.level[chosen])

    def __len__(self) -> int:
        return len(self.segments)


def levels_of(heights: ArrayLike, storeys: Sequence[float]) -> NDArray[np.int64]:
    """Return for heights (N,) the index of the storey they belong to, ``NO_LEVEL`` below the lowest or without any."""
    z = np.asarray(heights, dtype=np.float64)
    return (np.searchsorted(np.asarray(storeys, dtype=np.float64), z + FLOOR_SLACK_M, side="right") - 1).astype(
        np.int64
    )


def polyline(points: ArrayLike, *, closed: bool = False) -> Array:
    """Return the segments (N, 2, 3) along points (M, 3)."""
    rows = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    if closed and len(rows):
        rows = np.vstack([rows, rows[:1]])
    return np.stack([rows[:-1], rows[1:]], axis=1)


def lines(name: str, parts: Sequence[tuple[Array, ArrayLike, int]]) -> Lines:
    """Join parts, each segments (N, 2, 3) with one colour and one level."""
    counts = [len(segments) for segments, _, _ in parts]
    return Lines(
        name=name,
        segments=np.concatenate([segments for segments, _, _ in parts] or [np.zeros((0, 2, 3))]),
        colours=np.repeat(np.array([colour for _, colour, _ in parts], dtype=np.uint8).reshape(-1, 3), counts, axis=0),
        level=np.repeat(np.array([level for _, _, level in parts], dtype=np.int64), counts),
    )
