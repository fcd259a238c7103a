"""Calibrations as other tools write them: one file a format, read into and written from the cameras of cameras.json.

``FORMATS`` names them; each reads a path into cameras and writes cameras to a path.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from geometry.camera_formats import colmap_model, krtd, nvidia, opencv_yaml
from geometry.camera_formats.entry import ImportOptions
from geometry.records import FixedCamera


@dataclass(frozen=True)
class CameraFormat:
    """How a format is read and written; whether it is one file for all cameras, or a folder; and what it loses."""

    read: Callable[[Path, ImportOptions], tuple[FixedCamera, ...]]
    write: Callable[[Path, Iterable[FixedCamera]], None]
    is_folder: bool
    loses: str


FORMATS: dict[str, CameraFormat] = {
    "nvidia": CameraFormat(nvidia.read, nvidia.write, False, "distortion, clocks, covariance"),
    "opencv": CameraFormat(opencv_yaml.read, opencv_yaml.write, True, "level, clocks, covariance"),
    "krtd": CameraFormat(krtd.read, krtd.write, True, "size of pictures, level, clocks, covariance"),
    "colmap": CameraFormat(colmap_model.read, colmap_model.write, True, "level, clocks, covariance"),
}

__all__ = ["FORMATS", "CameraFormat", "ImportOptions"]
