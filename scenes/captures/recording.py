"""What fixed cameras record: which cameras, when they expose, and what goes on before them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.floorplan import FloorPlan
from geometry.records import FixedCamera
from scenes.captures.boxes import FrameBoxes
from scenes.captures.clocks import Clock, exposure_times
from scenes.captures.mounting import MountedCameras, mounted_cameras
from scenes.captures.visibility import CameraView, building_raycaster
from scenes.facility import Facility
from scenes.noise import NoiseOptions
from scenes.rendering import Shape
from scenes.traffic import Episode, TrafficObject, instances_at, simulate

Array = NDArray[np.float64]

STEP_S = 0.1
MAX_FRAMES = 1_000_000
SPARE_S = 0.5
"""Simulated beyond the last exposure."""
TRAFFIC_STREAM, PHASE_STREAM = 1, 2
"""Numbers that set the random streams of one seed apart."""
CHEAP_CAMERA = NoiseOptions(
    exposure_sigma=0.0, vignetting=0.25, blur_px=0.6, full_well=2500.0, read_noise=9.0, jpeg_quality=82
)
"""A small sensor behind a small lens; its exposure was set once and stays."""


@dataclass(frozen=True, kw_only=True)
class FixedOptions:
    """How fixed cameras record.

    seconds, fps: of each camera, from ``start_utc`` (epoch seconds) on; cameras expose at phases of their own
    quality: "draft" takes a ray a pixel and coarse light
    """

    seed: int = 0
    seconds: float = 20.0
    fps: float = 5.0
    quality: Literal["draft", "full"] = "full"
    start_utc: float = 1_750_000_000.0
    noise: NoiseOptions = CHEAP_CAMERA

    def __post_init__(self) -> None:
        if self.seed < 0 or not (self.seconds > 0 and 0.01 <= self.fps <= 120 and 0 <= self.start_utc < 1e11):
            raise InputError(
                f"can't record {self.seconds} s from {self.start_utc} at {self.fps} frames a second, seed {self.seed}"
            )
        if not self.seconds * self.fps <= MAX_FRAMES:
            raise InputError(f"{self.seconds * self.fps:.0f} frames a camera are more than {MAX_FRAMES}")
        if self.quality not in ("draft", "full"):
            raise InputError(f"no quality is '{self.quality}'", remedy="Known: draft, full.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """Cameras and what goes on before them.

    episode: its time 0 is ``options.start_utc``
    exposures: by camera, when its frames are exposed, epoch seconds by its own clock
    """

    options: FixedOptions
    cameras: MountedCameras
    clocks: Mapping[str, Clock]
    exposures: Mapping[str, Array]
    episode: Episode

    @property
    def objects(self) -> dict[str, TrafficObject]:
        """All objects by id."""
        return {thing.id: thing for thing in self.episode.objects}

    @property
    def tracks(self) -> dict[str, int]:
        """The integer id of each object in tracks, occupancy and sightings, from 1 on."""
        return {thing.id: number for number, thing in enumerate(self.episode.objects, start=1)}

    def frames(self, camera: FixedCamera) -> list[FrameBoxes]:
        """Return a camera's frames in order, without boxes."""
        times, size = self.exposures[camera.id], (camera.width, camera.height)
        return [
            FrameBoxes(camera=camera.id, time=time, utc=utc, image_size=size, boxes=())
            for time, utc in zip(times.tolist(), self.clocks[camera.id].utc(times).tolist(), strict=True)
        ]


def record(facility: Facility, plan: FloorPlan, options: FixedOptions, episode: Episode | None = None) -> Recording:
    """Simulate what happens, unless an ``episode`` is given, and settle when each camera exposes.

    Raises ``InputError`` for a facility without cameras and for an episode that ends before the recording.
    """
    cameras = mounted_cameras(facility, options.start_utc)
    if not cameras.true:
        raise InputError("the facility has no fixed cameras", where=facility.name, remedy="Author at least one.")
    clocks = {
        c.id: Clock(offset_s=c.clock_offset_s, drift_ppm=c.clock_drift_ppm, epoch=c.clock_epoch) for c in cameras.true
    }
    phases = np.random.default_rng([options.seed, PHASE_STREAM]).uniform(size=len(clocks)).tolist()
    exposures = {
        id: exposure_times(clock, options.start_utc, options.seconds, options.fps, phase)
        for (id, clock), phase in zip(clocks.items(), phases, strict=True)
    }
    if episode is None:
        rng = np.random.default_rng([options.seed, TRAFFIC_STREAM])
        episode = simulate(facility, plan, rng, seconds=options.seconds + SPARE_S, step=STEP_S)
    if episode.times[-1] < options.seconds:
        raise InputError(f"the episode ends after {episode.times[-1]} s, the recording after {options.seconds} s")
    return Recording(options=options, cameras=cameras, clocks=clocks, exposures=exposures, episode=episode)


def boxes_of_camera(
    recording: Recording, camera: FixedCamera, building: Any, reduction: int = 1
) -> Iterator[FrameBoxes]:
    """Yield a camera's frames with boxes; ``building`` is a ray caster, ``reduction`` as of ``CameraView``."""
    episode, start = recording.episode, recording.options.start_utc
    view = CameraView(camera, building, instances_at(episode, 0.0, static=True), recording.objects, reduction)
    for frame in recording.frames(camera):
        boxes = view.boxes(frame.time, instances_at(episode, frame.utc - start, static=False))
        yield replace(frame, boxes=boxes)


def boxes_without_pictures(recording: Recording, shapes: Sequence[Shape], reduction: int = 2) -> Iterator[FrameBoxes]:
    """Yield what truth/boxes.jsonl would hold for a building's ``shapes``, camera after camera, without pictures.

    Long test data for trackers: some milliseconds a frame. Boxes are ``reduction`` px coarse.
    """
    building = building_raycaster(shapes)
    for camera in recording.cameras.true:
        yield from boxes_of_camera(recording, camera, building, reduction)
