"""The ground that objects stand on, as a height and a slope for each level of a plan, looked up in constant time."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geometry.floorplan import FloorPlan
from geometry.location import ramp_height
from geometry.parking_places import ParkingPlaces

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

CELL_M = 0.25
MAX_CELLS = 4_000_000
"""Cells of all levels together; a larger site gets coarser ones, so that memory stays bounded."""
MARGIN_M = 1.0
GRAZING = 0.02
"""A ray that falls by less than this a metre meets the ground nowhere in particular."""
INTERSECTION_STEPS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class GroundSurface:
    """Floors of levels, with the ramps that begin or end on them, rasterized once.

    levels: names; elevations: (L,) metres
    origin: (2,) site metres of the first cell's corner; cell: its side, infinite for a plane without bounds
    heights: (L, Y, X) site metres at the middle of cells; slopes: (L, Y, X, 2) metres a metre along site x and y
    inside: (L, Y, X), False off the level, where the height is its elevation
    on_ramp: (L, Y, X)
    places: the stalls on them
    """

    levels: tuple[str, ...]
    elevations: Array
    origin: Array
    cell: float
    heights: Array
    slopes: Array
    inside: Mask
    on_ramp: Mask
    places: ParkingPlaces = field(default_factory=ParkingPlaces.none)

    @classmethod
    def flat(cls, elevation: float = 0.0, level: str = "") -> Self:
        """Return one level without bounds."""
        return cls(
            levels=(level,),
            elevations=np.array([elevation]),
            origin=np.zeros(2),
            cell=np.inf,
            heights=np.full((1, 1, 1), elevation),
            slopes=np.zeros((1, 1, 1, 2)),
            inside=np.ones((1, 1, 1), dtype=np.bool_),
            on_ramp=np.zeros((1, 1, 1), dtype=np.bool_),
        )

    @classmethod
    def of(cls, plan: FloorPlan) -> Self:
        """Rasterize a plan, in cells of ``CELL_M`` where the site isn't huge."""
        bounds = shapely.total_bounds(np.array([level.outline for level in plan.levels], dtype=object))
        low, high = bounds[:2] - MARGIN_M, bounds[2:] + MARGIN_M
        cell = max(CELL_M, float(np.sqrt(np.prod(high - low) * len(plan.levels) / MAX_CELLS)))
        nx, ny = np.ceil((high - low) / cell).astype(int).tolist()
        x, y = low[0] + (np.arange(nx) + 0.5) * cell, low[1] + (np.arange(ny) + 0.5) * cell
        middle = np.stack(np.meshgrid(x, y), axis=-1)
        rasters = [_rasterized(plan, index, middle, cell) for index in range(len(plan.levels))]
        heights, slopes, inside, on_ramp = (np.stack(part) for part in zip(*rasters, strict=True))
        return cls(
            levels=tuple(level.id for level in plan.levels),
            elevations=np.array([level.elevation for level in plan.levels]),
            origin=low,
            cell=cell,
            heights=heights,
            slopes=slopes,
            inside=inside,
            on_ramp=on_ramp,
            places=ParkingPlaces.of(plan),
        )

    def height(self, level: ArrayLike, points_in_site: Array) -> tuple[Array, Array]:
        """Return heights (N,) and slopes (N, 2) under points (N, 2) of levels, given by index, one or (N,)."""
        if np.isinf(self.cell):
            levels = np.broadcast_to(np.asarray(level, dtype=np.int64), len(points_in_site))
            return self.elevations[levels], np.zeros((len(points_in_site), 2))
        cells, offset = self._cells(level, points_in_site)
        slope = self.slopes.reshape(-1, 2)[cells]
        return self.heights.ravel()[cells] + np.einsum("ni,ni->n", slope, offset), slope

    def contains(self, level: ArrayLike, points_in_site: Array) -> Mask:
        """Tell which points (N, 2) lie on a level or on a ramp that begins or ends there."""
        if np.isinf(self.cell):
            return np.ones(len(points_in_site), dtype=np.bool_)
        position = (points_in_site - self.origin) / self.cell
        known = ((position >= 0) & (position < [self.heights.shape[2], self.heights.shape[1]])).all(axis=1)
        return np.asarray(known & self.inside.ravel()[self._cells(level, points_in_site)[0]])

    def levels_at(self, level: Indices, points_in_site: Array) -> Indices:
        """Return the level (N,) to count points (N, 2) of levels (N,) to: on a ramp, the one its height is nearest
        to."""
        if np.isinf(self.cell) or not self.has_ramps or len(level) == 0:
            return level
        cells, _ = self._cells(level, points_in_site)
        ramp = self.on_ramp.ravel()[cells]
        if not ramp.any():
            return level
        height, _ = self.height(level, points_in_site)
        gap = np.abs(height[:, None] - self.elevations)
        a_level = self.on_ramp[0].size
        gap[~self.on_ramp.reshape(len(self.levels), a_level)[:, cells % a_level].T] = np.inf
        return np.where(ramp, gap.argmin(axis=1), level)

    def intersect(self, level: int, origin: ArrayLike, rays: Array) -> tuple[Array, Mask]:
        """Return where rays (N, 3) from a point (3,) meet a level and its ramps, (N, 3), and which (N,) do meet it.

        By fixed-point steps over the height; a ray that grazes or does not settle meets nothing.
        """
        start = np.asarray(origin, dtype=np.float64)
        falls = rays[:, 2] < -GRAZING
        slope = np.where(falls, rays[:, 2], -1.0)
        height = np.full(len(rays), self.elevations[level])
        points = np.zeros((len(rays), 3))
        for _ in range(INTERSECTION_STEPS):
            points = start + rays * ((height - start[2]) / slope)[:, None]
            found, _ = self.height(level, points[:, :2])
            if not self.has_ramps:
                break
            height = 0.5 * (height + found)
        settled = np.abs(found - points[:, 2]) < 0.3
        valid = falls & settled & (start[2] > points[:, 2]) & np.isfinite(points).all(axis=1)
        return points, np.asarray(valid & self.contains(level, np.where(valid[:, None], points[:, :2], np.inf)))

    @cached_property
    def has_ramps(self) -> bool:
        """Return whether any floor rises."""
        return bool(self.on_ramp.any())

    def _cells(self, level: ArrayLike, points: Array) -> tuple[Indices, Array]:
        """Return flat indices of cells (N,), the nearest for points off the raster, and offsets (N, 2) from their
        middles, of at most a cell."""
        ny, nx = self.heights.shape[1:]
        position = (points - self.origin) / self.cell
        column = np.fmax(np.fmin(position[:, 0], nx - 1), 0).astype(np.int64)  # fmax and fmin drop NaN
        row = np.fmax(np.fmin(position[:, 1], ny - 1), 0).astype(np.int64)
        offset = position - 0.5
        offset[:, 0] -= column
        offset[:, 1] -= row
        cells = (np.asarray(level, dtype=np.int64) * ny + row) * nx + column
        return cells, np.fmax(np.fmin(offset, 1.0), -1.0) * self.cell


def _rasterized(plan: FloorPlan, index: int, middle: Array, cell: float) -> tuple[Any, ...]:
    """Return heights, slopes, inside and on_ramp of one level at the middles (Y, X, 2) of cells."""
    level = plan.levels[index]
    points = shapely.points(middle)
    shapely.prepare(level.outline)
    inside = shapely.intersects(level.outline, points)
    heights = np.full(inside.shape, level.elevation)
    slopes, on_ramp = np.zeros((*inside.shape, 2)), np.zeros(inside.shape, dtype=np.bool_)
    for ramp in plan.ramps:
        if level.id not in (ramp.from_level, ramp.to_level):
            continue
        here = shapely.intersects(ramp.polygon, points)
        xy = middle[here]
        heights[here] = ramp_height(ramp, xy)
        for axis in (0, 1):
            step = np.zeros(2)
            step[axis] = cell / 2
            slopes[here, axis] = (ramp_height(ramp, xy + step) - ramp_height(ramp, xy - step)) / cell
        on_ramp |= here
    return heights, slopes, inside | on_ramp, on_ramp
