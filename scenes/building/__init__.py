"""From a facility's description to what is rendered: shapes, lamps, free space, exact corners."""

from scenes.building.building import Building, build_facility
from scenes.building.lighting import site_lighting, sunlight

__all__ = ["Building", "build_facility", "site_lighting", "sunlight"]
