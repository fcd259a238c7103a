"""What a twin is mapped from: images with their cameras and what is known of their poses, checked before any work."""

import logging
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import (
    InputError,
    PoseTable,
    camera_for,
    camera_from_exif,
    check_size,
    is_drift,
    nearest_known,
    pose_from_position,
    read_cameras,
    read_poses,
)
from geometry.errors import MappingError
from perception import list_images
from twin.mapping.workspace import file_digest

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

DEFAULT_PRIOR_SIGMA_M, DEFAULT_PRIOR_SIGMA_DEG = 1.0, 5.0
"""Of a prior whose sigma_m or sigma_deg is empty."""


@dataclass(frozen=True, kw_only=True)
class MapInputs:
    """The files a twin is made from; see docs/formats.md. All but ``images`` are optional."""

    images: Path
    cameras: Path | None = None
    poses: Path | None = None
    control: Path | None = None
    marks: Path | None = None
    tags: Path | None = None
    plan: Path | None = None
    plan_control: Path | None = None
    layers: Path | None = None


class PoseKnowledge(StrEnum):
    """How well the poses of the map images are known, which decides how the map is made."""

    KNOWN = "known"
    APPROXIMATE = "approximate"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Capture:
    """Images of a place.

    folder: where the images are; names: their POSIX paths in it, sorted; digests: sha256 of each file
    camera_of: camera id of each image; cameras: by id; given_cameras: ids whose intrinsics came with the capture
    lenses: EXIF description by camera id, for recognising the same lens in a query
    priors: rows of poses.csv in the order of ``names``; None without the file. Images without a row hold NaN
    height_sigmas: (N,) metres, of the priors' heights where these are known apart from the rest; else as sigma_m
    sigmas_before: (N,) metres, as the priors claimed before their drift was corrected; None where it was not
    refused: images left out and why
    """

    folder: Path
    names: tuple[str, ...]
    digests: tuple[str, ...]
    camera_of: tuple[int, ...]
    cameras: dict[int, pycolmap.Camera]
    given_cameras: frozenset[int]
    lenses: dict[int, str]
    priors: PoseTable | None = None
    height_sigmas: Array | None = None
    sigmas_before: Array | None = None
    refused: dict[str, str] = field(default_factory=dict)

    def path(self, index: int) -> Path:
        """Return the file of an image."""
        return self.folder / self.names[index]

    def camera(self, index: int) -> pycolmap.Camera:
        """Return the camera of an image."""
        return self.cameras[self.camera_of[index]]

    @property
    def pose_knowledge(self) -> PoseKnowledge:
        """KNOWN where every prior is a full pose with sigmas 0; APPROXIMATE with three or more positions."""
        if self.priors is None:
            return PoseKnowledge.NONE
        placed = np.isfinite(self.priors.positions).all(axis=1)
        exact = (self.priors.sigma_m == 0) & (self.priors.sigma_deg == 0)
        if placed.any() and exact[placed].all() and np.isfinite(self.priors.quats_xyzw[placed]).all():
            return PoseKnowledge.KNOWN
        return PoseKnowledge.APPROXIMATE if placed.sum() >= 3 else PoseKnowledge.NONE

    def prior_poses(self) -> dict[int, pycolmap.Rigid3d]:
        """Return cam_from_site of every image whose prior has a position and an orientation, by index."""
        priors = self.priors
        if priors is None:
            return {}
        full = np.isfinite(priors.positions).all(axis=1) & np.isfinite(priors.quats_xyzw).all(axis=1)
        return {int(i): pose_from_position(priors.positions[i], priors.quats_xyzw[i]) for i in np.flatnonzero(full)}

    def prior_sigmas(self) -> Array:
        """Return the sigmas (N, 3) of the priors' positions along x, y and z, metres, those that are empty filled in.

        Raises ``ValueError`` where there are no priors.
        """
        if self.priors is None:
            raise ValueError("a capture without priors has no sigmas of them")
        sigmas = np.repeat(np.nan_to_num(self.priors.sigma_m, nan=DEFAULT_PRIOR_SIGMA_M)[:, None], 3, axis=1)
        if self.height_sigmas is not None:
            sigmas[:, 2] = np.nan_to_num(self.height_sigmas, nan=DEFAULT_PRIOR_SIGMA_M)
        return sigmas

    @property
    def claimed_sigmas(self) -> Array:
        """The sigmas (N,) of the priors' positions as they were claimed, metres, NaN where empty."""
        assert self.priors is not None
        return self.priors.sigma_m if self.sigmas_before is None else self.sigmas_before

    def without(self, refusals: dict[str, str]) -> "Capture":
        """Return the capture without some images, which are remembered with the reason."""
        keep = [i for i, name in enumerate(self.names) if name not in refusals]
        return Capture(
            folder=self.folder,
            names=tuple(self.names[i] for i in keep),
            digests=tuple(self.digests[i] for i in keep),
            camera_of=tuple(self.camera_of[i] for i in keep),
            cameras=self.cameras,
            given_cameras=self.given_cameras,
            lenses=self.lenses,
            priors=None if self.priors is None else take_rows(self.priors, keep),
            height_sigmas=None if self.height_sigmas is None else self.height_sigmas[keep],
            sigmas_before=None if self.sigmas_before is None else self.sigmas_before[keep],
            refused=self.refused | refusals,
        )


def walks(priors: PoseTable) -> list[NDArray[np.int64]]:
    """Return the rows of each sequence, in order of time where it is known, that have a position and a sigma."""
    return [rows[np.isfinite(priors.sigma_m[rows])] for rows in priors.walks()]


def drifting_walks(capture: Capture) -> list[NDArray[np.int64]]:
    """Return the walks, as ``walks``, whose positions drift by what was claimed of them; none without priors."""
    if capture.priors is None:
        return []
    claimed = capture.claimed_sigmas
    return [rows for rows in walks(capture.priors) if is_drift(claimed[rows])]


def read_capture(folder: Path, cameras_csv: Path | None, poses_csv: Path | None) -> Capture:
    """Gather a capture: list images, give each a camera, join pose priors.

    An image that can't be used (unreadable header, a size its camera does not have) is refused by name and the rest
    goes on. Raises ``InputError`` for wrong files, and ``MappingError`` where fewer than two images are left.
    """
    names = list_images(folder)
    rules = read_cameras(cameras_csv) if cameras_csv else ()
    poses = read_poses(poses_csv) if poses_csv else None
    registry = _CameraRegistry()
    kept, refused, camera_of = [], {}, []
    for name in names:
        try:
            camera_of.append(registry.camera_id(folder / name, name, camera_for(name, rules)))
            kept.append(name)
        except InputError as error:
            refused[name] = error.what
            logger.warning("%s is left out: %s", name, error)
    if len(kept) < 2:
        raise MappingError(
            f"a map needs at least 2 usable images, found {len(kept)}",
            where=str(folder),
            remedy="; ".join(f"{name}: {why}" for name, why in list(refused.items())[:5])
            or "Is this the right folder?",
        )
    return Capture(
        folder=folder,
        names=tuple(kept),
        digests=tuple(file_digest(folder / name) for name in kept),
        camera_of=tuple(camera_of),
        cameras=registry.cameras,
        given_cameras=frozenset(registry.given),
        lenses=registry.lenses,
        priors=None if poses is None else _join(poses, kept, str(poses_csv)),
        refused=refused,
    )


def take_rows(table: PoseTable, rows: list[int]) -> PoseTable:
    """Return the given rows of a pose table."""
    return PoseTable(
        images=tuple(table.images[i] for i in rows),
        positions=table.positions[rows],
        quats_xyzw=table.quats_xyzw[rows],
        sigma_m=table.sigma_m[rows],
        sigma_deg=table.sigma_deg[rows],
        time=None if table.time is None else table.time[rows],
        sequence=None if table.sequence is None else tuple(table.sequence[i] for i in rows),
    )


def _join(poses: PoseTable, names: list[str], where: str) -> PoseTable:
    """Order the rows of poses.csv as the images; an image without a row gets NaN."""
    row_of = {name: row for row, name in enumerate(poses.images)}
    rows = np.array([row_of.get(name, -1) for name in names])
    unknown = sorted(set(poses.images) - set(names))
    if (rows < 0).all():
        raise InputError("names none of the images", where=where, remedy=nearest_known(unknown[0], names))
    if unknown:
        logger.warning("%s: %d rows name no image of the folder, the first is %s", where, len(unknown), unknown[0])

    def joined(values: Array) -> Array:
        found = values[rows].copy()
        found[rows < 0] = np.nan
        return found

    return PoseTable(
        images=tuple(names),
        positions=joined(poses.positions),
        quats_xyzw=joined(poses.quats_xyzw),
        sigma_m=joined(poses.sigma_m),
        sigma_deg=joined(poses.sigma_deg),
        time=None if poses.time is None else joined(poses.time),
        sequence=None if poses.sequence is None else tuple(poses.sequence[r] if r >= 0 else "" for r in rows),
    )


class _CameraRegistry:
    """Gives images camera ids: one per rule of cameras.csv, else one per lens that EXIF tells apart."""

    def __init__(self) -> None:
        self.cameras: dict[int, pycolmap.Camera] = {}
        self.given: set[int] = set()
        self.lenses: dict[int, str] = {}
        self._ids: dict[object, int] = {}

    def camera_id(self, path: Path, name: str, given: pycolmap.Camera | None) -> int:
        from_exif, _ = camera_from_exif(path)
        if given is not None:
            check_size(given, (from_exif.width, from_exif.height), where=name)
        camera = from_exif if given is None else given
        key = (given is not None, camera.model_name, camera.width, camera.height, tuple(camera.params))
        if key not in self._ids:
            camera_id = self._ids[key] = len(self._ids) + 1
            camera.camera_id = camera_id
            self.cameras[camera_id] = camera
            self.lenses[camera_id] = lens_key(from_exif)
            if given is not None:
                self.given.add(camera_id)
        return self._ids[key]


def lens_key(camera: pycolmap.Camera) -> str:
    """Describe a lens as EXIF tells it, before any refinement; equal for photos of one lens at one zoom."""
    return f"{camera.width}x{camera.height} {camera.mean_focal_length():.2f}px"
