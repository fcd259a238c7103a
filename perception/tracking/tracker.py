"""A tracker on the ground: boxes of one or many calibrated cameras in, one tracklet an object out.

Frames come in the order of time; those of one instant are taken together. Confirmed tracks choose their boxes first,
then low-score boxes continue them, then tracks that are not confirmed choose, and what is left founds new tracks. Each
choice is the assignment with the largest sum of log-odds of "this object" against "a false box" (Hungarian method).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from geometry.box_views import CameraModel
from geometry.errors import InputError, nearest_known
from geometry.ground_surface import GroundSurface
from geometry.lifting import lift_boxes
from geometry.solids import outlines_of, size_prior
from perception.detections import Detections, usable
from perception.tracking.instant import Instant, View
from perception.tracking.options import TrackerOptions
from perception.tracking.parking import doubles, parked
from perception.tracking.states import (
    BIRTH_SIGMA_M,
    HEADING_SIGMA,
    STATE,
    carried,
    pointing_ahead,
    process_noise,
    roll_without_slipping,
)
from perception.tracking.tracks import Seen, Tracklet, TrackTable

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

MAX_BOXES = 2000
"""Of a frame with more boxes, the surest ones are taken and the others counted as dropped."""
ROLLING_HITS = 4
"""Before so many boxes the heading of a vehicle may be wrong by much, and its velocity is the better guide to it."""
MAX_ODDS = 15.0
SOONEST_S = 1e-3
"""After a camera's last frame: no camera is quicker."""
FRAMES_LATE = 2.5
"""A track is not asked for after so many frame intervals more than it may be unseen: the cameras were silent."""
MOVED_M, MOVED_SIGMAS = 2.0, 3.0
"""From where it began: what is this far away, and this surely, has moved."""
FOUNDING_ODDS = 2.0
"""Log-odds against a box that no track explains showing an object: new objects are rarer than false boxes."""


class GroundTracker:
    """Follows objects on the ground through the boxes of calibrated cameras.

    ``update`` takes the frames of one instant, and ``finished`` the tracklets that have ended since it was last asked.
    Tracks of a family only take boxes of that family. Ids are unique for an instance; ``reset`` starts anew.
    """

    def __init__(
        self,
        cameras: Iterable[CameraModel],
        ground: GroundSurface,
        options: TrackerOptions | None = None,
        *,
        for_relinking: bool = True,
    ) -> None:
        """Prepare; raises ``InputError`` for a camera on a level that the ground does not have.

        ``for_relinking`` keeps with each state what its boxes tell by themselves, which costs a third of the time.
        """
        self.cameras = {camera.id: camera for camera in cameras}
        self.ground, self.for_relinking = ground, for_relinking
        self.options = options or TrackerOptions()
        self.camera_level = {}
        for camera in self.cameras.values():
            if len(ground.levels) > 1 and camera.level not in ground.levels:
                raise InputError(
                    f"there is no level '{camera.level}'",
                    where=f"camera '{camera.id}'",
                    remedy=nearest_known(camera.level, ground.levels),
                )
            self.camera_level[camera.id] = ground.levels.index(camera.level) if len(ground.levels) > 1 else 0
        self.reset()

    def reset(self) -> None:
        """Forget everything; ids start anew."""
        self.time = -np.inf
        self.table = TrackTable(seen_by=np.zeros((0, len(self.cameras))))
        self._column = {id: column for column, id in enumerate(self.cameras)}
        self.tracklets: dict[int, Tracklet] = {}
        self.dropped = {"unusable": 0, "too many": 0}
        self._ended: list[Tracklet] = []
        self._ids = count(1)
        self._last_frame: dict[str, float] = {}
        self.lookers: set[str] = set()
        self._interval = 0.2

    def update(self, frames: Sequence[Detections]) -> None:
        """Take the frames of one instant, at most one of a camera; they may be empty.

        Raises ``InputError``, and changes nothing, for an unknown camera, for time that runs backwards and for a camera
        that comes twice. Boxes that are not finite, have no area or lie outside the picture are dropped and counted.
        """
        if not frames:
            return
        self._check(frames)
        now = float(np.mean([frame.time for frame in frames]))
        self._drop(now - self.table.last_seen > self.options.lost_after_s + FRAMES_LATE * self._interval)
        self.lookers |= {frame.camera for frame in frames if frame.stalls is not None}
        old, before = len(self.table), self.time
        self._predict(max(now, self.time) if np.isfinite(self.time) else now)
        views = [self._view(frame) for frame in frames]
        instant = Instant(self.table, self.ground, self.options, views)
        instant.choose()
        self._found(instant)
        instant.reconsider()
        self._found_again(instant, instant.identify(self.time - before, old))
        self._commit(instant)
        self._end_tracks(frames)

    def finished(self) -> list[Tracklet]:
        """Return the confirmed tracklets that have ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def end(self) -> list[Tracklet]:
        """End all tracks and return the confirmed tracklets that ended since the last call."""
        self._drop(np.ones(len(self.table), dtype=np.bool_))
        return self.finished()

    def _check(self, frames: Sequence[Detections]) -> None:
        ids = [frame.camera for frame in frames]
        for frame in frames:
            if frame.camera not in self.cameras:
                remedy = nearest_known(frame.camera, self.cameras)
                raise InputError(f"there is no camera '{frame.camera}'", remedy=remedy)
            if frame.time < self.time - self.options.same_instant_s:
                what = f"time runs backwards, from {self.time} to {frame.time}"
                raise InputError(what, where=f"camera '{frame.camera}'", remedy="Sort frames by time.")
        if len(set(ids)) < len(ids):
            raise InputError("a camera has two frames at one instant", where=f"camera '{ids[0]}'")

    def _predict(self, now: float) -> None:
        dt = now - self.time if np.isfinite(self.time) else 0.0
        self.time = now
        table, options = self.table, self.options
        if dt <= 0 or len(table) == 0:
            return
        walks = table.is_round
        step = np.full(len(table), dt)
        acceleration = np.where(walks, options.person.acceleration, options.vehicle.acceleration)
        turn = np.where(walks, options.person.turn, options.vehicle.turn)
        speed = np.hypot(table.mean[:, 2], table.mean[:, 3])
        table.mean, table.covariance = carried(table.mean, table.covariance, step)
        table.covariance += process_noise(step, acceleration, turn, speed)
        table.level = self.ground.levels_at(table.level, table.mean[:, :2])

    def _view(self, frame: Detections) -> View:
        camera, options = self.cameras[frame.camera], self.options
        sound = usable(frame, camera.size)
        self.dropped["unusable"] += int((~sound).sum())
        index = np.flatnonzero(sound & (frame.scores >= options.low_score))
        if len(index) > MAX_BOXES:
            self.dropped["too many"] += len(index) - MAX_BOXES
            index = np.sort(index[np.argsort(-frame.scores[index], kind="stable")[:MAX_BOXES]])
        found = frame if len(index) == len(frame) else frame.take(index)
        since_s = max(frame.time - self._last_frame.get(frame.camera, -np.inf), SOONEST_S)
        return View(camera, self.camera_level[camera.id], found, index, options, since_s)

    def _found(self, instant: Instant) -> None:
        """Found tracks on boxes that are left, each view's after the new tracks of views before have taken theirs."""
        first_new = len(self.table)
        for number, view in enumerate(instant.views):
            if first_new < len(self.table):
                instant.join(number, first_new)
            free = np.flatnonzero(view.strong & instant.free(number))
            if len(free) == 0:
                continue
            kinds = [view.found.kinds[i] for i in free.tolist()]
            lifted = lift_boxes(view.planes.take(free), kinds, self.ground, view.level)
            placed = np.flatnonzero(lifted.placed)
            if len(placed):
                position, heading = lifted.position[placed, :2], lifted.heading[placed]
                level = np.full(len(placed), view.level)
                unsure = np.maximum(lifted.heading_sigma[placed], HEADING_SIGMA)
                self._append(position, heading, unsure, [kinds[i] for i in placed.tolist()], level)
                instant.extend(number, free[placed])

    def _found_again(self, instant: Instant, objects: Indices) -> None:
        """Found tracks for objects that a track had and that turned out to be none."""
        if len(objects) == 0:
            return
        kinds = []
        for column in instant.homeless.T.tolist():
            number = next(i for i, box in enumerate(column) if box >= 0)
            kinds.append(instant.views[number].found.kinds[column[number]])
        mean = instant.mean[objects]
        unsure = np.full(len(objects), HEADING_SIGMA)
        self._append(mean[:, :2], mean[:, 4], unsure, kinds, self.table.level[objects])
        instant.house(objects)

    def _commit(self, instant: Instant) -> None:
        """Update tracks with the boxes they were given, and forget new ones that were left without."""
        table, options = self.table, self.options
        mean, covariance, odds = instant.posterior()
        seen = (instant.given >= 0).any(axis=0)
        rolls = seen & ~table.is_round & (table.hits >= ROLLING_HITS)
        if rolls.any():
            mean[rolls] = pointing_ahead(mean[rolls], covariance[rolls])
            mean[rolls], covariance[rolls] = roll_without_slipping(mean[rolls], covariance[rolls])
        stall = np.full(len(table), -1)
        stands = np.flatnonzero(seen & ~table.is_round)
        mean[stands], covariance[stands], stall[stands] = parked(
            mean[stands], covariance[stands], table.level[stands], self.ground.places
        )
        table.mean, table.covariance = mean, covariance
        table.level = table.level.copy()
        table.level[seen] = self.ground.levels_at(table.level[seen], mean[seen, :2])
        began = table.hits == 0
        table.origin[began], table.origin_spread[began] = mean[began, :2], covariance[began, :2, :2]
        gained = np.where(table.hits == 0, odds - FOUNDING_ODDS, odds)
        table.score = np.minimum(table.score + np.where(seen, gained, self._missed(instant)), MAX_ODDS)
        table.hits = table.hits + (instant.given >= 0).sum(axis=0)
        table.last_seen = np.where(seen, self.time, table.last_seen)
        sure = (table.score >= options.confirm_odds) & (table.hits >= options.confirm_hits)
        if self.lookers:  # what only they see, is no person and stands there from the first is parked, or nothing
            others = [column for camera, column in self._column.items() if camera not in self.lookers]
            also_seen = np.isfinite(table.seen_by[:, others]).any(axis=1)
            sure &= table.is_round | also_seen | self._has_moved(mean, covariance)
        table.confirmed |= sure
        for number, view in enumerate(instant.views):
            here = instant.given[number] >= 0
            table.seen_by[here, self._column[view.camera.id]] = self.time
            for row in np.flatnonzero(instant.given[number] >= 0).tolist():
                tracklet = self.tracklets[int(table.ids[row])]
                self._note_box(tracklet, view, int(instant.given[number, row]), float(instant.odds[number, row]))
        instant.mean, instant.covariance = mean, covariance
        self._note_states(instant)
        self._drop((table.hits == 0) | doubles(stall, table.score + 1e-3 * table.hits))

    def _has_moved(self, mean: Array, covariance: Array) -> Mask:
        """Tell which tracks (T,) are surely elsewhere than where they began."""
        offset = mean[:, :2] - self.table.origin
        spread = covariance[:, :2, :2] + self.table.origin_spread
        far = np.einsum("ni,ni->n", offset, np.linalg.solve(spread, offset[..., None])[..., 0]) > MOVED_SIGMAS**2
        return np.asarray(far & (np.linalg.norm(offset, axis=1) > MOVED_M))

    def _missed(self, instant: Instant) -> Array:
        """Return what not being seen tells against tracks (T,): by cameras that saw them a moment ago.

        Two frames a camera count, as what hides an object does so for longer.
        """
        columns = [self._column[view.camera.id] for view in instant.views]
        recent = self.time - self.table.seen_by[:, columns].T < self.options.tentative_frames * self._interval
        missing = recent & (instant.given < 0)
        return np.asarray(missing.sum(axis=0) * np.log(1 - self.options.detected))

    def _note_box(self, tracklet: Tracklet, view: View, i: int, odds: float) -> None:
        x1, y1, x2, y2 = view.found.boxes[i].tolist()
        kind, score = view.found.kinds[i], float(view.found.scores[i])
        seen = Seen(
            camera=view.camera.id,
            time=self.time,
            shown=view.found.shown if view.found.shown is not None else view.found.time,
            index=int(view.index[i]),
            box=(x1, y1, x2, y2),
            kind=kind,
            score=score,
            log_odds=odds,
            planes=view.planes,
            row=i,
            embedding=_embedding(view.found, i),
        )
        tracklet.seen.append(seen)
        tracklet.kinds[kind] = tracklet.kinds.get(kind, 0.0) + score

    def _append(self, position: Array, heading: Array, unsure: Array, kinds: Sequence[str], level: Indices) -> None:
        priors = [size_prior(kind) for kind in kinds]
        outline, is_round = outlines_of(tuple(kinds))
        motion = [self.options.person if prior.family == "person" else self.options.vehicle for prior in priors]
        mean = np.zeros((len(kinds), STATE))
        mean[:, :2], mean[:, 4] = position, heading
        mean[:, 5:] = [prior.size for prior in priors]
        sigma = np.zeros((len(kinds), STATE))
        sigma[:, :2], sigma[:, 2:4] = BIRTH_SIGMA_M, np.array([[each.speed] for each in motion])
        sigma[:, 4] = np.where(is_round, 1e-3, unsure)
        sigma[:, 5:] = [prior.sigma for prior in priors]
        n = len(kinds)
        ids = np.array([next(self._ids) for _ in range(n)], dtype=np.int64)
        for id, prior in zip(ids.tolist(), priors, strict=True):
            self.tracklets[id] = Tracklet(id=id, family=prior.family)
        self.table.append(
            ids=ids,
            mean=mean,
            covariance=sigma[:, :, None] * sigma[:, None] * np.eye(STATE),
            level=self.ground.levels_at(level, mean[:, :2]),
            outline=outline,
            is_round=is_round,
            score=np.zeros(n),
            hits=np.zeros(n, dtype=np.int64),
            origin=mean[:, :2].copy(),
            origin_spread=np.tile(np.eye(2) * BIRTH_SIGMA_M**2, (n, 1, 1)),
            last_seen=np.full(n, self.time),
            confirmed=np.zeros(n, dtype=np.bool_),
            seen_by=np.full((n, len(self.cameras)), -np.inf),
        )

    def _note_states(self, instant: Instant) -> None:
        table = self.table
        rows = np.flatnonzero(table.last_seen == self.time)
        if self.for_relinking:
            points, spreads = instant.by_boxes_alone(rows)
        else:
            points, spreads = table.mean[rows, :2].copy(), table.covariance[rows, :2, :2].copy()
        for number, row in enumerate(rows.tolist()):
            tracklet = self.tracklets[int(table.ids[row])]
            tracklet.times.append(self.time)
            tracklet.means.append(table.mean[row].copy())
            tracklet.covariances.append(table.covariance[row].copy())
            tracklet.levels.append(int(table.level[row]))
            tracklet.points.append(points[number])
            tracklet.spreads.append(spreads[number])
            tracklet.score, tracklet.confirmed = float(table.score[row]), bool(table.confirmed[row])

    def _end_tracks(self, frames: Sequence[Detections]) -> None:
        for frame in frames:
            before = self._last_frame.get(frame.camera, -np.inf)
            if 0 < frame.time - before < 10:
                self._interval += 0.05 * (frame.time - before - self._interval)
            self._last_frame[frame.camera] = frame.time
        unseen = self.time - self.table.last_seen
        tentative = max(self.options.tentative_frames * self._interval, self.options.tentative_s)
        patience = np.where(self.table.confirmed, self.options.lost_after_s, tentative)
        self._drop(unseen > patience)

    def _drop(self, mask: Mask) -> None:
        if not mask.any():
            return
        for id in self.table.ids[mask].tolist():
            tracklet = self.tracklets.pop(id)
            if tracklet.confirmed:
                self._ended.append(tracklet)
        self.table.keep(~mask)


def _embedding(found: Detections, i: int) -> NDArray[np.float32] | None:
    if found.embeddings is None or not np.isfinite(found.embeddings[i]).all():
        return None
    return found.embeddings[i]


def instants(frames: Iterable[Detections], same_instant_s: float) -> Iterator[list[Detections]]:
    """Group frames, which come in the order of time, into instants of one frame a camera."""
    group: list[Detections] = []
    for frame in frames:
        if group and (
            frame.time - group[0].time > same_instant_s or frame.camera in {member.camera for member in group}
        ):
            yield group
            group = []
        group.append(frame)
    if group:
        yield group
