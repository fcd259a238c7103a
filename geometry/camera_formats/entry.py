"""What all formats share: an entry of cameras.json from its parts, checked, and files of a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError
from geometry.frames import pose_from_matrix
from geometry.records import FixedCamera

Array = NDArray[np.float64]

MAX_FILES = 10_000
ROTATION_TOLERANCE = 1e-3
"""Printed matrices are rounded; more than this is no rotation."""


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What a format does not say.

    size: (width, height) of pictures in pixels, needed by KRTD; level: of all cameras
    """

    size: tuple[int, int] | None = None
    level: str = ""


def entry(
    id: str, camera: pycolmap.Camera, rotation: ArrayLike, translation: ArrayLike, options: ImportOptions, where: str
) -> FixedCamera:
    """Return a camera of cameras.json; ``rotation`` (3, 3) and ``translation`` (3,) metres are cam_from_site.

    Raises ``InputError`` for a matrix that is no rotation; a mirrored one is a left-handed world, which it says.
    """
    matrix, offset = np.asarray(rotation, dtype=np.float64), np.asarray(translation, dtype=np.float64).ravel()
    if matrix.shape != (3, 3) or offset.shape != (3,) or not (np.isfinite(matrix).all() and np.isfinite(offset).all()):
        raise InputError("the pose is not a finite rotation (3, 3) and translation (3)", where=where)
    if np.abs(matrix @ matrix.T - np.eye(3)).max() > ROTATION_TOLERANCE:
        raise InputError("the rotation is not orthonormal", where=where, remedy="Check rows against columns.")
    if np.linalg.det(matrix) < 0:
        raise InputError(
            "the rotation mirrors: the file's world is left-handed",
            where=where,
            remedy="Mirror an axis of the world: R diag(1, -1, 1), and y of all points negated.",
        )
    u, _, vt = np.linalg.svd(matrix)
    return FixedCamera.of(id, camera, pose_from_matrix(u @ vt, offset), level=options.level)


def files_of(path: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return a file, or the files of a folder with one of the suffixes, sorted. Raises ``InputError`` for none."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in suffixes and file.is_file())
        if not 0 < len(files) <= MAX_FILES:
            remedy = f"Give a folder with 1 to {MAX_FILES} such files."
            raise InputError(f"has {len(files)} files {' or '.join(suffixes)}", where=str(path), remedy=remedy)
        return files
    if not path.is_file():
        raise InputError("no such file or folder", where=str(path))
    return [path]


def folder_for(path: Path) -> Path:
    """Make a folder to write into. Raises ``InputError`` where that can't be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"can't make the folder: {error.strerror}", where=str(path)) from error
    return path


def rows_text(matrix: ArrayLike) -> str:
    """Return a matrix as lines of numbers that read back exactly."""
    return "\n".join(" ".join(repr(float(value)) for value in row) for row in np.atleast_2d(matrix))
