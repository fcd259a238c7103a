"""Fixed cameras with traffic, rendered into a scene's folder: pictures, cameras as installed, and all truth.

Cameras are rendered one after the other, and pictures and truth are written as they are made, so that memory does
not grow with the number of frames. A rerun keeps the pictures it finds and the truth of cameras that are done.
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.floorplan import FloorPlan
from geometry.interchange import write_cameras_json
from geometry.jsonl import read_jsonl, read_lines, write_jsonl
from geometry.records import FixedCamera
from geometry.tables import read_bounded, write_atomic, write_table
from scenes.building import Building
from scenes.captures.boxes import FRAME_COLUMNS, Box, FrameBoxes, in_frames
from scenes.captures.clocks import write_clocks
from scenes.captures.recording import FixedOptions, Recording, boxes_of_camera, record
from scenes.captures.sightings import sighting_row, sightings_of_camera, write_qrels
from scenes.captures.tracks import occupancy_rows, track_rows
from scenes.captures.visibility import building_raycaster
from scenes.facility import Facility
from scenes.noise import add_noise, encode_jpeg
from scenes.rendering import DRAFT, DRAFT_LIGHT, FULL, FixedView, LightOptions, RenderOptions, World, build_world
from scenes.traffic import instances_at

OnProgress = Callable[[int, int], None]


def render_fixed(
    facility: Facility,
    plan: FloorPlan,
    building: Building,
    out: Path,
    options: FixedOptions | None = None,
    on_progress: OnProgress | None = None,
) -> Recording:
    """Render what the facility's fixed cameras see, with truth, into ``out``, and return what was recorded.

    Writes fixed/ and, of truth/, all but what belongs to the walk and the queries. ``on_progress`` counts pictures.
    The same arguments write the same bytes, whether or not a run was killed in between. Raises ``InputError`` for a
    folder that holds another recording, a facility without cameras, and what can't be written.
    """
    recording = record(facility, plan, options or FixedOptions())
    run = _Run(facility=facility, plan=plan, building=building, out=out, recording=recording)
    run.begin()
    run.write_cameras()
    done, total = 0, sum(map(len, recording.exposures.values()))
    for camera in recording.cameras.true:
        run.write_boxes(camera)
        for _ in run.write_pictures(camera):
            done += 1
            if on_progress:
                on_progress(done, total)
    run.finish()
    return recording


class _Run:
    """One rendering into one folder."""

    def __init__(
        self, *, facility: Facility, plan: FloorPlan, building: Building, out: Path, recording: Recording
    ) -> None:
        self.facility, self.plan, self.building, self.recording = facility, plan, building, recording
        self.fixed, self.truth = out / "fixed", out / "truth"
        self.parts = self.fixed / ".parts"

    def begin(self) -> None:
        """Make the folders; refuse one in which something else was recorded."""
        for folder in (self.parts, self.truth, *(self.fixed / camera.id for camera in self.recording.cameras.true)):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"can't make the folder: {error.strerror}", where=str(folder)) from error
        facility_sha256 = hashlib.sha256(self.facility.model_dump_json().encode()).hexdigest()
        content = json.dumps({"facility": facility_sha256, **asdict(self.recording.options)}).encode()
        note = self.fixed / ".recording.json"
        if note.exists() and read_bounded(note) != content:
            remedy = "Give a new folder, or the facility and options of the first run."
            raise InputError("the folder holds a recording of something else", where=str(self.fixed), remedy=remedy)
        write_atomic(note, content)

    def write_cameras(self) -> None:
        """Write the cameras as installed and as they are, their clocks, and when each frame was exposed."""
        recording = self.recording
        write_cameras_json(self.fixed / "cameras.json", recording.cameras.installed)
        write_cameras_json(self.truth / "cameras.json", recording.cameras.true)
        write_clocks(self.truth / "clocks.csv", recording.clocks)
        rows = [
            (id, _image(id, i), t) for id, times in recording.exposures.items() for i, t in enumerate(times.tolist())
        ]
        columns = {name: [row[i] for row in rows] for i, name in enumerate(("camera", "frame", "time"))}
        write_table(self.fixed / "frames.csv", FRAME_COLUMNS, columns)

    def write_boxes(self, camera: FixedCamera) -> None:
        """Write the boxes of one camera, unless they are there."""
        part = self._part(camera)
        if not part.exists():
            frames = boxes_of_camera(self.recording, camera, self._walls)
            write_jsonl(part, (box.row() for frame in frames for box in frame.boxes))

    def write_pictures(self, camera: FixedCamera) -> Iterator[Path]:
        """Write the pictures of one camera that are not there, and yield all of them."""
        recording, view = self.recording, None
        for index, frame in enumerate(recording.frames(camera)):
            path = self.fixed / _image(camera.id, index)
            if not path.exists():
                view = view or FixedView(self._world, camera.camera(), camera.pose(), self._rendering)
                since_start = frame.utc - recording.options.start_utc
                image = view.frame(instances_at(recording.episode, since_start, static=False)).image
                write_atomic(path, self._developed(image, camera.id, index))
            yield path

    def finish(self) -> None:
        """Write the truth that spans cameras, and drop the parts."""
        recording, cameras = self.recording, self.recording.cameras.true
        write_jsonl(self.truth / "tracks.jsonl", track_rows(recording, self.plan, map(self._boxes, cameras)))
        write_jsonl(self.truth / "occupancy.jsonl", occupancy_rows(recording))
        sightings = [s for camera in cameras for s in sightings_of_camera(self._boxes(camera))]
        images = [f"fixed/{_image(s.box.camera, s.frame)}" for s in sightings]
        rows = [
            sighting_row(s, image, recording, self.plan, self.facility.name)
            for s, image in zip(sightings, images, strict=True)
        ]
        write_jsonl(self.truth / "sightings.jsonl", rows)
        write_qrels(self.truth / "qrels.csv", [(s.id, s.box.object) for s in sightings])
        lines = (line for camera in cameras for line in read_lines(self._part(camera)))
        write_atomic(self.truth / "boxes.jsonl", lines)
        for camera in cameras:
            self._part(camera).unlink()
        self.parts.rmdir()

    @cached_property
    def _walls(self) -> Any:
        return building_raycaster(self.building.shapes)

    @cached_property
    def _world(self) -> World:
        """What does not move, in one lighting state; only made where a picture is missing."""
        parked = instances_at(self.recording.episode, 0.0, static=True)
        light = LightOptions() if self.recording.options.quality == "full" else DRAFT_LIGHT
        return build_world(self.building.shapes, parked, self.building.lighting, light)

    @property
    def _rendering(self) -> RenderOptions:
        return FULL if self.recording.options.quality == "full" else DRAFT

    def _developed(self, image: NDArray[np.uint8], camera: str, index: int) -> bytes:
        options = self.recording.options
        rng = np.random.default_rng([options.seed, zlib.crc32(camera.encode()), index])
        return encode_jpeg(add_noise(image, options.noise, rng), options.noise)

    def _boxes(self, camera: FixedCamera) -> Iterator[FrameBoxes]:
        return in_frames(read_jsonl(self._part(camera), Box), self.recording.frames(camera))

    def _part(self, camera: FixedCamera) -> Path:
        return self.parts / f"{camera.id}.jsonl"


def _image(camera: str, index: int) -> str:
    """Return the path of a picture relative to fixed/."""
    return f"{camera}/{index:06d}.jpg"
