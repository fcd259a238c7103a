"""The reference garage with traffic: noisy boxes of eight fixed cameras whose clocks are off, simulated without
pictures."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from geometry.floorplan import FloorPlan
from geometry.records import FixedCamera
from geometry.track_records import FrameRecord, TrackRow
from scenes.building import build_facility
from scenes.captures.recording import FixedOptions, boxes_without_pictures, record
from scenes.captures.tracks import track_rows
from scenes.detection_noise import DetectionNoise, clearness, noisy_detections
from scenes.facility import Facility
from scenes.library.garage import garage
from scenes.plan import floor_plan

SECONDS, FPS = 60.0, 5.0
VEHICLES, PEOPLE = 30, 20
CLOCK_OFFSET_S, CLOCK_DRIFT_PPM = 0.3, 50.0
CLOCK_STREAM, NOISE_STREAM = 999, 5
REDUCTION = 2
"""Boxes are this many pixels coarse, before the noise."""
CLEAR = 0.3
"""Truth counts where some camera sees an object this clearly: the detector finds it in this share of frames at
least."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """A recording and its truth.

    installed, true: cameras as cameras.json has them, all clocks right, and as they are
    truth: rows at every frame; counted: (time, track) of those that some camera sees clearly
    """

    plan: FloorPlan
    installed: tuple[FixedCamera, ...]
    true: tuple[FixedCamera, ...]
    frames: tuple[FrameRecord, ...]
    truth: tuple[TrackRow, ...]
    counted: frozenset[tuple[float, int]]


def busy_garage(seed: int, look_alikes: int = 4) -> Facility:
    """Return the garage with more traffic and clocks of its own; ``look_alikes`` of the vehicles are exactly alike."""
    facility = garage(seed=seed)
    rng = np.random.default_rng([seed, CLOCK_STREAM])
    offsets = rng.uniform(-CLOCK_OFFSET_S, CLOCK_OFFSET_S, len(facility.cameras))
    cameras = tuple(
        camera.model_copy(
            update={
                "clock_offset_s": float(offset),
                "clock_drift_ppm": float(rng.uniform(-CLOCK_DRIFT_PPM, CLOCK_DRIFT_PPM)),
            }
        )
        for camera, offset in zip(facility.cameras, offsets, strict=True)
    )
    traffic = facility.traffic.model_copy(update={"vehicles": VEHICLES, "people": PEOPLE, "look_alikes": look_alikes})
    return facility.model_copy(update={"cameras": cameras, "traffic": traffic})


def simulate(seed: int, *, look_alikes: int = 4, seconds: float = SECONDS, fps: float = FPS) -> Recording:
    """Simulate the garage: ``look_alikes`` of the vehicles are exactly alike."""
    facility = busy_garage(seed, look_alikes)
    plan, building = floor_plan(facility), build_facility(facility)
    recording = record(facility, plan, FixedOptions(seed=seed, seconds=seconds, fps=fps))
    frames = list(boxes_without_pictures(recording, building.shapes, REDUCTION))
    by_camera: dict[str, list[Any]] = {}
    for frame in frames:
        by_camera.setdefault(frame.camera, []).append(frame)
    noise, start = DetectionNoise(), recording.options.start_utc
    counted = {
        (start + round((frame.utc - start) * fps) / fps, recording.tracks[box.object])
        for frame in frames
        for box in frame.boxes
        if clearness(box, noise) >= CLEAR
    }
    detections = noisy_detections(frames, noise, np.random.default_rng([seed, NOISE_STREAM]))
    hidden = [{**line, "detections": [_without_truth(each) for each in line["detections"]]} for line in detections]
    return Recording(
        plan=plan,
        installed=recording.cameras.installed,
        true=recording.cameras.true,
        frames=tuple(FrameRecord.model_validate(line, strict=False) for line in hidden),
        truth=tuple(
            TrackRow.model_validate(row, strict=False) for row in track_rows(recording, plan, by_camera.values())
        ),
        counted=frozenset(counted),
    )


def _without_truth(detection: dict[str, Any]) -> dict[str, Any]:
    """Drop what names the object, so that no tracker can look there."""
    return {key: value for key, value in detection.items() if key != "meta"}
