"""Is a stall taken: a probability for each that goes up with vehicles seen in it and down with looks that see none.

Where a network looks at a stall in cameras' pictures, its looks tell. Elsewhere each stall is a state with two values
that changes now and then. A vehicle's track inside it, and a camera that sees the stall and no vehicle, are evidence;
looks that follow each other tell little new, so evidence counts by time and not by frames. What no camera sees keeps
its probability and forgets it slowly. The state that is told changes with hysteresis.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.floorplan import FloorPlan
from geometry.solids import size_prior
from geometry.track_records import TrackRow
from perception.occupancy.looks import FREE_ODDS, TAKEN_ODDS, StallLooks
from twin.events.records import Event, Occupancy, Where, evidence, place_of
from twin.events.stall_views import StallViews

Array = NDArray[np.float64]

SPREAD = np.array([[0.0, 0.0], [1.2, 0.0], [-1.2, 0.0], [0.0, 1.2], [0.0, -1.2]])
SPREAD_WEIGHTS = np.array([0.4, 0.15, 0.15, 0.15, 0.15])
"""Points of a distribution, in standard deviations, that stand for it."""
SEEN_TO_LEAVE = 0.97
"""As sure as it would be found in its stall is a vehicle that is found elsewhere not to be there."""


@dataclass(frozen=True, kw_only=True)
class OccupancyOptions:
    """How evidence is weighed.

    prior: share of stalls that are taken; change_s: mean time between changes of a stall
    per_s: how many independent looks a second of looking counts for; found: probability that a vehicle in full view is
    found; false_in: that one is seen in a stall that has none
    still_mps: what is faster does not park; taken, freed: probabilities from which the state that is told changes
    surest: probability beyond which nothing more is believed, so that a change shows soon
    """

    prior: float = 0.5
    change_s: float = 1800.0
    per_s: float = 1.0
    found: float = 0.85
    false_in: float = 0.05
    still_mps: float = 0.5
    taken: float = 0.8
    freed: float = 0.2
    surest: float = 0.995

    def __post_init__(self) -> None:
        shares = (self.prior, self.found, self.false_in, self.taken, self.freed, self.surest)
        if not (all(0 < share < 1 for share in shares) and self.freed < self.taken < self.surest):
            raise InputError(f"occupancy options out of range: {self}")
        if not (self.change_s > 0 and self.per_s > 0 and self.still_mps > 0):
            raise InputError(f"occupancy options out of range: {self}")


@dataclass(kw_only=True, eq=False)
class _Told:
    """What was said of a stall: taken or not, None before anything was; since when and by whom."""

    taken: bool | None = None
    since: float = 0.0
    track: int | None = None
    row: TrackRow | None = None


@dataclass(kw_only=True, eq=False)
class StallStates:
    """The states of all stalls of a plan; ``views`` is None where no camera is known, and then nothing is seen empty.

    probability: (S,) that each is taken, by now
    """

    plan: FloorPlan
    views: StallViews | None
    options: OccupancyOptions = field(default_factory=OccupancyOptions)

    def __post_init__(self) -> None:
        stalls = self.plan.stalls
        self.probability = np.full(len(stalls), self.options.prior)
        self._polygons = np.array([stall.polygon for stall in stalls], dtype=object)
        self._tree = shapely.STRtree(self._polygons)
        self._levels = np.array([stall.level for stall in stalls], dtype=object)
        self._told = [_Told() for _ in stalls]
        self.looks = StallLooks(stalls=tuple(stall.id for stall in stalls))
        self._time: float | None = None

    def look(self, camera: str, time: float, told: Mapping[str, float]) -> None:
        """Take what a camera's picture tells of stalls: the probability of each being taken."""
        self.looks.update(camera, time, told)

    def update(
        self, time: float, rows: Sequence[TrackRow], cameras: frozenset[str] | None = None
    ) -> tuple[list[Event], list[Occupancy]]:
        """Take the tracks of one moment; return what stalls were taken or freed.

        cameras: those that looked since the last moment, None for all
        """
        step = 0.0 if self._time is None else float(np.clip(time - self._time, 0.0, 60.0))
        self._time = time
        vehicles = [row for row in rows if size_prior(row.kind).family == "vehicle"]
        inside = self._inside(vehicles)
        found = self._views_now(vehicles, inside, cameras)
        found[self._left(vehicles, inside)] = SEEN_TO_LEAVE
        self._evolve(step)
        self._weigh(step, inside, found)
        self._believe_looks(time)
        return self._changes(time, vehicles, inside)

    def _inside(self, vehicles: Sequence[TrackRow]) -> Array:
        """Return the probability (V, S) that each vehicle stands in each stall."""
        found = np.zeros((len(vehicles), len(self._polygons)))
        if not vehicles or not len(self._polygons):
            return found
        centres = np.array([row.position[:2] for row in vehicles])
        spread = np.array([_spread(row) for row in vehicles])
        points = centres[:, None] + SPREAD @ np.swapaxes(spread, 1, 2)
        point, stall = self._tree.query(shapely.points(points.reshape(-1, 2)), "intersects")
        vehicle, number = np.divmod(point, len(SPREAD))
        levels = np.array([row.level for row in vehicles], dtype=object)
        same = (levels[vehicle] == self._levels[stall]) | (levels[vehicle] == None)  # noqa: E711
        np.add.at(found, (vehicle[same], stall[same]), SPREAD_WEIGHTS[number[same]])
        speed = np.array([np.hypot(*(row.velocity or (0.0, 0.0, 0.0))[:2]) for row in vehicles])
        return found * np.clip(2 - speed / self.options.still_mps, 0, 1)[:, None]

    def _views_now(self, vehicles: Sequence[TrackRow], inside: Array, cameras: frozenset[str] | None) -> Array:
        """Return the probability (S,) that a vehicle in each stall would be found by some camera that looked."""
        if self.views is None or not self.views.cameras:
            return np.zeros(len(self._polygons))
        best = inside.argmax(axis=1) if inside.size else np.zeros(len(vehicles), dtype=np.int64)
        own = np.where(inside.max(axis=1, initial=0.0) > 0.3, best, -1) if len(vehicles) else best
        boxes = np.array([_box(row) for row in vehicles]).reshape(-1, 7)
        shares = self.views.shares(boxes, own)
        if cameras is not None:
            shares = shares[[camera in cameras for camera in self.views.cameras]]
        if not len(shares):
            return np.zeros(len(self._polygons))
        # Half of a stall in view is enough for a good chance; a seventh of it is none.
        return np.asarray(self.options.found * np.clip((shares.max(axis=0) - 0.15) / 0.45, 0, 1))

    def _evolve(self, step: float) -> None:
        """Let states change, as they do now and then, without being seen."""
        keeps = float(np.exp(-2 * step / self.options.change_s))
        self.probability = self.options.prior + keeps * (self.probability - self.options.prior)

    def _weigh(self, step: float, inside: Array, found: Array) -> None:
        """Move probabilities: up, but not beyond that of a vehicle being inside, or down where none was found."""
        there = 1 - np.prod(1 - np.clip(inside, 0, 0.99), axis=0) if len(inside) else np.zeros(len(found))
        false_in = self.options.false_in
        seen_in = there * np.log(np.maximum(found, 0.5) / false_in)
        seen_out = np.clip(1 - 2 * there, 0, 1) * np.log((1 - found) / (1 - np.minimum(false_in, found)))
        weight = min(step * self.options.per_s, 3.0)
        odds = np.log(self.probability) - np.log1p(-self.probability)
        up = 1 / (1 + np.exp(-odds - weight * seen_in))
        up = np.minimum(up, np.maximum(self.probability, there))
        odds = np.log(up) - np.log1p(-up) + weight * seen_out
        most = self.options.surest
        self.probability = np.clip(1 / (1 + np.exp(-odds)), 1 - most, most)

    def _believe_looks(self, time: float) -> None:
        """Set the probabilities of stalls that pictures were looked at for."""
        seen = self.looks.seen(time)
        most = self.options.surest
        shown = 1 / (1 + np.exp(-self.looks.log_odds(time)))
        self.probability = np.where(seen, np.clip(shown, 1 - most, most), self.probability)

    def _left(self, vehicles: Sequence[TrackRow], inside: Array) -> NDArray[np.int64]:
        """Return the stalls whose own vehicle is somewhere else now: nothing need be seen of the empty stall."""
        where = {row.track: i for i, row in enumerate(vehicles)}
        holders = [(s, where[told.track]) for s, told in enumerate(self._told) if told.taken and told.track in where]
        return np.array([s for s, vehicle in holders if inside[vehicle, s] < 0.1], dtype=np.int64)

    def _changes(self, time: float, vehicles: Sequence[TrackRow], inside: Array) -> tuple[list[Event], list[Occupancy]]:
        events, lines = [], []
        shown, odds = self.looks.seen(time), self.looks.log_odds(time)
        taken = np.where(shown, odds > TAKEN_ODDS, self.probability >= self.options.taken)
        freed = np.where(shown, odds < FREE_ODDS, self.probability <= self.options.freed)
        for i in np.flatnonzero(taken | freed).tolist():
            told, now = self._told[i], bool(taken[i])
            who = int(inside[:, i].argmax()) if len(vehicles) and inside[:, i].max() > 0.3 else None
            row = vehicles[who] if who is not None else None
            if told.taken == now:
                told.row = row or told.row
                told.track = row.track if row is not None else told.track
                continue
            stall, p = self.plan.stalls[i], float(round(self.probability[i], 4))
            track = row.track if now and row is not None else None
            lines.append(Occupancy(time=time, stall=stall.id, p_occupied=p, track=track))
            if told.taken is not None:
                events.append(_event(time, stall.id, stall.level, now, p, row if now else told.row, told))
            self._told[i] = _Told(taken=now, since=time, track=track, row=row)
        return events, lines


def _event(time: float, stall: str, level: str, taken: bool, p: float, row: TrackRow | None, told: _Told) -> Event:
    where = place_of(row, stall=stall, level=level) if row is not None else Where(stall=stall, level=level)
    meta = evidence(row) if row is not None else {}
    if not taken:
        meta["dwell_s"] = round(time - told.since, 3)
    kind = "stall_taken" if taken else "stall_freed"
    track = row.track if row is not None else told.track
    return Event(time=time, kind=kind, track=track, where=where, confidence=p if taken else round(1 - p, 4), meta=meta)  # type: ignore[arg-type]


def _spread(row: TrackRow) -> Array:
    """Return a square root (2, 2) of a position's covariance."""
    if row.position_covariance is None:
        return np.zeros((2, 2))
    covariance = np.array(row.position_covariance)[:2, :2]
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))


def _box(row: TrackRow) -> Array:
    size = row.size or size_prior(row.kind).size
    return np.array([*row.position, row.heading or 0.0, *size])
