"""What others reach on the same boxes: `trackers` (ByteTrack, OC-SORT) for each camera, merged on the ground.

Needs `pip install --no-deps trackers supervision pydeprecate defusedxml` and `pip install rich`; nothing of it is
part of the project.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry import FixedCamera, MissingExtraError
from geometry.box_views import CameraModel
from geometry.ground_surface import GroundSurface
from geometry.solids import size_prior
from geometry.track_records import DetectionRecord, FrameRecord, Observation, TrackRow

Array = NDArray[np.float64]

NAMES = {"ByteTrack": "ByteTrackTracker", "OC-SORT": "OCSORTTracker"}
LOST_S = 2.0
MERGE_M = 1.0
"""Tracklets of two cameras whose feet are nearer than this in the mean are one object."""
MIN_COMMON = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Tracklet:
    """What one camera's tracker took for one object: times (K,), feet (K, 3) on the ground, and boxes."""

    camera: str
    kind: str
    times: Array
    feet: Array
    seen: tuple[Observation, ...]


def track_and_merge(
    name: str, frames: Sequence[FrameRecord], cameras: Sequence[FixedCamera], ground: GroundSurface, *, fps: float
) -> list[TrackRow]:
    """Track each camera by itself and merge greedily, nearest pairs first, where feet agree.

    Feet are those that the detector gave, else the middles of the boxes' bottoms. Two tracklets of one camera at one
    time are never merged. Rows are at multiples of 1/fps, at the mean of the feet.
    """
    tracklets = [each for camera in cameras for each in _one_camera(name, frames, camera, ground, fps)]
    rows = []
    for number, group in enumerate(_merged(tracklets), start=1):
        at: dict[int, list[tuple[Array, Observation]]] = {}
        for tracklet in group:
            for time, foot, seen in zip(tracklet.times, tracklet.feet, tracklet.seen, strict=True):
                at.setdefault(round(time * fps), []).append((foot, seen))
        for tick, members in at.items():
            feet = np.array([foot for foot, _ in members])
            feet = feet[np.isfinite(feet).all(axis=1)]
            place = feet.mean(axis=0) if len(feet) else np.full(3, 1e4)  # nowhere: a false one on the ground
            position = (float(place[0]), float(place[1]), float(place[2]))
            boxes = tuple(seen for _, seen in members)
            rows.append(
                TrackRow.model_construct(
                    time=tick / fps, track=number, kind=group[0].kind, position=position, observations=boxes
                )
            )
    return sorted(rows, key=lambda row: (row.time, row.track))


def _one_camera(
    name: str, frames: Sequence[FrameRecord], camera: FixedCamera, ground: GroundSurface, fps: float
) -> list[Tracklet]:
    """Track people and vehicles of one camera, each by a tracker of their own, so that classes don't mix."""
    found = []
    own = sorted((frame for frame in frames if frame.camera == camera.id), key=lambda frame: frame.time)
    level = ground.levels.index(camera.level) if len(ground.levels) > 1 else 0
    for family in ("person", "vehicle"):
        tracks: dict[int, list[tuple[float, DetectionRecord]]] = {}
        tracker, empty = _tracker(name, fps)
        for frame in own:
            here = [each for each in frame.detections if size_prior(each.kind).family == family]
            for id, detection in _updated(tracker, here, empty):
                tracks.setdefault(id, []).append((frame.time, detection))
        found += [_tracklet(camera, level, ground, members) for members in tracks.values()]
    return found


def _tracker(name: str, fps: float) -> tuple[Any, Any]:
    try:
        library, supervision = import_module("trackers"), import_module("supervision")
    except ImportError as error:
        raise MissingExtraError("trackers", "pip install --no-deps trackers supervision") from error
    # lost_track_buffer counts frames of 30 a second
    return getattr(library, NAMES[name])(frame_rate=fps, lost_track_buffer=int(LOST_S * 30)), supervision.Detections


def _updated(tracker: Any, found: Sequence[DetectionRecord], detections: Any) -> list[tuple[int, DetectionRecord]]:
    """Return (id, detection) of those that the tracker gave an id."""
    boxes = np.array([each.bbox for each in found], dtype=np.float64).reshape(-1, 4)
    scores = np.array([each.score for each in found], dtype=np.float64)
    given = tracker.update(
        detections(
            xyxy=boxes,
            confidence=scores,
            class_id=np.zeros(len(found), dtype=np.int64),
            data={"index": np.arange(len(found))},
        )
    )
    ids = [] if given.tracker_id is None or len(given) == 0 else given.tracker_id.tolist()
    index = given.data["index"].tolist() if ids else []
    return [(id, found[i]) for id, i in zip(ids, index, strict=True) if id >= 0]


def _tracklet(
    camera: FixedCamera, level: int, ground: GroundSurface, members: Sequence[tuple[float, DetectionRecord]]
) -> Tracklet:
    boxes = np.array([detection.bbox for _, detection in members])
    model = CameraModel.of(camera)
    bottoms = np.column_stack([0.5 * (boxes[:, 0] + boxes[:, 2]), boxes[:, 3]])
    given = np.array([detection.foot or (np.nan, np.nan) for _, detection in members])
    rays = model.rays(np.where(np.isfinite(given), given, bottoms))
    feet, met = ground.intersect(level, model.centre, np.nan_to_num(rays, nan=0.0))
    kinds = [detection.kind for _, detection in members]
    return Tracklet(
        camera=camera.id,
        kind=max(sorted(set(kinds)), key=kinds.count),
        times=np.array([time for time, _ in members]),
        feet=np.where(met[:, None], feet, np.nan),
        seen=tuple(Observation(camera=camera.id, time=time, bbox=detection.bbox) for time, detection in members),
    )


def _merged(tracklets: Sequence[Tracklet]) -> list[list[Tracklet]]:
    """Join pairs in the order of their distance, unless a camera would then show one object twice at a time."""
    pairs = []
    for i, j in combinations(range(len(tracklets)), 2):
        distance = _distance(tracklets[i], tracklets[j])
        if distance < MERGE_M:
            pairs.append((distance, i, j))
    groups = {i: [i] for i in range(len(tracklets))}
    owner = list(range(len(tracklets)))
    for _, i, j in sorted(pairs):
        a, b = owner[i], owner[j]
        if a == b or any(_clash(tracklets[p], tracklets[q]) for p in groups[a] for q in groups[b]):
            continue
        for q in groups[b]:
            owner[q] = a
        groups[a] += groups.pop(b)
    return [[tracklets[i] for i in group] for group in groups.values()]


def _distance(a: Tracklet, b: Tracklet) -> float:
    """Return the mean distance of feet while both were seen, infinite where they never were together."""
    if a.camera == b.camera or size_prior(a.kind).family != size_prior(b.kind).family:
        return np.inf
    if a.times[0] > b.times[-1] or b.times[0] > a.times[-1]:
        return np.inf
    both = (a.times >= b.times[0]) & (a.times <= b.times[-1])
    other = np.column_stack([np.interp(a.times[both], b.times, b.feet[:, k]) for k in range(3)])
    apart = np.linalg.norm(a.feet[both] - other, axis=1)
    known = np.isfinite(apart)
    return float(apart[known].mean()) if known.sum() >= MIN_COMMON else np.inf


def _clash(a: Tracklet, b: Tracklet) -> bool:
    return a.camera == b.camera and a.times[0] <= b.times[-1] and b.times[0] <= a.times[-1]
