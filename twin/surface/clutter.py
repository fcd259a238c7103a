"""What stands about and is in no plan, cars above all: boxes from the floor up to landmarks that hang in the air.

They take no part in the surface. They only hide from a photo what is behind them, so that a wall does not get the
colours of the car before it.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from geometry import FloorPlan, floor_height, locate

Array = NDArray[np.float64]

CELL_M = 0.25
LIFTED_M, HIGHEST_M = (0.12, 2.4)
OFF_SURFACE_M = 0.12
MIN_IN_STALL, MIN_IN_CELL = 8, 2
BRIDGED_CELLS = 3
"""Gaps up to this many cells between landmarks are inside of one thing."""
TOP_M = 0.15
"""Roofs have no landmarks, and are a little higher than the highest ones."""
INSET_M = 0.1
"""Vehicles stay this far within their stall."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Clutter:
    """Upright boxes: low and high corners (B, 3), site metres."""

    low: Array
    high: Array

    def mesh(self) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
        """Return vertices (8 B, 3) and triangles (12 B, 3)."""
        corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
        vertices = np.where(corners[None] == 1, self.high[:, None], self.low[:, None]).reshape(-1, 3)
        triangles = (8 * np.arange(len(self.low))[:, None, None] + _BOX).reshape(-1, 3)
        return vertices.astype(np.float32), triangles.astype(np.uint32)


_BOX = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


def clutter_of(plan: FloorPlan, points: Array, distances: Array) -> Clutter:
    """Return what hangs in the air above the floors of a plan.

    points: (N, 3) landmarks, site metres; distances: (N,) to the nearest panel
    """
    off = distances > OFF_SURFACE_M
    points = points[off]
    located = locate(plan, points)
    lows, highs = [np.zeros((0, 3))], [np.zeros((0, 3))]
    for index in range(len(plan.levels)):
        here = np.flatnonzero(located.level == index)
        ground = floor_height(plan, points[here, :2], index)
        above = points[here, 2] - ground
        here, above = (values[(above > LIFTED_M) & (above < HIGHEST_M)] for values in (here, above))
        if len(here):
            low, high = _on_level(plan, index, points[here], above, located.stall[here])
            lows.append(low)
            highs.append(high)
    return Clutter(low=np.concatenate(lows), high=np.concatenate(highs))


def _on_level(
    plan: FloorPlan, level: int, points: Array, above: Array, stall: NDArray[np.int64]
) -> tuple[Array, Array]:
    """Return boxes (B, 3), (B, 3), one a cell of a height map over the landmarks of one level."""
    corner = points[:, :2].min(axis=0) - 3.0
    shape = np.ceil((points[:, :2].max(axis=0) + 3.0 - corner) / CELL_M).astype(int)
    cell = ((points[:, :2] - corner) / CELL_M).astype(int)
    flat = cell[:, 0] * shape[1] + cell[:, 1]
    count = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)
    height = np.zeros(int(np.prod(shape)))
    np.maximum.at(height, flat, above)
    height = height.reshape(shape)
    near = ndimage.uniform_filter(count.astype(float), 3, mode="constant") * 9
    height[near < MIN_IN_CELL - 0.5] = 0.0
    height = ndimage.grey_closing(height, footprint=_disc(BRIDGED_CELLS))
    middles = [corner[axis] + (np.arange(shape[axis]) + 0.5) * CELL_M for axis in (0, 1)]
    for number in np.unique(stall[stall >= 0]):
        inside = above[stall == number]
        if len(inside) >= MIN_IN_STALL:
            area = plan.stalls[number].polygon.buffer(-INSET_M)
            covered = shapely.contains_xy(area, *np.meshgrid(*middles, indexing="ij"))
            height[covered] = np.maximum(height[covered], np.percentile(inside, 98))
    rows, columns = np.nonzero(height > 0)
    xy = np.column_stack([rows, columns]) * CELL_M + corner
    floor = floor_height(plan, xy + CELL_M / 2, level)
    known = np.isfinite(floor)
    xy, floor, top = xy[known], floor[known], (floor + height[rows, columns] + TOP_M)[known]
    return np.column_stack([xy, floor]), np.column_stack([xy + CELL_M, top])


def _disc(radius: int) -> NDArray[np.bool_]:
    x, y = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(x * x + y * y <= radius * radius + 1)


def exclusion_heights(plan: FloorPlan, points: Array, min_landmarks: int = 4) -> dict[str, float]:
    """Return the heights above the floor, by id, of exclusions that enough landmarks (N, 3) lie on."""
    elevations = {level.id: level.elevation for level in plan.levels}
    ceilings = {level.id: level.ceiling or np.inf for level in plan.levels}
    heights = {}
    for exclusion in plan.exclusions:
        above = points[:, 2] - elevations[exclusion.level]
        near = shapely.contains_xy(exclusion.polygon.buffer(SIDE_M), points[:, 0], points[:, 1])
        on = above[near & (above > LIFTED_M) & (above < ceilings[exclusion.level] - LIFTED_M)]
        if len(on) >= min_landmarks:
            heights[exclusion.id] = float(np.percentile(on, 95))
    return heights


SIDE_M = 0.1
