"""What takes minutes of looking for meaning, kept in the workspace: texts read, floors rectified, a surface coloured.

Keys hold poses to a tenth of a millimetre: adjusted once more on several threads, a map differs in its last digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry import FloorPlan
from perception import TextReader, TextReading
from twin.landmarks import Landmarks
from twin.layout import FloorHeight, Ortho, OrthoOptions, read_ortho, rectify_floor, write_ortho
from twin.mapping.workspace import Arrays, Workspace, digest, file_digest
from twin.photos import MapPhoto
from twin.progress import Progress
from twin.signs import PhotoReading, read_photos
from twin.surface import Surface, build_surface

Array = NDArray[np.float64]

POSE_DIGITS = 4
ORTHO = "floor"
"""The name of a rectified floor in its folder of the workspace."""


@dataclass(frozen=True)
class MeaningStages:
    """The stages, from ``workspace`` where they are there, or made; without one they are made each time."""

    workspace: Workspace | None
    _digests: dict[Path, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def readings(self, photos: Sequence[MapPhoto], on_progress: Progress) -> list[PhotoReading]:
        """Return what ``read_photos`` reads; each photo is a stage of its own."""
        if self.workspace is None:
            return read_photos(photos, TextReader(), on_progress)
        reader, found = TextReader(), []
        for number, photo in enumerate(photos):
            on_progress("reading signs", number, len(photos))
            key = digest("texts", self._digest(photo.path), _pose(photo)[:, :3].round(2) + 0.0, photo.camera.params)
            stored = self.workspace.arrays("texts", key, partial(_read, photo, reader))
            found += _readings(stored, number)
        on_progress("reading signs", len(photos), len(photos))
        return found

    def ortho(
        self,
        photos: Sequence[MapPhoto],
        height: FloorHeight,
        extent: shapely.Polygon,
        options: OrthoOptions,
        on_progress: Progress,
    ) -> Ortho:
        """Return the orthophoto of a floor or a ceiling, see ``rectify_floor``."""

        def make() -> Ortho:
            return rectify_floor(photos, height, extent, options, on_progress)

        if self.workspace is None:
            return make()
        outline = shapely.get_coordinates(extent).round(POSE_DIGITS)
        heights = height(outline).round(POSE_DIGITS)
        key = digest("ortho", *self._keys(photos), outline, heights, options)
        folder = self.workspace.directory("orthos", key, lambda folder: write_ortho(folder, ORTHO, make()))
        return read_ortho(folder, ORTHO)

    def surface(
        self, plan: FloorPlan, landmarks: Landmarks, photos: Sequence[MapPhoto], on_progress: Progress
    ) -> Surface:
        """Return the surface of the plan; a stored one has been a JPEG, as it will be in the twin."""

        def make() -> Surface:
            return build_surface(plan, landmarks, photos, on_progress=on_progress)

        if self.workspace is None:
            return make()
        key = digest("surface", *self._keys(photos), plan.model_dump_json(), len(landmarks), len(landmarks.landmark))
        return Surface.load(self.workspace.directory("surfaces", key, lambda folder: make().save(folder)))

    def _keys(self, photos: Sequence[MapPhoto]) -> list[object]:
        """Return what tells photos apart: files, lenses and rounded poses."""
        poses = np.array([_pose(photo) for photo in photos]).round(POSE_DIGITS) + 0.0
        return [
            [photo.name for photo in photos],
            [self._digest(photo.path) for photo in photos],
            [(photo.camera.model_name, photo.camera.params.round(POSE_DIGITS).tolist()) for photo in photos],
            poses,
        ]

    def _digest(self, path: Path) -> str:
        """Return a file's digest; each is read once, however many surfaces it shows."""
        if path not in self._digests:
            self._digests[path] = file_digest(path)
        return self._digests[path]


def _pose(photo: MapPhoto) -> Array:
    return np.asarray(photo.cam_from_site.matrix())


def _read(photo: MapPhoto, reader: TextReader) -> Arrays:
    found = read_photos([photo], reader)
    frames = [one.reading.log_frames for one in found]
    return {
        "quads": np.array([one.reading.quad for one in found], dtype=np.float64).reshape(-1, 4, 2),
        "texts": np.array([one.reading.text for one in found], dtype=str),
        "scores": np.array([(one.reading.confidence, one.reading.detection) for one in found]).reshape(-1, 2),
        "frames": np.concatenate(frames) if frames else np.zeros((0, 1), np.float32),
        "lengths": np.array([len(lines) for lines in frames], dtype=np.int64),
        "boards": np.array(
            [np.full((4, 2), np.nan) if one.board is None else one.board for one in found], dtype=np.float64
        ).reshape(-1, 4, 2),
    }


def _readings(stored: Arrays, photo: int) -> list[PhotoReading]:
    ends = np.cumsum(stored["lengths"])
    return [
        PhotoReading(
            photo=photo,
            reading=TextReading(
                quad=stored["quads"][k],
                text=str(stored["texts"][k]),
                confidence=float(stored["scores"][k, 0]),
                detection=float(stored["scores"][k, 1]),
                log_frames=stored["frames"][end - length : end],
            ),
            board=stored["boards"][k] if np.isfinite(stored["boards"][k]).all() else None,
        )
        for k, (end, length) in enumerate(zip(ends.tolist(), stored["lengths"].tolist(), strict=True))
    ]
