"""A facility as built: its static shapes, its light, and the exact places of what is tested against."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from scenes.building import boards, equipment
from scenes.building.floor_paint import line_corners
from scenes.building.free_space import free_space
from scenes.building.landscape import landscape_shapes, street_shapes
from scenes.building.lighting import lamp_of, light_shapes, site_lighting
from scenes.building.pillars import pillar_shapes
from scenes.building.ramps import ramp_shapes
from scenes.building.slabs import slab_shapes
from scenes.building.texturing import TextureBook
from scenes.building.walls import wall_shapes
from scenes.facility import Facility, Level
from scenes.rendering.lighting import Lamp, Lighting, SunLight
from scenes.rendering.shapes import Shape

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Building:
    """Everything static of a facility.

    shapes: in site, named "LEVEL/KIND ID" and "LEVEL/KIND ID/PART", for instance "P1/floor", "P1/sign exit/body"
    lighting: lamps by the lights' ids, sun and sky at the facility's hour
    free_space: by level, where people can walk
    sign_corners: by sign, (4, 3) site metres of its front: top-left, top-right, bottom-right, bottom-left as read
    tag_corners: by tag, (4, 3) of its black border in the same order
    line_corners: by stall row, (count + 1, 4, 3) of the paint between its stalls: two corners at the lane's end, then
        two at the far end
    """

    shapes: tuple[Shape, ...]
    lighting: Lighting
    free_space: Mapping[str, shapely.Polygon | shapely.MultiPolygon]
    sign_corners: Mapping[str, Array]
    tag_corners: Mapping[int, Array]
    line_corners: Mapping[str, Array]

    @property
    def lamps(self) -> tuple[Lamp, ...]:
        """The lamps, in the order of the facility's lights."""
        return self.lighting.lamps

    @property
    def sun(self) -> SunLight | None:
        """The sun at the facility's hour; none indoors and at night."""
        return self.lighting.sun


def build_facility(facility: Facility) -> Building:
    """Build a facility that ``scenes.checks`` passes; the same facility gives the same bytes."""
    book = TextureBook(facility.seed, facility.px_per_m)
    levels = {level.id: level for level in facility.levels}
    shapes = [shape for level in facility.levels for shape in _level_shapes(facility, level, book)]
    for ramp in facility.ramps:
        shapes += ramp_shapes(ramp, facility, book)
    lamps = tuple(lamp_of(light, levels[light.level]) for light in facility.lights)
    return Building(
        shapes=tuple(shapes),
        lighting=site_lighting(facility, lamps),
        free_space={level.id: free_space(facility, level) for level in facility.levels},
        sign_corners={sign.id: boards.sign_corners(sign, levels[sign.level]) for sign in facility.signs},
        tag_corners={tag.id: boards.tag_corners(tag, levels[tag.level]) for tag in facility.tags},
        line_corners=line_corners(facility),
    )


def _level_shapes(facility: Facility, level: Level, book: TextureBook) -> list[Shape]:
    """Return all shapes of one level, in a fixed order."""
    makers: tuple[tuple[Sequence[Any], Callable[[Any, Level, TextureBook], list[Shape]]], ...] = (
        (facility.walls, wall_shapes),
        (facility.pillars, pillar_shapes),
        (facility.signs, boards.sign_shapes),
        (facility.doors, boards.door_shapes),
        (facility.fixtures, boards.fixture_shapes),
        (facility.obstacles, equipment.obstacle_shapes),
        (facility.lights, light_shapes),
        ([gate for gate in facility.gates if gate.barrier], equipment.gate_shapes),
        (facility.gates, street_shapes),
        (facility.tags, lambda tag, on, _: boards.tag_shapes(tag, on)),
    )
    shapes = slab_shapes(facility, level, book)
    for elements, make in makers:
        for element in elements:
            if element.level == level.id:
                shapes += make(element, level, book)
    return [*shapes, *equipment.service_shapes(facility, level, book), *landscape_shapes(level, book)]
