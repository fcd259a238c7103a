"""Tracks in, moment after moment; events and occupancy out."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby

import numpy as np

from geometry.errors import InputError
from geometry.floorplan import FloorPlan
from geometry.records import FixedCamera
from geometry.track_records import TrackRow
from twin.events.conduct import Conduct, ConductOptions
from twin.events.crossings import CrossingOptions, Crossings
from twin.events.occupancy import OccupancyOptions, StallStates
from twin.events.records import Event, Occupancy
from twin.events.stall_views import StallViews
from twin.parked.stays import Look

LOOK_S = 1.0
MOST_LOOKS = 600
"""How often, and how many times, a recording is taken to have looked where it has no rows."""


@dataclass(frozen=True, kw_only=True)
class EventOptions:
    """Options of all that is told."""

    occupancy: OccupancyOptions = field(default_factory=OccupancyOptions)
    crossings: CrossingOptions = field(default_factory=CrossingOptions)
    conduct: ConductOptions = field(default_factory=ConductOptions)


@dataclass(frozen=True, kw_only=True)
class Happenings:
    """What happened at a moment or over a recording, in the order in which it was told."""

    events: tuple[Event, ...]
    occupancy: tuple[Occupancy, ...]


class EventEngine:
    """Takes the rows of tracks of one moment after the other; memory does not grow with time."""

    def __init__(
        self, plan: FloorPlan, cameras: Sequence[FixedCamera] = (), options: EventOptions | None = None
    ) -> None:
        """Prepare; without cameras a stall is never seen empty, and only a track that leaves it frees it slowly."""
        self.options = options = options or EventOptions()
        views = StallViews.of(plan, cameras) if cameras else None
        self.stalls = StallStates(plan=plan, views=views, options=options.occupancy)
        self._crossings = Crossings(plan=plan, options=options.crossings)
        self._conduct = Conduct(plan=plan, options=options.conduct)
        self._time: float | None = None

    def update(
        self,
        time: float,
        rows: Sequence[TrackRow],
        cameras: frozenset[str] | None = None,
        unsure: Sequence[TrackRow] = (),
    ) -> Happenings:
        """Take the rows of one moment; ``cameras`` that looked since the last one, None for all.

        unsure: rows of these or other tracks whose positions are good for gates only

        Raises ``InputError`` for a moment that is not after the last one.
        """
        if self._time is not None and not time > self._time:
            raise InputError(f"the moment {time} is not after {self._time}")
        self._time = time
        events = self._crossings.update(time, rows, unsure)
        if unsure and not rows:  # what is unsure was seen somewhere, so that nothing was seen to be empty
            return Happenings(events=tuple(events), occupancy=())
        told, occupancy = self.stalls.update(time, rows, cameras)
        events = told + events + self._conduct.update(time, rows)
        return Happenings(events=tuple(events), occupancy=tuple(occupancy))

    def look(self, camera: str, time: float, told: Mapping[str, float]) -> None:
        """Take what a camera's picture, by the common clock, tells of stalls: the probability of each being taken."""
        self.stalls.look(camera, time, told)

    def finish(self) -> Happenings:
        """Tell what is left to tell when no more tracks come."""
        return Happenings(events=tuple(self._crossings.finish()), occupancy=())


def _moments(
    rows: Iterable[TrackRow], looks: Sequence[Look], unsure: Iterable[TrackRow]
) -> Iterator[tuple[float, list[TrackRow], list[TrackRow]]]:
    """Yield the moments of rows, sure and unsure ones, and others where there are none for a while: those of looks, or
    one a second."""
    told = np.unique([look.time for look in looks])

    def empty(after: float, before: float) -> list[float]:
        if len(told):
            return told[(told > after + LOOK_S / 2) & (told < before - LOOK_S / 2)].tolist()
        return np.arange(after + LOOK_S, before - LOOK_S / 2, LOOK_S).tolist()[:MOST_LOOKS] if after > -np.inf else []

    last = -np.inf
    marked = merge(((row, True) for row in rows), ((row, False) for row in unsure), key=lambda each: each[0].time)
    for time, group in groupby(marked, key=lambda each: each[0].time):
        yield from ((each, [], []) for each in empty(last, time))
        present = list(group)
        yield time, [row for row, is_sure in present if is_sure], [row for row, is_sure in present if not is_sure]
        last = time
    if len(told):
        yield from ((each, [], []) for each in empty(last, np.inf))


def events_of(
    rows: Iterable[TrackRow],
    plan: FloorPlan,
    cameras: Sequence[FixedCamera] = (),
    options: EventOptions | None = None,
    looks: Sequence[Look] = (),
    unsure: Iterable[TrackRow] = (),
) -> Happenings:
    """Tell what happened in a recording; rows of tracks.jsonl, looks at stalls, and rows that are too unsure to be
    among the others (``Tracks.unsure``), each in the order of time.

    Where there are no rows for a while, all cameras are taken to have looked and seen nothing.
    """
    engine = EventEngine(plan, cameras, options)
    events: list[Event] = []
    occupancy: list[Occupancy] = []
    waiting = deque(looks)
    for moment, present, beside in _moments(rows, looks, unsure):
        while waiting and waiting[0].time <= moment:
            engine.look(*waiting.popleft())
        told = engine.update(moment, present, unsure=beside)
        events += told.events
        occupancy += told.occupancy
    events += engine.finish().events
    return Happenings(events=tuple(sorted(events, key=lambda event: event.time)), occupancy=tuple(occupancy))
