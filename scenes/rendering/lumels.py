"""Where light is computed: a grid of lumels over every large plane of a shape, the vertices of everything else."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from scenes.rendering.atlas import bilinear, pack
from scenes.rendering.mesh import Mesh
from scenes.rendering.raycasting import Hits, interpolate

FloatArray = NDArray[np.float32]

LEAST_SIDE_M = 0.8
"""A plane of which the longer side is shorter has light at its vertices only."""
MAX_LUMELS = 400_000
"""A plane so large that it would have more has them further apart."""
INSET_M = 0.02
"""Light on a border is that a little inside of it, where the next surface does not touch."""
WEIGHT_OF_UNKNOWN = 1e-3
MAX_BURIED = 0.3
"""A lumel that sees more of walls' insides lies in one, and takes the light of the nearest that does not."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LumelLayout:
    """Places at which light is wanted: M lumels first, then vertices.

    points, normals: (M + P, 3) float32 site metres
    page_index: (M,) int64, the lumels' places on the flattened page; page_size: (rows, columns)
    charts: (column, row, columns, rows) of each chart on the page
    mapped: (T,) bool, triangles that are lit by lumels; corner_lumel: (T, 3, 2) float32, their places on the page
    corner_vertex: (T, 3) int64, rows of points for the corners of the other triangles; their light is elsewhere
        where it is -1
    """

    points: FloatArray
    normals: FloatArray
    page_index: NDArray[np.int64]
    page_size: tuple[int, int]
    charts: NDArray[np.int64]
    mapped: NDArray[np.bool_]
    corner_lumel: FloatArray
    corner_vertex: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class LightMap:
    """Light on a mesh.

    page: (H, W, 4) float32 lumels, light times weight and the weight: 1, or next to nothing for a lumel that was not
        computed or lies in a wall, so that light does not bleed through
    corner_light: (T, 3, 3) float32, light at the corners of triangles that are not ``mapped`` (T,) to the page
    """

    page: FloatArray
    mapped: NDArray[np.bool_]
    corner_lumel: FloatArray
    corner_light: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class _Chart:
    triangles: NDArray[np.int64]
    places: FloatArray
    size: tuple[int, int]
    points: FloatArray
    normal: FloatArray
    wanted: NDArray[np.int64]


def lay_out(mesh: Mesh, static: NDArray[np.bool_], lumels_per_m: float) -> LumelLayout:
    """Choose the places for the light on a mesh; triangles that are not ``static`` (T,) get none."""
    corners = mesh.vertices[mesh.triangles]
    charts = [_chart(corners[rows], rows, lumels_per_m) for rows in _planes(corners, mesh.object_ids, static)]
    sizes = np.array([chart.size for chart in charts], dtype=np.int64).reshape(-1, 2)
    packing = pack(sizes) if charts else None
    columns, rows = packing.size if packing else (1, 1)
    lefts_tops = packing.corners if packing else np.zeros((0, 2), dtype=np.int64)
    mapped = np.zeros(len(corners), dtype=bool)
    corner_lumel = np.zeros((len(corners), 3, 2), dtype=np.float32)
    index = []
    for chart, (left, top) in zip(charts, lefts_tops, strict=True):
        mapped[chart.triangles] = True
        corner_lumel[chart.triangles] = chart.places + np.array([left, top], dtype=np.float32)
        row, column = np.divmod(chart.wanted, chart.size[0])
        index.append((row + top) * columns + column + left)
    vertex_points, vertex_normals, corner_vertex = _vertices(mesh, corners, static & ~mapped)
    offset = sum(len(i) for i in index)
    return LumelLayout(
        points=np.concatenate([*(chart.points for chart in charts), vertex_points]),
        normals=np.concatenate([*(np.tile(c.normal, (len(c.points), 1)) for c in charts), vertex_normals]),
        page_index=np.concatenate([np.zeros(0, dtype=np.int64), *index]),
        page_size=(rows, columns),
        charts=np.hstack([lefts_tops, sizes]),
        mapped=mapped,
        corner_lumel=corner_lumel,
        corner_vertex=np.where(corner_vertex >= 0, corner_vertex + offset, -1),
    )


def _planes(corners: FloatArray, objects: NDArray[np.int32], static: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Return the triangles of each large connected piece of a plane of each static object."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).astype(np.float64)
    length = np.linalg.norm(normal, axis=1)
    flat = np.flatnonzero(static & (length > 1e-12))
    normal = normal[flat] / length[flat, None]
    height = np.einsum("tk,tk->t", normal, corners[flat].mean(axis=1))
    keys = np.column_stack([objects[flat], np.rint(normal * 500), np.rint(height * 200)]).astype(np.int64)
    piece = _connected(np.unique(keys, axis=0, return_inverse=True)[1].ravel(), corners[flat])
    order = np.argsort(piece, kind="stable")
    pieces = np.split(flat[order], np.flatnonzero(np.diff(piece[order])) + 1) if len(flat) else []
    return [rows for rows in pieces if np.ptp(corners[rows].reshape(-1, 3), axis=0).max() >= LEAST_SIDE_M]


def _connected(plane: NDArray[np.int64], corners: FloatArray) -> NDArray[np.int64]:
    """Number (T,) the pieces of triangles (T, 3, 3) that share a plane's number and, directly or not, a corner."""
    places = np.column_stack([np.repeat(plane, 3), np.rint(corners.reshape(-1, 3) * 1000)]).astype(np.int64)
    corner = np.unique(places, axis=0, return_inverse=True)[1].ravel()
    count = len(plane)
    links = (np.ones(3 * count), (np.repeat(np.arange(count), 3), count + corner))
    size = count + int(corner.max(initial=-1)) + 1
    return connected_components(coo_array(links, shape=(size, size)), directed=False)[1][:count]


def _chart(corners: FloatArray, triangles: NDArray[np.int64], lumels_per_m: float) -> _Chart:
    """Lay a grid of lumels over coplanar triangles; the outermost lie on the border of the box around them."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).sum(axis=0)
    normal /= np.linalg.norm(normal)
    right = np.cross((0, 0, 1), normal) if abs(normal[2]) < 0.9 else np.array([1.0, 0, 0]) - normal[0] * normal
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(normal, right)]).astype(np.float32)
    origin = corners[0, 0]
    flat = (corners - origin) @ axes.T
    low, high = flat.min(axis=(0, 1)), flat.max(axis=(0, 1))
    per_m = min(lumels_per_m, float(np.sqrt(MAX_LUMELS / np.prod(high - low))))
    size = np.maximum(np.ceil((high - low) * per_m).astype(int) + 1, 2)
    places = (flat - low) / (high - low) * (size - 1)
    wanted = np.flatnonzero(_covered(places, size))
    row, column = np.divmod(wanted, size[0])
    inset = np.minimum(INSET_M, (high - low) / 4)
    grid = np.clip(low + np.column_stack([column, row]) / (size - 1) * (high - low), low + inset, high - inset)
    return _Chart(
        triangles=triangles,
        places=places.astype(np.float32),
        size=(int(size[0]), int(size[1])),
        points=(origin + grid @ axes).astype(np.float32),
        normal=normal.astype(np.float32),
        wanted=wanted,
    )


def _covered(places: FloatArray, size: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Tell (rows, columns) which lumels lie in a triangle (T, 3, 2) or next to one."""
    mask = np.zeros((size[1], size[0]), dtype=np.uint8)
    for triangle in np.rint(places * 256).astype(np.int32):
        cv2.fillConvexPoly(mask, triangle, 1, shift=8)
    return mask > 0


def _vertices(
    mesh: Mesh, corners: FloatArray, lit: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Return the vertices that ``lit`` triangles use, drawn a little towards their triangles' middles, and normals."""
    used, inverse = np.unique(mesh.triangles[lit], return_inverse=True)
    rows = inverse.ravel()
    middles = np.repeat(corners[lit].mean(axis=1), 3, axis=0)
    count = np.maximum(np.bincount(rows, minlength=len(used)), 1)[:, None]
    middle = np.column_stack([np.bincount(rows, middles[:, k], minlength=len(used)) for k in range(3)]) / count
    step = middle - mesh.vertices[used]
    length = np.linalg.norm(step, axis=1, keepdims=True)
    points = mesh.vertices[used] + step * np.minimum(1.5 * INSET_M / np.maximum(length, 1e-9), 0.5)
    corner_vertex = np.full((len(corners), 3), -1, dtype=np.int64)
    corner_vertex[lit] = inverse.reshape(-1, 3)
    return points.astype(np.float32), mesh.normals[used], corner_vertex


def light_map(layout: LumelLayout, light: FloatArray, buried: FloatArray, corner_light: FloatArray) -> LightMap:
    """Spread ``light`` (M + P, 3) over the mesh; ``buried`` (M + P,) says which lumels are not to be believed.

    corner_light: (T, 3, 3), light at the corners of triangles that the layout has no places for.
    """
    count = len(layout.page_index)
    page = np.ones((*layout.page_size, 4), dtype=np.float32)
    known = np.zeros(layout.page_size, dtype=bool)
    page.reshape(-1, 4)[layout.page_index, :3] = light[:count]
    known.ravel()[layout.page_index] = buried[:count] <= MAX_BURIED
    for left, top, columns, rows in layout.charts:
        part = np.s_[top : top + rows, left : left + columns]
        page[part] = _filled(page[part], known[part])
    page *= np.where(known, np.float32(1), np.float32(WEIGHT_OF_UNKNOWN))[..., None]
    vertex_lit = layout.corner_vertex >= 0
    corner_light = corner_light.copy()
    corner_light[vertex_lit] = light[layout.corner_vertex[vertex_lit]]
    return LightMap(page=page, mapped=layout.mapped, corner_lumel=layout.corner_lumel, corner_light=corner_light)


def _filled(values: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
    """Return values (H, W, 4) with the nearest known one where none is known."""
    if known.all() or not known.any():
        return values
    row, column = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return values[row, column]


def light_at(light: LightMap, hits: Hits) -> FloatArray:
    """Return the light (N, 3) where rays hit the mesh."""
    on_map = light.mapped[hits.triangle]
    result = np.empty((len(hits.triangle), 3), dtype=np.float32)
    rows = np.flatnonzero(on_map)
    if len(rows):
        places = interpolate(np.take(light.corner_lumel, hits.triangle[rows], axis=0), hits.barycentric[rows])
        weighted = bilinear(light.page, places)
        result[rows] = weighted[:, :3] / weighted[:, 3:]
    rows = np.flatnonzero(~on_map)
    if len(rows):
        result[rows] = interpolate(np.take(light.corner_light, hits.triangle[rows], axis=0), hits.barycentric[rows])
    return result
