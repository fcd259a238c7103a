"""OpenCV's YAML, a file a camera: camera_matrix, distortion_coefficients, image size, and the pose beside them.

As OpenCV's calibration sample and ROS write it; ``rotation_matrix`` and ``translation`` are cam_from_site in metres.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import ArrayLike, NDArray

from geometry.camera_formats.entry import ImportOptions, entry, files_of, folder_for
from geometry.cameras import camera_from_opencv, opencv_from_camera
from geometry.errors import InputError
from geometry.records import FixedCamera
from geometry.tables import read_bounded, write_atomic

SUFFIXES = (".yaml", ".yml")
MAX_VALUES = 100
MATRICES = {
    "camera_matrix": ("camera_matrix", "K", "Camera_Matrix"),
    "distortion": ("distortion_coefficients", "D", "Distortion_Coefficients", "dist_coeffs"),
    "rotation": ("rotation_matrix", "R", "rotation"),
    "translation": ("translation", "T", "translation_vector", "tvec"),
}


class _Loader(yaml.SafeLoader):
    """Knows OpenCV's matrices, and nothing else beyond plain YAML."""


def _matrix(loader: yaml.SafeLoader, node: yaml.nodes.MappingNode) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", _matrix)


def read(path: Path, options: ImportOptions | None = None) -> tuple[FixedCamera, ...]:
    """Read a file, or all of a folder; the file's name is the camera's id. Raises ``InputError`` for what lacks."""
    options = options or ImportOptions()
    return tuple(_read_one(file, options) for file in files_of(path, SUFFIXES))


def _read_one(file: Path, options: ImportOptions) -> FixedCamera:
    try:
        text = read_bounded(file).decode("utf-8")
        # OpenCV writes "%YAML:1.0", which YAML itself does not know.
        content = yaml.load("\n".join(line for line in text.splitlines() if not line.startswith("%YAML")), _Loader)
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"not OpenCV's YAML ({str(error).splitlines()[0]})", where=str(file)) from error
    if not isinstance(content, dict):
        raise InputError("not OpenCV's YAML: no names in it", where=str(file))
    k = _values(content, "camera_matrix", file, required=True).reshape(-1)
    if len(k) != 9:
        raise InputError(f"camera_matrix has {len(k)} values, not 9", where=str(file))
    size = options.size or (_integer(content, "image_width", file), _integer(content, "image_height", file))
    fisheye = str(content.get("distortion_model", "")).lower() in ("fisheye", "equidistant")
    try:
        distortion = _values(content, "distortion", file, required=False)
        camera = camera_from_opencv(k.reshape(3, 3), distortion.reshape(-1), size, fisheye=fisheye)
    except InputError as error:
        raise InputError(error.what, where=str(file), remedy=error.remedy) from error
    rotation, translation = (_values(content, name, file, required=True) for name in ("rotation", "translation"))
    if rotation.size != 9 or translation.size != 3:
        raise InputError("the pose is not a rotation_matrix of 9 and a translation of 3 values", where=str(file))
    return entry(file.stem, camera, rotation.reshape(3, 3), translation, options, str(file))


def _values(content: dict[Any, Any], name: str, file: Path, *, required: bool) -> NDArray[np.float64]:
    for key in MATRICES[name]:
        if key in content:
            found = content[key]
            data = found.get("data") if isinstance(found, dict) else found
            try:
                values = np.asarray(data, dtype=np.float64).reshape(-1)
            except (TypeError, ValueError) as error:
                raise InputError(f"{key} is not a matrix of numbers", where=str(file)) from error
            if len(values) > MAX_VALUES or not np.isfinite(values).all():
                raise InputError(f"{key} has {len(values)} values, or some that are not finite", where=str(file))
            return values
    if required:
        remedy = (
            "Intrinsics alone are given to 'tiepoint calibrate' by cameras.csv." if name != "camera_matrix" else None
        )
        raise InputError(f"has no {MATRICES[name][0]}", where=str(file), remedy=remedy)
    return np.zeros(0)


def _integer(content: dict[Any, Any], name: str, file: Path) -> int:
    value = content.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(f"has no {name}", where=str(file), remedy="Give the size of the pictures.")
    return value


def write(path: Path, cameras: Iterable[FixedCamera]) -> None:
    """Write a file a camera into the folder ``path``. Raises ``InputError`` for lenses that OpenCV does not have."""
    texts = {}
    for fixed in cameras:
        k, distortion, fisheye = opencv_from_camera(fixed.camera())
        pose = fixed.pose()
        lines = ["%YAML:1.0", "---", f"image_width: {fixed.width}", f"image_height: {fixed.height}"]
        lines += ["distortion_model: fisheye" if fisheye else "distortion_model: plumb_bob"]
        parts = {
            "camera_matrix": k,
            "distortion_coefficients": np.atleast_2d(distortion),
            "rotation_matrix": pose.rotation.matrix(),
            "translation": np.reshape(pose.translation, (3, 1)),
        }
        for name, matrix in parts.items():
            lines += _matrix_lines(name, matrix)
        texts[fixed.id] = "\n".join(lines) + "\n"
    folder = folder_for(path)
    for id, text in texts.items():
        write_atomic(folder / f"{id}.yaml", text.encode())


def _matrix_lines(name: str, matrix: ArrayLike) -> list[str]:
    array = np.asarray(matrix, dtype=np.float64)
    values = ", ".join(_number(value) for value in array.ravel().tolist())
    rows, columns = array.shape
    return [f"{name}: !!opencv-matrix", f"   rows: {rows}", f"   cols: {columns}", "   dt: d", f"   data: [ {values} ]"]


def _number(value: float) -> str:
    """Return a number that YAML reads as one: it wants a dot before an exponent."""
    text = repr(value)
    return text.replace("e", ".0e") if "e" in text and "." not in text else text
