"""A picture to be taken, and where a camera looks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from geometry.frames import pose_from_position

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A picture to take.

    image: POSIX path relative to the folder of its kind; time: epoch seconds; level: where the camera is, "" for
    nowhere; sequence: name of the recording that it belongs to, "" for a photo of its own
    """

    image: str
    camera: pycolmap.Camera
    cam_from_site: pycolmap.Rigid3d
    time: float
    level: str
    sequence: str = ""


def look(position: Sequence[float] | Array, yaw: float, pitch: float = 0.0, roll: float = 0.0) -> pycolmap.Rigid3d:
    """Return ``cam_from_site`` of a camera at ``position`` (3,) in site metres.

    yaw: of the optical axis, counter-clockwise from site +x; pitch: upwards; roll: clockwise as the photographer
    sees it; all in radians. With no roll the picture's x axis is level.
    """
    level = np.array([[np.sin(yaw), 0.0, np.cos(yaw)], [-np.cos(yaw), 0.0, np.sin(yaw)], [0.0, -1.0, 0.0]])
    site_from_cam = Rotation.from_matrix(level) * Rotation.from_euler("XZ", [pitch, roll])
    return pose_from_position(position, site_from_cam.as_quat())
