"""WILDTRACK: seven overlapping cameras, boxes and identities of people, and the published noise for boxes."""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from geometry import camera_from_opencv, pose_from_matrix
from geometry.box_views import CameraModel

Array = NDArray[np.float64]

FPS = 2.0
CELLS_ACROSS, CELL_M, CORNER_M = 480, 0.025, (-3.0, -9.0)
DROPPED, SIDE_PX, FALSE_SHARE = 0.15, 5.0, 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One camera's boxes (N, 4) px at one instant; ``person`` (N,) is truth that a tracker must not see, -1 for false."""

    camera: str
    time: float
    boxes: Array
    person: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """Who is where: time (R,), person (R,), position (R, 2) site metres."""

    time: Array
    person: NDArray[np.int64]
    position: Array


def read_cameras(folder: Path) -> list[CameraModel]:
    """Read the calibration; its unit is the centimetre."""
    calibration = json.loads((folder / "calibration.json").read_text())
    cameras = []
    for row in calibration["cameras"]:
        lens = camera_from_opencv(np.array(row["K"]), np.zeros(4), tuple(calibration["image_size"]))
        rotation = cv2.Rodrigues(np.array(row["rvec"]))[0]
        cameras.append(CameraModel.at(row["name"], lens, pose_from_matrix(rotation, np.array(row["tvec"]) / 100)))
    return cameras


def read_frames(folder: Path, cameras: list[CameraModel], limit: int | None = None) -> tuple[list[Frame], Truth]:
    """Read boxes, all cameras of an instant together, and the truth."""
    frames, truth = [], []
    files = sorted((folder / "annotations_positions").glob("*.json"))[:limit]
    for number, file in enumerate(files):
        time, people = number / FPS, json.loads(file.read_text())
        for row in people:
            cell = row["positionID"]
            x, y = CORNER_M[0] + CELL_M * (cell % CELLS_ACROSS), CORNER_M[1] + CELL_M * (cell // CELLS_ACROSS)
            truth.append((time, row["personID"], x, y))
        for view, camera in enumerate(cameras):
            boxes = [
                (*(v[k] for k in ("xmin", "ymin", "xmax", "ymax")), row["personID"])
                for row in people
                for v in row["views"]
                if v["viewNum"] == view and v["xmax"] > 0
            ]
            table = np.array(boxes, dtype=np.float64).reshape(-1, 5)
            frames.append(Frame(camera=camera.id, time=time, boxes=table[:, :4], person=table[:, 4].astype(np.int64)))
    rows = np.array(truth)
    return frames, Truth(time=rows[:, 0], person=rows[:, 1].astype(np.int64), position=rows[:, 2:])


def with_noise(frames: list[Frame], seed: int) -> list[Frame]:
    """Apply the noise protocol of the data's README."""
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
        person = np.concatenate([frame.person[kept], np.full(count, -1)])
        noisy.append(Frame(camera=frame.camera, time=frame.time, boxes=np.concatenate([boxes, false]), person=person))
    return noisy
