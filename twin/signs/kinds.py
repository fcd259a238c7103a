"""What a text stands on, and whether it will be there tomorrow: decided by the plan and by metric size."""

import re

import numpy as np
import shapely
import shapely.ops
from numpy.typing import ArrayLike

from geometry.floorplan import FloorPlan
from geometry.location import floor_height, locate
from twin.signs.landmark import Kind

FLOOR_M = 0.15
VEHICLE_M = 2.1
"""Texts over a stall or a lane and lower than this are on vehicles; what hangs there hangs higher, or is run into."""
PLATE_LETTER_M = 0.13
"""Plates have letters of 5 to 9 cm; measured from afar they come out larger."""
PLATE = re.compile(r"(?=(?:[A-Z]*\d){2})(?=.*[A-Z])[A-Z0-9]{5,9}")
PILLAR_M = 0.25
EDGE_M = 0.1
"""Stalls are shrunk by this, as walls and pillars stand at their edges."""
BEHIND_M = 0.4
"""What a text is on is behind it: of a van that stands out of its stall the stall, of a pillar its middle."""
BELOW_EYES_M = 0.4
FLAT = 0.7
"""Without a plan, a normal that points up more than this is of the floor."""


def kind_of(
    plan: FloorPlan | None,
    position: ArrayLike,
    normal: ArrayLike,
    *,
    text: str,
    letter_height: float,
    lowest_eye: float,
    outlined: bool,
) -> Kind:
    """Return the kind of a text at ``position`` (3,) in site metres with a unit ``normal`` (3,).

    text: folded; letter_height: metres; lowest_eye: height in site of the lowest camera that read it
    outlined: whether photos show the outline of a board around it
    """
    point, facing = np.asarray(position, dtype=np.float64), np.asarray(normal, dtype=np.float64)
    above = _above_floor(plan, point)
    if facing[2] > FLAT if above is None else above < FLOOR_M:
        return "floor"
    low = point[2] < lowest_eye - BELOW_EYES_M if above is None else above < VEHICLE_M
    if low and letter_height < PLATE_LETTER_M and PLATE.fullmatch(text):
        return "vehicle"
    if plan is not None and on_pillar(plan, point):
        return "lettering"
    if plan is not None and low and _where_vehicles_are(plan, point - BEHIND_M * facing):
        return "vehicle"
    return "board" if outlined else "lettering"


def level_of(plan: FloorPlan | None, position: ArrayLike) -> str:
    """Return the id of the level that a position is on, empty for none.

    Signs on outer walls stand a little outside of what the outline holds, so that near the outline counts as well.
    """
    if plan is None:
        return ""
    point = np.asarray(position, dtype=np.float64)
    inside = [shapely.ops.nearest_points(level.outline, shapely.Point(point[:2]))[0] for level in plan.levels]
    tried = np.array([point, *([place.x, place.y, point[2]] for place in inside)])
    near = np.linalg.norm(tried - point, axis=1) < 1.0
    levels = locate(plan, tried[near]).level
    known = levels[levels >= 0]
    return plan.levels[known[0]].id if len(known) else ""


def on_pillar(plan: FloorPlan, point: np.ndarray) -> bool:
    """Tell whether a position (3,) is on a pillar of the plan."""
    place, level = shapely.Point(point[:2]), level_of(plan, point)
    return any(pillar.level == level and pillar.polygon.distance(place) < PILLAR_M for pillar in plan.pillars)


def said_once(text: str) -> str:
    """Return half of a text that says the same twice: two faces of a pillar are read as one line.

    Halves of two letters and more may differ by one, which was misread.
    """
    half = len(text) // 2
    if not half or 2 * half != len(text):
        return text
    differ = sum(a != b for a, b in zip(text[:half], text[half:], strict=True))
    return text[:half] if differ <= (half > 1) else text


def _above_floor(plan: FloorPlan | None, point: np.ndarray) -> float | None:
    if plan is None:
        return None
    level = int(locate(plan, point[None]).level[0])
    height = floor_height(plan, point[None, :2], level)[0] if level >= 0 else np.nan
    return float(point[2] - height) if np.isfinite(height) else None


def _where_vehicles_are(plan: FloorPlan, point: np.ndarray) -> bool:
    place, level = shapely.Point(point[:2]), level_of(plan, point)
    stalls = [stall.polygon.buffer(-EDGE_M) for stall in plan.stalls if stall.level == level]
    lanes = [lane.line.buffer(lane.width / 2) for lane in plan.lanes if lane.level == level]
    return any(shape.intersects(place) for shape in [*stalls, *lanes])
