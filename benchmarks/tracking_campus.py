"""CAMPUS Auditorium: two calibrated cameras at eye level, whose people keep one id in both."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from benchmarks.tracking_baselines import NAMES, track_and_merge
from geometry import FixedCamera, camera_from_params, pose_from_matrix
from geometry.ground_surface import GroundSurface
from geometry.track_records import FrameRecord, Observation, TrackRow
from twin.evaluate_tracking import judge_boxes
from twin.tracking import TrackingOptions, track

SIZE = (1920, 1080)
FPS = 30.0
EVERY = 6
"""Each sixth frame: five a second."""
VIEWS = ("HC3", "HC4")


def read_cameras(folder: Path) -> list[FixedCamera]:
    """Read the two cameras; T is the centre, in metres."""
    cameras = []
    for row in loadmat(folder / "cam_param.mat")["cam_param"].ravel():
        k, rotation, centre, middle = row["K"], row["R"], row["T"].ravel(), row["center"].ravel().astype(float)
        focal = float(k[0, 0])
        lens = camera_from_params("PINHOLE", *SIZE, [focal, focal, *(middle + 0.5)])
        u, _, v = np.linalg.svd(rotation)  # it is written with few digits
        turned = u @ v
        name = str(row["name"].ravel()[0]).removeprefix("view-")
        cameras.append(FixedCamera.of(name, lens, pose_from_matrix(turned, -turned @ centre), level=""))
    return cameras


def read_frames(folder: Path) -> tuple[list[FrameRecord], list[TrackRow]]:
    """Read boxes and, as rows of tracks that say nothing of places, their ids."""
    boxes: dict[tuple[str, int], list[tuple[int, tuple[float, ...]]]] = {}
    for view in VIEWS:
        with gzip.open(folder / f"view-{view}.txt.gz", "rt") as file:
            for line in file:
                id, x1, y1, x2, y2, frame, lost = (int(value) for value in line.split()[:7])
                at = boxes.setdefault((view, frame), [])
                if not lost and frame % EVERY == 0 and x2 > x1 and y2 > y1:
                    at.append((id, (float(x1), float(y1), float(x2), float(y2))))
    frames, truth = [], []
    for (view, frame), members in sorted(boxes.items(), key=lambda item: item[0][1]):
        if frame % EVERY:
            continue
        time = frame / FPS
        found = [{"bbox": box, "score": 1.0, "class": "person"} for _, box in members]
        frames.append(FrameRecord.model_validate({"camera": view, "time": time, "detections": found}, strict=False))
        for id, box in members:
            seen = Observation(camera=view, time=time, bbox=(box[0], box[1], box[2], box[3]))
            truth.append(
                TrackRow.model_construct(
                    time=time, track=id, kind="person", position=(0.0, 0.0, 0.0), observations=(seen,)
                )
            )
    return frames, truth


def campus(folder: Path) -> dict[str, Any]:
    """Return how well boxes keep their ids in both cameras: ours, and trackers of single cameras, merged."""
    cameras, (frames, truth) = read_cameras(folder), read_frames(folder)
    options = TrackingOptions(clock_sigma_s=0.0, rows_per_s=FPS / EVERY, max_sigma_m=1e3)
    figures: dict[str, Any] = {"ours": judge_boxes(track(frames, cameras, options=options).rows, truth)}
    for name in NAMES:
        rows = track_and_merge(name, frames, cameras, GroundSurface.flat(), fps=FPS / EVERY)
        figures[name] = judge_boxes(rows, truth)
    return figures
