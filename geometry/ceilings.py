"""How high above each floor of a map its ceiling is."""

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geometry.floor_surfaces import Floors

Array = NDArray[np.float64]

LEAST_M, MOST_M = 1.9, 8.0
"""Clear heights that are looked at; the floor of the next level bounds them too."""
SLAB_M = 0.08
"""No slab is thinner."""
WINDOW_M = 0.1
LEAST_SHARE, LEAST_LANDMARKS = 0.2, 100
"""Of the landmarks at these heights, within a window: under ceilings a third and more, in the open a twentieth."""


def ceiling_heights(landmarks: ArrayLike, floors: Floors) -> tuple[float | None, ...]:
    """Return the clear height of each level in metres, None where landmarks (N, 3) in site show no flat ceiling.

    It is where most landmarks of a level lie above heads. Between a floor and the next one only cameras there see any.
    """
    points = np.asarray(landmarks, dtype=np.float64).reshape(-1, 3)
    elevations = np.array([level.elevation for level in floors.levels])
    found: list[float | None] = []
    for index, elevation in enumerate(elevations.tolist()):
        above = elevations[elevations > elevation + LEAST_M] - elevation
        top = min([*(above - SLAB_M).tolist(), MOST_M])
        near = points[(points[:, 2] > elevation + LEAST_M - 1.0) & (points[:, 2] < elevation + top + 1.0)]
        over = near[shapely.contains_xy(floors.levels[index].area, near[:, :2])]
        rises = np.sort(over[:, 2] - floors.height(over[:, :2], index)[0])
        found.append(_densest(rises[(rises > LEAST_M) & (rises < top)]))
    return tuple(found)


def _densest(rises: Array) -> float | None:
    """Return the median of the window that holds most of some sorted heights (N,), if that are enough of them."""
    ends = np.searchsorted(rises, rises + WINDOW_M, side="right")
    counts = ends - np.arange(len(rises))
    if len(rises) == 0 or counts.max() < max(LEAST_LANDMARKS, LEAST_SHARE * len(rises)):
        return None
    start = int(counts.argmax())
    return float(np.median(rises[start : ends[start]]))
