"""The sun stands where almanacs say; lamps hang below their housings and shine as told."""

import numpy as np
import pytest

from scenes.building import Building, site_lighting, sunlight
from scenes.facility import Facility, Sun

NORTH_UP = 90.0  # north is +y


@pytest.mark.parametrize(
    ("latitude", "day", "hour", "altitude", "azimuth"),
    [
        (47.0, 172, 12.0, 66.4, 180.0),  # summer solstice: 90 - 47 + 23.4
        (47.0, 355, 12.0, 19.6, 180.0),
        (0.0, 81, 12.0, 90.0, None),  # equinox, in the zenith of the equator
        (0.0, 81, 9.0, 45.0, 90.0),
        (47.0, 81, 6.01, 0.1, 90.1),
        (-34.0, 355, 12.0, 79.4, 0.0),
    ],
)
def test_the_sun_stands_where_almanacs_say(
    latitude: float, day: int, hour: float, altitude: float, azimuth: float | None
) -> None:
    light = sunlight(Sun(latitude_deg=latitude, day_of_year=day, hour=hour, north_deg=NORTH_UP))
    assert light is not None
    east, north, up = light.direction
    assert np.linalg.norm(light.direction) == pytest.approx(1.0)
    assert np.degrees(np.arcsin(up)) == pytest.approx(altitude, abs=0.3)
    if azimuth is not None:
        assert np.degrees(np.arctan2(east, north)) % 360 == pytest.approx(azimuth, abs=0.5)


def test_the_sun_turns_with_north_and_reddens_when_it_is_low() -> None:
    noon = sunlight(Sun(north_deg=0.0, hour=12.0))
    evening = sunlight(Sun(north_deg=0.0, hour=19.0))
    assert noon is not None
    assert evening is not None
    assert noon.direction[0] < 0  # north is +x, and the sun in the south
    assert evening.colour[0] / evening.colour[2] > 1.5 * noon.colour[0] / noon.colour[2]
    assert sunlight(Sun(hour=1.0)) is None


def test_lighting_by_day_at_night_and_inside(facility: Facility) -> None:
    day, night = (facility.model_copy(update={"sun": Sun(hour=hour)}) for hour in (12.0, 0.0))
    assert site_lighting(facility, ()).sun is None
    assert site_lighting(day, ()).sun is not None
    assert site_lighting(night, ()).sun is None
    assert max(site_lighting(night, ()).zenith_colour) < 0.1 * max(site_lighting(day, ()).zenith_colour)


def test_lamps_shine_below_their_housings(building: Building, facility: Facility) -> None:
    shapes = {shape.name: shape for shape in building.shapes}
    elevations = {level.id: level.elevation for level in facility.levels}
    for light, lamp in zip(facility.lights, building.lamps, strict=True):
        glow = shapes[f"{light.level}/lamp {light.id}"]
        assert lamp.id == light.id
        assert lamp.position[:2] == light.at
        assert lamp.position[2] < glow.vertices[:, 2].min()
        np.testing.assert_allclose(glow.vertices[:, 2], elevations[light.level] + light.height, atol=1e-6)
        np.testing.assert_allclose(glow.normals, [[0, 0, -1]] * 4)
        assert (glow.finish.emission > 0) == light.on
        assert (shapes[f"{light.level}/lamp {light.id}/case"].vertices[:, 2] != lamp.position[2]).all()
