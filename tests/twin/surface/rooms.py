"""A box of a room to test surfaces with, and a surface of any plan with a texture of noise."""

from typing import Any

import numpy as np
import shapely

from geometry import FloorPlan
from geometry.floorplan import Level, Wall
from twin.surface import Surface
from twin.surface.charts import lay_out
from twin.surface.extrusion import extrude
from twin.surface.panels import mesh_of

WIDTH, DEPTH, HEIGHT = 8.0, 6.0, 3.0


def room(**elements: Any) -> FloorPlan:
    """A level "A" of 8 x 6 m, 3 m high, with walls around; ``elements`` are added."""
    outline = shapely.box(-0.2, -0.2, WIDTH + 0.2, DEPTH + 0.2)
    ring = [(-0.1, -0.1), (WIDTH + 0.1, -0.1), (WIDTH + 0.1, DEPTH + 0.1), (-0.1, DEPTH + 0.1), (-0.1, -0.1)]
    around = Wall(level="A", line=shapely.LineString(ring), height=HEIGHT)
    walls = (around, *elements.pop("walls", ()))
    return FloorPlan(levels=(Level(id="A", elevation=0.0, ceiling=HEIGHT, outline=outline),), walls=walls, **elements)


def noise_surface(plan: FloorPlan, texel_m: float = 0.1) -> Surface:
    panels = extrude(plan)
    charts, shape = lay_out(panels, [1 / texel_m] * len(panels))
    rng = np.random.default_rng(1)
    return Surface(
        mesh=mesh_of(panels),
        charts=tuple(charts),
        texture=rng.integers(40, 200, (*shape, 3), dtype=np.uint8),
        seen=np.ones(shape, dtype=bool),
        evidence=(),
    )
