"""What is outside: ground, kerb and houses around an outdoor level, and the street before a building's gates."""

import numpy as np
import shapely
from numpy.typing import NDArray

from scenes.building.solids import flat, joined, shape_of, sides
from scenes.building.texturing import CEILING, WALL, TextureBook
from scenes.facility import Gate, Level
from scenes.materials import pictures
from scenes.materials.floors import floor
from scenes.materials.patterns import extent_of
from scenes.materials.plants import grass
from scenes.materials.surfaces import concrete
from scenes.rendering.shapes import Shape

Array = NDArray[np.float64]

AROUND_M, KERB_M, KERB_HEIGHT_M = 60.0, 0.15, 0.12
GROUND_SHARE, FACADE_SHARE = 0.1, 0.25
"""Resolution against a wall's: seen from afar."""
STREET_M = (14.0, 24.0)
APRON_M = 16.0
"""From a gate to the house opposite."""
STEP_M = 0.02
"""Streets lie a little lower than floors."""
COLOURS = ((168, 150, 130), (146, 148, 150), (176, 160, 132), (150, 118, 100), (190, 186, 176), (120, 124, 130))


def landscape_shapes(level: Level, book: TextureBook) -> list[Shape]:
    """Return the surroundings of a level under the open sky, none for one with a ceiling."""
    if level.ceiling is not None:
        return []
    outline = shapely.orient_polygons(shapely.Polygon(level.outline))
    return [*_ground(level, outline, book), *_buildings(level, outline, book)]


def street_shapes(gate: Gate, level: Level, book: TextureBook) -> list[Shape]:
    """Return the street and a house opposite that show through a gate of a covered level; none under the open sky."""
    if level.ceiling is None:
        return []
    outline = shapely.Polygon(level.outline)
    start, end = np.array(gate.line)
    along = (end - start) / np.linalg.norm(end - start)
    out = np.array([along[1], -along[0]])
    if out @ ((start + end) / 2 - np.array(outline.centroid.coords[0])) < 0:
        along, out, start, end = -along, -out, end, start
    a, b = start - APRON_M * along, end + APRON_M * along
    strip = shapely.Polygon([a, b, b + APRON_M * out, a + APRON_M * out]).difference(outline)
    street = max(shapely.get_parts(strip), key=lambda part: part.distance(shapely.Point(*(start + out))) * -1)
    west, south, east, north = street.bounds
    density = book.px_per_m(GROUND_SHARE * 2)
    shape = extent_of((east - west, north - south), density)
    asphalt = book.texture(level, ("street", gate.line), shape, lambda rng: floor("asphalt", shape, density, rng))
    patch = flat(street, level.elevation - STEP_M, up=True, origin=(west, north))
    rng = book.rng(level, "opposite", gate.line)
    size = (float(np.linalg.norm(b - a)), 8.0, 3 * float(rng.integers(2, 5)) + 0.8)
    house = _house(level, book, f"opposite {gate.id}", a + APRON_M * out, along, out, size, rng)
    return [shape_of(f"{level.id}/street {gate.id}", patch, asphalt), house]


def _ground(level: Level, outline: shapely.Polygon, book: TextureBook) -> list[Shape]:
    """Return a kerb around the level, and lawn beyond it."""
    rim = outline.buffer(KERB_M, join_style="mitre")
    top = level.elevation + KERB_HEIGHT_M
    west, south, east, north = rim.bounds
    density = book.px_per_m(CEILING)
    stone = book.texture(
        level,
        ("kerb", level.outline),
        density,
        lambda rng: concrete((east - west, north - south), rng, density / 3, foot=False),
    )
    inner = np.array(outline.exterior.coords)[::-1]
    kerb = [flat(rim.difference(outline), top, up=True, origin=(west, north)), sides(inner, level.elevation, top)]
    lawn_area = rim.buffer(AROUND_M, join_style="mitre").difference(rim)
    low_x, low_y, high_x, high_y = lawn_area.bounds
    size, coarse = (high_x - low_x, high_y - low_y), book.px_per_m(GROUND_SHARE)
    lawn = book.texture(level, ("lawn", level.outline), size, lambda rng: grass(size, rng, coarse))
    return [
        shape_of(f"{level.id}/kerb", joined(kerb), stone),
        shape_of(f"{level.id}/lawn", flat(lawn_area, top - 0.02, up=True, origin=(low_x, high_y)), lawn),
    ]


def _buildings(level: Level, outline: shapely.Polygon, book: TextureBook) -> list[Shape]:
    """Return a row of houses along every side of the level's bounding box, some way off."""
    west, south, east, north = outline.bounds
    rng = book.rng(level, "houses", level.outline)
    shapes: list[Shape] = []
    for start, end in (((west, south), (east, south)), ((east, south), (east, north)),
                       ((east, north), (west, north)), ((west, north), (west, south))):  # fmt: skip
        a, b = np.array(start), np.array(end)
        along = (b - a) / np.linalg.norm(b - a)
        out = np.array([along[1], -along[0]])
        done = -rng.uniform(5, 15)
        while done < np.linalg.norm(b - a) + 5:
            width, deep, high = rng.uniform(10, 22), rng.uniform(8, 12), 3 * rng.integers(2, 6) + 0.8
            corner = a + done * along + rng.uniform(*STREET_M) * out
            shapes.append(_house(level, book, f"{len(shapes)}", corner, along, out, (width, deep, high), rng))
            done += width + rng.choice([0.4, 4.0, 9.0])
    return shapes


def _house(
    level: Level,
    book: TextureBook,
    name: str,
    corner: Array,
    along: Array,
    out: Array,
    size: tuple[float, float, float],
    rng: np.random.Generator,
) -> Shape:
    """Return a house; ``corner`` is the one nearest to the start of the level's side."""
    width, deep, high = size
    ring = np.stack([corner, corner + deep * out, corner + deep * out + width * along, corner + width * along])
    colour = COLOURS[int(rng.integers(len(COLOURS)))]
    extent, density = (2 * (width + deep), high), book.px_per_m(WALL * FACADE_SHARE)
    texture = book.texture(
        level, ("house", corner), (size, colour, density), lambda own: pictures.facade(extent, own, density, colour)
    )
    bottom = level.elevation
    roof = flat(
        shapely.Polygon(ring), bottom + high, up=True, origin=(float(ring[:, 0].min()), float(ring[:, 1].max()))
    )
    walls = sides(np.vstack([ring, ring[:1]]), bottom, bottom + high)
    return shape_of(f"{level.id}/house {name}", joined([walls, roof]), texture)
