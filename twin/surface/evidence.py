"""Panels against the map: landmarks on a panel support it; rays to landmarks that go through it contradict it.

A wall that the plan shows and the map looks through is not there, or has an opening. What a few wrong landmarks say
does not count: an opening takes several landmarks, seen from several places, and more of them than support the panel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from scenes.rendering.raycasting import raycaster
from twin.surface.panels import Panel, mesh_of

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

CELL_M = 0.25
SUPPORT_M = 0.08
"""A landmark this near to a panel's plane lies on it, if its own sigma does not say less."""
BEYOND_M = 0.4
"""A ray goes through a panel if its landmark is this far behind, and by three sigmas of the landmark."""
SIGMAS = 3.0
MIN_LANDMARKS, MIN_VIEWS = 4, 3
"""As many must be seen through a neighbourhood of three by three cells before it counts as open."""
REMOVED_SHARE, MIN_TOLD = 0.6, 0.3
"""An element is removed as a whole where this share of what the map tells of it is open, and it tells of this share."""
CUT_KINDS = ("wall", "pillar", "exclusion", "sign", "front")
"""Floors, ramps and ceilings are judged, never cut: what a wet or polished floor mirrors lies beneath it in a map."""
CHUNK_RAYS = 1 << 17


@dataclass(frozen=True, kw_only=True, eq=False)
class Rays:
    """What the map saw: a ray from a camera to a landmark each.

    centres: (O, 3) camera centres; points: (O, 3) landmarks, site metres; sigmas: (O,) largest sigma of the landmark
    landmark, view: (O,) indices
    """

    centres: Array
    points: Array
    sigmas: Array
    landmark: Indices
    view: Indices


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the map says of one element of the plan.

    support: landmarks that lie on it; contradicted: landmarks seen through it
    status: "confirmed", "unseen", "opened" or "removed"; removed_m2: area taken away
    """

    element: str
    support: int
    contradicted: int
    status: str
    removed_m2: float


def cut_by_evidence(panels: Sequence[Panel], rays: Rays) -> tuple[list[Panel], list[Evidence]]:
    """Return the panels less what the rays contradict, and what they say of every element, in order."""
    if not len(panels):
        return [], []
    support = supported_cells(panels, rays)
    through = crossed_cells(panels, rays)
    by_element: dict[str, list[_Judged]] = {}
    for index, panel in enumerate(panels):
        on, behind = support.of_panel(index), through.of_panel(index)
        hole, told = _hole(panel, on, behind) if panel.kind in CUT_KINDS else (None, 0.0)
        rest = panel if hole is None else panel.without(hole)
        by_element.setdefault(panel.element, []).append(_Judged(panel, rest, told, on.landmark, behind.landmark))
    evidence = [_evidence(element, judged) for element, judged in by_element.items()]
    removed = {each.element for each in evidence if each.status == "removed"}
    everything = [judged for group in by_element.values() for judged in group]
    return [each.rest for each in everything if each.rest is not None and each.rest.element not in removed], evidence


class _Judged(NamedTuple):
    """A panel, what is left of it, area in square metres that the map tells of, landmarks on it and behind it."""

    panel: Panel
    rest: Panel | None
    told: float
    on: Indices
    behind: Indices


def _evidence(element: str, judged: Sequence[_Judged]) -> Evidence:
    support, contradicted = (
        len(np.unique(np.concatenate(each))) for each in zip(*[j[3:] for j in judged], strict=True)
    )
    area = sum(each.panel.area.area for each in judged)
    lost = area - sum(each.rest.area.area for each in judged if each.rest is not None)
    status = "confirmed" if support >= MIN_LANDMARKS else "unseen"
    if lost > 0:
        told = sum(each.told for each in judged)
        status = "removed" if lost > REMOVED_SHARE * told and told > MIN_TOLD * area else "opened"
    removed = area if status == "removed" else lost
    return Evidence(element=element, support=support, contradicted=contradicted, status=status, removed_m2=removed)


@dataclass(frozen=True, kw_only=True, eq=False)
class Marks:
    """Places on panels, sorted by panel: uv (M, 2) metres, and which landmark and view they are of."""

    panel: Indices
    uv: Array
    landmark: Indices
    view: Indices

    def of_panel(self, index: int) -> "Marks":
        """Return those of one panel."""
        rows = slice(*np.searchsorted(self.panel, [index, index + 1]))
        return Marks(panel=self.panel[rows], uv=self.uv[rows], landmark=self.landmark[rows], view=self.view[rows])


def supported_cells(panels: Sequence[Panel], rays: Rays) -> Marks:
    """Return where landmarks lie on panels; a landmark lies on its nearest one, an observation each."""
    import open3d as o3d

    mesh = mesh_of(panels)
    scene = raycaster(mesh.vertices, mesh.triangles)
    first, index = np.unique(rays.landmark, return_index=True)
    points, sigmas = rays.points[index], rays.sigmas[index]
    closest = scene.compute_closest_points(o3d.core.Tensor.from_numpy(points.astype(np.float32)))
    distance = np.linalg.norm(closest["points"].numpy() - points, axis=1)
    on = distance < np.clip(2.0 * sigmas, SUPPORT_M / 2, SUPPORT_M)
    panel_of_landmark = np.full(int(rays.landmark.max(initial=0)) + 1, -1, dtype=np.int64)
    panel_of_landmark[first[on]] = mesh.panel[closest["primitive_ids"].numpy()[on]]
    panel = panel_of_landmark[rays.landmark]
    rows = np.flatnonzero(panel >= 0)
    return _marks(panels, panel[rows], rays.points[rows], rays, rows)


def crossed_cells(panels: Sequence[Panel], rays: Rays) -> Marks:
    """Return where rays go through panels well in front of their landmark."""
    import open3d as o3d

    mesh = mesh_of(panels)
    scene = raycaster(mesh.vertices, mesh.triangles)
    panel, point, row = [], [], []
    for start in range(0, len(rays.points), CHUNK_RAYS):
        part = slice(start, start + CHUNK_RAYS)
        centres, directions = rays.centres[part], rays.points[part] - rays.centres[part]
        tensor = o3d.core.Tensor.from_numpy(np.hstack([centres, directions]).astype(np.float32))
        found = scene.list_intersections(tensor)
        ray, share = found["ray_ids"].numpy(), found["t_hit"].numpy()
        length = np.linalg.norm(directions, axis=1)
        margin = np.maximum(BEYOND_M, SIGMAS * rays.sigmas[part])
        rows = np.flatnonzero((1.0 - share) * length[ray] > margin[ray])
        panel.append(mesh.panel[found["primitive_ids"].numpy()[rows]])
        point.append(centres[ray[rows]] + share[rows, None] * directions[ray[rows]])
        row.append(start + ray[rows].astype(np.int64))
    return _marks(
        panels,
        np.concatenate([np.zeros(0, np.int64), *panel]).astype(np.int64),
        np.concatenate([np.zeros((0, 3)), *point]),
        rays,
        np.concatenate([np.zeros(0, np.int64), *row]),
    )


def _marks(panels: Sequence[Panel], panel: Indices, points: Array, rays: Rays, rows: Indices) -> Marks:
    order = np.argsort(panel, kind="stable")
    panel, points, rows = panel[order], points[order], rows[order]
    origins = np.array([each.origin for each in panels])
    axes = np.array([each.axes for each in panels])
    uv = np.einsum("mij,mj->mi", axes[panel], points - origins[panel])
    return Marks(panel=panel, uv=uv, landmark=rays.landmark[rows], view=rays.view[rows])


def _hole(panel: Panel, on: Marks, behind: Marks) -> tuple[shapely.Geometry | None, float]:
    """Return what is to be cut out of a panel, None for nothing, and the area that landmarks are on or behind."""
    shape = tuple(np.maximum(1, np.ceil(np.array(panel.size[::-1]) / CELL_M)).astype(int))
    support, through = _distinct(on, on.landmark, shape), _distinct(behind, behind.landmark, shape)
    views = _distinct(behind, behind.view, shape)
    open_cells = (through >= MIN_LANDMARKS) & (views >= MIN_VIEWS) & (through > support)
    told = CELL_M**2 * float((open_cells | (support > 0)).sum())
    if not open_cells.any():
        return None, told
    rows, columns = np.nonzero(ndimage.binary_closing(open_cells) | open_cells)
    cells = shapely.box(columns * CELL_M, rows * CELL_M, (columns + 1) * CELL_M, (rows + 1) * CELL_M)
    return shapely.union_all(cells), told


def _distinct(marks: Marks, of: Indices, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Count the distinct values of ``of`` in each cell and its eight neighbours."""
    cell = np.clip((marks.uv / CELL_M).astype(np.int64), 0, np.array(shape[::-1]) - 1)
    steps = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), axis=-1).reshape(-1, 2)
    near = (cell[:, None] + steps).reshape(-1, 2)
    value = np.repeat(of, len(steps))
    inside = (near >= 0).all(axis=1) & (near < shape[::-1]).all(axis=1)
    keys = np.unique(np.column_stack([near[inside], value[inside]]), axis=0)
    return np.bincount(keys[:, 1] * shape[1] + keys[:, 0], minlength=shape[0] * shape[1]).reshape(shape)
