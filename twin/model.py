"""A twin in memory: the map, its landmarks and places, what is known of the lenses, and how to open one."""

import logging
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import (
    FloorPlan,
    Floors,
    Georeference,
    ImageError,
    InputError,
    MissingExtraError,
    TagSpecs,
    TwinDamagedError,
    position_of,
    read_plan,
    read_tags,
)
from perception import Extractor, make_extractor
from retrieval import PlaceIndex, Vocabulary
from twin.floors_file import read_floors
from twin.gravity import down_in_map, is_tied
from twin.landmarks import Landmarks
from twin.layout import Ortho, ortho_path, read_ortho
from twin.localizer import Localizer
from twin.localizer_options import LocalizerOptions
from twin.map_uncertainty import MapUncertainty
from twin.signs import SignLandmark, read_signs, with_planned
from twin.store import Manifest, missing_files, problems, read_manifest
from twin.surface import Surface
from twin.telltales import Telltale, read_telltales
from twin.textures import Textures, read_textures
from twin.written_evidence import WrittenEvidence

logger = logging.getLogger(__name__)

VOCABULARY_FILE = "vocabulary.npy"
PLAN_FILE, TAGS_FILE, UPDATE_FILE = "plan.json", "tags.csv", "update.json"
FLOORS_FILE, SIGNS_FILE, SURFACE_FILE, LAYOUT_FOLDER = "floors.json", "signs.json", "mesh.ply", "layout"
TELLTALES_FOLDER = "telltales"
TEXTURES_FOLDER = "textures"
MAP_BOUNDS = ("explained_px", "max_noise_scale", "usual_noise", "alike")
"""Fields of ``LocalizerOptions`` that a twin sets, from its own photos."""
VIEW_COVARIANCES = "map/view_covariances.npy"
"""(V, 6, 6) of the poses of the landmarks' views; absent where the poses were given as exact."""


@dataclass(frozen=True, kw_only=True)
class Twin:
    """An opened twin. ``folder`` is where it lies; arrays may be memory-mapped from there."""

    folder: Path
    manifest: Manifest
    landmarks: Landmarks
    vocabulary: Vocabulary
    places: PlaceIndex

    @classmethod
    def open(cls, folder: Path, *, verify: bool = False) -> "Twin":
        """Open a twin; ``verify`` compares every checksum first, which reads it all.

        Raises ``TwinError`` and its kinds with what is wrong and what to do.
        """
        manifest = read_manifest(folder)
        wrong = problems(folder) if verify else missing_files(folder, manifest)
        if wrong:
            raise TwinDamagedError("; ".join(wrong[:5]), where=str(folder), remedy="Restore it or map again.")
        return cls(
            folder=folder,
            manifest=manifest,
            landmarks=Landmarks.load(folder / "landmarks"),
            vocabulary=_load_vocabulary(folder / "places" / VOCABULARY_FILE),
            places=PlaceIndex.load(folder / "places"),
        )

    @cached_property
    def reconstruction(self) -> pycolmap.Reconstruction:
        """The COLMAP model in site. Raises ``TwinDamagedError`` where it can't be read."""
        try:
            return pycolmap.Reconstruction(self.folder / "map")
        except (ValueError, RuntimeError) as error:
            raise TwinDamagedError(f"unreadable ({error})", where=str(self.folder / "map")) from error

    @property
    def is_in_site(self) -> bool:
        """Whether poses are where they are in the site: the frame is metric, and nothing of it is left open."""
        return is_tied(self.manifest.frame)

    @property
    def georeference(self) -> Georeference | None:
        """Where on Earth the site is, if that was given."""
        known = self.manifest.georeference
        return None if known is None else Georeference(**known)

    @cached_property
    def plan(self) -> FloorPlan | None:
        """The floor plan in site, if the twin has one. Raises ``TwinDamagedError`` where it can't be read."""
        path = self.folder / PLAN_FILE
        if not path.exists():
            return None
        try:
            return read_plan(path)
        except InputError as error:
            raise TwinDamagedError(error.what, where=str(path), remedy="Map again with --plan.") from error

    @cached_property
    def floors(self) -> Floors | None:
        """Levels and ramps in site, if the map showed any. Raises ``TwinDamagedError`` where they can't be read."""
        path = self.folder / FLOORS_FILE
        return read_floors(path) if path.exists() else None

    @cached_property
    def signs(self) -> tuple[SignLandmark, ...]:
        """Texts in the site, none where they were not read. Raises ``TwinDamagedError`` where they can't be read."""
        path = self.folder / SIGNS_FILE
        return read_signs(path) if path.exists() else ()

    @cached_property
    def telltales(self) -> tuple[Telltale, ...]:
        """Where levels that look alike differ. Raises ``TwinDamagedError`` where that can't be read."""
        folder = self.folder / TELLTALES_FOLDER
        return read_telltales(folder) if folder.exists() else ()

    @cached_property
    def textures(self) -> Textures | None:
        """What floors, ceilings and walls look like, if that was found. Raises ``TwinDamagedError`` as above."""
        folder = self.folder / TEXTURES_FOLDER
        return read_textures(folder) if folder.exists() else None

    @cached_property
    def surface(self) -> Surface | None:
        """The surface, if it was made. Raises ``TwinDamagedError`` where it can't be read."""
        return Surface.load(self.folder) if (self.folder / SURFACE_FILE).exists() else None

    def ortho(self, level: str) -> Ortho | None:
        """Return a level's floor from above, if it was rectified. Raises ``TwinDamagedError`` as above."""
        path = ortho_path(self.folder / LAYOUT_FOLDER, level)
        try:
            return read_ortho(path.parent, level) if path.exists() else None
        except (InputError, ImageError) as error:
            raise TwinDamagedError(error.what, where=str(path), remedy="Restore it or map again.") from error

    @cached_property
    def view_poses(self) -> dict[str, pycolmap.Rigid3d]:
        """cam_from_site of every map image, by name."""
        return {image.name: image.cam_from_world() for image in self.reconstruction.images.values() if image.has_pose}

    @cached_property
    def uncertainty(self) -> MapUncertainty:
        """What the map's own uncertainty adds to every pose found in it."""
        frame = self.manifest.frame
        poses = [self.view_poses[name] for name in self.landmarks.views]
        return MapUncertainty.of(poses, self.view_covariances, frame.covariance, frame.centroid)

    @cached_property
    def view_covariances(self) -> NDArray[np.float64] | None:
        """Covariances (V, 6, 6) of the poses of the landmarks' views, None where the poses were given as exact."""
        path = self.folder / VIEW_COVARIANCES
        return _load_covariances(path, len(self.landmarks.views)) if path.exists() else None

    @property
    def storeys(self) -> list[float]:
        """Heights of the floors in site, ascending; none where the map has no frame or shows none."""
        if not self.is_in_site:
            return []
        if self.plan is not None:
            return sorted(level.elevation for level in self.plan.levels)
        return [] if self.floors is None else sorted(level.elevation for level in self.floors.levels)

    @property
    def _telltales_of_storeys(self) -> tuple[Telltale, ...]:
        count = len(self.storeys)
        return tuple(each for each in self.telltales if len(each.origin) == count)

    @cached_property
    def tags(self) -> TagSpecs | None:
        """The surveyed tags that were given to the map. Raises ``TwinDamagedError`` where they can't be read."""
        path = self.folder / TAGS_FILE
        try:
            return read_tags(path) if path.exists() else None
        except InputError as error:
            raise TwinDamagedError(error.what, where=str(path), remedy="Restore it or map again.") from error

    @cached_property
    def written(self) -> WrittenEvidence | None:
        """What is written in the site, for telling look-alikes apart; without the extra ``signs`` only tags."""
        if not self.is_in_site:
            return None
        try:
            if self.plan is None:
                return WrittenEvidence(self.signs, self.tags)
            levels = sorted(self.plan.levels, key=lambda level: level.elevation)
            # Of one level there are none to tell apart, and what nobody read is not worth reading for.
            signs = with_planned(self.signs, self.plan.signs) if len(levels) > 1 else self.signs
            return WrittenEvidence(signs, self.tags, levels)
        except MissingExtraError as error:
            logger.warning("signs are not read: %s", error)
            return WrittenEvidence((), self.tags)

    @cached_property
    def down(self) -> NDArray[np.float64] | None:
        """Which way is down (3,) in the map's frame; None where neither the site nor the cameras tell."""
        return down_in_map(self.manifest.frame, [self.view_poses[name] for name in self.landmarks.views])

    def view_covariance(self, name: str) -> NDArray[np.float64]:
        """Return the covariance (6, 6) of a map image's pose in site, of the tie to the site and the map's shape."""
        return self.uncertainty.view_covariance(self.landmarks.views.index(name), self.view_poses[name])

    @property
    def view_positions(self) -> NDArray[np.float64]:
        """Camera centres (V, 3) in site of the views of ``landmarks``, in their order."""
        return np.array([position_of(self.view_poses[name]) for name in self.landmarks.views]).reshape(-1, 3)

    def extractor(self) -> Extractor:
        """Return the extractor for queries: that of the map's features, with fewer of them, which is quicker."""
        return make_extractor(self.manifest.features["extractor"], **self.manifest.features["query_options"])

    @property
    def localizer_options(self) -> LocalizerOptions:
        """The defaults, with the bounds that the map's own photos gave; ``dataclasses.replace`` changes others."""
        mapping = self.manifest.mapping
        bounds: dict[str, Any] = {name: float(mapping[name]) for name in MAP_BOUNDS if name in mapping}
        return replace(LocalizerOptions(), **bounds)

    def localizer(self, options: LocalizerOptions | None = None) -> Localizer:
        """Return a localizer, by default with ``localizer_options``; building it once serves many queries."""
        return Localizer(
            self.landmarks,
            self.vocabulary,
            [self.view_poses[name] for name in self.landmarks.views],
            down=self.down,
            storeys=self.storeys,
            written=self.written,
            textures=self.textures if self.is_in_site else None,
            telltales=self._telltales_of_storeys,
            covariance_scale=float(self.manifest.mapping.get("covariance_scale", 1.0)),
            map_uncertainty=self.uncertainty,
            options=options or self.localizer_options,
        )

    def camera_like(self, lens: str) -> pycolmap.Camera | None:
        """Return the map's camera of a lens that EXIF describes alike, if there is exactly one."""
        alike = [
            i for i, known in self.manifest.lenses.items() if known == lens and self.reconstruction.exists_camera(i)
        ]
        return self.reconstruction.camera(alike[0]) if len(alike) == 1 else None


def _load_vocabulary(path: Path) -> Vocabulary:
    try:
        return Vocabulary(centers=np.load(path, allow_pickle=False))
    except (OSError, ValueError, InputError) as error:
        raise TwinDamagedError(f"unreadable ({error})", where=str(path), remedy="Map again.") from error


def _load_covariances(path: Path, count: int) -> NDArray[np.float64]:
    try:
        covariances = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise TwinDamagedError(f"unreadable ({error})", where=str(path), remedy="Map again.") from error
    if covariances.shape != (count, 6, 6) or not np.isfinite(covariances).all():
        raise TwinDamagedError(f"expected finite ({count}, 6, 6)", where=str(path), remedy="Map again.")
    return covariances
