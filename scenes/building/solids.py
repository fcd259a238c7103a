"""Patches of triangles that everything built is made of: quads, sides of prisms, flat polygons, boxes.

All are counter-clockwise seen from their front, with uv in metres from the texture's top-left corner, so that text on
an upright surface reads from left to right for who faces it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from scenes.rendering.shapes import Finish, Shape, Texture

Array = NDArray[np.float64]

QUAD_TRIANGLES = np.array([[0, 3, 2], [0, 2, 1]])
"""Of corners top-left, top-right, bottom-right, bottom-left seen from the front."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Patch:
    """Triangles without a texture: vertices (V, 3), triangles (T, 3), normals (V, 3), uv (V, 2)."""

    vertices: Array
    triangles: NDArray[np.int64]
    normals: Array
    uv: Array


def shape_of(name: str, patch: Patch, texture: Texture, finish: Finish | None = None) -> Shape:
    """Return the patch with a texture and a finish."""
    return Shape(
        name=name,
        vertices=patch.vertices.astype(np.float32),
        triangles=patch.triangles.astype(np.uint32),
        normals=patch.normals.astype(np.float32),
        uv=patch.uv.astype(np.float32),
        texture=texture,
        finish=finish or Finish(),
    )


def ring_of(area: shapely.Polygon) -> Array:
    """Return the corners (N, 2) of a polygon's outline, counter-clockwise."""
    return np.array(shapely.orient_polygons(area).exterior.coords)[:-1]


def joined(patches: Iterable[Patch]) -> Patch:
    """Return several patches as one."""
    parts = list(patches)
    firsts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    return Patch(
        vertices=np.vstack([part.vertices for part in parts]),
        triangles=np.vstack([part.triangles + first for part, first in zip(parts, firsts, strict=True)]),
        normals=np.vstack([part.normals for part in parts]),
        uv=np.vstack([part.uv for part in parts]),
    )


def quad(corners: ArrayLike, uv_corner: tuple[float, float] = (0.0, 0.0)) -> Patch:
    """Return a parallelogram with ``corners`` (4, 3): top-left, top-right, bottom-right, bottom-left from its front.

    uv_corner: where its top-left corner lies on the texture, metres.
    """
    vertices = np.asarray(corners, dtype=np.float64)
    right, down = vertices[1] - vertices[0], vertices[3] - vertices[0]
    width, height = np.linalg.norm(right), np.linalg.norm(down)
    normal = np.cross(down, right)
    uv = np.array([[0, 0], [width, 0], [width, height], [0, height]]) + uv_corner
    return Patch(
        vertices=vertices,
        triangles=QUAD_TRIANGLES,
        normals=np.tile(normal / np.linalg.norm(normal), (4, 1)),
        uv=uv,
    )


def sides(points: ArrayLike, bottom: float, top: float, u: float = 0.0, *, smooth: bool = False) -> Patch:
    """Return upright faces along ``points`` (N, 2), their front to the right of the way, ``u`` metres into a texture.

    Along an outline counter-clockwise that is outwards. The texture's top is at ``top``. ``smooth`` blends the normals
    of a closed line's faces, as of a round pillar.
    """
    line = np.asarray(points, dtype=np.float64)
    start, end = line[:-1], line[1:]
    lengths = np.linalg.norm(end - start, axis=1)
    run = u + np.concatenate([[0], np.cumsum(lengths)])
    out = np.column_stack([end[:, 1] - start[:, 1], start[:, 0] - end[:, 0]]) / lengths[:, None]
    before, after = (out, out) if not smooth else (out + np.roll(out, 1, axis=0), out + np.roll(out, -1, axis=0))
    corner = np.stack([np.column_stack([p, np.full(len(p), z)]) for p, z in _corners(start, end, bottom, top)], axis=1)
    normal = np.stack([before, after, after, before], axis=1)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    high = top - bottom
    uv = np.stack([np.column_stack([run[i : len(run) - 1 + i], np.full(len(out), v)]) for i, v in _uv(high)], axis=1)
    return Patch(
        vertices=corner.reshape(-1, 3),
        triangles=(4 * np.arange(len(out))[:, None, None] + QUAD_TRIANGLES).reshape(-1, 3),
        normals=np.pad(normal.reshape(-1, 2), ((0, 0), (0, 1))),
        uv=uv.reshape(-1, 2),
    )


def flat(area: shapely.Polygon | shapely.MultiPolygon, z: float, *, up: bool, origin: tuple[float, float]) -> Patch:
    """Return a level polygon, holes left open, seen from above where ``up`` or from below.

    origin: site (x, y) of the texture's top-left corner; its top is to +y seen from above, to -y seen from below.
    """
    triangles = np.array(
        [np.array(triangle.exterior.coords)[:3, :2] for triangle in shapely.constrained_delaunay_triangles(area).geoms]
    )
    a, b = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    clockwise = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0
    turned = clockwise if up else ~clockwise
    triangles[turned] = triangles[turned][:, ::-1]
    points, index = np.unique(triangles.reshape(-1, 2), axis=0, return_inverse=True)
    sign = 1.0 if up else -1.0
    return Patch(
        vertices=np.column_stack([points, np.full(len(points), z)]),
        triangles=index.reshape(-1, 3),
        normals=np.tile([0.0, 0.0, sign], (len(points), 1)),
        uv=(points - origin) * (1.0, -sign),
    )


def prism(outline: ArrayLike, bottom: float, top: float) -> Patch:
    """Return sides, top and underside of an upright prism over ``outline`` (N, 2), counter-clockwise."""
    ring = np.asarray(outline, dtype=np.float64)
    area = shapely.Polygon(ring)
    corner = float(ring[:, 0].min()), float(ring[:, 1].max())
    below = flat(area, bottom, up=False, origin=(corner[0], float(ring[:, 1].min())))
    return joined([sides(np.vstack([ring, ring[:1]]), bottom, top), flat(area, top, up=True, origin=corner), below])


def tube(start: ArrayLike, end: ArrayLike, radius: float, corners: int = 10) -> Patch:
    """Return the mantle of a straight pipe from ``start`` to ``end`` (3,), with smooth normals."""
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    axis = (b - a) / np.linalg.norm(b - a)
    first = np.cross(axis, [0.0, 0.0, 1.0] if abs(axis[2]) < 0.9 else [1.0, 0.0, 0.0])
    first /= np.linalg.norm(first)
    turns = np.arange(corners + 1) * 2 * np.pi / corners
    out = np.cos(turns)[:, None] * first + np.sin(turns)[:, None] * np.cross(axis, first)
    low, up = np.arange(corners), np.arange(corners) + corners + 1
    u = radius * turns
    length = np.linalg.norm(b - a)
    return Patch(
        vertices=np.vstack([a + radius * out, b + radius * out]),
        triangles=np.vstack([np.column_stack([low, low + 1, up + 1]), np.column_stack([low, up + 1, up])]),
        normals=np.vstack([out, out]),
        uv=np.vstack([np.column_stack([u, np.full_like(u, length)]), np.column_stack([u, np.zeros_like(u)])]),
    )


def _corners(start: Array, end: Array, bottom: float, top: float) -> list[tuple[Array, float]]:
    return [(start, top), (end, top), (end, bottom), (start, bottom)]


def _uv(high: float) -> list[tuple[int, float]]:
    """Return, for the four corners of a side, which end of it they are at and how far down."""
    return [(0, 0.0), (1, 0.0), (1, high), (0, high)]
