"""KRTD (Kitware): a text file a camera with K (3, 3), R (3, 3), T (3) and D, OpenCV's convention, x_cam = R x + T."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from geometry.camera_formats.entry import ImportOptions, entry, files_of, folder_for, rows_text
from geometry.cameras import camera_from_opencv, opencv_from_camera
from geometry.errors import InputError
from geometry.records import FixedCamera
from geometry.tables import read_bounded, write_atomic

SUFFIX = ".krtd"
NUMBERS = 21
MAX_BYTES = 100_000


def read(path: Path, options: ImportOptions | None = None) -> tuple[FixedCamera, ...]:
    """Read a file, or all ``.krtd`` of a folder; the file's name is the camera's id.

    The file does not tell the size of pictures: without ``options.size`` the principal point is taken as the centre.
    Raises ``InputError`` for anything else than 21 numbers and up to eight coefficients of distortion.
    """
    options = options or ImportOptions()
    return tuple(_read_one(file, options) for file in files_of(path, (SUFFIX,)))


def _read_one(file: Path, options: ImportOptions) -> FixedCamera:
    try:
        values = np.array([float(word) for word in read_bounded(file)[:MAX_BYTES].decode("utf-8").split()])
    except (UnicodeDecodeError, ValueError) as error:
        raise InputError(f"not numbers ({error})", where=str(file)) from error
    if not NUMBERS <= len(values) <= NUMBERS + 14 or not np.isfinite(values).all():
        raise InputError(
            f"expected K, R, T and D, 21 numbers and up to 14 of distortion, got {len(values)}", where=str(file)
        )
    k, rotation, translation = values[:9].reshape(3, 3), values[9:18].reshape(3, 3), values[18:21]
    distortion = _trimmed(values[21:])
    size = options.size or (_side(k[0, 2]), _side(k[1, 2]))
    try:
        camera = camera_from_opencv(k, distortion, size)
    except InputError as error:
        raise InputError(error.what, where=str(file), remedy=error.remedy) from error
    return entry(file.stem, camera, rotation, translation, options, str(file))


def _side(principal: float) -> int:
    """Return the side of a picture whose middle the principal point is near; sides are multiples of 8."""
    return max(8, 8 * round((2 * principal + 1) / 8))


def _trimmed(distortion: np.ndarray) -> np.ndarray:
    """Return as many coefficients as OpenCV knows; a lone 0 stands for none."""
    if not distortion.any():
        return np.zeros(0)
    for length in (4, 5, 8, 12, 14):
        if len(distortion) <= length:
            return np.pad(distortion, (0, length - len(distortion)))
    return distortion


def write(path: Path, cameras: Iterable[FixedCamera]) -> None:
    """Write a file a camera into the folder ``path``. Raises ``InputError`` for a fisheye lens, which KRTD lacks."""
    texts = {}
    for fixed in cameras:
        k, distortion, fisheye = opencv_from_camera(fixed.camera())
        if fisheye:
            raise InputError(f"camera '{fixed.id}' has a fisheye lens, and KRTD has none", remedy="Use COLMAP's.")
        pose = fixed.pose()
        parts = [k, pose.rotation.matrix(), pose.translation, distortion]
        texts[fixed.id] = "\n\n".join(rows_text(part) for part in parts) + "\n"
    folder = folder_for(path)
    for id, text in texts.items():
        write_atomic(folder / f"{id}{SUFFIX}", text.encode())
