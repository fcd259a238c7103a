"""The moments of a live tracker, as an event engine takes them: those with rows, and time that passes without any."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import isfinite

from geometry.track_records import FrameRecord, TrackRow
from twin.events.engine import EventEngine, Happenings

EMPTY_S = 1.0
"""After so long without a row, cameras that looked are taken to have seen nothing."""


@dataclass(kw_only=True)
class Moments:
    """Tells an engine what a live tracker says; its state is plain, so that it can be saved.

    told: the last moment that was told; looked: the cameras that looked since
    """

    engine: EventEngine
    told: float | None = None
    looked: set[str] = field(default_factory=set)

    def look(self, frame: FrameRecord, time: float) -> None:
        """Remember that a camera looked, whatever it saw, and what it tells of stalls; ``time`` by the common clock."""
        self.looked.add(frame.camera)
        if frame.stalls:
            self.engine.look(frame.camera, time, frame.stalls)

    def pass_to(self, now: float, rows: Sequence[TrackRow]) -> list[Happenings]:
        """Tell rows that just came, or that there were none for a while; ``now`` is the tracker's time."""
        moments = [(moment, list(group)) for moment, group in groupby(rows, key=lambda row: row.time)]
        if not moments and self.told is not None and now - self.told > EMPTY_S:
            moments = [(now, [])]
        happened = []
        for moment, present in moments:
            if self.told is not None and moment <= self.told:
                continue
            happened.append(self.engine.update(moment, present, frozenset(self.looked)))
            self.told = moment
            self.looked.clear()
        if self.told is None and isfinite(now):
            self.told = now
        return happened
