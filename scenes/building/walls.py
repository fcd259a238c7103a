"""Walls: both faces and the ends of a polyline of some thickness, and cages of bars."""

from itertools import pairwise

import numpy as np
import shapely

from scenes.building.solids import Patch, flat, joined, prism, ring_of, shape_of, sides
from scenes.building.texturing import FLOOR, WALL, TextureBook
from scenes.facility import Level, Wall
from scenes.materials.surfaces import brick, concrete, metal, plaster
from scenes.plan import turned_box, wall_height, wall_polygon
from scenes.rendering.shapes import Shape, Texture

OVERLAP_M = 0.01
"""Walls reach this far into the slab above, so that no light gets through the joint."""
UNSEEN_SHARE = 0.05
"""Resolution of faces outside the level, which are there for their shadow."""
BAR_M, BAR_GAP_M = 0.014, 0.11


def wall_shapes(wall: Wall, level: Level, book: TextureBook) -> list[Shape]:
    """Return a wall's faces within the level, its outer faces, and its top where that shows."""
    bottom = level.elevation + wall.base
    top = bottom + wall_height(wall, level)
    to_ceiling = level.ceiling is not None and top >= level.elevation + level.ceiling - OVERLAP_M
    if wall.material == "mesh":
        texture = book.texture(level, ("cage",), None, lambda rng: metal((2.0, 2.0), rng, book.px_per_m(WALL)))
        return [shape_of(f"{level.id}/wall {wall.id}", cage(wall, bottom, top), texture)]
    area = shapely.orient_polygons(wall_polygon(wall))
    inner, outer = _faces(area, level, bottom, top + OVERLAP_M * to_ceiling)
    shapes = []
    for name, faces, share in (("", inner, WALL), ("/outer", outer, WALL * UNSEEN_SHARE)):
        if faces:
            length = float(max(face.uv[:, 0].max() for face in faces))
            texture = wall_texture(wall, level, book, (length, top - bottom), share)
            shapes.append(shape_of(f"{level.id}/wall {wall.id}{name}", joined(faces), texture))
    if not to_ceiling:
        shapes.append(_top(wall, level, area, top, book))
    return shapes


def wall_texture(wall: Wall, level: Level, book: TextureBook, size: tuple[float, float], share: float) -> Texture:
    """Return the texture of a wall's faces, laid out side by side; it depends on where the wall is on its level."""
    density = book.px_per_m(share)
    dado = None if wall.dado is None else np.array(wall.dado) / 255

    def make(rng: np.random.Generator) -> Texture:
        match wall.material:
            case "plaster":
                return plaster(size, rng, density, dado=dado)
            case "brick":
                return brick(size, rng, density)
            case _:
                return concrete(size, rng, density, dado=dado, foot=wall.base == 0)

    return book.texture(level, ("wall", wall.line, wall.base, share), (wall.material, wall.dado, size, density), make)


def cage(wall: Wall, bottom: float, top: float) -> Patch:
    """Return upright bars and three rails along the wall's line: what is behind them shows."""
    line = shapely.LineString(wall.line)
    count = max(2, round(line.length / BAR_GAP_M) + 1)
    bars = shapely.get_coordinates(line.interpolate(np.linspace(0, line.length, count)))
    parts = [prism(ring_of(turned_box((x, y), (BAR_M, BAR_M), 0.0)), bottom, top) for x, y in bars.tolist()]
    rail = shapely.orient_polygons(line.buffer(1.5 * BAR_M, cap_style="flat", join_style="mitre"))
    for z in (bottom + 0.08, (bottom + top) / 2, top - 0.04):
        parts.append(prism(ring_of(rail), z, z + 0.04))
    return joined(parts)


def _faces(area: shapely.Polygon, level: Level, bottom: float, top: float) -> tuple[list[Patch], list[Patch]]:
    """Return the faces that look into the level and those that look out of it, each laid out along one texture."""
    inside = shapely.Polygon(level.outline)
    found: tuple[list[Patch], list[Patch]] = [], []
    run = [0.0, 0.0]
    for ring in (area.exterior, *area.interiors):
        points = np.array(ring.coords)
        for start, end in pairwise(points):
            length = float(np.linalg.norm(end - start))
            out = np.array([end[1] - start[1], start[0] - end[0]]) * (0.05 / length)
            side = 0 if inside.covers(shapely.Point((start + end) / 2 + out)) else 1
            found[side].append(sides(np.stack([start, end]), bottom, top, run[side]))
            run[side] += length
    return found


def _top(wall: Wall, level: Level, area: shapely.Polygon, top: float, book: TextureBook) -> Shape:
    west, south, east, north = area.bounds
    size = (east - west, north - south)
    density = book.px_per_m(FLOOR if min(size) < 1 else FLOOR / 4)
    texture = book.texture(
        level, ("wall top", wall.line), (size, density), lambda rng: concrete(size, rng, density, foot=False)
    )
    return shape_of(f"{level.id}/wall {wall.id}/top", flat(area, top, up=True, origin=(west, north)), texture)
