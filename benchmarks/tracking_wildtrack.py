"""WILDTRACK: seven overlapping cameras, boxes and identities of people, and the published noise for boxes."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.tracking_baselines import track_and_merge
from geometry import FixedCamera, camera_from_opencv, pose_from_matrix
from geometry.ground_surface import GroundSurface
from geometry.track_records import FrameRecord, TrackRow
from perception.tracking.options import TrackerOptions
from twin.evaluate_tracking import judge_tracks
from twin.tracking import TrackingOptions, track

Array = NDArray[np.float64]

FPS = 2.0
CELLS_ACROSS, CELL_M, CORNER_M = 480, 0.025, (-3.0, -9.0)
DROPPED, SIDE_PX, FALSE_SHARE = 0.15, 5.0, 0.1
CLEAN_PX = 1.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Boxes:
    """One camera's boxes (N, 4) px at one instant."""

    camera: str
    time: float
    boxes: Array


def read_cameras(folder: Path) -> list[FixedCamera]:
    """Read the calibration; its unit is the centimetre."""
    calibration = json.loads((folder / "calibration.json").read_text())
    cameras = []
    for row in calibration["cameras"]:
        lens = camera_from_opencv(np.array(row["K"]), np.zeros(4), tuple(calibration["image_size"]))
        rotation = cv2.Rodrigues(np.array(row["rvec"]))[0]
        pose = pose_from_matrix(rotation, np.array(row["tvec"]) / 100)
        cameras.append(FixedCamera.of(row["name"], lens, pose, level=""))
    return cameras


def read_frames(
    folder: Path, cameras: list[FixedCamera], limit: int | None = None
) -> tuple[list[Boxes], list[TrackRow]]:
    """Read boxes, all cameras of an instant together, and the truth."""
    frames, truth = [], []
    for number, file in enumerate(sorted((folder / "annotations_positions").glob("*.json"))[:limit]):
        time, people = number / FPS, json.loads(file.read_text())
        for row in people:
            cell = row["positionID"]
            x, y = CORNER_M[0] + CELL_M * (cell % CELLS_ACROSS), CORNER_M[1] + CELL_M * (cell // CELLS_ACROSS)
            truth.append(TrackRow(time=time, track=row["personID"], kind="person", position=(x, y, 0.0)))
        for view, camera in enumerate(cameras):
            boxes = [
                [v[k] for k in ("xmin", "ymin", "xmax", "ymax")]
                for row in people
                for v in row["views"]
                if v["viewNum"] == view and v["xmax"] > 0
            ]
            frames.append(Boxes(camera=camera.id, time=time, boxes=np.array(boxes, dtype=np.float64).reshape(-1, 4)))
    return frames, truth


def with_noise(frames: list[Boxes], seed: int) -> list[Boxes]:
    """Apply the noise protocol: boxes dropped, their sides moved, false boxes added."""
    rng = np.random.default_rng(seed)
    boxes_at: dict[float, int] = {}
    for frame in frames:
        boxes_at[frame.time] = boxes_at.get(frame.time, 0) + len(frame.boxes)
    noisy = []
    for frame in frames:
        kept = rng.random(len(frame.boxes)) >= DROPPED
        boxes = frame.boxes[kept] + rng.normal(0.0, SIDE_PX, (int(kept.sum()), 4))
        count = int(rng.poisson(FALSE_SHARE * boxes_at[frame.time] / 7))
        left, foot = rng.uniform(0, 1800, count), rng.uniform(200, 1000, count)
        false = np.column_stack([left, foot - 150, left + 60, foot])
        noisy.append(Boxes(camera=frame.camera, time=frame.time, boxes=np.concatenate([boxes, false])))
    return noisy


def records(frames: list[Boxes]) -> list[FrameRecord]:
    """Return frames as lines of detections.jsonl have them: no ids, all scores 1."""
    lines = []
    for frame in frames:
        low, high = frame.boxes[:, :2], np.maximum(frame.boxes[:, 2:], frame.boxes[:, :2])
        detections = [{"bbox": box, "score": 1.0, "class": "person"} for box in np.column_stack([low, high]).tolist()]
        lines.append({"camera": frame.camera, "time": frame.time, "detections": detections})
    return [FrameRecord.model_validate(line, strict=False) for line in lines]


def options(side_px: float) -> TrackingOptions:
    """Return what is known of this data: boxes go around the whole person, clocks are right, two frames a second.

    In a crowd boxes explain each other's tracks, and what is gone for two seconds has gone: the last three were
    chosen on the first 100 instants, clean and with noise of seed 101.
    """
    tracker = TrackerOptions(
        box_px=side_px, box_share=0.0, visible_boxes=False, new_odds=5.0, lost_after_s=2.0, confirm_odds=10.0
    )
    return TrackingOptions(tracker=tracker, clock_sigma_s=0.0, rows_per_s=FPS)


def measure(folder: Path, *, noise_seed: int | None = None, limit: int | None = None) -> dict[str, Any]:
    """Track the boxes, clean or with noise, and judge the tracks."""
    cameras, frames, truth = read(folder, noise_seed=noise_seed, limit=limit)
    found = track(frames, cameras, options=options(CLEAN_PX if noise_seed is None else SIDE_PX))
    return judge_tracks(found.rows, truth)


def measure_baseline(name: str, folder: Path, *, noise_seed: int | None = None) -> dict[str, Any]:
    """Judge what a tracker of single cameras, merged on the ground, makes of the same boxes."""
    cameras, frames, truth = read(folder, noise_seed=noise_seed)
    return judge_tracks(track_and_merge(name, frames, cameras, GroundSurface.flat(), fps=FPS), truth)


def read(
    folder: Path, *, noise_seed: int | None = None, limit: int | None = None
) -> tuple[list[FixedCamera], list[FrameRecord], list[TrackRow]]:
    """Return cameras, frames and truth."""
    cameras = read_cameras(folder)
    frames, truth = read_frames(folder, cameras, limit)
    return cameras, records(frames if noise_seed is None else with_noise(frames, noise_seed)), truth
