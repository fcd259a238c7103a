"""Detections of all fixed cameras become tracks in the site: one identity an object, in metres, with covariance.

``track`` takes a whole recording: clocks are estimated, all cameras tracked together, identities linked, trajectories
smoothed. ``twin.live_tracking`` does what can be done of this while frames come in.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.box_views import CameraModel
from geometry.errors import InputError, nearest_known
from geometry.floorplan import FloorPlan
from geometry.ground_surface import GroundSurface
from geometry.records import FixedCamera
from geometry.solids import Family, size_prior
from geometry.track_records import FrameRecord, Observation, TrackRow
from geometry.travel_times import TravelTimes
from perception.clocks import ClockEstimate
from perception.detections import Detections
from perception.linking.identities import Identity, Linked, LinkingOptions, identities
from perception.linking.links import LeastTimes
from perception.tracking.options import TrackerOptions
from perception.tracking.smoothing import Trajectory, states_at
from perception.tracking.tracker import GroundTracker, instants
from perception.tracking.tracks import Seen
from perception.whole_boxes import WholeBoxes
from twin.camera_clocks import by_common_clock, clocks_of
from twin.describing import described, tell
from twin.gate_lines import turns_back
from twin.parked.finding import find_parked, looks_at, without_looks
from twin.parked.joining import with_parked
from twin.parked.stays import Look
from twin.track_rows import Places, track_rows

Array = NDArray[np.float64]
OnProgress = Callable[[int, int], None]

log = logging.getLogger(__name__)

SPEEDING = 1.3
"""Factor on speed limits and walking speed, below which nobody can have come."""
STANDING_MPS = 0.15


@dataclass(frozen=True, kw_only=True)
class TrackingOptions:
    """Options of ``track``.

    clock_sigma_s: how far the cameras' clocks may be off from what cameras.json says; 0 takes them as they are
    rows_per_s: rows of tracks a second, at multiples of its inverse
    fill_gap_s: longer gaps of a moving object stay empty; what stands is there for so long before and after it is seen
    max_sigma_m: positions that are less sure, by the longer axis of their ellipse, are left out
    gates_sigma_m: up to this, those of a whole recording still tell events at gates (``Tracks.unsure``)
    """

    tracker: TrackerOptions = field(default_factory=TrackerOptions)
    linking: LinkingOptions = field(default_factory=LinkingOptions)
    clock_sigma_s: float = 0.3
    rows_per_s: float = 5.0
    fill_gap_s: float = 2.0
    max_sigma_m: float = 0.7
    gates_sigma_m: float = 20.0

    def __post_init__(self) -> None:
        if not (
            0 <= self.clock_sigma_s < 1e3
            and 0 < self.rows_per_s <= 1000
            and self.fill_gap_s >= 0
            and self.max_sigma_m > 0
            and self.gates_sigma_m > 0
        ):
            raise InputError(f"tracking options out of range: {self}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Tracks:
    """The result of ``track``: rows in the order of time, clocks, what was linked, counts of what was dropped, and what
    looks at stalls told, in the order of time.

    unsure: rows of the same tracks, and of others, that are too unsure to be among ``rows``
    """

    rows: tuple[TrackRow, ...]
    clocks: ClockEstimate | None
    linked: Linked
    dropped: dict[str, int]
    looks: tuple[Look, ...] = ()
    unsure: tuple[TrackRow, ...] = ()


def track(
    frames: Iterable[FrameRecord],
    cameras: Sequence[FixedCamera],
    *,
    plan: FloorPlan | None = None,
    options: TrackingOptions | None = None,
    on_progress: OnProgress | None = None,
) -> Tracks:
    """Track a whole recording; frames may come in any order, those of one camera and one time count once.

    Without a plan the ground is the plane z = 0. Raises ``InputError`` for a frame of an unknown camera.
    """
    options = options or TrackingOptions()
    models = {camera.id: CameraModel.of(camera) for camera in cameras}
    ground = GroundSurface.flat() if plan is None else GroundSurface.of(plan)
    by_id = {camera.id: camera for camera in cameras}
    once, dropped = _once(frames, by_id)
    left, parked = [frame for _, frame in once], None
    if plan is not None and looks_at(left, plan):
        left, parked = find_parked(once, by_id, plan)
    else:
        left = [without_looks(frame) for frame in left]
    given = sorted(
        (detections_of(each, by_id[each.camera]) for each in left), key=lambda each: (each.time, each.camera)
    )
    watched = options.clock_sigma_s > 0 and len(models) > 1
    clocks = clocks_of(given, models, ground, options.tracker, options.clock_sigma_s) if watched else None
    timed = sorted((by_common_clock(each, clocks) for each in given), key=lambda each: (each.time, each.camera))
    tracker = GroundTracker(models.values(), ground, options.tracker)
    groups = list(instants(timed, options.tracker.same_instant_s))
    for done, group in enumerate(groups, start=1):
        tracker.update(group)
        if on_progress:
            on_progress(done, len(groups))
    linked = identities(tracker.end(), ground, least_times(plan), options.tracker, options.linking)
    every = sorted(
        _rows(linked.identities, clocks, ground, plan, options), key=lambda each: (each[0].time, each[0].track)
    )
    rows, unsure = ([row for row, is_sure in every if is_sure == wanted] for wanted in (True, False))
    if plan is not None and parked is not None:
        if clocks is not None:
            once = [(clocks.utc(frame.camera, time), frame) for time, frame in once]
            _, parked = find_parked(once, by_id, plan)
        rows, unsure = with_parked(rows, parked, plan, options.rows_per_s, unsure)
    told = tell([*rows, *unsure], (frame for _, frame in once))
    return Tracks(
        rows=described(rows, told),
        clocks=clocks,
        linked=linked,
        dropped=dropped | tracker.dropped,
        looks=parked.looks if parked else (),
        unsure=described(unsure, told),
    )


def detections_of(frame: FrameRecord, camera: FixedCamera) -> Detections:
    """Return a frame as arrays, at the time its camera's clock, as far as it is known, makes of it."""
    found = frame.detections
    time = camera.utc(frame.time)
    widths = {len(each.embedding) for each in found if each.embedding is not None}
    if len(widths) > 1:
        raise InputError(f"embeddings of {len(widths)} lengths in one frame", where=f"camera '{camera.id}'")
    width = widths.pop() if widths else 0
    nothing = (np.nan,) * width
    embeddings = [each.embedding or nothing for each in found] if width else None
    return Detections(
        camera=frame.camera,
        time=time,
        boxes=np.array([each.bbox for each in found], dtype=np.float64).reshape(-1, 4),
        scores=np.array([each.score for each in found], dtype=np.float64),
        kinds=tuple(each.kind for each in found),
        feet=np.array([each.foot or (np.nan, np.nan) for each in found], dtype=np.float64).reshape(-1, 2),
        embeddings=None if embeddings is None else np.array(embeddings, dtype=np.float32),
        shown=frame.time,
        changed=np.array([np.nan if each.changed is None else each.changed for each in found], dtype=np.float64),
        whole=WholeBoxes.of(
            [None if each.whole is None or each.sigma is None else (each.whole, each.sigma) for each in found]
        ),
        stalls=frame.stalls,
    )


def least_times(plan: FloorPlan | None) -> LeastTimes:
    """Return the least times between places by a plan's lanes and footways, and no way back through one-way gates.

    Without a plan nobody can be told to have come by a way that no camera sees: there are no ways.
    """

    def no_way(family: Family, starts: Array, ends: Array) -> Array:
        return np.full(len(starts), np.inf)

    if plan is None or not plan.lanes:
        return no_way
    times = TravelTimes.of(plan, speeding=SPEEDING)

    def by_plan(family: Family, starts: Array, ends: Array) -> Array:
        ask = times.on_foot if family == "person" else times.between
        found = ask(starts, ends)
        found[np.isnan(found)] = np.inf
        if family == "vehicle":
            found[turns_back(plan, starts, ends)] = np.inf
        return found

    return by_plan


def explanations(linked: Linked) -> Iterator[dict[str, Any]]:
    """Yield why pieces of tracks were joined or not: of each pair that could be, the log-odds by term, and the
    rival."""
    for number, graph in enumerate(linked.same_time):
        for i, j, edge in graph.edges(data=True):
            yield {"kind": "at one time", "round": number, "pieces": [i, j], **_plain(edge)}
    for i, j, edge in linked.succession.edges(data=True):
        identities = [int(linked.pieces[i]), int(linked.pieces[j])]
        yield {"kind": "one after the other", "pieces": [i, j], "identities": identities, **_plain(edge)}


def _plain(edge: dict[str, Any]) -> dict[str, Any]:
    """Return an edge's attributes as JSON has them: no infinite numbers."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, bool | str):
            return value
        if isinstance(value, tuple):
            return list(value)
        return round(float(value), 4) if np.isfinite(value) else None

    return {key: plain(value) for key, value in edge.items()}


def _once(
    frames: Iterable[FrameRecord], cameras: dict[str, FixedCamera]
) -> tuple[list[tuple[float, FrameRecord]], dict[str, int]]:
    """Return each frame once, with its time as its camera's clock, as far as it is known, makes of it."""
    found, seen, repeated = [], set[tuple[str, float]](), 0
    for frame in frames:
        if frame.camera not in cameras:
            remedy = nearest_known(frame.camera, cameras)
            raise InputError(f"there is no camera '{frame.camera}'", where=f"frame at {frame.time}", remedy=remedy)
        if (frame.camera, frame.time) in seen:
            repeated += 1
            continue
        seen.add((frame.camera, frame.time))
        found.append((cameras[frame.camera].utc(frame.time), frame))
    return found, {"repeated frames": repeated}


def _rows(
    found: Sequence[Identity],
    clocks: ClockEstimate | None,
    ground: GroundSurface,
    plan: FloorPlan | None,
    options: TrackingOptions,
) -> Iterator[tuple[TrackRow, bool]]:
    """Yield the rows of each identity, numbered from 1 on in the order in which they come up, and which are sure."""
    enough = [i for i, each in enumerate(found) if sum(map(len, _boxes(each))) >= options.tracker.confirm_hits]
    order = sorted(enough, key=lambda i: float(found[i].chains[0].times[0]))
    ends, places = _recorded(found), Places(plan)
    for number, i in enumerate(order, start=1):
        for path, chain in zip(found[i].trajectories, found[i].chains, strict=True):
            begin, end = _extent(path, size_prior(found[i].kind).family == "vehicle", ends, options)
            first = np.ceil(begin * options.rows_per_s - 1e-6)
            last = np.floor(end * options.rows_per_s + 1e-6)
            times = np.arange(first, last + 1) / options.rows_per_s
            times = times[_is_known(path.times, path.means[:, :2], times, options.fill_gap_s)]
            if len(times) == 0:
                continue
            boxes = [each for group in chain.boxes for each in group]
            mean, covariance, level = states_at(path, times)
            late = _time_variance(boxes, clocks)
            covariance[:, :2, :2] += late * mean[:, 2:4, None] * mean[:, None, 2:4]
            z, slope = ground.height(level, mean[:, :2])
            sigma = np.sqrt(np.linalg.eigvalsh(covariance[:, :2, :2])[:, 1])
            told = sigma <= max(options.max_sigma_m, options.gates_sigma_m)
            times, mean, covariance, slope, level = times[told], mean[told], covariance[told], slope[told], level[told]
            positions = np.column_stack([mean[:, :2], z[told]])
            named = zip(places.names(positions), level.tolist(), strict=True)
            seen_at: dict[int, list[Observation]] = {}
            for each in boxes:
                tick = round(each.time * options.rows_per_s)
                seen_at.setdefault(tick, []).append(Observation(camera=each.camera, time=each.shown, bbox=each.box))
            rows = track_rows(
                times.tolist(),
                [number] * len(times),
                [found[i].kind] * len(times),
                [name or (ground.levels[k] or None, None, None) for name, k in named],
                positions,
                slope,
                mean,
                covariance,
                [seen_at.get(round(time * options.rows_per_s), []) for time in times.tolist()],
            )
            yield from zip(rows, (sigma[told] <= options.max_sigma_m).tolist(), strict=True)


def _recorded(found: Sequence[Identity]) -> tuple[float, float]:
    """Return when the first and the last box of the recording was seen."""
    times = [float(t) for each in found for chain in each.chains for t in (chain.times[0], chain.times[-1])]
    return (min(times), max(times)) if times else (0.0, 0.0)


def _extent(
    path: Trajectory, parks: bool, recorded: tuple[float, float], options: TrackingOptions
) -> tuple[float, float]:
    """Return from when to when a trajectory has rows: longer than it was seen where a vehicle stands at an end.

    One that stands when it is first seen stood there a moment before, and one that is last seen standing still does.
    """
    begin, end = float(path.times[0]), float(path.times[-1])
    stands = (np.hypot(*path.means[[0, -1], 2:4].T) < STANDING_MPS) & parks
    if stands[0]:
        begin = max(begin - options.fill_gap_s, min(recorded[0], begin))
    if stands[1]:
        end = min(end + options.fill_gap_s, max(recorded[1], end))
    return begin, end


def _boxes(identity: Identity) -> list[tuple[Seen, ...]]:
    return [group for chain in identity.chains for group in chain.boxes]


def _time_variance(boxes: Sequence[Seen], clocks: ClockEstimate | None) -> float:
    """Return the variance of the time of a track's rows, by the clocks of the cameras that saw it."""
    if clocks is None:
        return 0.0
    return float(np.mean([clocks.sigma_s(camera) ** 2 for camera in {each.camera for each in boxes}]))


def _is_known(known: Array, positions: Array, times: Array, fill_gap_s: float) -> NDArray[np.bool_]:
    """Tell at which times an object was seen around, or in a gap that is short or in which it stayed."""
    if len(known) == 1:
        return np.ones(len(times), dtype=np.bool_)
    after = np.clip(np.searchsorted(known, times), 1, len(known) - 1)
    moved = np.linalg.norm(positions[after] - positions[after - 1], axis=1)
    return np.asarray((known[after] - known[after - 1] <= fill_gap_s) | (moved < 0.7))
