"""A small recording: the library's room with two small cameras and more traffic than it usually has."""

from functools import lru_cache

from geometry import FloorPlan
from scenes.building import Building, build_facility
from scenes.captures.recording import FixedOptions, Recording, record
from scenes.facility import Facility, FixedCamera, Traffic
from scenes.library import facility
from scenes.plan import floor_plan

OPTIONS = FixedOptions(seconds=2.0, fps=2.0, quality="draft", seed=3)


@lru_cache
def room() -> tuple[Facility, FloorPlan, Building]:
    """The room with coarse textures and cameras of 96 x 72 pixels, one with a clock that is off."""
    full = facility("room")
    traffic = Traffic(vehicles=60, people=16, parked=0.5)
    cameras = tuple(_small(camera, drift) for camera, drift in zip(full.cameras, (0.0, 50.0), strict=True))
    small = full.model_copy(update={"px_per_m": 12.0, "traffic": traffic, "cameras": cameras})
    return small, floor_plan(small), build_facility(small)


def _small(camera: FixedCamera, drift_ppm: float) -> FixedCamera:
    focal, _, _, distortion = camera.params
    params = (0.15 * focal, 48.0, 36.0, distortion)
    size = {"width": 96, "image_height": 72, "params": params}
    return camera.model_copy(update=size | {"clock_drift_ppm": drift_ppm})


@lru_cache
def half_minute() -> Recording:
    """Half a minute of the room's traffic: vehicles come, park, leave and return."""
    small, plan, _ = room()
    return record(small, plan, FixedOptions(seconds=30.0, fps=2.0, seed=5))
