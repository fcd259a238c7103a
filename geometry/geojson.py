"""Shapely geometries as fields of pydantic models, which are GeoJSON objects in a file."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema
from shapely.geometry import mapping

MAX_COORDINATE_M = 1e8
"""Larger coordinates are typing errors: the Earth's diameter is 1.3e7 m."""
MAX_POINTS = 10_000
"""Most positions of one geometry."""


@dataclass(frozen=True)
class GeoJson:
    """Marks a field, ``Annotated[shapely.Polygon, GeoJson("Polygon")]``: takes shapely's or a GeoJSON object.

    kind: "Polygon", "LineString" or "Point"
    dimensions: 2, or 3 with z
    """

    kind: str
    dimensions: int = 2

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Return pydantic's schema of the field."""
        return core_schema.no_info_plain_validator_function(
            self.parse, serialization=core_schema.plain_serializer_function_ser_schema(mapping)
        )

    def parse(self, value: Any) -> shapely.Geometry:
        """Return the shapely geometry; ``ValueError`` where it is another kind or broken (not: where it is invalid)."""
        if isinstance(value, shapely.Geometry):
            value = mapping(value)
        if not isinstance(value, dict) or value.get("type") != self.kind or set(value) != {"type", "coordinates"}:
            raise ValueError(f'expected a GeoJSON object {{"type": "{self.kind}", "coordinates": ...}}')
        coordinates = value["coordinates"]
        if self.kind == "Point":
            return shapely.Point(_positions([coordinates], self.dimensions, 1)[0])
        if self.kind == "LineString":
            return shapely.LineString(_positions(coordinates, self.dimensions, 2))
        return _polygon(coordinates, self.dimensions)


def _polygon(rings: Any, dimensions: int) -> shapely.Polygon:
    if not isinstance(rings, list | tuple) or not 1 <= len(rings) <= MAX_POINTS:
        raise ValueError("a polygon is a list of rings, the outer one first")
    shell, *holes = (_positions(ring, dimensions, 4) for ring in rings)
    if not all(np.array_equal(ring[0], ring[-1]) for ring in (shell, *holes)):
        raise ValueError("the first and the last position of a ring must be the same")
    return shapely.Polygon(shell, holes)


def _positions(value: Any, dimensions: int, least: int) -> NDArray[np.float64]:
    """Return a list of positions as (N, dimensions)."""
    if not isinstance(value, list | tuple) or not least <= len(value) <= MAX_POINTS:
        raise ValueError(f"expected {least} to {MAX_POINTS} positions")
    numbers = [number for position in value for number in (position if isinstance(position, list | tuple) else [None])]
    if not all(type(number) in (int, float) for number in numbers) or {len(p) for p in value} != {dimensions}:
        raise ValueError(f"a position is a list of {dimensions} numbers")
    points = np.array(value, dtype=np.float64)
    if not (np.abs(points) <= MAX_COORDINATE_M).all():
        raise ValueError(f"a coordinate is finite and at most {MAX_COORDINATE_M:g} m")
    return points
