"""Lamps with their housings, and the sun of a place, day and hour."""

import numpy as np
import shapely

from scenes.building.solids import Patch, joined, prism, quad, shape_of, tube
from scenes.building.texturing import WALL, TextureBook
from scenes.facility import Facility, Level, Light, Sun
from scenes.materials.surfaces import metal
from scenes.plan import turned_box
from scenes.rendering.lighting import Lamp, Lighting, SunLight
from scenes.rendering.shapes import Finish, Shape, Texture

HOUSING_M = {"tube": 0.12, "panel": 0.6, "spot": 0.18, "pole": 0.35}
"""Width of the lit underside; spots and poles are as long as wide."""
CASE_M = 0.07
BELOW_M = 0.02
"""A lamp's light starts this far below its housing."""
BRIGHTEST = 6.0
"""Radiance of a lit housing is clipped here: it is white in any picture, and edges stay smooth."""
OFF_TINT = 0.75
OVERCAST = (0.26, 0.28, 0.31)
"""Radiance of the sky that a building without a sun of its own has outside its openings."""


def lamp_of(light: Light, level: Level) -> Lamp:
    """Return the lamp of a light, as the renderer takes it; its id is the light's."""
    return Lamp(
        id=light.id,
        position=(*light.at, level.elevation + light.height - BELOW_M),
        kind=light.kind,
        length=light.length if light.kind in ("tube", "panel") else 0.0,
        yaw=float(np.radians(light.yaw_deg)),
        colour=light.colour,
        flux=light.flux,
        on=light.on,
    )


def light_shapes(light: Light, level: Level, book: TextureBook) -> list[Shape]:
    """Return a light's glowing underside, "LEVEL/lamp ID", and its case with the rods or the pole that carry it."""
    width = HOUSING_M[light.kind]
    length = light.length if light.kind in ("tube", "panel") else width
    outline = turned_box(light.at, (length, width), light.yaw_deg)
    ring = np.array(shapely.orient_polygons(outline).exterior.coords)[:-1]
    z = level.elevation + light.height
    glow = quad(np.column_stack([ring, np.full(4, z)]))  # counter-clockwise from above faces down
    radiance = np.pi * light.flux / (length * width)
    finish = Finish(emission=min(BRIGHTEST, radiance) if light.on else 0.0)
    case = [prism(ring, z + 0.001, z + CASE_M), *_carrier(light, level, z)]
    name = f"{level.id}/lamp {light.id}"
    sheet = book.texture(
        level,
        ("lamp case",),
        None,
        lambda rng: metal((2.0, 2.0), rng, book.px_per_m(WALL / 2), colour=(0.8, 0.8, 0.79)),
    )
    return [shape_of(name, glow, _diffuser(light, level, book), finish), shape_of(f"{name}/case", joined(case), sheet)]


def sunlight(sun: Sun) -> SunLight | None:
    """Return the sun's light, none at night.

    Declination by Cooper (1969, Solar Energy 12), hour angle 15 degrees an hour from local noon, air mass by Kasten and
    Young (1989, Applied Optics 28); light reddens with it.
    """
    latitude = np.radians(sun.latitude_deg)
    declination = np.radians(23.45 * np.sin(2 * np.pi * (284 + sun.day_of_year) / 365))
    hour = np.radians(15 * (sun.hour - 12))
    up = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour)
    if up <= 0:
        return None
    east = -np.cos(declination) * np.sin(hour)
    north = np.cos(latitude) * np.sin(declination) - np.sin(latitude) * np.cos(declination) * np.cos(hour)
    turn = np.radians(sun.north_deg)
    x, y = north * np.cos(turn) + east * np.sin(turn), north * np.sin(turn) - east * np.cos(turn)
    altitude_deg = np.degrees(np.arcsin(up))
    air_mass = 1 / (up + 0.50572 * (altitude_deg + 6.07995) ** -1.6364)
    red, green, blue = (1.75 * np.exp(-np.array([0.07, 0.13, 0.24]) * air_mass)).tolist()
    return SunLight(direction=(float(x), float(y), float(up)), colour=(red, green, blue))


def site_lighting(facility: Facility, lamps: tuple[Lamp, ...]) -> Lighting:
    """Return all light of the facility: its lamps, and sun and sky where it has any."""
    if facility.sun is None:
        return Lighting(lamps=lamps, zenith_colour=OVERCAST, horizon_colour=OVERCAST)
    sun = sunlight(facility.sun)
    day = 0.04 if sun is None else 0.3 + 0.7 * min(1.0, 2 * sun.direction[2])
    zenith, horizon = ((day * np.array(colour)).tolist() for colour in ((0.34, 0.50, 0.80), (0.80, 0.86, 0.92)))
    return Lighting(lamps=lamps, sun=sun, zenith_colour=tuple(zenith), horizon_colour=tuple(horizon))


def _carrier(light: Light, level: Level, z: float) -> list[Patch]:
    """Return the pole of a lamp on a pole, or the stem of one that hangs well below the ceiling."""
    at = np.array([*light.at, z + CASE_M])
    if light.kind == "pole":
        aside = np.array([0.3 * np.cos(np.radians(light.yaw_deg)), 0.3 * np.sin(np.radians(light.yaw_deg)), 0.0])
        foot = np.array([*light.at, level.elevation]) + aside
        head = at + aside
        return [tube(foot, head, 0.06, 10), tube(head - (0, 0, 0.04), at - (0, 0, 0.04), 0.03, 8)]
    gap = (level.ceiling or light.height) - light.height - CASE_M
    return [tube(at, np.add(at, (0, 0, gap)), 0.015, 6)] if gap > 0.02 else []


def _diffuser(light: Light, level: Level, book: TextureBook) -> Texture:
    """Return the colour of the plastic in front of the lamp, darker where it is off."""
    tint = np.array(light.colour) / max(light.colour) * (1.0 if light.on else OFF_TINT)
    image = np.full((4, 4, 3), np.round(255 * tint), dtype=np.uint8)
    return book.texture(level, ("diffuser",), tint, lambda _: Texture(image=image, px_per_m=4.0))
