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
from perception.tracking.instant import STILL_SHARE
from twin.parked.stays import Stay

Array = NDArray[np.float64]

LIKE = 0.3
"""Overlap of a box with where a vehicle in the stall would show, from which it shows that."""
USUAL_M = (4.4, 1.8, 1.5)


def note_boxes(
    stays: Sequence[Stay],
    frames: Sequence[tuple[float, FrameRecord]],
    cameras: Sequence[FixedCamera],
    places: ParkingPlaces,
    floors: Array,
) -> list[FrameRecord]:
    """Give stays the boxes that show them: in each frame the best choice of boxes for the stalls taken then.

    Returns the frames, in their order, without boxes in which nothing moves and that lie where a parked vehicle shows.
    floors: (L,) heights of the levels, site metres
    """
    left: list[FrameRecord] = []
    expected = {camera.id: _expected(camera, places, floors) for camera in cameras}
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
        left.append(frame)
        if not there or not found:
            continue
        alike = _overlap(
            expected[frame.camera][[stay.stall for stay in there]], np.array([each.bbox for each in found])
        )
        for i, j in zip(*linear_sum_assignment(alike, maximize=True), strict=True):
            if alike[i, j] >= LIKE:
                box = found[j]
                there[i].kinds[box.kind] = there[i].kinds.get(box.kind, 0.0) + box.score
                there[i].seen.append((time, Observation(camera=frame.camera, time=frame.time, bbox=box.bbox)))
        shown = {id(found[j]) for j in np.flatnonzero(alike.max(axis=0) >= LIKE).tolist()}
        rest = tuple(e for e in frame.detections if id(e) not in shown or (e.changed or 0.0) >= STILL_SHARE)
        left[-1] = frame.model_copy(update={"detections": rest})
    return left


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


def _overlap(first: Array, second: Array) -> Array:
    """Return intersection over union of boxes (N, 4) and (M, 4): (N, M), 0 for NaN."""
    low, high = np.maximum(first[:, None, :2], second[None, :, :2]), np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(each[:, 2:] - each[:, :2]).prod(axis=1) for each in (first, second)]
    union = areas[0][:, None] + areas[1][None] - common
    return np.asarray(np.nan_to_num(common / np.maximum(union, 1e-9)))
