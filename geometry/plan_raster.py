"""A raster over the polygons of a plan that answers where no edge is near, so that few points are tested exactly."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

NONE, UNSURE = -1, -2
CELL_M = 0.15
MAX_CELLS = 2**21
_SAMPLES = 8  # points along an edge per cell; each stands for a box around it that reaches a little beyond the next's
_BOX = 0.6 / _SAMPLES
_MAX_EDGE_SAMPLES = 2**24


class PlanRaster:
    """Layers of cells, each with the one shape that covers a cell whole, ``NONE``, or ``UNSURE`` where an edge is near.

    A cell under several shapes has the last of them in the order given, or is ``UNSURE`` if ``alone``.
    """

    def __init__(self, shapes: NDArray[Any], layers: Sequence[Indices], *, alone: bool = False) -> None:
        """Rasterise polygons (S,); a layer lists its shapes by index, those that are to win last."""
        bounds = shapely.total_bounds(shapes) if len(shapes) else np.zeros(4)
        self.cell = _cell_size(bounds, len(layers), float(shapely.length(shapes).sum()))
        self.origin = bounds[:2] - 1.5 * self.cell
        self.columns, self.rows = (np.ceil((bounds[2:] - self.origin) / self.cell).astype(np.int64) + 2).tolist()
        self.winner = np.full((len(layers), self.rows, self.columns), NONE, dtype=np.int32)
        self._fill(shapes, layers, alone)

    def look_up(self, points: Array, layer: Indices) -> Indices:
        """Return the shape over each point (N, 2) in its layer (N,), ``NONE``, or ``UNSURE``; a NaN is under none."""
        steps = np.nan_to_num((points - self.origin) / self.cell, nan=0.0)
        column = np.clip(steps[:, 0], 0, self.columns - 1).astype(np.int64)
        row = np.clip(steps[:, 1], 0, self.rows - 1).astype(np.int64)
        return self.winner.ravel()[(layer * self.rows + row) * self.columns + column].astype(np.int64)

    def _fill(self, shapes: NDArray[Any], layers: Sequence[Indices], alone: bool) -> None:
        near_edge = np.zeros(self.winner.shape, dtype=bool)
        used = sorted({shape for members in layers for shape in members.tolist()})
        parts = {shape: self._part(shapes[shape]) for shape in used}
        for layer, members in enumerate(layers):
            for shape in members.tolist():
                window, edge, inside = parts[shape]
                cells = self.winner[layer][window]
                cells[inside] = np.where(cells[inside] == NONE, shape, UNSURE) if alone else shape
                near_edge[layer][window] |= edge
        self.winner[near_edge] = UNSURE

    def _part(self, shape: Any) -> tuple[tuple[slice, slice], NDArray[np.bool_], NDArray[np.bool_]]:
        """Return a window of cells around a shape, which of them its edges are near, and which lie inside of it."""
        low = np.floor((np.array(shape.bounds[:2]) - self.origin) / self.cell).astype(np.int64) - 1
        high = np.floor((np.array(shape.bounds[2:]) - self.origin) / self.cell).astype(np.int64) + 2
        window = slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))
        edge = np.zeros(tuple(high[::-1] - low[::-1]), dtype=bool)
        along = shapely.get_coordinates(shapely.segmentize(shape.boundary, self.cell / _SAMPLES))
        steps = (along - self.origin) / self.cell - low
        for corner in (-_BOX, -_BOX), (-_BOX, _BOX), (_BOX, -_BOX), (_BOX, _BOX):
            column, row = np.floor(steps + np.array(corner)).astype(np.int64).T
            edge[row, column] = True
        # Along a row, all cells between two that are near edges are inside or all are not: ask about the first.
        first = ~edge
        first[:, 1:] &= edge[:, :-1]
        row, column = np.nonzero(first)
        centre = self.origin + (low + 0.5 + np.column_stack([column, row])) * self.cell
        shapely.prepare(shape)
        starts = np.zeros(edge.shape, dtype=np.int64)
        starts[row, column] = np.arange(len(row))
        within = shapely.intersects_xy(shape, centre)[np.maximum.accumulate(starts.ravel())].reshape(edge.shape)
        return window, edge, within & ~edge


def _cell_size(bounds: Array, layers: int, length: float) -> float:
    """Return the edge of a cell in metres, larger where the raster or its making would take too much memory."""
    extent = np.maximum(bounds[2:] - bounds[:2], CELL_M)
    by_area = np.sqrt(2 * float(extent.prod()) * max(layers, 1) / MAX_CELLS)
    return float(max(CELL_M, by_area, extent.max() / 2**13, length * _SAMPLES / _MAX_EDGE_SAMPLES))
