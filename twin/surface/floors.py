"""Floors where there is no plan: level planes under the cameras that landmarks lie on, as far as these reach."""

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry import DegenerateError, FloorPlan
from geometry.floorplan import Level

Array = NDArray[np.float64]

EYE_M = (0.7, 2.6)
"""How far above the floor whoever takes photos holds the camera."""
BIN_M = 0.05
STOREY_M = 2.0
NEAR_M = 8.0
AROUND_CAMERA_M, AROUND_LANDMARK_M = 2.0, 1.0
MIN_LANDMARKS = 20


def floors_of_map(points: Array, centres: Array) -> FloorPlan:
    """Return a plan of bare levels from landmarks (N, 3) and camera centres (C, 3), in site with z up.

    A floor is the height with most landmarks within eye's reach under the cameras of a storey; cameras of one storey
    differ less than ``STOREY_M`` in height from the next. It reaches around its landmarks and cameras. Slopes are not
    found. Raises ``DegenerateError`` where no floor has ``MIN_LANDMARKS``.
    """
    levels: list[Level] = []
    for storey in _storeys(centres):
        eye = float(np.median(storey[:, 2]))
        below = points[(points[:, 2] < eye - EYE_M[0]) & (points[:, 2] > eye - EYE_M[1])]
        below = below[_distance(below, storey) < NEAR_M]
        height = _densest(below[:, 2])
        on_floor = below[np.abs(below[:, 2] - height) < 2 * BIN_M] if len(below) else below
        if len(on_floor) < MIN_LANDMARKS:
            continue
        around = shapely.union_all([_around(on_floor, AROUND_LANDMARK_M), _around(storey, AROUND_CAMERA_M)])
        outline = max(shapely.get_parts(around), key=lambda part: part.area)
        name = f"floor {len(levels)}"
        levels.append(Level(id=name, elevation=float(np.median(on_floor[:, 2])), outline=outline.simplify(0.1)))
    if not levels:
        raise DegenerateError("no floor shows in the map", remedy="Give a floor plan.")
    return FloorPlan(levels=tuple(levels))


def _around(points: Array, reach: float) -> shapely.Geometry:
    """Return the ground within ``reach`` metres of points (N, 3), gaps as wide closed; the points are thinned first."""
    cells = np.unique(np.round(points[:, :2] / (reach / 2)), axis=0) * (reach / 2)
    return shapely.MultiPoint(cells).buffer(2 * reach, quad_segs=4).buffer(-reach, quad_segs=4)


def _storeys(centres: Array) -> list[Array]:
    """Split cameras where their heights leave a gap of at least ``STOREY_M``."""
    ordered = centres[np.argsort(centres[:, 2], kind="stable")]
    return np.split(ordered, np.flatnonzero(np.diff(ordered[:, 2]) > STOREY_M) + 1)


def _distance(points: Array, centres: Array) -> Array:
    if not len(points):
        return np.zeros(0)
    tree = shapely.STRtree(shapely.points(centres[:, :2]))
    spots = shapely.points(points[:, :2])
    return np.asarray(shapely.distance(spots, tree.geometries[tree.nearest(spots)]))


def _densest(heights: Array) -> float:
    """Return the height that most others are near to; NaN for none."""
    if not len(heights):
        return float("nan")
    bins = np.round(heights / BIN_M).astype(np.int64)
    count = np.bincount(bins - bins.min())
    smoothed = np.convolve(count, [1, 1, 1], mode="same")
    return float((np.argmax(smoothed) + bins.min()) * BIN_M)
