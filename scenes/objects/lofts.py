"""Curved surfaces with smooth normals: grids, tubes and ellipsoids, the stuff that parametric models are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenes.rendering.shapes import Finish, Shape, Texture

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

WELD_M = 1e-5
"""Vertices of one patch nearer than this share a normal."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Patch:
    """A smooth piece of surface in a model's frame.

    vertices: (V, 3) metres; triangles: (T, 3) indices, counter-clockwise seen from the front; normals: (V, 3) unit
    """

    vertices: Array
    triangles: Indices
    normals: Array

    def moved(self, offset: ArrayLike) -> "Patch":
        """Return the patch shifted by ``offset`` (3,) metres."""
        return Patch(vertices=self.vertices + np.asarray(offset), triangles=self.triangles, normals=self.normals)

    def mirrored(self) -> "Patch":
        """Return the patch of the other side of the model: y becomes -y."""
        flip = np.array([1.0, -1.0, 1.0])
        return Patch(vertices=self.vertices * flip, triangles=self.triangles[:, ::-1], normals=self.normals * flip)

    def chosen(self, wanted: NDArray[np.bool_]) -> "Patch":
        """Return the triangles ``wanted`` (T,), with the normals they had in the whole."""
        used, triangles = np.unique(self.triangles[wanted], return_inverse=True)
        return Patch(vertices=self.vertices[used], triangles=triangles.reshape(-1, 3), normals=self.normals[used])


def patch(vertices: Array, triangles: Indices) -> Patch:
    """Return triangles without area dropped, with area-weighted normals, shared where vertices coincide."""
    corners = vertices[triangles]
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    real = np.linalg.norm(crosses, axis=1) > 1e-10
    triangles, crosses = triangles[real], crosses[real]
    _, welded = np.unique(np.round(vertices / WELD_M).astype(np.int64), axis=0, return_inverse=True)
    welded = welded.reshape(-1)
    sums = np.zeros((welded.max() + 1, 3))
    for corner in range(3):
        np.add.at(sums, welded[triangles[:, corner]], crosses)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    normals = np.divide(sums, lengths, out=np.tile([0.0, 0.0, 1.0], (len(sums), 1)), where=lengths > 0)
    return Patch(vertices=vertices, triangles=triangles, normals=normals[welded]).chosen(np.ones(len(triangles), bool))


def grid_triangles(rows: int, columns: int) -> Indices:
    """Return the two triangles of each cell of a grid, (2 (rows-1)(columns-1), 3), cell by cell in row order."""
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    return np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)


def grid(points: Array) -> Patch:
    """Return the surface through ``points`` (R, C, 3); its front is on the side of (column step) x (row step)."""
    return patch(points.reshape(-1, 3), grid_triangles(*points.shape[:2]))


def tube(path: ArrayLike, radii: ArrayLike, *, sides: int = 10, up: ArrayLike = (0.0, 1.0, 0.0)) -> Patch:
    """Return a closed tube along ``path`` (N, 3), elliptical with ``radii`` (N,) or (N, 2): along ``up``, and across.

    ``up`` must not be parallel to the path. The first and last rings are closed by flat ends.
    """
    centres, sizes = np.asarray(path, dtype=np.float64), np.asarray(radii, dtype=np.float64)
    sizes = np.stack([sizes, sizes], axis=1) if sizes.ndim == 1 else sizes
    along = np.gradient(centres, axis=0)
    across = np.cross(np.asarray(up, dtype=np.float64), along)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    top = np.cross(along, across)
    top /= np.linalg.norm(top, axis=1, keepdims=True)
    angles = np.linspace(0, 2 * np.pi, sides + 1)[None, :, None]
    rings = centres[:, None] + np.sin(angles) * sizes[:, None, :1] * top[:, None]
    rings = rings + np.cos(angles) * sizes[:, None, 1:] * across[:, None]
    ends = np.repeat(centres[[0, -1], None], sides + 1, axis=1)
    return grid(np.concatenate([ends[:1], rings, ends[1:]]))


def capsule(path: ArrayLike, radii: ArrayLike, *, sides: int = 10, up: ArrayLike = (0.0, 1.0, 0.0)) -> Patch:
    """Return a tube whose ends are rounded: half an ellipsoid beyond the first and the last point of ``path``."""
    centres, sizes = np.asarray(path, dtype=np.float64), np.asarray(radii, dtype=np.float64)
    sizes = np.stack([sizes, sizes], axis=1) if sizes.ndim == 1 else sizes
    turns = np.radians([80.0, 55.0, 28.0])[:, None]
    first, last = centres[0] - centres[1], centres[-1] - centres[-2]
    first, last = (step / np.linalg.norm(step) * size.mean() for step, size in ((first, sizes[0]), (last, sizes[-1])))
    path_in = np.concatenate([centres[0] + np.sin(turns) * first, centres, centres[-1] + np.sin(turns[::-1]) * last])
    radii_in = np.concatenate([np.cos(turns) * sizes[0], sizes, np.cos(turns[::-1]) * sizes[-1]])
    return tube(path_in, radii_in, sides=sides, up=up)


def ellipsoid(centre: ArrayLike, radii: ArrayLike, *, rings: int = 6, sides: int = 10, lowest: float = -1.0) -> Patch:
    """Return an ellipsoid with its half axes ``radii`` (3,); only what lies above ``lowest``, a share of the height."""
    polar = np.linspace(np.arcsin(lowest), np.pi / 2, rings + 1)[:, None]
    around = np.linspace(0, 2 * np.pi, sides + 1)[None]
    unit = np.stack(
        [np.cos(polar) * np.cos(around), np.cos(polar) * np.sin(around), np.sin(polar) + 0 * around], axis=-1
    )
    return grid(unit * np.asarray(radii) + np.asarray(centre))


def merged(patches: Sequence[Patch]) -> Patch:
    """Return several patches as one, each with its own normals."""
    starts = np.cumsum([0, *(len(p.vertices) for p in patches)])
    return Patch(
        vertices=np.concatenate([p.vertices for p in patches]),
        triangles=np.concatenate([p.triangles + start for p, start in zip(patches, starts, strict=False)]),
        normals=np.concatenate([p.normals for p in patches]),
    )


def shape(name: str, surface: Patch, uv: Array, texture: Texture, finish: Finish | None = None) -> Shape:
    """Return the patch as a shape, with ``uv`` (V, 2) metres on its texture."""
    return Shape(
        name=name,
        vertices=surface.vertices.astype(np.float32),
        triangles=surface.triangles.astype(np.uint32),
        normals=surface.normals.astype(np.float32),
        uv=uv.astype(np.float32),
        texture=texture,
        finish=finish or Finish(),
    )


def plain(name: str, patches: Sequence[Patch], texture: Texture, finish: Finish | None = None) -> Shape:
    """Return patches of one material that looks alike everywhere: the texture's middle colour."""
    surface = merged(patches)
    height, width = texture.image.shape[:2]
    middle = np.array([width, height]) / (2 * texture.px_per_m)
    return shape(name, surface, np.tile(middle, (len(surface.vertices), 1)), texture, finish)
