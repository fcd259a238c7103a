"""What lies beyond a place under the open sky: a box around it, to be coloured like a stage's backdrop.

It is no surface. It has no depth and hides nothing; it only keeps new views from being black where the plan ends.
"""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry import FloorPlan
from twin.surface.panels import Panel, level_panel, upright_panels

Array = NDArray[np.float64]

KIND = "backdrop"
DISTANCE_M, NEAREST_M, HEIGHT_M = 20.0, 8.0, 25.0
MIN_LANDMARKS, STANDING_M = 30, 1.0
BEHIND_M = 1.0


def backdrop_panels(plan: FloorPlan, points: Array, around: Sequence[Panel] = ()) -> list[Panel]:
    """Return the inside of a box around the levels without a ceiling; none where all are covered.

    Its sides are as far off as most of the landmarks (N, 3) that stand outside, ``DISTANCE_M`` where few do, and behind
    the surroundings that are known.
    """
    levels = [level for level in plan.levels if level.ceiling is None]
    if not levels:
        return []
    ground = shapely.union_all([level.outline for level in levels])
    low = min(level.elevation for level in levels)
    beyond = shapely.distance(ground, shapely.points(points[:, :2])) if len(points) else np.zeros(0)
    standing = beyond[(beyond > NEAREST_M) & (points[:, 2] > low + STANDING_M)]
    reach = float(np.median(standing)) if len(standing) >= MIN_LANDMARKS else DISTANCE_M
    box = shapely.envelope(ground).buffer(reach, join_style="mitre")
    if around:
        corners = np.concatenate([panel.origin + shapely.get_coordinates(panel.area) @ panel.axes for panel in around])
        box = shapely.envelope(shapely.union(box, shapely.MultiPoint(corners[:, :2]).buffer(BEHIND_M)))
        ground = shapely.union_all([ground, *(_footprint(panel) for panel in around if abs(panel.normal[2]) > 0.5)])
    ring = np.array(shapely.orient_polygons(box, exterior_cw=True).exterior.coords)  # the faces look inwards
    return [
        *upright_panels(KIND, KIND, ring, low, low + HEIGHT_M),
        *level_panel(KIND, KIND, box, low + HEIGHT_M, up=False),
        *level_panel(KIND, KIND, shapely.difference(box, ground), low, up=True),
    ]


def _footprint(panel: Panel) -> shapely.Geometry:
    """Return the area of a level panel in site."""
    return shapely.transform(panel.area, lambda xy: (panel.origin + xy @ panel.axes)[:, :2])
