"""What the interchange files hold, checked at construction; ``geometry.interchange`` reads and writes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.spatial.transform import Rotation

from geometry.cameras import camera_from_params
from geometry.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PoseTable:
    """Camera poses of images, as priors or as truth (poses.csv).

    images: N POSIX paths relative to the image folder
    positions: (N, 3) float64, camera centres in site metres
    quats_xyzw: (N, 4) float64, unit ``site_from_cam``; a row of NaN where the orientation is absent
    sigma_m, sigma_deg: (N,) float64, one-axis standard deviations; NaN where not given
    time: (N,) float64 epoch seconds, NaN where not given; None without the column
    sequence: N names of the sequences the images belong to; None without the column
    """

    images: tuple[str, ...]
    positions: Array
    quats_xyzw: Array
    sigma_m: Array
    sigma_deg: Array
    time: Array | None = None
    sequence: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        n = len(self.images)
        _require_shapes(
            positions=(self.positions, (n, 3)),
            quats_xyzw=(self.quats_xyzw, (n, 4)),
            sigma_m=(self.sigma_m, (n,)),
            sigma_deg=(self.sigma_deg, (n,)),
            time=(self.time, (n,)),
            sequence=(self.sequence, (n,)),
        )

    def __len__(self) -> int:
        return len(self.images)

    def walks(self) -> list[NDArray[np.int64]]:
        """Return the rows of each sequence that have a position, in order of time where that is known."""
        names = np.array(self.sequence or [""] * len(self))
        placed = np.isfinite(self.positions).all(axis=1)
        found = []
        for name in dict.fromkeys(names.tolist()):
            rows = np.flatnonzero((names == name) & placed)
            if self.time is not None and np.isfinite(self.time[rows]).all():
                rows = rows[np.argsort(self.time[rows], kind="stable")]
            found.append(rows)
        return found


@dataclass(frozen=True)
class CameraRule:
    """The camera of every image whose POSIX path matches a glob (one line of cameras.csv)."""

    pattern: str
    camera: pycolmap.Camera


@dataclass(frozen=True, kw_only=True)
class ControlPoints:
    """Surveyed points (control.csv): N names, positions (N, 3) in site metres, sigma_m (N,) along each axis."""

    names: tuple[str, ...]
    positions: Array
    sigma_m: Array

    def __post_init__(self) -> None:
        n = len(self.names)
        _require_shapes(positions=(self.positions, (n, 3)), sigma_m=(self.sigma_m, (n,)))


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Where control points are seen (marks.csv): M point names, M images, pixels (M, 2)."""

    names: tuple[str, ...]
    images: tuple[str, ...]
    pixels: Array

    def __post_init__(self) -> None:
        m = len(self.names)
        _require_shapes(images=(self.images, (m,)), pixels=(self.pixels, (m, 2)))


@dataclass(frozen=True, kw_only=True)
class TagSpecs:
    """Fiducial tags of the site (tags.csv); the tag's frame is that of ``geometry.tag_alignment``.

    families: N names such as "tag36h11"
    ids: (N,) int64
    size_m: (N,) float64, edge of the square whose corners a detector returns
    positions: (N, 3) float64, tag centres in site metres, NaN where the pose is unknown
    quats_xyzw: (N, 4) float64, unit ``site_from_tag``, NaN where the pose is unknown
    sigma_m: (N,) float64, standard deviation of a corner along each axis, NaN where not given
    """

    families: tuple[str, ...]
    ids: NDArray[np.int64]
    size_m: Array
    positions: Array
    quats_xyzw: Array
    sigma_m: Array

    def __post_init__(self) -> None:
        n = len(self.families)
        _require_shapes(
            ids=(self.ids, (n,)),
            size_m=(self.size_m, (n,)),
            positions=(self.positions, (n, 3)),
            quats_xyzw=(self.quats_xyzw, (n, 4)),
            sigma_m=(self.sigma_m, (n,)),
        )


Vector3 = tuple[float, float, float]
Vector4 = tuple[float, float, float, float]
Row6 = tuple[float, float, float, float, float, float]
Matrix6 = tuple[Row6, Row6, Row6, Row6, Row6, Row6]
Name = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f]{1,200}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class PoseEntry(_Strict):
    """A rigid transform; the quaternion and the translation (metres) are those of the field's own direction."""

    quat_xyzw: Vector4
    translation: Vector3


class FixedCamera(_Strict):
    """A mounted camera (one entry of cameras.json); ``of`` builds it from pycolmap's types.

    ``covariance`` is that of ``cam_from_site`` in the tangent of ``geometry.frames``. The camera's clock runs as
    utc = time - clock_offset_s - clock_drift_ppm * 1e-6 * (time - clock_epoch).
    """

    id: Name
    model: str
    width: int
    height: int
    params: tuple[float, ...]
    cam_from_site: PoseEntry
    level: str
    clock_offset_s: float
    covariance: Matrix6 | None = None
    clock_drift_ppm: float = 0.0
    clock_epoch: float = 0.0
    history: tuple[dict[str, Any], ...] = ()
    meta: dict[str, Any] = {}

    @classmethod
    def of(
        cls,
        id: str,
        camera: pycolmap.Camera,
        cam_from_site: pycolmap.Rigid3d,
        *,
        level: str,
        clock_offset_s: float = 0.0,
        covariance: ArrayLike | None = None,
        **fields: Any,
    ) -> Self:
        """Describe a camera; ``covariance`` (6, 6); further fields by their names."""
        rows: Any = None if covariance is None else tuple(tuple(row) for row in np.asarray(covariance, float).tolist())
        return cls(
            id=id,
            model=camera.model_name,
            width=camera.width,
            height=camera.height,
            params=tuple(camera.params.tolist()),
            cam_from_site=PoseEntry(
                quat_xyzw=tuple(cam_from_site.rotation.quat.tolist()),
                translation=tuple(cam_from_site.translation.tolist()),
            ),
            level=level,
            clock_offset_s=clock_offset_s,
            covariance=rows,
            **fields,
        )

    def utc(self, time: float) -> float:
        """Return the true time of a moment by the camera's own clock, epoch seconds."""
        return time - self.clock_offset_s - self.clock_drift_ppm * 1e-6 * (time - self.clock_epoch)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not 1e-6 < np.abs(self.cam_from_site.quat_xyzw).max() < 1e6:
            raise ValueError("the quaternion is not a rotation")
        if self.covariance is not None and not _is_covariance(np.array(self.covariance)):
            raise ValueError("the covariance is not symmetric and positive")
        try:
            self.camera()
        except InputError as error:
            raise ValueError(str(error)) from error
        return self

    def camera(self) -> pycolmap.Camera:
        """Return the intrinsics."""
        return camera_from_params(self.model, self.width, self.height, self.params)

    def pose(self) -> pycolmap.Rigid3d:
        """Return ``cam_from_site``."""
        quat = Rotation.from_quat(self.cam_from_site.quat_xyzw).as_quat()
        return pycolmap.Rigid3d(pycolmap.Rotation3d(quat), np.array(self.cam_from_site.translation))


class CamerasFile(_Strict):
    """The whole of cameras.json."""

    cameras: tuple[FixedCamera, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        ids = [camera.id for camera in self.cameras]
        for index, id in enumerate(ids):
            if id in ids[:index]:
                raise ValueError(f"camera '{id}' occurs twice")
        return self


def _is_covariance(matrix: Array) -> bool:
    eigenvalues = np.linalg.eigvalsh(matrix)
    return bool(np.abs(matrix - matrix.T).max() <= 1e-6 * eigenvalues[-1] and eigenvalues[0] >= -1e-9 * eigenvalues[-1])


def known_keys(parents: Sequence[str | int]) -> list[str]:
    """Return the keys an object of cameras.json may have, from its path such as ["cameras", 0]."""
    models: tuple[type[BaseModel], ...] = (CamerasFile, FixedCamera, PoseEntry)
    return list(models[sum(isinstance(part, str) for part in parents)].model_fields)


def _require_shapes(**fields: tuple[Any, tuple[int, ...]]) -> None:
    for name, (value, shape) in fields.items():
        if value is not None and np.shape(value) != shape:
            raise InputError(f"{name}: expected {shape}, got {np.shape(value)}")
