"""Tracking while frames come in: late and unordered ones wait for each other, rows come out with a bounded delay.

Identities are settled when a track is confirmed: it continues the track that was lost before it and that explains it
best, by the log-odds of ``perception.linking.links``, or it is new. There are no second thoughts; ``twin.tracking``
has them.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from geometry.box_views import CameraModel
from geometry.errors import InputError, nearest_known
from geometry.floorplan import FloorPlan
from geometry.ground_surface import GroundSurface
from geometry.records import FixedCamera
from geometry.track_records import FrameRecord, Observation, TrackRow
from perception.appearance.pooling import pool
from perception.clocks import ClockEstimate
from perception.detections import Detections
from perception.linking.links import Piece, follow, succession_graph
from perception.tracking.states import STATE, carried, process_noise
from perception.tracking.tracker import GroundTracker, instants
from perception.tracking.tracks import Tracklet
from twin.camera_clocks import ClockWatch
from twin.parked.finding import without_looks
from twin.track_rows import Places, track_rows
from twin.tracking import TrackingOptions, detections_of, least_times

Array = NDArray[np.float64]

MAX_AHEAD_S = 60.0
"""A frame further ahead of all others is a clock gone wrong, and counted as such; after as many of them time is taken
to have jumped."""
JUMP_FRAMES = 20


@dataclass(kw_only=True, eq=False)
class _Known:
    """What is kept of a track for output and for linking: its identity, and the piece that it ended with."""

    identity: int
    piece: Piece | None = None


class LiveTracker:
    """Takes frames one by one and returns rows of tracks.

    ``delay_s`` is how long a frame waits for others that were exposed earlier; one that comes later is dropped and
    counted in ``dropped``. Rows are filtered, not smoothed. Memory does not grow with time. With ``clock_sigma_s``
    above 0 clocks are estimated again and again, by a tracker for each camera, which doubles the work.
    """

    def __init__(
        self,
        cameras: Sequence[FixedCamera],
        *,
        plan: FloorPlan | None = None,
        options: TrackingOptions | None = None,
        delay_s: float = 0.5,
    ) -> None:
        """Prepare; raises ``InputError`` for a delay that is negative or not finite."""
        if not 0 <= delay_s < 3600:
            raise InputError(f"a delay of {delay_s} s is impossible")
        self.options, self.delay_s, self._places = options or TrackingOptions(), delay_s, Places(plan)
        self.cameras = {camera.id: camera for camera in cameras}
        self.ground = GroundSurface.flat() if plan is None else GroundSurface.of(plan)
        models = [CameraModel.of(camera) for camera in cameras]
        self.tracker = GroundTracker(models, self.ground, self.options.tracker, for_relinking=False)
        self._least_times = least_times(plan)
        watched = self.options.clock_sigma_s > 0 and len(models) > 1
        self._watch = (
            ClockWatch(models, self.ground, self.options.tracker, self.options.clock_sigma_s) if watched else None
        )
        self._waiting: list[tuple[float, int, Detections, Detections]] = []
        self._order, self._identities = count(), count(1)
        self._newest = self._done = -np.inf
        self._ahead: list[tuple[Detections, Detections]] = []
        self._known: dict[int, _Known] = {}
        self._lost: list[_Known] = []
        self._next_tick: int | None = None
        self.late = {"late frames": 0, "frames ahead of time": 0}

    @property
    def dropped(self) -> dict[str, int]:
        """Return what was dropped so far, by reason."""
        return self.late | self.tracker.dropped

    @property
    def time(self) -> float:
        """Return how far it has tracked, epoch seconds; -inf before the first frame."""
        return self.tracker.time

    @property
    def clocks(self) -> ClockEstimate | None:
        """Return what is known of the cameras' clocks by now; None before the first estimate, and where not asked."""
        return self._watch.estimate if self._watch is not None else None

    def utc(self, frame: FrameRecord) -> float:
        """Return when a frame was exposed, by the common clock as it is known by now: ``push`` may bring more to light.

        Raises ``InputError`` for an unknown camera.
        """
        if frame.camera not in self.cameras:
            remedy = nearest_known(frame.camera, self.cameras)
            raise InputError(f"there is no camera '{frame.camera}'", where=f"frame at {frame.time}", remedy=remedy)
        known = self.cameras[frame.camera].utc(frame.time)
        return known if self.clocks is None else self.clocks.utc(frame.camera, known)

    def push(self, frame: FrameRecord) -> list[TrackRow]:
        """Take a frame and return the rows that are due. Raises ``InputError`` for an unknown camera, and goes on."""
        time = self.utc(frame)
        # Who is parked is told by boxes here: looks at stalls only count for occupancy.
        shown = detections_of(without_looks(frame), self.cameras[frame.camera])
        found = replace(shown, time=time)
        if found.time <= self._done:
            self.late["late frames"] += 1
            return []
        if np.isfinite(self._newest) and found.time > self._newest + MAX_AHEAD_S:
            self._ahead.append((found, shown))
            self.late["frames ahead of time"] += 1
            if len(self._ahead) < JUMP_FRAMES:
                return []
            found, shown = min(self._ahead, key=lambda each: each[0].time)
        self._ahead.clear()
        heapq.heappush(self._waiting, (found.time, next(self._order), found, shown))
        self._newest = max(self._newest, found.time)
        return self._advance(self._newest - self.delay_s)

    def finish(self) -> list[TrackRow]:
        """Take in all frames that still wait and return their rows."""
        return self._advance(np.inf)

    def _advance(self, until: float) -> list[TrackRow]:
        due = []
        while self._waiting and self._waiting[0][0] <= until:
            _, _, found, shown = heapq.heappop(self._waiting)
            due.append(found)
            if self._watch is not None:
                self._watch.take(shown)
        rows: list[TrackRow] = []
        for group in instants(due, self.options.tracker.same_instant_s):
            rows += self._rows_before(group[0].time)
            self.tracker.update(group)
            self._done = self.tracker.time
            self._forget()
        return rows

    def _rows_before(self, time: float) -> list[TrackRow]:
        """Return rows at the ticks up to ``time``, as predicted from the last frames before it."""
        rate = self.options.rows_per_s
        if self._next_tick is None or time - self._next_tick / rate > MAX_AHEAD_S:
            self._next_tick = int(np.ceil(time * rate))
        rows: list[TrackRow] = []
        while self._next_tick / rate < time:
            rows += self._rows_at(self._next_tick / rate)
            self._next_tick += 1
        return rows

    def _rows_at(self, time: float) -> list[TrackRow]:
        table = self.tracker.table
        fresh = table.confirmed & (self.tracker.time - table.last_seen <= self.options.fill_gap_s)
        index = np.flatnonzero(fresh)
        if len(index) == 0:
            return []
        self._identify([self.tracker.tracklets[int(id)] for id in table.ids[index]])
        step = np.full(len(index), time - self.tracker.time)
        tracker = self.options.tracker
        usual = np.where(table.is_round[index], tracker.person.acceleration, tracker.vehicle.acceleration)
        mean, covariance = carried(table.mean[index], table.covariance[index], step)
        covariance += process_noise(np.abs(step), usual, np.zeros(len(index)), np.zeros(len(index)))
        late = self._time_variance(table.seen_by[index] > self.tracker.time - self.options.fill_gap_s)
        covariance[:, :2, :2] += late[:, None, None] * mean[:, 2:4, None] * mean[:, None, 2:4]
        sure = np.linalg.eigvalsh(covariance[:, :2, :2])[:, 1] <= self.options.max_sigma_m**2
        index, mean, covariance = index[sure], mean[sure], covariance[sure]
        level = table.level[index]
        z, slope = self.ground.height(level, mean[:, :2])
        positions = np.column_stack([mean[:, :2], z])
        tracklets = [self.tracker.tracklets[int(id)] for id in table.ids[index]]
        named = zip(self._places.names(positions), level.tolist(), strict=True)
        return track_rows(
            [time] * len(index),
            [self._known[tracklet.id].identity for tracklet in tracklets],
            [tracklet.kind for tracklet in tracklets],
            [name or (self.ground.levels[k] or None, None, None) for name, k in named],
            positions,
            slope,
            mean,
            covariance,
            [_seen_since(tracklet, time - 1 / self.options.rows_per_s) for tracklet in tracklets],
        )

    def _time_variance(self, seen: NDArray[np.bool_]) -> Array:
        """Return the variance (T,) of the time of tracks, by the clocks of the cameras (T, C) that saw them lately."""
        if self._watch is None:
            return np.zeros(len(seen))
        before = np.full(len(self.cameras), self.options.clock_sigma_s)
        sigma = np.array([self.clocks.sigma_s(id) for id in self.cameras]) if self.clocks else before
        return np.asarray((seen * sigma**2).sum(axis=1) / np.maximum(seen.sum(axis=1), 1))

    def _identify(self, tracklets: Sequence[Tracklet]) -> None:
        """Give identities to tracks that have none: of those lost before, the ones that fit best, or new ones."""
        new = [tracklet for tracklet in tracklets if tracklet.id not in self._known]
        if not new:
            return
        lost = [each.piece for each in self._lost if each.piece is not None]
        pieces = [*lost, *(_piece(tracklet, self.ground) for tracklet in new)]
        following = follow(
            succession_graph(pieces, self._least_times, self.options.linking.link), self.options.linking.link
        )
        came = {int(j): i for i, j in enumerate(following.tolist()) if j >= 0}
        continued = set()
        for number, tracklet in enumerate(new, start=len(lost)):
            before = came.get(number, len(lost))
            is_known = before < len(lost)
            identity = self._lost[before].identity if is_known else next(self._identities)
            self._known[tracklet.id] = _Known(identity=identity)
            if is_known:
                continued.add(before)
        self._lost = [each for i, each in enumerate(self._lost) if i not in continued]

    def _forget(self) -> None:
        """Keep the ends of tracks that were lost as long as something may continue them, and no more of the others."""
        for tracklet in self.tracker.finished():
            known = self._known.pop(tracklet.id, None)
            if known is not None:
                known.piece = _piece(tracklet, self.ground)
                self._lost.append(known)
        horizon = self.tracker.time - self.options.linking.link.max_gap_s
        self._lost = [each for each in self._lost if each.piece is not None and each.piece.times[-1] >= horizon]
        for tracklet in self.tracker.tracklets.values():
            if len(tracklet.times) > 40:
                tracklet.keep_since(self.tracker.time - 2.0)


def _seen_since(tracklet: Tracklet, time: float) -> list[Observation]:
    """Return a track's boxes since a time."""
    recent = []
    for each in reversed(tracklet.seen):
        if each.time <= time:
            break
        recent.append(Observation(camera=each.camera, time=each.shown, bbox=each.box))
    return recent[::-1]


def _piece(tracklet: Tracklet, ground: GroundSurface) -> Piece:
    """Return a tracklet as a piece to link, of what is still known of it."""
    mean, covariance = np.array(tracklet.means).reshape(-1, STATE), np.array(tracklet.covariances)
    z, _ = ground.height(np.array(tracklet.levels), mean[:, :2])
    described = [(each.embedding, each.box, each.camera) for each in tracklet.seen if each.embedding is not None]
    return Piece(
        family=tracklet.family,
        kind=tracklet.kind,
        times=np.array(tracklet.times),
        positions=np.column_stack([mean[:, :2], z]),
        covariances=covariance[:, :2, :2],
        size=mean[-1, 5:],
        size_covariance=covariance[-1, 5:, 5:],
        frames=frozenset((each.camera, each.shown) for each in tracklet.seen),
        embedding=pool(*zip(*described, strict=True)) if described else None,
    )
