"""What each camera of a network covers in metres, where nobody looks, and who sees the same; for a layout too."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np
import shapely
from numpy.typing import NDArray

from geometry import FixedCamera, FloorPlan, InputError, position_of
from geometry.floor_coverage import pixels_per_metre
from scenes.rendering.raycasting import blocked, raycaster
from twin.surface.extrusion import extrude
from twin.surface.panels import mesh_of

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

CELL_M = 0.5
MAX_CELLS = 400_000
ABOVE_FLOOR_M = 0.05
MIN_PX_PER_M = 5.0
"""Along the worst direction, away from the camera: a pixel off is 20 cm off on the floor, and across it far less."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Coverage:
    """Floor cells and who sees them.

    points: (N, 3) site metres; level: (N,) index into ``plan.levels``; resolution: (C, N) pixels a metre, 0 where a
    camera does not see the cell; cell_m: side of a cell
    """

    plan: FloorPlan
    cameras: tuple[FixedCamera, ...]
    points: Array
    level: NDArray[np.int64]
    resolution: Array
    cell_m: float
    min_px_per_m: float

    @cached_property
    def seen(self) -> Mask:
        """Which cells (C, N) a camera sees finely enough."""
        return np.asarray(self.resolution >= self.min_px_per_m)

    @property
    def cell_m2(self) -> float:
        """Area of a cell."""
        return self.cell_m**2

    def rows(self) -> list[dict[str, Any]]:
        """Return a line a camera: area, reach, resolution, what only it sees, and with whom it overlaps."""
        count = self.seen.sum(axis=0)
        found = []
        for index, camera in enumerate(self.cameras):
            mine = self.seen[index]
            far = np.linalg.norm(self.points[mine, :2] - position_of(camera.pose())[:2], axis=1)
            resolution = self.resolution[index, mine]
            overlaps = {
                other.id: round(float((mine & self.seen[k]).sum()) * self.cell_m2, 1)
                for k, other in enumerate(self.cameras)
                if k != index and (mine & self.seen[k]).any()
            }
            found.append(
                {
                    "camera": camera.id,
                    "level": camera.level,
                    "area_m2": round(float(mine.sum()) * self.cell_m2, 1),
                    "alone_m2": round(float((mine & (count == 1)).sum()) * self.cell_m2, 1),
                    "reach_m": round(float(far.max()), 1) if mine.any() else 0.0,
                    "px_per_m": round(float(np.median(resolution)), 1) if mine.any() else 0.0,
                    "overlaps_m2": overlaps,
                }
            )
        return found

    def levels(self) -> list[dict[str, Any]]:
        """Return a line a level: how much is seen at all and by two, and which stalls nobody sees the middle of."""
        count = self.seen.sum(axis=0)
        found = []
        for index, level in enumerate(self.plan.levels):
            here = self.level == index
            total = max(int(here.sum()), 1)
            found.append(
                {
                    "level": level.id,
                    "area_m2": round(float(here.sum()) * self.cell_m2, 1),
                    "seen": round(float((count[here] > 0).sum()) / total, 3),
                    "seen_twice": round(float((count[here] > 1).sum()) / total, 3),
                    "blind_stalls": self._blind_stalls(index),
                }
            )
        return found

    def _blind_stalls(self, level: int) -> list[str]:
        stalls = [stall for stall in self.plan.stalls if stall.level == self.plan.levels[level].id]
        here = np.flatnonzero(self.level == level)
        if not stalls or not len(here):
            return [stall.id for stall in stalls]
        tree = shapely.STRtree(shapely.points(self.points[here, :2]))
        nearest = here[tree.nearest([stall.polygon.centroid for stall in stalls])]
        blind = np.asarray(~self.seen[:, nearest].any(axis=0))
        return [stall.id for stall, is_blind in zip(stalls, blind.tolist(), strict=True) if is_blind]

    def graph(self) -> nx.Graph:
        """Return the cameras as nodes, joined where they see the same floor, with ``area_m2``."""
        graph: nx.Graph = nx.Graph()
        graph.add_nodes_from(camera.id for camera in self.cameras)
        for row in self.rows():
            graph.add_edges_from(
                (row["camera"], other, {"area_m2": area}) for other, area in row["overlaps_m2"].items()
            )
        return graph

    def blind_spots(self, level: int, min_m2: float = 4.0) -> list[shapely.Polygon]:
        """Return the connected areas of a level that no camera sees finely enough, the largest first."""
        blind = (self.level == level) & ~self.seen.any(axis=0)
        half = self.cell_m / 2 + 1e-6
        x, y = self.points[blind, 0], self.points[blind, 1]
        merged = shapely.union_all(shapely.box(x - half, y - half, x + half, y + half))
        parts = [part for part in shapely.get_parts(merged) if part.geom_type == "Polygon" and part.area >= min_m2]
        return sorted(parts, key=lambda part: -part.area)


def coverage(
    plan: FloorPlan,
    cameras: Sequence[FixedCamera],
    *,
    cell_m: float = CELL_M,
    min_px_per_m: float = MIN_PX_PER_M,
    raycasting: Any = None,
) -> Coverage:
    """Return what cameras see of a plan's floors, past walls and pillars; vehicles hide more, and are not counted.

    raycasting: of a twin's surface; without it the plan is extruded, so that a layout needs no twin and no camera.
    Raises ``InputError`` for no cameras, and for more than ``MAX_CELLS`` cells.
    """
    if not cameras:
        raise InputError("there are no cameras", remedy="Give a cameras.json with at least one.")
    points, level = _cells(plan, cell_m)
    if raycasting is None:
        mesh = mesh_of(extrude(plan))
        raycasting = raycaster(mesh.vertices, mesh.triangles)
    resolution = np.zeros((len(cameras), len(points)))
    for index, fixed in enumerate(cameras):
        pose = fixed.pose()
        found = pixels_per_metre(fixed.camera(), pose, points)
        rows = np.flatnonzero(found > 0)
        start = np.tile(position_of(pose), (len(rows), 1))
        towards = points[rows] + np.array([0.0, 0.0, ABOVE_FLOOR_M]) - start
        hidden = blocked(raycasting, start.astype(np.float32), towards.astype(np.float32), 1.0)
        found[rows[hidden]] = 0.0
        resolution[index] = found
    return Coverage(
        plan=plan,
        cameras=tuple(cameras),
        points=points,
        level=level,
        resolution=resolution,
        cell_m=cell_m,
        min_px_per_m=min_px_per_m,
    )


def _cells(plan: FloorPlan, cell_m: float) -> tuple[Array, NDArray[np.int64]]:
    areas = [level.outline.envelope.area for level in plan.levels]
    if sum(areas) / cell_m**2 > MAX_CELLS:
        raise InputError(
            f"{sum(areas) / cell_m**2:.0f} cells are more than {MAX_CELLS}", remedy="Choose a larger cell."
        )
    points, levels = [], []
    for index, level in enumerate(plan.levels):
        x0, y0, x1, y1 = level.outline.bounds
        x, y = np.meshgrid(np.arange(x0 + cell_m / 2, x1, cell_m), np.arange(y0 + cell_m / 2, y1, cell_m))
        solid = [p.polygon for p in plan.pillars if p.level == level.id]
        free = shapely.difference(level.outline, shapely.union_all(solid)) if solid else level.outline
        inside = shapely.contains_xy(free, x.ravel(), y.ravel())
        points.append(np.column_stack([x.ravel(), y.ravel(), np.full(x.size, level.elevation)])[inside])
        levels.append(np.full(int(inside.sum()), index, dtype=np.int64))
    return np.concatenate(points), np.concatenate(levels)
