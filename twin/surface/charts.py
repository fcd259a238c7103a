"""Texel grids: one rectangle for each panel, and their places in one atlas."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geometry import InputError
from scenes.rendering.atlas import pack
from twin.surface.panels import Panel

Array = NDArray[np.float64]

GUTTER = 2
"""Texels between two charts, so that filtering does not mix them."""
MAX_TEXELS = 200_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Chart:
    """The texel grid of a panel.

    element, kind, origin, axes: as the panel's; px_per_m: texels a metre
    corner: column and row of its first texel in the atlas; shape: rows and columns
    """

    element: str
    kind: str
    origin: Array
    axes: Array
    px_per_m: float
    corner: tuple[int, int]
    shape: tuple[int, int]

    @cached_property
    def normal(self) -> Array:
        """Unit vector (3,) out of the front."""
        return np.cross(self.axes[1], self.axes[0])

    @property
    def place(self) -> tuple[slice, slice]:
        """Its rows and columns in the atlas."""
        (column, row), (rows, columns) = self.corner, self.shape
        return slice(row, row + rows), slice(column, column + columns)

    def points(self, rows: slice, columns: slice) -> Array:
        """Return the centres (R, C, 3) of texels in site metres."""
        v = (np.arange(rows.start, rows.stop) + 0.5) / self.px_per_m
        u = (np.arange(columns.start, columns.stop) + 0.5) / self.px_per_m
        return self.origin + u[None, :, None] * self.axes[0] + v[:, None, None] * self.axes[1]


def lay_out(panels: Sequence[Panel], px_per_m: Sequence[float]) -> tuple[list[Chart], tuple[int, int]]:
    """Give every panel a chart of ``px_per_m`` texels a metre; return them and the atlas' (rows, columns).

    Raises ``InputError`` where that is more than ``MAX_TEXELS``.
    """
    sizes = np.array(
        [np.maximum(1, np.ceil(np.array(p.size) * d - 1e-6)) for p, d in zip(panels, px_per_m, strict=True)]
    ).astype(np.int64)
    if np.prod(sizes, axis=1).sum() > MAX_TEXELS:
        raise InputError(
            f"the surface needs {np.prod(sizes, axis=1).sum() / 1e6:.0f} million texels, {MAX_TEXELS // 10**6} at most",
            remedy="Choose larger texels.",
        )
    packing = pack(sizes + GUTTER)
    charts = [
        Chart(
            element=panel.element,
            kind=panel.kind,
            origin=panel.origin,
            axes=panel.axes,
            px_per_m=float(density),
            corner=(int(corner[0]), int(corner[1])),
            shape=(int(size[1]), int(size[0])),
        )
        for panel, density, corner, size in zip(panels, px_per_m, packing.corners, sizes, strict=True)
    ]
    return charts, (packing.size[1], packing.size[0])


def frames_of(charts: Sequence[Chart]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return of charts: columns and rows (C, 2) of corners, columns and rows (C, 2) of sizes, texels a metre (C,)."""
    corner = np.array([chart.corner for chart in charts], dtype=np.int64).reshape(-1, 2)
    size = np.array([chart.shape[::-1] for chart in charts], dtype=np.int64).reshape(-1, 2)
    return corner, size, np.array([chart.px_per_m for chart in charts], dtype=np.float32)
