"""What tracking costs: time a detection with more and more cameras, how much faster than real time, memory over hours.

People walk around in halls of one camera each; boxes are those of exact solids with noise, without pictures.
"""

import gc
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry import FixedCamera, camera_from_params, pose_from_matrix
from geometry.solids import PERSON, RINGS
from geometry.track_records import FrameRecord
from twin.live_tracking import LiveTracker
from twin.tracking import TrackingOptions

Array = NDArray[np.float64]

SIZE, FOCAL = (1280, 720), 800.0
HALL_M = 10.0
PEOPLE = 6
NOISE_PX, MISSED = 2.0, 0.03
HEIGHT_M = 4.0


def hall_cameras(count: int) -> list[FixedCamera]:
    """Return cameras in a row, one a hall; neighbours see a little of each other's."""
    lens = camera_from_params("PINHOLE", *SIZE, [FOCAL, FOCAL, SIZE[0] / 2, SIZE[1] / 2])
    tilt = np.radians(28)
    forward = np.array([0.0, np.cos(tilt), -np.sin(tilt)])
    right = np.array([1.0, 0.0, 0.0])
    rotation = np.stack([right, np.cross(forward, right), forward])
    places = [np.array([(k + 0.5) * HALL_M, -4.0, HEIGHT_M]) for k in range(count)]
    return [
        FixedCamera.of(f"cam{k}", lens, pose_from_matrix(rotation, -rotation @ at), level="")
        for k, at in enumerate(places)
    ]


class Walkers:
    """People that walk in loops, six a hall."""

    def __init__(self, halls: int, rng: np.random.Generator) -> None:
        n = halls * PEOPLE
        self.middle = np.column_stack([rng.uniform(0, halls * HALL_M, n), rng.uniform(2.0, 6.0, n)])
        self.radius, self.phase = rng.uniform(0.8, 3.0, (n, 2)), rng.uniform(0, 2 * np.pi, n)
        self.rate = rng.uniform(0.7, 1.3, n) / self.radius.mean(axis=1) * rng.choice([-1, 1], n)
        self.size = np.array(PERSON.size) + np.array(PERSON.sigma) * 0.5 * rng.standard_normal((n, 3))

    def at(self, time: float) -> Array:
        """Return where they are (N, 2), site metres."""
        angle = self.phase + self.rate * time
        return self.middle + self.radius * np.column_stack([np.cos(angle), np.sin(angle)])


def frames(cameras: list[FixedCamera], fps: float, seconds: float, seed: int = 1) -> Iterator[FrameRecord]:
    """Yield frames in the order of time, cameras in turn, of people that walk in loops."""
    rng = np.random.default_rng(seed)
    walkers = Walkers(len(cameras), rng)
    poses = [(camera.id, camera.pose().rotation.matrix(), np.asarray(camera.pose().translation)) for camera in cameras]
    for k in range(int(seconds * fps)):
        for number, (id, rotation, shift) in enumerate(poses):
            now = (k + number / len(cameras)) / fps
            boxes = _boxes(walkers.at(now), walkers.size, rotation, shift)
            boxes = boxes[(rng.random(len(boxes)) > MISSED)]
            boxes = boxes + NOISE_PX * rng.standard_normal(boxes.shape)
            found = [{"bbox": box, "score": 0.9, "class": "person"} for box in boxes.tolist()]
            yield FrameRecord.model_validate({"camera": id, "time": now, "detections": found}, strict=False)


def _boxes(place: Array, size: Array, rotation: Array, shift: Array) -> Array:
    """Return boxes (N, 4) px of the people (M, 2) that a picture shows whole."""
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    radius, height = size[:, :1] * RINGS[:, 0], size[:, 2:] * RINGS[:, 1]
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    flat = place[:, None, None] + radius[:, :, None, None] * ring
    points = np.concatenate([flat, np.broadcast_to(height[:, :, None, None], (*flat.shape[:3], 1))], axis=-1)
    in_cam = points.reshape(len(place), -1, 3) @ rotation.T + shift
    ahead = in_cam[..., 2].min(axis=1) > 0.5
    pixels = in_cam[ahead, :, :2] / in_cam[ahead, :, 2:] * FOCAL + np.array(SIZE) / 2
    boxes = np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
    whole = (boxes[:, :2] > 2).all(axis=1) & (boxes[:, 2:] < np.array(SIZE) - 2).all(axis=1)
    return np.asarray(boxes[whole])


def cost(counts: tuple[int, ...] = (2, 4, 8, 16, 32), fps: float = 10.0, seconds: float = 6.0) -> dict[str, Any]:
    """Return processor time a detection and a frame, of live tracking, by the number of cameras."""
    figures = {}
    for count in counts:
        cameras = hall_cameras(count)
        recorded = list(frames(cameras, fps, seconds))
        figures[str(count)] = timed(cameras, recorded, seconds)
    return figures


def timed(
    cameras: list[FixedCamera], recorded: list[FrameRecord], seconds: float, plan: Any = None
) -> dict[str, float]:
    """Track frames live; return processor time a detection and a frame, and how much faster than real time it is."""
    tracker = LiveTracker(cameras, plan=plan, options=TrackingOptions(clock_sigma_s=0.0))
    detections = sum(len(frame.detections) for frame in recorded)
    gc.collect()
    begin, clock = time.process_time(), time.perf_counter()
    rows = sum(len(tracker.push(frame)) for frame in recorded) + len(tracker.finish())
    used, waited = time.process_time() - begin, time.perf_counter() - clock
    return {
        "ms_per_detection": 1e3 * used / max(detections, 1),
        "ms_per_frame": 1e3 * used / len(recorded),
        "times_real_time_cpu": seconds / used,
        "times_real_time_wall": seconds / waited,
        "rows": rows,
    }


def memory(hours: float = 2.0, count: int = 8, fps: float = 0.5) -> dict[str, Any]:
    """Return the process's memory (MB) every quarter of an hour of live tracking, and its slope in the second half."""
    cameras = hall_cameras(count)
    tracker = LiveTracker(cameras, options=TrackingOptions(clock_sigma_s=0.0))
    samples, quarter = [], 900.0
    for frame in frames(cameras, fps, hours * 3600):
        tracker.push(frame)
        if frame.time >= quarter * (len(samples) + 1):
            gc.collect()
            samples.append((frame.time / 3600, _resident_mb()))
    half = [(hour, mb) for hour, mb in samples if hour > hours / 2]
    slope = float(np.polyfit(*np.array(half).T, 1)[0]) if len(half) > 1 else float("nan")
    return {
        "resident_mb": [mb for _, mb in samples],
        "slope_mb_per_hour": slope,
        "hours": hours,
        "frames_a_second": count * fps,
    }


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6
