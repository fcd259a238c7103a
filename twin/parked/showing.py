"""Which boxes show vehicles that are parked: those where one in the middle of its stall would show."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from geometry.cameras import project
from geometry.frames import transform_points
from geometry.parking_places import ParkingPlaces
from geometry.records import FixedCamera
from geometry.solids import size_prior
from geometry.track_records import FrameRecord, Observation
from perception.detection.suppression import overlaps
from perception.tracking.instant import STILL_SHARE
from twin.parked.standing import Standing, standing_of
from twin.parked.stays import Stay

Array = NDArray[np.float64]

LIKE = 0.3
"""Overlap of a box with where a vehicle in the stall would show, from which it shows that."""
USUAL_M = (4.4, 1.8, 1.5)
LASTS_S = 15.0
"""What is at rest for less may wait in a lane for others."""
MOSTLY = 0.5
"""Of the time that something is at rest: for so much of it a stay has to be there that explains it."""
AT_FIRST_S = 3.0
"""What is at rest so soon after a camera began was never seen to come."""


def note_boxes(
    stays: Sequence[Stay],
    frames: Sequence[tuple[float, FrameRecord]],
    cameras: Sequence[FixedCamera],
    places: ParkingPlaces,
    floors: Array,
    lookers: frozenset[str],
) -> list[FrameRecord]:
    """Give stays the boxes that show them: in each frame the best choice of boxes for the stalls taken then.

    Returns the frames, in their order, without boxes of what stands: those in which nothing moves and that lie where a
    parked vehicle shows, and of cameras that look at stalls those in the place of a box that was at rest before and
    after, and that a parked vehicle explains, or that was there from the first.
    floors: (L,) heights of the levels, site metres; lookers: the cameras that look at stalls
    """
    left: list[FrameRecord] = []
    expected = {camera.id: _expected(camera, places, floors) for camera in cameras}
    by_camera: dict[str, list[tuple[float, FrameRecord]]] = {}
    for time, frame in frames:
        by_camera.setdefault(frame.camera, []).append((time, frame))
    resting = {id: _resting(by_camera[id], expected[id], stays) for id in lookers}
    row = {stall: number for number, stall in enumerate(places.stalls)}
    coming = deque(sorted(stays, key=lambda stay: stay.begin))
    now: dict[int, Stay] = {}
    sights: dict[str, set[int]] = {}
    for time, frame in frames:
        while coming and coming[0].begin <= time:
            stay = coming.popleft()
            now[stay.stall] = stay
        sights.setdefault(frame.camera, set()).update(row[stall] for stall in frame.stalls or {} if stall in row)
        there = [now[stall] for stall in sorted(sights[frame.camera]) if stall in now and time <= now[stall].end]
        found = [each for each in frame.detections if size_prior(each.kind).family == "vehicle"]
        shown = set[int]()
        if found and frame.camera in resting:
            rests = resting[frame.camera].of(time, np.array([each.bbox for each in found])) >= 0
            shown = {id(each) for each, is_at_rest in zip(found, rests.tolist(), strict=True) if is_at_rest}
        left.append(_without(frame, shown))
        if not there or not found:
            continue
        alike = overlaps(
            expected[frame.camera][[stay.stall for stay in there]], np.array([each.bbox for each in found])
        )
        for i, j in zip(*linear_sum_assignment(alike, maximize=True), strict=True):
            if alike[i, j] >= LIKE:
                box = found[j]
                there[i].kinds[box.kind] = there[i].kinds.get(box.kind, 0.0) + box.score
                there[i].seen.append((time, Observation(camera=frame.camera, time=frame.time, bbox=box.bbox)))
        lies = np.flatnonzero(alike.max(axis=0) >= LIKE).tolist()
        shown |= {id(found[j]) for j in lies if (found[j].changed or 0.0) < STILL_SHARE}
        left[-1] = _without(frame, shown)
    return left


def _without(frame: FrameRecord, shown: set[int]) -> FrameRecord:
    return frame.model_copy(update={"detections": tuple(each for each in frame.detections if id(each) not in shown)})


def _resting(own: Sequence[tuple[float, FrameRecord]], expected: Array, stays: Sequence[Stay]) -> Standing:
    """Return what stands before a camera, of its own frames, and came before it began, or is parked in a stay."""
    found = standing_of(own)
    if len(found.boxes) == 0:
        return found
    found = Standing(*(part[found.end - found.begin >= LASTS_S] for part in found))
    kept = found.begin <= own[0][0] + AT_FIRST_S
    if stays:
        alike = overlaps(found.boxes, expected[[stay.stall for stay in stays]]) >= LIKE
        begin, end = (np.array([getattr(stay, name) for stay in stays]) for name in ("begin", "end"))
        common = np.minimum(found.end[:, None], end) - np.maximum(found.begin[:, None], begin)
        kept |= (alike & (common >= MOSTLY * (found.end - found.begin)[:, None])).any(axis=1)
    return Standing(*(part[kept] for part in found))


def _expected(camera: FixedCamera, places: ParkingPlaces, floors: Array) -> Array:
    """Return the boxes (S, 4) px in which vehicles in the middles of stalls would show; NaN where they don't."""
    length, width, height = USUAL_M
    along = places.directions
    across = np.column_stack([-along[:, 1], along[:, 0]])
    corners = np.array([(a, b, c) for a in (-0.5, 0.5) for b in (-0.5, 0.5) for c in (0.0, 1.0)])
    xy = (
        places.middles[:, None]
        + length * corners[None, :, :1] * along[:, None]
        + width * corners[None, :, 1:2] * across[:, None]
    )
    z = floors[places.levels][:, None] + height * corners[None, :, 2]
    points = np.concatenate([xy, z[..., None]], axis=2).reshape(-1, 3)
    pixels, known = project(camera.camera(), transform_points(camera.pose(), points))
    pixels[~known] = np.nan
    pixels = np.clip(pixels.reshape(len(places), 8, 2), 0, (camera.width, camera.height))
    return np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
