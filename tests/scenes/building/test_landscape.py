"""What is around an outdoor level stays outside it."""

import numpy as np
import pytest
import shapely

from scenes.building.building import build_facility
from scenes.facility import Facility, Gate, Level, Pillar, Sun, Wall

RING = ((0.0, 0.0), (20.0, 0.0), (20.0, 14.0), (0.0, 14.0))


@pytest.fixture(scope="module")
def yard() -> Facility:
    return Facility(
        name="yard",
        px_per_m=24.0,
        levels=(Level(id="L", elevation=1.0, outline=RING, floor="asphalt"),),
        walls=(Wall(id="w", level="L", line=((2.0, 2.0), (6.0, 2.0))),),
        pillars=(Pillar(id="p", level="L", at=(9.0, 9.0)),),
        gates=(Gate(id="g", level="L", line=((1.0, 5.0), (1.0, 8.0)), direction="in"),),
        sun=Sun(),
    )


def test_surroundings_leave_the_level_free(yard: Facility) -> None:
    building = build_facility(yard)
    names = {shape.name for shape in building.shapes}
    assert {"L/kerb", "L/lawn", "L/house 0", "L/wall w/top"} <= names
    assert not {name for name in names if "ceiling" in name or "service" in name or "street" in name}
    outline = shapely.Polygon(RING)
    for shape in building.shapes:
        if "house" in shape.name or "lawn" in shape.name:
            triangles = shapely.polygons(shape.vertices[shape.triangles][:, :, :2].astype(float))
            assert not shapely.intersects(shapely.buffer(triangles, 0), outline.buffer(-0.01)).any()
    assert building.sun is not None


def test_open_air_walls_and_pillars_have_a_height_and_a_top(yard: Facility) -> None:
    shapes = {shape.name: shape for shape in build_facility(yard).shapes}
    assert shapes["L/wall w"].vertices[:, 2].max() == pytest.approx(3.5)
    pillar = shapes["L/pillar p"]
    up = pillar.normals[:, 2] > 0.9
    assert up.sum() == 4
    assert np.ptp(pillar.vertices[up, 2]) == 0
