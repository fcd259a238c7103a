"""Where vehicles stand: the stalls of a plan as middles and directions, for the nearest of many at once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geometry.floorplan import FloorPlan

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

LEVEL_APART_M = 1e4
"""Added to a third coordinate for each level, so that one search tree holds all of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ParkingPlaces:
    """S stalls, on levels (S,) by index.

    middles: (S, 2) site metres; directions: (S, 2) unit, along their longer sides; sizes: (S, 2) length and width
    """

    stalls: tuple[str, ...]
    middles: Array
    directions: Array
    sizes: Array
    levels: Indices

    def __len__(self) -> int:
        return len(self.middles)

    @classmethod
    def none(cls) -> Self:
        """Return no stalls."""
        empty = np.zeros((0, 2))
        return cls(stalls=(), middles=empty, directions=empty, sizes=empty, levels=np.zeros(0, dtype=np.int64))

    @classmethod
    def of(cls, plan: FloorPlan) -> Self:
        """Take the stalls of a plan whose polygon is a quadrilateral."""
        index = {level.id: number for number, level in enumerate(plan.levels)}
        rings = [shapely.get_coordinates(stall.polygon) for stall in plan.stalls]
        taken = [k for k, ring in enumerate(rings) if len(ring) == 5]
        if not taken:
            return cls.none()
        corners = np.array([rings[k][:4] for k in taken])
        # Halves of opposite sides: one vehicle stands along the row, another across it.
        ways = np.stack(
            [
                corners[:, 2:].mean(axis=1) - corners[:, :2].mean(axis=1),
                corners[:, 1:3].mean(axis=1) - corners[:, [0, 3]].mean(axis=1),
            ]
        )
        lengths = np.linalg.norm(ways, axis=2)
        longer = np.where((lengths[0] >= lengths[1])[:, None], ways[0], ways[1])
        return cls(
            stalls=tuple(plan.stalls[k].id for k in taken),
            middles=corners.mean(axis=1),
            directions=longer / lengths.max(axis=0)[:, None],
            sizes=np.sort(lengths, axis=0)[::-1].T,
            levels=np.array([index[plan.stalls[k].level] for k in taken], dtype=np.int64),
        )

    def nearest(self, level: Indices, points: Array, count: int, within_m: float) -> Indices:
        """Return (N, ``count``) the nearest stalls to points (N, 2) on levels (N,), -1 for none within a distance."""
        if len(self) == 0 or len(points) == 0:
            return np.full((len(points), count), -1)
        asked = np.column_stack([points, level * LEVEL_APART_M])
        _, found = self._tree.query(asked, k=np.arange(1, count + 1), distance_upper_bound=within_m)
        return np.where(found < len(self), found, -1)

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(np.column_stack([self.middles, self.levels * LEVEL_APART_M]))
