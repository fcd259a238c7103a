"""The tracks that a tracker holds, as arrays, and what it leaves behind of each."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geometry.box_views import BoxPlanes
from geometry.solids import OUTLINE_POINTS, Family
from perception.tracking.states import STATE, Shapes

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """A box that a track was given.

    time: of the exposure by the common clock; shown: by the camera's; index: of the box in its frame
    kind, score: what the detector said; log_odds: of being this object's; planes: the box, at a row of its frame's
    embedding: (D,) of unit length, where the detector gave one
    """

    camera: str
    time: float
    shown: float
    index: int
    box: tuple[float, float, float, float]
    kind: str
    score: float
    log_odds: float
    planes: BoxPlanes
    row: int
    embedding: NDArray[np.float32] | None = None


@dataclass(kw_only=True, eq=False)
class Tracklet:
    """One object as far as it was followed without a break.

    id: unique for a tracker; family, kinds: log-odds summed by class name
    times, means, covariances, levels: filtered states, one for each instant with a box
    points, spreads: positions (2,) and covariances (2, 2) that the boxes of those instants tell by themselves
    seen: all boxes; score: log-odds of being an object; confirmed: whether it ever counted as one
    """

    id: int
    family: Family
    kinds: dict[str, float] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    means: list[Array] = field(default_factory=list)
    covariances: list[Array] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)
    points: list[Array] = field(default_factory=list)
    spreads: list[Array] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    score: float = 0.0
    confirmed: bool = False
    _starts: Indices | None = None

    @property
    def kind(self) -> str:
        """Return the class most boxes have, the first of equals by name."""
        return max(sorted(self.kinds), key=self.kinds.__getitem__) if self.kinds else ""

    def seen_at(self, number: int) -> list[Seen]:
        """Return the boxes of one of the instants."""
        if self._starts is None or len(self._starts) != len(self.times):
            self._starts = np.searchsorted([each.time for each in self.seen], self.times)
        end = self._starts[number + 1] if number + 1 < len(self.times) else len(self.seen)
        return self.seen[self._starts[number] : end]

    def keep_since(self, time: float) -> None:
        """Forget all but the last state before ``time``, so that memory does not grow."""
        keep = max(int(np.searchsorted(self.times, time)) - 1, 0)
        if keep:
            for field_of in (self.times, self.means, self.covariances, self.levels, self.points, self.spreads):
                del field_of[:keep]
        if self.seen and self.seen[0].time < time:
            self.seen = [each for each in self.seen if each.time >= time]


@dataclass(kw_only=True, eq=False)
class TrackTable:
    """What the tracker holds of T tracks, one row each.

    mean, covariance, level: predicted to the tracker's time; score: log-odds of being an object that is still there
    origin, origin_spread: (T, 2) and (T, 2, 2), where they began
    last_seen: time of the last box; seen_by: (T, C) the same by camera
    """

    ids: Indices = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    mean: Array = field(default_factory=lambda: np.zeros((0, STATE)))
    covariance: Array = field(default_factory=lambda: np.zeros((0, STATE, STATE)))
    level: Indices = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    outline: Array = field(default_factory=lambda: np.zeros((0, OUTLINE_POINTS, 3)))
    is_round: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    score: Array = field(default_factory=lambda: np.zeros(0))
    hits: Indices = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    origin: Array = field(default_factory=lambda: np.zeros((0, 2)))
    origin_spread: Array = field(default_factory=lambda: np.zeros((0, 2, 2)))
    last_seen: Array = field(default_factory=lambda: np.zeros(0))
    confirmed: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    seen_by: Array = field(default_factory=lambda: np.zeros((0, 0)))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def shapes(self) -> Shapes:
        """Return the solids' shapes."""
        return Shapes(self.outline, self.is_round)

    def append(self, **rows: NDArray[np.generic]) -> None:
        """Add tracks: one array a field, equally long."""
        for name, value in rows.items():
            setattr(self, name, np.concatenate([getattr(self, name), value]))

    def keep(self, mask: Mask) -> None:
        """Drop all tracks but those of a mask (T,)."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name)[mask])
