"""Floors and ceilings: the level's outline less the openings of its ramps, and the edges of those openings."""

from collections.abc import Sequence

import numpy as np
import shapely

from scenes.building.floor_paint import floor_marks
from scenes.building.solids import Patch, flat, joined, shape_of, sides
from scenes.building.texturing import CEILING, FLOOR, TextureBook
from scenes.facility import Facility, Level, Ramp
from scenes.materials.floors import FLOOR_MIRRORS, floor
from scenes.materials.layers import paint_over
from scenes.materials.plots import Plot
from scenes.materials.surfaces import concrete
from scenes.materials.wear import wear_layers
from scenes.rendering.shapes import Finish, Shape, Texture

SOFFIT = (0.78, 0.78, 0.76)
"""Ceilings are painted once, long ago."""


def slab_shapes(facility: Facility, level: Level, book: TextureBook) -> list[Shape]:
    """Return a level's floor, its ceiling if it has one, and the edges of the openings in its floor."""
    plot = floor_plot(level, book)
    area = floor_area(facility, level)
    finish = Finish(mirror=FLOOR_MIRRORS[level.floor])
    patch = flat(area, level.elevation, up=True, origin=plot.corner)
    shapes = [shape_of(f"{level.id}/floor", patch, floor_texture(facility, level, book), finish)]
    if level.ceiling is not None:
        west, south = np.min(level.outline, axis=0).tolist()
        patch = flat(ceiling_area(facility, level), level.elevation + level.ceiling, up=False, origin=(west, south))
        shapes.append(shape_of(f"{level.id}/ceiling", patch, ceiling_texture(facility, level, book)))
    edges = _opening_edges(facility, level)
    if edges:
        texture = book.texture(level, ("slab edge",), None, lambda rng: _edge_texture(level, book, rng))
        shapes.append(shape_of(f"{level.id}/slab edge", joined(edges), texture))
    return shapes


def floor_area(facility: Facility, level: Level) -> shapely.Polygon | shapely.MultiPolygon:
    """Return where the floor is: not where a ramp begins, arrives or passes."""
    return _less(level, [ramp for ramp in facility.ramps if _reaches(facility, ramp, level)])


def ceiling_area(facility: Facility, level: Level) -> shapely.Polygon | shapely.MultiPolygon:
    """Return where the ceiling is: not above a ramp that goes up from here or passes."""
    return _less(level, [ramp for ramp in facility.ramps if _leaves_upwards(facility, ramp, level)])


def floor_plot(level: Level, book: TextureBook) -> Plot:
    """Return the raster over a level's floor."""
    (west, south), (east, north) = np.min(level.outline, axis=0).tolist(), np.max(level.outline, axis=0).tolist()
    return Plot(corner=(west, north), size=(east - west, north - south), px_per_m=book.px_per_m(FLOOR))


def floor_texture(facility: Facility, level: Level, book: TextureBook) -> Texture:
    """Return the floor with its paint, what traffic left, and the wear that is listed for this level."""
    plot = floor_plot(level, book)
    marks = floor_marks(facility, level, plot)
    place = ("floor", level.outline, level.floor)
    base = book.texture(
        level,
        place,
        marks.content,
        lambda rng: floor(level.floor, plot.shape, plot.px_per_m, rng, marks.layers(book.rng(level, *place, "marks"))),
    )
    return _with_wear(facility, level, book, base, plot, "floor")


def ceiling_texture(facility: Facility, level: Level, book: TextureBook) -> Texture:
    """Return the underside of the slab above, as seen from below, with its listed wear."""
    low, high = np.min(level.outline, axis=0), np.max(level.outline, axis=0)
    width, depth = (high - low).tolist()
    density = book.px_per_m(CEILING)
    place = ("ceiling", level.outline)
    base = book.texture(
        level, place, density, lambda rng: concrete((width, depth), rng, density, colour=SOFFIT, foot=False)
    )
    mirrored = Plot(corner=(float(low[0]), -float(low[1])), size=(width, depth), px_per_m=density)
    return _with_wear(facility, level, book, base, mirrored, "ceiling")


def _with_wear(facility: Facility, level: Level, book: TextureBook, base: Texture, plot: Plot, on: str) -> Texture:
    """Paint the listed wear; the plot of a ceiling has y mirrored."""
    layers = []
    for wear in facility.wear:
        if wear.level == level.id and wear.on == on:
            at = wear.at if on == "floor" else (wear.at[0], -wear.at[1])
            layers += wear_layers(plot, at, wear.size, wear.kind, book.rng(level, "wear", wear.id))
    return paint_over(base, layers) if layers else base


def _reaches(facility: Facility, ramp: Ramp, level: Level) -> bool:
    """Tell whether the level is one that the ramp joins or passes."""
    low, high = _span(facility, ramp)
    return low <= level.elevation <= high


def _leaves_upwards(facility: Facility, ramp: Ramp, level: Level) -> bool:
    """Tell whether the ramp goes through the level's ceiling."""
    low, high = _span(facility, ramp)
    return low <= level.elevation < high


def _span(facility: Facility, ramp: Ramp) -> tuple[float, float]:
    elevations = [level.elevation for level in facility.levels if level.id in (ramp.from_level, ramp.to_level)]
    return min(elevations), max(elevations)


def _less(level: Level, ramps: Sequence[Ramp]) -> shapely.Polygon | shapely.MultiPolygon:
    return shapely.difference(
        shapely.Polygon(level.outline), shapely.union_all([shapely.Polygon(ramp.polygon) for ramp in ramps])
    )


def _opening_edges(facility: Facility, level: Level) -> list[Patch]:
    """Return the faces, towards the opening, of the slab that ramps from below come through."""
    below = [each for each in facility.levels if each.elevation < level.elevation and each.ceiling is not None]
    if not below:
        return []
    under = max(below, key=lambda each: each.elevation)
    bottom = under.elevation + (under.ceiling or 0.0)
    through = [ramp for ramp in facility.ramps if _leaves_upwards(facility, ramp, under)]
    inward = [shapely.orient_polygons(shapely.Polygon(ramp.polygon), exterior_cw=True) for ramp in through]
    return [sides(np.array(area.exterior.coords), bottom, level.elevation) for area in inward]


def _edge_texture(level: Level, book: TextureBook, rng: np.random.Generator) -> Texture:
    return concrete((24.0, 1.0), rng, book.px_per_m(CEILING), foot=False)
