"""Plane polygons that a surface is made of, each with a frame of its own for its texture, and the mesh of many."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import affinity

Array = NDArray[np.float64]

MIN_AREA_M2 = 1e-6
GRID_M, DENSE_M = 1e-4, 0.25
GROUND_AXES = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Right and down of a texture on the floor: the plan with north up."""
SOFFIT_AXES = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """A plane polygon in site, seen from its front.

    element: what of the plan it belongs to, such as "P1/wall 3"; kind: floor, ceiling, ramp, edge, wall, pillar,
        exclusion or sign; front and ground of what is around
    origin: (3,) site metres of the texture's top left; axes: (2, 3) unit vectors to its right and down
    area: in metres along these axes, from 0 on
    """

    element: str
    kind: str
    origin: Array
    axes: Array
    area: shapely.Polygon | shapely.MultiPolygon

    @property
    def normal(self) -> Array:
        """Unit vector (3,) out of the front."""
        return np.cross(self.axes[1], self.axes[0])

    @property
    def size(self) -> tuple[float, float]:
        """Metres to the right and down."""
        _, _, width, height = self.area.bounds
        return float(width), float(height)

    def without(self, hole: shapely.Geometry) -> "Panel | None":
        """Return the panel with ``hole``, in its own metres, cut out; None where nothing is left."""
        rest = polygons_of(shapely.difference(self.area, hole))
        return None if rest.is_empty else replace(self, area=rest)


def panel_of(element: str, kind: str, origin: Array, axes: Array, area: shapely.Geometry) -> list[Panel]:
    """Return the panel of an area in metres along ``axes`` from ``origin``, shifted to begin at 0; none if empty."""
    area = polygons_of(area)
    if area.is_empty:
        return []
    left, top, _, _ = area.bounds
    moved = affinity.translate(area, -left, -top)
    return [Panel(element=element, kind=kind, origin=origin + np.array([left, top]) @ axes, axes=axes, area=moved)]


def level_panel(element: str, kind: str, area: shapely.Geometry, z: float, *, up: bool) -> list[Panel]:
    """Return the panel of a horizontal area, given in site metres, at height ``z`` and seen from above or below."""
    axes = GROUND_AXES if up else SOFFIT_AXES
    own = affinity.affine_transform(area, [1.0, 0.0, 0.0, -1.0 if up else 1.0, 0.0, 0.0])
    return panel_of(element, kind, np.array([0.0, 0.0, z]), axes, own)


def upright_panels(element: str, kind: str, ring: Array, bottom: float, top: float) -> list[Panel]:
    """Return the faces (one an edge) of a ring of points (N, 2), closed, their fronts to the right of the way along."""
    start, end = ring[:-1], ring[1:]
    lengths = np.linalg.norm(end - start, axis=1)
    panels = []
    for a, b, length in zip(start, end, lengths.tolist(), strict=True):
        if length > MIN_AREA_M2:
            axes = np.array([[*((b - a) / length), 0.0], [0.0, 0.0, -1.0]])
            panels += panel_of(element, kind, np.array([*a, top]), axes, shapely.box(0, 0, length, top - bottom))
    return panels


def quad_panels(element: str, kind: str, corners: Array) -> list[Panel]:
    """Return a quadrilateral (4, 3), clockwise as seen from its front; two triangles where it is not plane."""
    a, b, c, d = corners
    normal = np.cross(d - a, b - a)
    flat = abs(normal @ (c - a)) < 1e-3 * np.linalg.norm(normal)
    parts = [corners] if flat else [corners[[0, 1, 2]], corners[[0, 2, 3]]]
    panels = []
    for part in parts:
        right = (part[1] - part[0]) / np.linalg.norm(part[1] - part[0])
        out = np.cross(part[2] - part[0], part[1] - part[0])
        axes = np.array([right, np.cross(right, out / np.linalg.norm(out))])
        panels += panel_of(element, kind, part[0], axes, shapely.Polygon((part - part[0]) @ axes.T))
    return panels


def polygons_of(area: shapely.Geometry) -> shapely.Polygon | shapely.MultiPolygon:
    """Return the polygons of a geometry that are larger than nothing, without its points and lines."""
    parts = [part for part in shapely.get_parts(area) if part.geom_type == "Polygon" and part.area > MIN_AREA_M2]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


@dataclass(frozen=True, kw_only=True, eq=False)
class PanelMesh:
    """Triangles of panels.

    vertices: (V, 3) float32, site metres; uv: (V, 2) float32, metres on the panel's texture
    triangles: (T, 3) uint32, counter-clockwise seen from the front; panel: (T,) int32
    """

    vertices: NDArray[np.float32]
    uv: NDArray[np.float32]
    triangles: NDArray[np.uint32]
    panel: NDArray[np.int32]


def triangles_of(area: shapely.Geometry) -> NDArray[np.object_]:
    """Return the triangles that make up an area.

    GEOS gives up on a few valid polygons ("unable to find a
    convex corner"). These are snapped to ``GRID_M``, and where that does not help what it triangulates freely is kept
    as far as it is inside.
    """
    for tidied in (lambda: area, lambda: _snapped(area)):
        try:
            return shapely.get_parts(shapely.constrained_delaunay_triangles(tidied()))
        except shapely.errors.GEOSException:
            continue
    dense = shapely.segmentize(area, DENSE_M)
    pieces = shapely.get_parts(shapely.delaunay_triangles(dense))
    return pieces[shapely.contains(area, shapely.centroid(pieces))]


def _snapped(area: shapely.Geometry) -> shapely.Geometry:
    with np.errstate(all="ignore"):  # flags of coordinates too small to be normal numbers, which snap to nothing
        return polygons_of(shapely.set_precision(area, GRID_M))


def mesh_of(panels: Sequence[Panel]) -> PanelMesh:
    """Triangulate panels; vertices are not shared between them."""
    vertices, uv, triangles, owner = [], [], [], []
    count = 0
    for index, panel in enumerate(panels):
        pieces = triangles_of(panel.area)
        corners = shapely.get_coordinates(pieces).reshape(-1, 4, 2)[:, :3]
        a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        # With y down, a ring that is counter-clockwise as numbers go is clockwise to who looks at the front.
        turned = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] > 0
        corners[turned] = corners[turned][:, ::-1]
        points, rows = np.unique(corners.reshape(-1, 2), axis=0, return_inverse=True)
        vertices.append(panel.origin + points @ panel.axes)
        uv.append(points)
        triangles.append(rows.reshape(-1, 3) + count)
        owner.append(np.full(len(pieces), index))
        count += len(points)
    return PanelMesh(
        vertices=np.concatenate([np.zeros((0, 3)), *vertices]).astype(np.float32),
        uv=np.concatenate([np.zeros((0, 2)), *uv]).astype(np.float32),
        triangles=np.concatenate([np.zeros((0, 3)), *triangles]).astype(np.uint32),
        panel=np.concatenate([np.zeros(0), *owner]).astype(np.int32),
    )
