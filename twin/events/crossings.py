"""Gates that tracks pass, also where no camera sees the gate itself, and zones they enter and leave."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import erf, sqrt

import numpy as np

from geometry.errors import InputError
from geometry.floorplan import FloorPlan
from geometry.solids import size_prior
from geometry.track_records import TrackRow
from twin.events.records import Event, evidence, place_of
from twin.gate_lines import GateLine, GatePassage, gate_line

SIGHT_OF_GATE = 0.9
"""Confidence of a passage that was seen on both sides of the line; one that was only seen beside it has less."""
BESIDE_GATE = 0.6
RECENT_S = 60.0
"""For so long a passage is one that another is compared with."""
IN_ZONE = 0.95
"""Confidence that a zone changed, once the new one has stayed for a while."""


@dataclass(frozen=True, kw_only=True)
class CrossingOptions:
    """When something counts as across.

    margin_m: beyond the line, against counting one that stands on it twice; beside_m: how far beyond the ends of a
    gate one may pass
    reach_m: one that is first or last seen this near to a gate, and goes through it, passed unseen; going_mps: how fast
    slow_reach_m, came_m: so does one that is first seen this near, slower, and comes so far in from there
    headway_s: two vehicles don't pass one place of a gate within less of each other: it is one that two tracks tell of
    unsure_sigmas: what is unsure is clearly beyond a line only so many standard deviations away from it
    gone_s: after so long without a row a track is over; settle_s: how long a zone must stay before it is told
    people: whether people count at gates
    """

    margin_m: float = 0.4
    beside_m: float = 1.0
    reach_m: float = 8.0
    going_mps: float = 0.7
    slow_reach_m: float = 3.0
    came_m: float = 2.0
    headway_s: float = 1.0
    unsure_sigmas: float = 1.0
    gone_s: float = 6.0
    settle_s: float = 0.6
    people: bool = False

    def __post_init__(self) -> None:
        values = (
            self.margin_m,
            self.beside_m,
            self.reach_m,
            self.going_mps,
            self.slow_reach_m,
            self.came_m,
            self.headway_s,
            self.unsure_sigmas,
            self.gone_s,
            self.settle_s,
        )
        if not all(np.isfinite(value) and value >= 0 for value in values):
            raise InputError(f"crossing options out of range: {self}")


@dataclass(kw_only=True, eq=False)
class _Track:
    """What is kept of a track.

    first, sure: the first row, and the first that is not unsure; last: the last one
    side: of each gate, the side it was last clearly on; clear: gates of which a sure row told it
    slow: the row of a track that began inside of a gate, not fast enough to tell that it came in by it
    crossed: when it was last on the line itself
    zone: where it is, since ``entered``
    """

    first: TrackRow
    last: TrackRow
    sure: TrackRow | None = None
    side: dict[str, int] = field(default_factory=dict)
    crossed: dict[str, float] = field(default_factory=dict)
    clear: set[str] = field(default_factory=set)
    slow: dict[str, TrackRow] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    zone: str | None = None
    coming: tuple[str | None, float] | None = None
    entered: float = 0.0


@dataclass(kw_only=True, eq=False)
class Crossings:
    """Gates and zones of a plan, and where tracks were."""

    plan: FloorPlan
    options: CrossingOptions = field(default_factory=CrossingOptions)

    def __post_init__(self) -> None:
        self._lines = [gate_line(gate, self.plan) for gate in self.plan.gates]
        self._tracks: dict[int, _Track] = {}
        self._start: float | None = None
        self._passages: list[GatePassage] = []

    def update(self, time: float, rows: Sequence[TrackRow], unsure: Sequence[TrackRow] = ()) -> list[Event]:
        """Take the tracks of one moment; those that are unsure tell no zones."""
        self._start = time if self._start is None else self._start
        events: list[Event] = []
        for row, is_sure in (*((row, True) for row in rows), *((row, False) for row in unsure)):
            known = self._tracks.get(row.track)
            if known is None:
                known = self._tracks[row.track] = _Track(first=row, last=row)
            if is_sure and known.sure is None:
                known.sure, known.zone, known.entered = row, row.zone, time
            counts = self.options.people or size_prior(row.kind).family == "vehicle"
            if counts:
                events += self._told_once(row, self._gates(known, row, is_sure=is_sure))
            if is_sure:
                events += self._zones(known, row)
            known.last = row
        for number in [n for n, each in self._tracks.items() if time - each.last.time > self.options.gone_s]:
            gone = self._tracks.pop(number)
            events += self._told_once(gone.last, self._over(gone))
        return events

    def finish(self) -> list[Event]:
        """Take it that no more tracks come: those that just left are counted."""
        events = [e for each in self._tracks.values() for e in self._told_once(each.last, self._over(each))]
        self._tracks.clear()
        return events

    def _gates(self, known: _Track, row: TrackRow, *, is_sure: bool) -> list[Event]:
        events = []
        xy = np.array(row.position[:2])
        for line in self._lines:
            if row.level not in (None, line.gate.level):
                continue
            inside, beside = line.place(xy)
            before, _ = line.place(np.array(known.last.position[:2]))
            if before * inside < 0 or (before == 0) != (inside == 0):
                share = before / (before - inside)
                known.crossed[line.gate.id] = known.last.time + share * (row.time - known.last.time)
            margin = self.options.margin_m
            if not is_sure:
                margin = max(margin, self.options.unsure_sigmas * line.sigma(row))
            if beside > self.options.beside_m and abs(inside) > margin:
                known.side.pop(line.gate.id, None)
            if abs(inside) <= margin or beside > self.options.beside_m:
                continue
            side, was = (1 if inside > 0 else -1), known.side.get(line.gate.id)
            known.side[line.gate.id] = side
            is_new = was is None or (is_sure and line.gate.id not in known.clear)
            if is_sure:
                known.clear.add(line.gate.id)
            if was is not None and was != side:
                when = known.crossed.get(line.gate.id, row.time)
                events.append(_passage(line, side, row, known.last, SIGHT_OF_GATE, when))
                known.passed.add(line.gate.id)
            elif is_new and side > 0 and self._came_unseen(known, row, line, is_sure=is_sure):
                velocity = np.array((row.velocity or (0.0, 0.0, 0.0))[:2])
                if velocity @ line.inward > self.options.going_mps and line.gate.direction != "out":
                    events.append(_passage(line, 1, row, row, BESIDE_GATE, row.time))
                    known.passed.add(line.gate.id)
                elif inside < self.options.slow_reach_m and line.gate.direction != "out":
                    known.slow[line.gate.id] = row
            elif line.gate.id in known.slow and not known.passed:
                first = known.slow[line.gate.id]
                if inside - line.place(np.array(first.position[:2]))[0] > self.options.came_m:
                    events.append(_passage(line, 1, row, first, BESIDE_GATE, first.time))
                    known.passed.add(line.gate.id)
        return events

    def _told_once(self, row: TrackRow, passages: Sequence[Event]) -> list[Event]:
        """Return the passages without those of a vehicle that another track has just told to have passed there."""
        if size_prior(row.kind).family != "vehicle":
            return list(passages)
        told = []
        for event in passages:
            line = next(each for each in self._lines if each.gate.id == event.where.gate)
            along = float((np.array(row.position[:2]) - line.middle) @ line.along)
            this = GatePassage(line.gate.id, event.kind, event.track, event.time, along)
            if not any(each.is_that_of(this, self.options.headway_s) for each in self._passages):
                told.append(event)
                recent = [each for each in self._passages if each.time > event.time - RECENT_S]
                self._passages = [*recent, this]
        return told

    def _came_unseen(self, known: _Track, row: TrackRow, line: GateLine, *, is_sure: bool) -> bool:
        """Tell whether a track begins here, or is sure from here on, near enough to have come by a gate, or began on
        its line; what is there when the recording begins did not."""
        first = known.sure if is_sure and known.sure is not None else known.first
        (inside, _), (began, beside) = (line.place(np.array(each.position[:2])) for each in (row, known.first))
        on_line = abs(began) <= self.options.margin_m and beside <= self.options.beside_m
        on_line &= known.first.level in (None, line.gate.level) and inside < self.options.slow_reach_m
        begins = row.time - first.time < 1.0 or on_line
        late = known.first.time - (self._start or 0.0) > 1.0
        return begins and late and inside < self.options.reach_m and not known.passed

    def _over(self, known: _Track) -> list[Event]:
        """Return the passage of a track that was last seen going out by a gate."""
        row = known.last
        counts = self.options.people or size_prior(row.kind).family == "vehicle"
        velocity = np.array((row.velocity or (0.0, 0.0, 0.0))[:2])
        events = []
        for line in self._lines if counts else ():
            inside, beside = line.place(np.array(row.position[:2]))
            near = -self.options.margin_m <= inside < self.options.reach_m and beside <= self.options.beside_m
            here = row.level in (None, line.gate.level)
            leaves = here and velocity @ line.inward < -self.options.going_mps and line.gate.direction != "in"
            if near and leaves and known.side.get(line.gate.id) != -1:
                events.append(_passage(line, -1, row, row, BESIDE_GATE, row.time))
        return events[:1]

    def _zones(self, known: _Track, row: TrackRow) -> list[Event]:
        """Return that a zone was left and another entered, once the new one has stayed."""
        if row.zone == known.zone:
            known.coming = None
            return []
        if known.coming is None or known.coming[0] != row.zone:
            known.coming = (row.zone, row.time)
        if row.time - known.coming[1] < self.options.settle_s:
            return []
        left, since, known.coming = known.zone, known.coming[1], None
        dwell, known.zone, known.entered = since - known.entered, row.zone, since
        boxes, events = evidence(known.last, row), list[Event]()
        if left is not None:
            where, meta = place_of(row, zone=left), boxes | {"dwell_s": round(dwell, 3)}
            events.append(
                Event(time=since, kind="zone_left", track=row.track, where=where, confidence=IN_ZONE, meta=meta)
            )
        if row.zone is not None:
            where = place_of(row, zone=row.zone)
            events.append(
                Event(time=since, kind="zone_entered", track=row.track, where=where, confidence=IN_ZONE, meta=boxes)
            )
        return events


def _passage(line: GateLine, side: int, row: TrackRow, before: TrackRow, most: float, when: float) -> Event:
    """Return a passage at a time; its confidence is at ``most`` that a position beyond the line is really beyond."""
    beyond, _ = line.place(np.array(row.position[:2]))
    sure = 0.5 * (1 + erf(abs(beyond) / max(line.sigma(row), 1e-6) / sqrt(2)))
    return Event(
        time=when,
        kind="gate_in" if side > 0 else "gate_out",
        track=row.track,
        where=place_of(row, gate=line.gate.id, level=line.gate.level),
        confidence=round(most * sure, 4),
        meta=evidence(before, row) | ({} if most == SIGHT_OF_GATE else {"seen": "beside the gate"}),
    )
