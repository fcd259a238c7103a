"""The text files people exchange with Tiepoint: poses, cameras, control points and their marks, tags.

Every reader refuses a bad file with an ``InputError`` that names the line and
the column, and every writer is atomic and writes numbers that read back exactly.
"""

from collections.abc import Hashable, Iterable, Sequence
from fnmatch import fnmatchcase
from os import PathLike
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray
from pydantic import ValidationError

from geometry.cameras import MAX_IMAGE_SIDE_PX, camera_from_params
from geometry.errors import InputError, nearest_known
from geometry.records import (
    CameraRule,
    CamerasFile,
    ControlPoints,
    FixedCamera,
    Marks,
    PoseTable,
    TagSpecs,
    known_keys,
)
from geometry.tables import Column, Table, Where, read_bounded, read_table, write_atomic, write_table
from geometry.validation import first_problem

Array = NDArray[np.float64]
FilePath = str | PathLike[str]

MAX_COORDINATE_M = 1e8
"""Larger coordinates are typing errors: the Earth's diameter is 1.3e7 m."""


def _coordinates(*names: str, **options: Any) -> list[Column]:
    return [Column(name, float, minimum=-MAX_COORDINATE_M, maximum=MAX_COORDINATE_M, **options) for name in names]


def _quaternion(**options: Any) -> list[Column]:
    return [Column(name, float, minimum=-1e6, maximum=1e6, **options) for name in QUAT_NAMES]


QUAT_NAMES = ("qx", "qy", "qz", "qw")
POSE_COLUMNS = (
    Column("image", str),
    *_coordinates("x", "y", "z"),
    *_quaternion(may_be_empty=True),
    Column("sigma_m", float, may_be_empty=True, minimum=0.0),
    Column("sigma_deg", float, may_be_empty=True, minimum=0.0),
    Column("time", float, required=False, may_be_empty=True),
    Column("sequence", str, required=False, may_be_empty=True),
)
QUERY_COLUMNS = (
    *POSE_COLUMNS,
    *(Column(name, str, required=False, may_be_empty=True) for name in ("level", "zone", "stall")),
    Column("seen_fraction", float, required=False, minimum=0.0, maximum=1.0),
    Column("level_evidence_px", int, required=False, minimum=0),
)
"""Columns of truth/queries.csv: poses, and of each photo where it is, "" for nowhere, and how hard."""
CAMERA_COLUMNS = (
    Column("pattern", str),
    Column("model", str),
    Column("width", int, minimum=1, maximum=MAX_IMAGE_SIDE_PX),
    Column("height", int, minimum=1, maximum=MAX_IMAGE_SIDE_PX),
    Column("params", str),
)
CONTROL_COLUMNS = (Column("name", str), *_coordinates("x", "y", "z"), Column("sigma_m", float, minimum=0.0))
MARK_COLUMNS = (Column("name", str), Column("image", str), *(Column(n, float) for n in ("u", "v")))
TAG_COLUMNS = (
    Column("family", str),
    Column("id", int, minimum=0),
    Column("size_m", float, minimum=1e-4, maximum=1e3),
    *_coordinates("x", "y", "z", required=False, may_be_empty=True),
    *_quaternion(required=False, may_be_empty=True),
    Column("sigma_m", float, required=False, may_be_empty=True, minimum=0.0),
)


def read_poses(path: FilePath) -> PoseTable:
    """Read poses.csv; quaternions are normalised."""
    return _poses_from_table(read_table(path, POSE_COLUMNS))


def read_true_poses(path: FilePath) -> PoseTable:
    """Read the poses of a poses.csv that holds truth, with or without the further columns of ``QUERY_COLUMNS``."""
    return _poses_from_table(read_table(path, QUERY_COLUMNS))


def _poses_from_table(table: Table) -> PoseTable:
    images, quats = table.text("image"), table.numbers(*QUAT_NAMES)
    _check_images(images, table.where)
    _check_unique(images, "image", table.where)
    _check_quaternions(quats, table.where)
    return PoseTable(
        images=images,
        positions=table.numbers("x", "y", "z"),
        quats_xyzw=_normalised(quats),
        sigma_m=table.numbers("sigma_m"),
        sigma_deg=table.numbers("sigma_deg"),
        time=table.numbers("time") if "time" in table else None,
        sequence=table.text("sequence") if "sequence" in table else None,
    )


def write_poses(path: FilePath, poses: PoseTable) -> None:
    """Write poses.csv; raises ``InputError``, before writing, for what ``read_poses`` would refuse."""
    where = _row_of(path)
    _check_images(poses.images, where)
    _check_unique(poses.images, "image", where)
    _check_quaternions(poses.quats_xyzw, where)
    write_table(path, POSE_COLUMNS, pose_columns(poses))


def pose_columns(poses: PoseTable) -> dict[str, Sequence[Any]]:
    """Return the columns of poses.csv for ``write_table``, to write them beside columns of one's own."""
    columns: dict[str, Sequence[Any]] = {"image": poses.images, **_split("xyz", poses.positions)}
    columns |= _split(QUAT_NAMES, poses.quats_xyzw)
    columns |= {"sigma_m": poses.sigma_m.tolist(), "sigma_deg": poses.sigma_deg.tolist()}
    if poses.time is not None:
        columns["time"] = poses.time.tolist()
    if poses.sequence is not None:
        columns["sequence"] = poses.sequence
    return columns


def read_cameras(path: FilePath) -> tuple[CameraRule, ...]:
    """Read cameras.csv, in the order of the file."""
    table = read_table(path, CAMERA_COLUMNS)
    _check_unique(table.text("pattern"), "pattern", table.where)
    sizes = table.numbers("width", "height").astype(int).tolist()
    rows = zip(table.text("pattern"), table.text("model"), sizes, table.text("params"), strict=True)
    return tuple(
        CameraRule(pattern, _camera(model, size, params, table.where(row, "params")))
        for row, (pattern, model, size, params) in enumerate(rows)
    )


def write_cameras(path: FilePath, rules: Iterable[CameraRule]) -> None:
    """Write cameras.csv."""
    rules = tuple(rules)
    _check_unique([rule.pattern for rule in rules], "pattern", _row_of(path))
    columns = {
        "pattern": [rule.pattern for rule in rules],
        "model": [rule.camera.model_name for rule in rules],
        "width": [rule.camera.width for rule in rules],
        "height": [rule.camera.height for rule in rules],
        "params": [" ".join(map(repr, rule.camera.params.tolist())) for rule in rules],
    }
    write_table(path, CAMERA_COLUMNS, columns)


def camera_for(image: str, rules: Iterable[CameraRule]) -> pycolmap.Camera | None:
    """Return the camera of the first rule whose glob matches the image's POSIX path ('*' also matches '/')."""
    return next((rule.camera for rule in rules if fnmatchcase(image, rule.pattern)), None)


def read_control(path: FilePath) -> ControlPoints:
    """Read control.csv."""
    table = read_table(path, CONTROL_COLUMNS)
    _check_unique(table.text("name"), "name", table.where)
    return ControlPoints(
        names=table.text("name"), positions=table.numbers("x", "y", "z"), sigma_m=table.numbers("sigma_m")
    )


def write_control(path: FilePath, control: ControlPoints) -> None:
    """Write control.csv."""
    _check_unique(control.names, "name", _row_of(path))
    columns = {"name": control.names, **_split("xyz", control.positions), "sigma_m": control.sigma_m.tolist()}
    write_table(path, CONTROL_COLUMNS, columns)


def read_marks(path: FilePath) -> Marks:
    """Read marks.csv; that each name is a control point is for the one who joins them to check."""
    table = read_table(path, MARK_COLUMNS)
    names, images = table.text("name"), table.text("image")
    _check_images(images, table.where)
    _check_unique(list(zip(names, images, strict=True)), "name", table.where)
    return Marks(names=names, images=images, pixels=table.numbers("u", "v"))


def write_marks(path: FilePath, marks: Marks) -> None:
    """Write marks.csv."""
    where = _row_of(path)
    _check_images(marks.images, where)
    _check_unique(list(zip(marks.names, marks.images, strict=True)), "name", where)
    write_table(path, MARK_COLUMNS, {"name": marks.names, "image": marks.images, **_split("uv", marks.pixels)})


def read_tags(path: FilePath) -> TagSpecs:
    """Read tags.csv; a pose is given whole or not at all, and quaternions are normalised."""
    table = read_table(path, TAG_COLUMNS)
    nan = np.full(len(table), np.nan)
    pose = np.stack([table.numbers(n) if n in table else nan for n in ("x", "y", "z", *QUAT_NAMES)], axis=-1)
    families, ids = table.text("family"), np.asarray(table.columns["id"], dtype=np.int64)
    _check_tags(families, ids, pose, table.where)
    return TagSpecs(
        families=families,
        ids=ids,
        size_m=table.numbers("size_m"),
        positions=pose[:, :3],
        quats_xyzw=_normalised(pose[:, 3:]),
        sigma_m=table.numbers("sigma_m") if "sigma_m" in table else nan,
    )


def write_tags(path: FilePath, tags: TagSpecs) -> None:
    """Write tags.csv."""
    _check_tags(tags.families, tags.ids, np.hstack([tags.positions, tags.quats_xyzw]), _row_of(path))
    columns: dict[str, Sequence[Any]] = {"family": tags.families, "id": tags.ids.tolist()}
    columns |= {"size_m": tags.size_m.tolist(), **_split("xyz", tags.positions), **_split(QUAT_NAMES, tags.quats_xyzw)}
    write_table(path, TAG_COLUMNS, columns | {"sigma_m": tags.sigma_m.tolist()})


def read_cameras_json(path: FilePath) -> tuple[FixedCamera, ...]:
    """Read the fixed cameras of cameras.json; ``InputError`` names the entry and, for an unknown key, the nearest."""
    try:
        return CamerasFile.model_validate_json(read_bounded(path)).cameras
    except ValidationError as error:
        raise _json_error(error, path) from error


def write_cameras_json(path: FilePath, cameras: Iterable[FixedCamera]) -> None:
    """Write cameras.json; fields that have their default value are left out."""
    content = CamerasFile.model_construct(cameras=tuple(cameras))
    ids = [camera.id for camera in content.cameras]
    _check_unique(ids, "id", _row_of(path))
    write_atomic(path, content.model_dump_json(indent=1, exclude_defaults=True).encode() + b"\n")


def _camera(model: str, size: Sequence[int], params: str, where: str) -> pycolmap.Camera:
    try:
        return camera_from_params(model, size[0], size[1], [float(word) for word in params.split()])
    except ValueError as error:
        raise InputError(f"'{params[:40]}' is not a list of numbers separated by spaces", where=where) from error
    except InputError as error:
        raise InputError(error.what, where=where, remedy=error.remedy) from error


def _json_error(error: ValidationError, path: FilePath) -> InputError:
    problem, unknown = first_problem(error)
    location = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"])
    where = f"{path} at {location}" if location else str(path)
    if not unknown:
        return InputError(problem["msg"].removeprefix("Value error, "), where=where)
    *parents, key = problem["loc"]
    return InputError("unknown key", where=where, remedy=nearest_known(str(key), known_keys(parents)))


def _split(names: Iterable[str], values: Array) -> dict[str, list[float]]:
    return dict(zip(names, values.T.tolist(), strict=True))


def _row_of(path: FilePath) -> Where:
    return lambda row, column: f"{path}, row {row + 1}, column '{column}'"


def _check_unique(keys: Sequence[Hashable], column: str, where: Where) -> None:
    seen: set[Hashable] = set()
    for row, key in enumerate(keys):
        if key in seen:
            raise InputError(f"{key!r} occurs twice", where=where(row, column), remedy="Keep one of the rows.")
        seen.add(key)


def _check_images(images: Sequence[str], where: Where) -> None:
    for row, image in enumerate(images):
        path = PurePosixPath(image)
        if path.is_absolute() or ".." in path.parts or "\\" in image or "\0" in image or str(path) != image:
            remedy = "Write it relative to the image folder, with '/' between folders, as in 'walk/0001.jpg'."
            raise InputError(f"'{image[:80]}' is not a relative POSIX path", where=where(row, "image"), remedy=remedy)


def _check_quaternions(quats: Array, where: Where) -> None:
    absent = np.isnan(quats)
    for row in np.flatnonzero(absent.any(axis=1) & ~absent.all(axis=1)):
        raise InputError("the quaternion is incomplete", where=where(int(row), QUAT_NAMES[absent[row].argmax()]))
    for row in np.flatnonzero(np.linalg.norm(quats, axis=1) < 1e-6):
        raise InputError("the quaternion is zero", where=where(int(row), "qw"), remedy="No rotation is 0,0,0,1.")


def _check_tags(families: Sequence[str], ids: NDArray[np.int64], pose: Array, where: Where) -> None:
    _check_unique(list(zip(families, ids.tolist(), strict=True)), "id", where)
    absent = np.isnan(pose)
    for row in np.flatnonzero(absent.any(axis=1) & ~absent.all(axis=1)):
        raise InputError("the tag's pose is incomplete", where=where(int(row), "x"), remedy="Give all or nothing.")
    _check_quaternions(pose[:, 3:], where)


def _normalised(quats: Array) -> Array:
    """Scale to unit length, leaving what is already unit bit for bit, so that files round-trip."""
    norms = np.linalg.norm(quats, axis=1, keepdims=True)
    return np.where(np.abs(norms - 1.0) < 1e-12, quats, quats / norms)
