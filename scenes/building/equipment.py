"""What stands on floors and runs under ceilings: obstacles, barriers, pipes and cable trays."""

import numpy as np
import shapely
from numpy.typing import NDArray

from scenes.building.slabs import ceiling_area
from scenes.building.solids import flat, joined, prism, quad, ring_of, shape_of, sides, tube
from scenes.building.texturing import WALL, TextureBook
from scenes.facility import Facility, Gate, Level, Obstacle
from scenes.materials import pictures
from scenes.materials.plants import leaves
from scenes.materials.surfaces import concrete, metal, plaster, wood
from scenes.plan import obstacle_polygon, turned_box
from scenes.rendering.shapes import Shape, Texture

Array = NDArray[np.float64]

HOUSING_M = (0.32, 0.32, 1.05)
BOOM_M = 0.09
CLEAR_OF_LAMPS_M = 0.6


def obstacle_shapes(obstacle: Obstacle, level: Level, book: TextureBook) -> list[Shape]:
    """Return a box in the material of its kind; a planter has a hedge in it, a booth windows."""
    ring = ring_of(obstacle_polygon(obstacle))
    bottom, height = level.elevation, obstacle.size[2]
    density = book.px_per_m(WALL)
    around = float(2 * (obstacle.size[0] + obstacle.size[1]))
    size = (around, max(height, obstacle.size[1]))
    texture = book.texture(
        level,
        ("obstacle", obstacle.at, obstacle.yaw_deg),
        (obstacle.kind, obstacle.size, density),
        lambda rng: _skin(obstacle, size, rng, density),
    )
    name = f"{level.id}/{obstacle.kind} {obstacle.id}"
    shapes = [shape_of(name, prism(ring, bottom, bottom + height), texture)]
    if obstacle.kind == "planter":
        shapes.append(_hedge(obstacle, level, book, f"{name}/hedge"))
    if obstacle.kind in ("booth", "hut", "machine"):
        shapes.append(_front(obstacle, level, book, f"{name}/front"))
    return shapes


def gate_shapes(gate: Gate, level: Level, book: TextureBook) -> list[Shape]:
    """Return a barrier at the first end of a gate's line, its boom raised."""
    start, end = np.array(gate.line)
    width = float(np.linalg.norm(end - start))
    across = (end - start) / width
    at = start - across * HOUSING_M[0] / 2
    yaw = float(np.degrees(np.arctan2(across[1], across[0])))
    density = book.px_per_m(WALL)
    case = book.texture(
        level, ("barrier", gate.line), density, lambda rng: metal((1.4, 1.1), rng, density, colour=(0.85, 0.42, 0.10))
    )
    housing = prism(
        ring_of(turned_box((at[0], at[1]), HOUSING_M[:2], yaw)), level.elevation, level.elevation + HOUSING_M[2]
    )
    room = (level.ceiling or np.inf) - HOUSING_M[2] - 0.15
    foot = np.array([*at, level.elevation + HOUSING_M[2] - 0.12])
    tip = foot + min(0.9 * width, room) * np.array([*(0.12 * across), 0.99])
    stripes = book.texture(level, ("boom", gate.line), density, lambda rng: pictures.hazard((0.4, 4.0), rng, density))
    name = f"{level.id}/gate {gate.id}"
    return [shape_of(name, housing, case), shape_of(f"{name}/boom", tube(foot, tip, BOOM_M / 2, 8), stripes)]


def service_shapes(facility: Facility, level: Level, book: TextureBook) -> list[Shape]:
    """Return pipes and a cable tray under the ceiling, along the level's longer side and clear of the lamps."""
    if level.ceiling is None:
        return []
    top = level.elevation + level.ceiling
    area = ceiling_area(facility, level).buffer(-0.25)
    low, high = np.min(level.outline, axis=0), np.max(level.outline, axis=0)
    axis = int(np.argmax(high - low))
    rng = book.rng(level, "services", level.outline)
    lamps = np.array([light.at[1 - axis] for light in facility.lights if light.level == level.id])
    shapes = []
    for index, (share, radius, drop) in enumerate(((0.09, 0.055, 0.16), (0.115, 0.04, 0.14), (0.62, 0.08, 0.2))):
        across = _clear_of(lamps, float(low[1 - axis] + (share + rng.uniform(0, 0.02)) * (high - low)[1 - axis]))
        for part, run in enumerate(_runs(area, low, high, axis, across)):
            ends = np.column_stack([run, np.full(2, top - drop)])
            texture = _pipe_texture(level, book, index, radius)
            shapes.append(shape_of(f"{level.id}/service {index}-{part}", tube(ends[0], ends[1], radius, 12), texture))
    across = _clear_of(lamps, float(low[1 - axis] + 0.86 * (high - low)[1 - axis]))
    for part, run in enumerate(_runs(area, low, high, axis, across)):
        tray = ring_of(shapely.LineString(run).buffer(0.15, cap_style="flat"))
        texture = book.texture(
            level,
            ("tray",),
            None,
            lambda rng: metal((4.0, 1.0), rng, book.px_per_m(WALL / 2), colour=(0.62, 0.63, 0.64)),
        )
        shapes.append(shape_of(f"{level.id}/tray {part}", prism(tray, top - 0.22, top - 0.16), texture))
    return shapes


def _clear_of(lamps: Array, across: float) -> float:
    """Move a run aside where lamps hang near it."""
    steps = 0.15 * np.array([0, *(sign * n for n in range(1, 16) for sign in (1, -1))])
    gaps = [np.abs(lamps - across - step).min(initial=np.inf) for step in steps]
    return across + float(steps[int(np.argmax(np.array(gaps) >= CLEAR_OF_LAMPS_M))])


def _runs(
    area: shapely.Polygon | shapely.MultiPolygon, low: Array, high: Array, axis: int, across: float
) -> list[Array]:
    """Return the ends (2, 2) of the pieces of a straight run that lie under the ceiling."""
    ends = np.full((2, 2), across)
    ends[:, axis] = low[axis], high[axis]
    pieces = shapely.get_parts(shapely.intersection(shapely.LineString(ends), area))
    return [np.array(piece.coords) for piece in pieces if piece.length > 1]


def _pipe_texture(level: Level, book: TextureBook, index: int, radius: float) -> Texture:
    colour = ((0.70, 0.16, 0.12), (0.72, 0.73, 0.74), (0.62, 0.64, 0.66))[index % 3]
    size = (2 * np.pi * radius, 40.0)
    return book.texture(
        level,
        ("service", index),
        None,
        lambda rng: metal(size, rng, book.px_per_m(WALL / 2), colour=colour, rust=0.006),
    )


def _skin(obstacle: Obstacle, size: tuple[float, float], rng: np.random.Generator, px_per_m: float) -> Texture:
    match obstacle.kind:
        case "crate" | "hut":
            return wood(size, rng, px_per_m)
        case "planter":
            return concrete(size, rng, px_per_m)
        case "machine":
            return metal(size, rng, px_per_m, colour=(0.30, 0.36, 0.42))
        case _:
            return plaster(size, rng, px_per_m, dado=(0.35, 0.42, 0.47))


def _hedge(obstacle: Obstacle, level: Level, book: TextureBook, name: str) -> Shape:
    """Return the plants in a planter, a little smaller than it."""
    size = obstacle.size[0] - 0.16, obstacle.size[1] - 0.16
    ring = ring_of(turned_box(obstacle.at, (max(size[0], 0.05), max(size[1], 0.05)), obstacle.yaw_deg))
    foot = level.elevation + obstacle.size[2]
    around = 2 * (size[0] + size[1]), max(0.6, size[1])
    texture = book.texture(level, ("hedge", obstacle.at), around, lambda rng: leaves(around, rng, book.px_per_m(WALL)))
    origin = float(ring[:, 0].min()), float(ring[:, 1].max())
    top = flat(shapely.Polygon(ring), foot + 0.45, up=True, origin=origin)
    return shape_of(name, joined([sides(np.vstack([ring, ring[:1]]), foot, foot + 0.45), top]), texture)


def _front(obstacle: Obstacle, level: Level, book: TextureBook, name: str) -> Shape:
    """Return the picture on the side that looks along the box's own x: windows, or a machine's panel."""
    yaw = np.radians(obstacle.yaw_deg)
    out, right = np.array([np.cos(yaw), np.sin(yaw), 0.0]), np.array([-np.sin(yaw), np.cos(yaw), 0.0])
    width, height = 0.7 * obstacle.size[1], 0.45 * obstacle.size[2]
    middle = np.array([*obstacle.at, level.elevation + 0.66 * obstacle.size[2]]) + (obstacle.size[0] / 2 + 0.004) * out
    up, half = np.array([0.0, 0.0, height / 2]), right * width / 2
    density = book.px_per_m(WALL * 1.5)

    def make(rng: np.random.Generator) -> Texture:
        if obstacle.kind == "machine":
            return pictures.cabinet((width, height), rng, density, "PAY")
        return pictures.window((width, height), rng, density)

    texture = book.texture(level, ("front", obstacle.at), (obstacle.kind, width, height, density), make)
    corners = [middle + up - half, middle + up + half, middle - up + half, middle - up - half]
    return shape_of(name, quad(corners), texture)
