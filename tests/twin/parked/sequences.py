"""Recordings made up: what a camera's looks at the ten stalls of ``tests.twin.events.places`` tell, and boxes."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from geometry.cameras import project
from geometry.frames import transform_points
from geometry.parking_places import ParkingPlaces
from geometry.records import FixedCamera
from geometry.track_records import DetectionRecord, FrameRecord, TrackRow
from tests.twin.events.places import START, camera, plan, track
from twin.parked.finding import Parked, find_parked
from twin.parked.joining import with_parked

Array = NDArray[np.float64]
Taken = Mapping[str, Callable[[float], bool]]

PLAN = plan()
PLACES = ParkingPlaces.of(PLAN)
MIDDLE = {stall: tuple(middle) for stall, middle in zip(PLACES.stalls, PLACES.middles.tolist(), strict=True)}
SIZE = (4.4, 1.8, 1.5)
SURE = 3.0
"""Log-odds of a look that is right."""


def always(t: float) -> bool:
    return True


def never(t: float) -> bool:
    return False


def between(begin: float, end: float) -> Callable[[float], bool]:
    return lambda t: begin <= t < end


def box_at(stall: str, seen_by: FixedCamera | None = None, away: tuple[float, float] = (0.0, 0.0)) -> list[float]:
    """Return the box of a car that stands so far from the middle of a stall, along +y."""
    seen_by = seen_by or camera()
    corners = np.array([(a, b, c) for a in (-0.5, 0.5) for b in (-0.5, 0.5) for c in (0.0, 1.0)])
    length, width, height = SIZE
    middle = np.append(np.add(MIDDLE[stall], away), 0.0)
    pixels, known = project(
        seen_by.camera(), transform_points(seen_by.pose(), middle + corners * (width, length, height))
    )
    assert known.all()
    return [*pixels.min(axis=0).tolist(), *pixels.max(axis=0).tolist()]


def detected(box: Sequence[float], *, kind: str = "car", changed: float | None = 0.0) -> DetectionRecord:
    x1, y1, x2, y2 = box
    return DetectionRecord(bbox=(x1, y1, x2, y2), score=0.8, kind=kind, changed=changed)


def looks(
    taken: Taken,
    seconds: float,
    *,
    noise: float = 0.0,
    every_s: float = 1.0,
    fps: float = 5.0,
    boxes: Callable[[float], Iterable[DetectionRecord]] = lambda t: (),
    name: str = "cam",
    seed: int = 0,
) -> list[FrameRecord]:
    """Return the frames of a camera; ``noise`` is the standard deviation of the looks' log-odds."""
    rng, frames = np.random.default_rng(seed), []
    for k in range(round(seconds * fps) + 1):
        t = k / fps
        told: dict[str, float] = {}
        if k % round(every_s * fps) == 0:
            for stall, is_taken in taken.items():
                odds = (SURE if is_taken(t) else -SURE) + noise * float(rng.normal())
                told[stall] = float(1 / (1 + np.exp(-odds)))
        frames.append(FrameRecord(camera=name, time=START + t, detections=tuple(boxes(t)), stalls=told))
    return frames


def parked(frames: Sequence[FrameRecord], *cameras: FixedCamera) -> tuple[list[FrameRecord], Parked]:
    known = {each.id: each for each in cameras or (camera(),)}
    return find_parked([(known[frame.camera].utc(frame.time), frame) for frame in frames], known, PLAN)


def joined(frames: Sequence[FrameRecord], rows: Iterable[TrackRow] = ()) -> list[TrackRow]:
    """Return the rows of what drives and what is parked; no track has two at one time."""
    found, _ = with_parked(rows, parked(frames)[1], PLAN, 5.0)
    assert len({(row.time, row.track) for row in found}) == len(found)
    assert [row.time for row in found] == sorted(row.time for row in found)
    return found


def arrives(number: int, stall: str, at: float, *, short: float = 0.0) -> list[TrackRow]:
    """Return the track of one that comes along the lane and is in a stall at a time, but for its last metres."""
    x, y = MIDDLE[stall]
    path = [(x - 12.0, 10.0), (x, 10.0), (x, y + short)]
    return track(number, along(path, at, 2.5), at - length(path) / 2.5, at)


def leaves(number: int, stall: str, at: float, *, short: float = 0.0) -> list[TrackRow]:
    x, y = MIDDLE[stall]
    path = [(x, y + short), (x, 10.0), (x + 12.0, 10.0)]
    took = length(path) / 2.5
    return track(number, along(path, at + took, 2.5), at, at + took)


def length(path: Sequence[tuple[float, float]]) -> float:
    return float(np.linalg.norm(np.diff(np.array(path), axis=0), axis=1).sum())


def along(path: Sequence[tuple[float, float]], end: float, mps: float) -> Callable[[float], tuple[float, float]]:
    """Return where one is that goes along a path and comes to its end at a time."""
    points = np.array(path)
    at = np.concatenate([[0.0], np.linalg.norm(np.diff(points, axis=0), axis=1).cumsum()])

    def where(t: float) -> tuple[float, float]:
        done = at[-1] - (end - t) * mps
        return float(np.interp(done, at, points[:, 0])), float(np.interp(done, at, points[:, 1]))

    return where
