"""Ramps: a sloped surface that follows its profile, solid down to the lower floor, with kerbs at its sides."""

import numpy as np
import shapely
from numpy.typing import NDArray

from scenes.building.solids import QUAD_TRIANGLES, Patch, joined, quad, shape_of
from scenes.building.texturing import CEILING, FLOOR, TextureBook
from scenes.facility import Facility, Level, Ramp
from scenes.materials.floors import floor
from scenes.materials.layers import coat, shade
from scenes.materials.markings import WHITE, paint_arrows, worn
from scenes.materials.plots import Plot, paint_polygon
from scenes.materials.surfaces import concrete
from scenes.materials.traces import tyre_tracks
from scenes.rendering.shapes import Shape, Texture

Array = NDArray[np.float64]

KERB_M = (0.15, 0.12)
"""Width and height of a kerb."""
GROOVE_M = 0.18


def ramp_shapes(ramp: Ramp, facility: Facility, book: TextureBook) -> list[Shape]:
    """Return a ramp's surface, its solid sides and its kerbs."""
    levels = {level.id: level for level in facility.levels}
    lower = min((levels[ramp.from_level], levels[ramp.to_level]), key=lambda level: level.elevation)
    left, right = ramp_edges(ramp)
    name = f"{lower.id}/ramp {ramp.id}"
    surface = shape_of(name, ramp_surface(left, right), _surface_texture(ramp, facility, lower, book))
    rough = book.texture(
        lower,
        ("ramp sides", ramp.polygon),
        None,
        lambda rng: concrete((float(ramp.profile[-1][0]), 4.0), rng, book.px_per_m(CEILING), foot=False),
    )
    shapes = [surface, shape_of(f"{name}/sides", _solid(left, right, lower.elevation), rough)]
    return [*shapes, shape_of(f"{name}/kerbs", _kerbs(left, right), rough)] if ramp.kerb else shapes


def ramp_edges(ramp: Ramp) -> tuple[Array, Array]:
    """Return the points (N, 3) in site of the ramp's left and right edge at every step of its profile, going up ``s``.

    Left and right are as seen by who goes from the first edge to the third, whichever way round the polygon is.
    """
    corners, profile = np.array(ramp.polygon), np.array(ramp.profile)
    share = (profile[:, 0] / profile[-1, 0])[:, None]
    first, second = (a + share * (b - a) for a, b in ((corners[0], corners[3]), (corners[1], corners[2])))
    clockwise = not shapely.LinearRing(corners).is_ccw
    left, right = (second, first) if clockwise else (first, second)
    if _turns_left(left[0], right[0], left[-1]):
        left, right = right, left
    z = profile[:, 1:]
    return np.hstack([left, z]), np.hstack([right, z])


def ramp_surface(left: Array, right: Array) -> Patch:
    """Return the surface between two edges (N, 3); its texture's top is at the far end, uv in metres on the slope."""
    run = _run(left, right)
    strips = []
    for i in range(len(left) - 1):
        strips.append(quad([left[i + 1], right[i + 1], right[i], left[i]], (0.0, run[-1] - run[i + 1])))
    return joined(strips)


def _turns_left(left: Array, right: Array, far: Array) -> bool:
    """Tell whether ``left`` is on the right-hand side of the way towards ``far``."""
    ahead, across = far - left, right - left
    return bool(ahead[0] * across[1] - ahead[1] * across[0] > 0)


def _run(left: Array, right: Array) -> Array:
    """Return how far along the slope each step of the profile is."""
    middle = (left + right) / 2
    return np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(middle, axis=0), axis=1))])


def _surface_texture(ramp: Ramp, facility: Facility, lower: Level, book: TextureBook) -> Texture:
    """Return rough grooved concrete with tyre tracks, and the arrows of the lanes that run on the ramp."""
    left, right = ramp_edges(ramp)
    run, width = _run(left, right), float(np.linalg.norm(right[0] - left[0]))
    plot = Plot(corner=(0.0, float(run[-1])), size=(width, float(run[-1])), px_per_m=book.px_per_m(FLOOR))
    lanes = [lane for lane in facility.lanes if _on_ramp(lane.line, ramp)]
    lines = [_in_ramp(np.array(lane.line), left, right, run) for lane in lanes]

    def make(rng: np.random.Generator) -> Texture:
        white, grooves = plot.blank(), plot.blank()
        for y in np.arange(GROOVE_M, run[-1], GROOVE_M):
            paint_polygon(plot, grooves, [(0.25, y), (width - 0.25, y), (width - 0.25, y + 0.02), (0.25, y + 0.02)])
        for line, lane in zip(lines, lanes, strict=True):
            if lane.arrows:
                paint_arrows(plot, white, line)
        tracks = tyre_tracks(plot, lines, np.empty((0, 4, 2)), rng)
        marks = [shade(grooves, 0.6), coat(worn(plot, white, rng, 0.2), WHITE, 0.9), *tracks]
        return floor("concrete", plot.shape, plot.px_per_m, rng, marks)

    content = ramp.profile, [(line, lane.arrows) for line, lane in zip(lines, lanes, strict=True)], plot.px_per_m
    return book.texture(lower, ("ramp", ramp.polygon), content, make)


def _on_ramp(line: tuple[tuple[float, float], ...], ramp: Ramp) -> bool:
    path = shapely.LineString(line)
    return bool(path.intersection(shapely.Polygon(ramp.polygon)).length > 0.8 * path.length)


def _in_ramp(line: Array, left: Array, right: Array, run: Array) -> Array:
    """Map site points (N, 2) to metres across the ramp from its left edge and along its slope."""
    ahead, across = left[-1, :2] - left[0, :2], right[0, :2] - left[0, :2]
    share = np.linalg.solve(np.column_stack([across, ahead]), (line - left[0, :2]).T)
    steps = np.linalg.norm(left[:, :2] - left[0, :2], axis=1) / np.linalg.norm(ahead)
    return np.column_stack([share[0] * np.linalg.norm(across), np.interp(share[1], steps, run)])


def _solid(left: Array, right: Array, floor_z: float) -> Patch:
    """Return the sides and both ends of the body under the surface, down to the lower floor."""

    def face(tops: Array) -> list[Patch]:
        feet = tops * (1, 1, 0) + (0, 0, floor_z)
        quads = zip(tops[:-1], tops[1:], feet[1:], feet[:-1], strict=True)
        return [_upright(np.array(corners)) for corners in quads if max(corners[0][2], corners[1][2]) > floor_z + 1e-6]

    ends = [*face(np.stack([left[0], right[0]])), *face(np.stack([right[-1], left[-1]]))]
    return joined([*face(left[::-1]), *face(right), *ends])


def _upright(corners: Array) -> Patch:
    """Return an upright trapezium: top start, top end, foot end, foot start, from left to right for who faces it."""
    length = float(np.linalg.norm(corners[3, :2] - corners[2, :2]))
    along = (corners[2] - corners[3]) / length
    high = corners[:, 2].max()
    standing = np.array([corners[0, 2] > corners[3, 2], corners[1, 2] > corners[2, 2]])  # a wedge has one triangle
    u = np.array([0.0, length, length, 0.0])
    normal = np.array([along[1], -along[0], 0.0])
    return Patch(
        vertices=corners,
        triangles=QUAD_TRIANGLES[standing],
        normals=np.tile(normal, (4, 1)),
        uv=np.column_stack([u, high - corners[:, 2]]),
    )


def _kerbs(left: Array, right: Array) -> Patch:
    """Return a low rim inside both edges that follows the surface."""
    width, height = KERB_M
    across = (right[0] - left[0]) / np.linalg.norm(right[0] - left[0])
    rise = np.array([0.0, 0.0, height])
    parts = []
    for outer, inner in ((left, left + width * across), (right - width * across, right)):
        for i in range(len(left) - 1):
            a, b, c, d = outer[i], outer[i + 1], inner[i + 1], inner[i]
            parts.append(quad([b + rise, c + rise, d + rise, a + rise]))
            parts.append(quad([b + rise, a + rise, a, b]))
            parts.append(quad([d + rise, c + rise, c, d]))
        parts.append(quad([outer[0] + rise, inner[0] + rise, inner[0], outer[0]]))
    return joined(parts)
