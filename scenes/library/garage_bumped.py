"""The reference garage, and three of its cameras pushed aside between two captures."""

from typing import NamedTuple

from scenes.facility import Facility, FixedCamera
from scenes.library.garage import garage

BUMPS = {
    "cam2": {"yaw_deg": 4.0, "pitch_deg": -1.5},
    "cam3": {"yaw_deg": -2.5, "roll_deg": 2.0, "height": -0.06},
    "cam5": {"pitch_deg": -3.0, "height": -0.04},
}
"""What is added to a camera's fields, in degrees and metres."""


class BumpedCameras(NamedTuple):
    """All cameras of a facility in two captures, in one order."""

    before: tuple[FixedCamera, ...]
    after: tuple[FixedCamera, ...]


def garage_bumped(size: float = 1.0, seed: int = 0) -> Facility:
    """Build the garage as it was before the cameras moved."""
    return garage(size, seed).model_copy(update={"name": "garage-bumped"})


def bumped_cameras(facility: Facility) -> BumpedCameras:
    """Return the cameras before and after those of ``BUMPS`` were moved."""
    return BumpedCameras(facility.cameras, tuple(_bump(camera) for camera in facility.cameras))


def _bump(camera: FixedCamera) -> FixedCamera:
    moved = {field: getattr(camera, field) + by for field, by in BUMPS.get(camera.id, {}).items()}
    return camera.model_copy(update=moved)
