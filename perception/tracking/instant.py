"""Which boxes of one instant belong to which tracks, decided for all cameras together."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from geometry.box_views import ROWS, SIDES, UNKNOWN_PX, BoxPlanes, CameraModel, box_planes
from geometry.ground_surface import GroundSurface
from geometry.lifting import OCCLUDED_PX_SHARE, hidden_sides
from geometry.solids import size_prior
from perception.detections import Detections
from perception.tracking.options import TrackerOptions
from perception.tracking.states import (
    BIRTH_SIGMA_M,
    SUDDEN_SHARE,
    Innovation,
    innovation,
    log_clutter,
    log_standing,
    update,
)
from perception.tracking.tracks import TrackTable

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

GATE_SIGMAS = 4.0
LEVEL_GAP_M = 0.8
"""A camera sees a track on another level only where its own floor is no further from it, as at a ramp."""
MAX_ROUNDS = 4
LEAST_PX = 0.3
"""No side is surer: a box's sides are between pixels, and detections.jsonl rounds them."""
STILL_SHARE, MOVES_SHARE = 0.08, 0.3
"""Of a box's pixels: where fewer changed since a moment ago, nothing in it moves; where more did, what it shows does.

Measured on a rendered garage at 5 frames a second: of vehicles at 0.5 to 1.5 m/s one in a hundred changes less than
0.15, of standing ones one in ten more than 0.18, before which somebody passes."""


class View:
    """A frame on its way through the tracker: its boxes as planes, and which of the detector's they are (index)."""

    def __init__(
        self,
        camera: CameraModel,
        level: int,
        found: Detections,
        index: Indices,
        options: TrackerOptions,
        since_s: float = np.inf,
    ) -> None:
        """Prepare; ``since_s`` is how long the camera's last frame was before this one."""
        self.camera, self.level, self.found, self.index = camera, level, found, index
        boxes, sigma = _ends(found, camera, options, since_s)
        self.planes: BoxPlanes = box_planes(camera, boxes, found.feet, sigma)
        self.clutter = log_clutter(self.planes, boxes, found.feet, camera.size)
        self.is_person = np.array([size_prior(kind).family == "person" for kind in found.kinds], dtype=np.bool_)
        self.still = stands(found)
        # What stands is told by looks at stalls, where there are any; a track begins with what surely moves.
        self.strong = (found.scores >= options.high_score) & (self.is_person | moves(found))
        self.prior = _prior(found.scores, options)
        half = 0.5 * np.hypot(*(boxes[:, 2:] - boxes[:, :2]).T)
        self.radius = half * self.planes.rad_per_px[:, :SIDES].max(axis=1, initial=0.0)


def moves(found: Detections) -> Mask:
    """Tell in which boxes (N,) what they show moves, where a camera looks at stalls; all of other cameras."""
    if found.changed is None or found.stalls is None:
        return np.ones(len(found), dtype=np.bool_)
    return np.asarray(np.nan_to_num(found.changed, nan=0.0) >= MOVES_SHARE)


def stands(found: Detections) -> Mask:
    """Tell in which boxes (N,) of vehicles nothing moves, where a camera looks at stalls; none of other cameras.

    Of the first pictures, with nothing to compare them with, all.
    """
    if found.changed is None or found.stalls is None:
        return np.zeros(len(found), dtype=np.bool_)
    is_vehicle = np.array([size_prior(kind).family != "person" for kind in found.kinds], dtype=np.bool_)
    return np.asarray((np.nan_to_num(found.changed, nan=0.0) < STILL_SHARE) & is_vehicle)


def _prior(scores: Array, options: TrackerOptions) -> Array:
    """Return the log-odds (N,) that a box is of one given object that is in view, not a false one, by its score.

    By Bayes' rule they are those of being right, shared among the objects in view.
    """
    if options.score_slope == 0:
        return np.full(len(scores), np.log(options.detected / options.false_rate))
    share = np.clip(scores, 1e-3, 1 - 1e-3)
    right = options.score_slope * (np.log(share / (1 - share)) - options.score_middle)
    return np.asarray(right - np.log(options.objects))


def _ends(found: Detections, camera: CameraModel, options: TrackerOptions, since_s: float) -> tuple[Array, Array]:
    """Return where objects end (N, 4) px, and the standard deviations (N, ROWS) of these sides and of feet.

    They are those of whole objects where the detector tells these, else of what is seen.
    Errors that outlast a frame are taken as independent ones so much larger that the mean of many frames is as unsure.
    """
    boxes, sigma = found.boxes, _usual_sigma(found, options)
    if found.whole is not None:
        told = (found.whole.told & _is_seen(found.whole.boxes, camera.size))[:, None]
        boxes = np.where(told, found.whole.boxes, boxes)
        sigma = np.where(told, np.hypot(LEAST_PX, found.whole.sigma), sigma)
    widened = sigma * np.sqrt(1 + 2 * options.persist_s / since_s)
    return boxes, np.minimum(widened, UNKNOWN_PX)


def _is_seen(boxes: Array, size: Array) -> Mask:
    """Tell which boxes (N, 4) have an area in a picture of (width, height)."""
    with np.errstate(invalid="ignore"):
        shown = np.minimum(boxes[:, 2:], size) - np.maximum(boxes[:, :2], 0.0)
        return np.asarray((shown >= 1.0).all(axis=1))


def _usual_sigma(found: Detections, options: TrackerOptions) -> Array:
    """Return the standard deviations (N, ROWS) of sides and feet by what is known of the detector."""
    sides = np.tile(found.boxes[:, 2:] - found.boxes[:, :2], (1, 3))
    share = np.where(np.arange(ROWS) < SIDES, options.box_share, options.foot_share)
    floor = np.where(np.arange(ROWS) < SIDES, options.box_px, options.foot_px)
    sigma = np.hypot(floor, share * sides)
    if options.visible_boxes:
        hidden = OCCLUDED_PX_SHARE * hidden_sides(found.boxes) * sides[:, :SIDES]
        sigma[:, :SIDES] = np.hypot(sigma[:, :SIDES], hidden)
    return np.asarray(sigma)


class _Pairs(NamedTuple):
    """Tracks and boxes (N,) of a view that may belong together; weighed beforehand if nothing else changes them."""

    track: Indices
    box: Indices
    weighed: tuple[Innovation, Array] | None = None


class Instant:
    """The choice of one instant, while it is being made.

    mean, covariance: of tracks, as far as the choice goes; the table keeps what was predicted
    given: (V, T) the box of each view that a track has, -1 for none; odds: (V, T) log-odds of it, from ``posterior``
    """

    def __init__(
        self, table: TrackTable, ground: GroundSurface, options: TrackerOptions, views: Sequence[View]
    ) -> None:
        self.table, self.ground, self.options, self.views = table, ground, options, views
        self.given = np.full((len(views), len(table)), -1)
        self.odds = np.zeros((len(views), len(table)))
        self.mean, self.covariance = table.mean.copy(), table.covariance.copy()
        self.standing = -np.logaddexp(0.0, -table.score) - options.new_odds
        self._met: dict[int, _Pairs] = {}

    def free(self, number: int) -> Mask:
        """Tell which boxes (N,) of a view no track has."""
        taken = self.given[number]
        free = np.ones(len(self.views[number].found), dtype=np.bool_)
        free[taken[taken >= 0]] = False
        return free

    def choose(self) -> None:
        """Let tracks choose: confirmed ones before others, strong boxes before weak ones, view after view."""
        confirmed, everybody = self.table.confirmed, np.arange(len(self.table))
        for number, view in enumerate(self.views):
            track, box = self._pairs(number, everybody, np.arange(len(view.found)))
            self._met[number] = _Pairs(track, box, self._weighed(number, track, box) if len(self.views) == 1 else None)
        for tracks, strong in ((confirmed, True), (confirmed, False), (~confirmed, True)):
            for number, view in enumerate(self.views):
                met = self._met[number]
                self._assign(number, met, tracks[met.track] & (view.strong[met.box] == strong))

    def extend(self, number: int, boxes: Indices) -> None:
        """Take in tracks that were just added to the table, each with the box (N,) of a view that founded it."""
        first, n = self.given.shape[1], len(boxes)
        self.given = np.pad(self.given, ((0, 0), (0, n)), constant_values=-1)
        self.odds = np.pad(self.odds, ((0, 0), (0, n)))
        self.mean = np.concatenate([self.mean, self.table.mean[first:]])
        self.covariance = np.concatenate([self.covariance, self.table.covariance[first:]])
        self.standing = np.pad(self.standing, (0, n), constant_values=-self.options.new_odds)
        track = np.arange(first, first + n)
        seen, self.odds[number, track] = self._weighed(number, track, boxes)
        self._give(number, track, boxes, seen)

    def join(self, number: int, first: int) -> None:
        """Give free strong boxes of a view to the tracks from ``first`` on that have none there, and update these."""
        view = self.views[number]
        boxes = np.flatnonzero(view.strong & self.free(number))
        track, box = self._pairs(number, np.arange(first, len(self.table)), boxes)
        self._assign(number, _Pairs(track, box), np.ones(len(track), dtype=np.bool_))

    def _assign(self, number: int, met: "_Pairs", mask: Mask) -> None:
        """Choose among pairs of a mask of which neither has another in this view, and update the tracks."""
        index = np.flatnonzero(mask & (self.given[number, met.track] < 0) & self.free(number)[met.box])
        if len(index) == 0:
            return
        track, box = met.track[index], met.box[index]
        seen, odds = self._weighed(number, track, box) if met.weighed is None else met.weighed
        own = index if met.weighed is not None else np.arange(len(index))
        chosen = best_assignment(track, box, odds[own] + self.standing[track])
        if len(chosen):
            self.odds[number, track[chosen]] = odds[own[chosen]]
            self._give(number, track[chosen], box[chosen], Innovation(*(part[own[chosen]] for part in seen)))

    def _weighed(self, number: int, track: Indices, box: Indices) -> tuple[Innovation, Array]:
        """Return how pairs compare as things stand, and their log-odds."""
        seen = self._compare(number, track, box, self.mean, self.covariance)
        return seen, self._log_odds(number, seen, box)

    def reconsider(self) -> None:
        """Let each view choose again, knowing what the other views gave to the tracks, until nothing changes.

        Coordinate ascent on the likelihood of all boxes: no view's first choice stays because it came first.
        """
        for _ in range(MAX_ROUNDS if len(self.views) > 1 else 0):
            changed = [self._choose_again(number) for number in range(len(self.views))]
            if not any(changed):
                return

    def identify(self, dt: float, old: int) -> Indices:
        """Settle which track each object is, now that boxes are grouped; return objects (columns) that are none.

        Box by box a track that jumps loses to one nearby. Objects are surer than boxes: their own positions, from boxes
        alone, are compared with where the ``old`` first tracks may be after ``dt`` seconds, most of which go on as they
        went while a few start, stop or turn at once. The choice maximizes the sum of log-odds against new objects.
        """
        objects = np.flatnonzero((self.given >= 0).any(axis=0))
        if len(self.views) < 2 or len(objects) == 0 or old == 0:
            return objects[:0]
        position, spread = self.by_boxes_alone(objects)
        offset = position[:, None] - self.table.mean[None, :old, :2]
        calm = self.table.covariance[None, :old, :2, :2] + spread[:, None]
        walks = self.table.is_round[:old]
        usual = np.where(walks, self.options.person.acceleration, self.options.vehicle.acceleration)
        sudden = np.where(walks, self.options.person.sudden, self.options.vehicle.sudden)
        jump = np.maximum(sudden**2 - usual**2, 0.0) * dt**3 / 3
        log_calm = np.log1p(-SUDDEN_SHARE) + _log_normal(offset, calm)
        log_sudden = np.log(SUDDEN_SHARE) + _log_normal(offset, calm + jump[:, None, None] * np.eye(2))
        gain = np.logaddexp(log_calm, log_sudden) - np.logaddexp(0.0, -self.table.score[:old])
        gain -= np.log(self.options.new_per_m2)
        gain[self.table.is_round[objects][:, None] != walks] = -np.inf
        gain[self.table.level[objects][:, None] != self.table.level[:old]] = -np.inf
        row, track = np.nonzero(gain > 0)
        chosen = best_assignment(track, row, gain[row, track])
        given = np.full_like(self.given, -1)
        given[:, track[chosen]] = self.given[:, objects[row[chosen]]]
        suddenly = (log_sudden > log_calm)[row[chosen], track[chosen]]
        moved = track[chosen][suddenly]
        self.table.covariance[moved, 0, 0] += jump[moved]
        self.table.covariance[moved, 1, 1] += jump[moved]
        self.table.covariance[moved[:, None], [2, 3], [2, 3]] += 3 * jump[moved, None] / dt**2
        nobody = np.setdiff1d(np.arange(len(objects)), row[chosen])
        new = objects[nobody]
        given[:, new[new >= old]] = self.given[:, new[new >= old]]
        homeless = new[new < old]
        self.homeless = self.given[:, homeless]
        self.given = given
        return homeless

    def house(self, rows: Indices) -> None:
        """Give the boxes of objects that were none of the tracks to tracks just added to the table."""
        n = len(rows)
        self.given = np.concatenate([self.given, self.homeless], axis=1)
        self.odds = np.pad(self.odds, ((0, 0), (0, n)))

    def posterior(self) -> tuple[Array, Array, Array]:
        """Return states after all boxes given, and the log-odds (T,) of all boxes together; fills ``odds``."""
        if len(self.views) == 1:  # the first choice is the last one
            return self.mean, self.covariance, self.odds[0]
        self.odds[:] = 0.0
        mean, covariance = self._with_views(np.arange(len(self.table)), range(len(self.views)), note=True)
        return mean, covariance, self.odds.sum(axis=0)

    def by_boxes_alone(self, objects: Indices) -> tuple[Array, Array]:
        """Return positions (N, 2) and covariances (N, 2, 2) of objects, as their boxes and sizes tell them."""
        mean, covariance = self.mean.copy(), self.table.covariance.copy()  # mean: only to linearize at
        for axis in range(4):
            covariance[objects, axis, :] = covariance[objects, :, axis] = 0.0
            covariance[objects, axis, axis] = BIRTH_SIGMA_M**2
        mean, covariance = self._with_views(objects, range(len(self.views)), start=(mean, covariance))
        return mean[:, :2], covariance[:, :2, :2]

    def _choose_again(self, number: int) -> bool:
        """Solve one view anew where there is a choice; tell whether anything changed."""
        track, box = self._pairs(number, np.arange(len(self.table)), np.arange(len(self.views[number].found)))
        if len(track) == 0:
            return False
        rivals = np.bincount(box, minlength=len(self.views[number].found))[box] > 1
        rows = np.unique(track[rivals | (self.given[number, track] != box)])
        if len(rows) == 0:
            return False
        others = [other for other in range(len(self.views)) if other != number]
        mean, covariance = self.mean.copy(), self.covariance.copy()
        mean[rows], covariance[rows] = self._with_views(rows, others)
        part = np.isin(track, rows) & (self.table.confirmed[track] | self.views[number].strong[box])
        track, box = track[part], box[part]
        odds = self._log_odds(number, self._compare(number, track, box, mean, covariance), box)
        odds += np.where((self.given[others][:, track] >= 0).any(axis=0), -self.options.new_odds, self.standing[track])
        chosen = best_assignment(track, box, odds)
        before = self.given[number, rows].copy()
        self.given[number, rows] = -1
        self.given[number, track[chosen]] = box[chosen]
        if (self.given[number, rows] == before).all():
            return False
        self.mean[rows], self.covariance[rows] = self._with_views(rows, range(len(self.views)))
        return True

    def _with_views(
        self, rows: Indices, numbers: Iterable[int], *, note: bool = False, start: tuple[Array, Array] | None = None
    ) -> tuple[Array, Array]:
        """Return states of some tracks as the table predicts them, updated with the boxes given in some views."""
        mean, covariance = start or (self.table.mean.copy(), self.table.covariance.copy())
        for number in numbers:
            track = rows[self.given[number, rows] >= 0]
            if len(track) == 0:
                continue
            box = self.given[number, track]
            seen = self._compare(number, track, box, mean, covariance)
            mean[track], covariance[track] = update(mean[track], covariance[track], seen)
            if note:
                self.odds[number, track] = self._log_odds(number, seen, box)
        return mean[rows], covariance[rows]

    def _give(self, number: int, track: Indices, box: Indices, seen: Innovation) -> None:
        self.given[number, track] = box
        self.mean[track], self.covariance[track] = update(self.mean[track], self.covariance[track], seen)

    def _pairs(self, number: int, tracks: Indices, boxes: Indices) -> tuple[Indices, Indices]:
        """Return (track, box) that may belong together, by the angle between track and box as the camera sees them."""
        if len(tracks) == 0 or len(boxes) == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        view, level, mean = self.views[number], self.table.level[tracks], self.mean[tracks]
        z, _ = self.ground.height(level, mean[:, :2])
        same = level == view.level
        if not same.all():
            here, _ = self.ground.height(view.level, mean[:, :2])
            same |= np.abs(here - z) < LEVEL_GAP_M
        offset = np.column_stack([mean[:, :2], z + 0.5 * mean[:, 7]]) - view.camera.centre
        distance = np.maximum(np.sqrt(np.einsum("ni,ni->n", offset, offset)), 0.5)
        sigma = np.sqrt(self.covariance[tracks, 0, 0] + self.covariance[tracks, 1, 1])
        cosine = np.clip((offset / distance[:, None]) @ view.planes.middle[boxes].T, -1.0, 1.0)
        reach = (GATE_SIGMAS * sigma + 0.5 * mean[:, 5]) / distance
        near = np.arccos(cosine) < reach[:, None] + 1.5 * view.radius[boxes]
        near &= same[:, None] & (self.table.is_round[tracks, None] == view.is_person[boxes])
        row, column = np.nonzero(near)
        return tracks[row], boxes[column]

    def _compare(self, number: int, track: Indices, box: Indices, mean: Array, covariance: Array) -> Innovation:
        shapes, level = self.table.shapes.take(track), self.table.level[track]
        planes = self.views[number].planes.take(box)
        may_hide = self.options.visible_boxes
        seen = innovation(mean[track], covariance[track], shapes, level, self.ground, planes, may_hide=may_hide)
        still = np.flatnonzero(self.views[number].still[box])
        if len(still):
            seen.log_likelihood[still] += log_standing(mean[track[still]], covariance[track[still]])
        return seen

    def _log_odds(self, number: int, seen: Innovation, box: Indices) -> Array:
        view = self.views[number]
        return np.asarray(view.prior[box] + seen.log_likelihood - view.clutter[box])


def _log_normal(offset: Array, covariance: Array) -> Array:
    """Return log-densities of offsets (..., 2) under covariances (..., 2, 2)."""
    squared = np.einsum("...i,...i->...", offset, np.linalg.solve(covariance, offset[..., None])[..., 0])
    return np.asarray(-0.5 * (squared + np.linalg.slogdet(covariance)[1]) - np.log(2 * np.pi))


def best_assignment(track: Indices, box: Indices, odds: Array) -> Indices:
    """Return which pairs make the assignment of largest sum of positive log-odds."""
    good = np.flatnonzero(odds > 0)
    if len(good) <= 1:
        return good
    rows, row = np.unique(track[good], return_inverse=True)
    columns, column = np.unique(box[good], return_inverse=True)
    if len(rows) == len(good) == len(columns):
        return good
    gain = np.zeros((len(rows), len(columns)))
    pair = np.full(gain.shape, -1)
    gain[row, column], pair[row, column] = odds[good], good
    chosen = pair[linear_sum_assignment(gain, maximize=True)]
    return np.asarray(chosen[chosen >= 0])
