"""Where the fixed cameras of a facility hang, as pycolmap sees them."""

from typing import NamedTuple

import numpy as np
import pycolmap

from geometry import records
from geometry.cameras import camera_from_params
from geometry.errors import InputError
from scenes import facility as authored
from scenes.captures.views import look
from scenes.library import bumped_cameras

BUMPED = "garage-bumped"


class MountedCameras(NamedTuple):
    """The cameras as they were calibrated when installed, and as they are now; both in the facility's order."""

    installed: tuple[records.FixedCamera, ...]
    true: tuple[records.FixedCamera, ...]


def mounted_cameras(facility: authored.Facility, clock_epoch: float = 0.0) -> MountedCameras:
    """Return a facility's cameras; only those of ``garage-bumped`` have moved since they were installed.

    Clocks are right as far as the installer knows; the true ones have the facility's offsets and drifts. Raises
    ``InputError`` naming a camera whose lens is not one.
    """
    moved = bumped_cameras(facility).after if facility.name == BUMPED else facility.cameras
    elevations = {level.id: level.elevation for level in facility.levels}
    return MountedCameras(
        installed=tuple(_entry(c, elevations[c.level], 0.0, 0.0, 0.0) for c in facility.cameras),
        true=tuple(_entry(c, elevations[c.level], c.clock_offset_s, c.clock_drift_ppm, clock_epoch) for c in moved),
    )


def mounted_pose(camera: authored.FixedCamera, elevation: float) -> pycolmap.Rigid3d:
    """Return ``cam_from_site`` of a camera that hangs above a floor at ``elevation``."""
    angles = np.radians([camera.yaw_deg, camera.pitch_deg, camera.roll_deg]).tolist()
    return look((*camera.at, elevation + camera.height), *angles)


def _entry(
    camera: authored.FixedCamera, elevation: float, offset_s: float, drift_ppm: float, epoch: float
) -> records.FixedCamera:
    try:
        lens = camera_from_params(camera.model, camera.width, camera.image_height, camera.params)
    except InputError as error:
        raise InputError(error.what, where=f"camera '{camera.id}'", remedy=error.remedy) from error
    return records.FixedCamera.of(
        camera.id,
        lens,
        mounted_pose(camera, elevation),
        level=camera.level,
        clock_offset_s=offset_s,
        clock_drift_ppm=drift_ppm,
        clock_epoch=epoch,
    )
