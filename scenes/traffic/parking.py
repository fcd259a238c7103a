"""Manoeuvres into a stall: an arc between the lane and the stall's axis, that stays clear of what stands around.

Out of a stall goes the same way backwards. A vehicle turns about a point of its axis that moves along the arc; of the
turns tried, those about the rear axle are how a car moves, those further forward stand for the corrections that a
driver makes in a narrow aisle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely

from geometry.floorplan import FloorPlan, Stall
from geometry.lane_graph import Drive
from scenes.traffic.boxes import Array, footprints
from scenes.traffic.routes import STEP_M, Path, Roads

TURNS = (
    (-1.35, 5.2),
    (-1.35, 4.4),
    (-1.35, 3.7),
    (0.0, 4.2),
    (0.0, 3.5),
    (1.35, 3.2),
    (1.35, 2.7),
    (1.35, 2.2),
    (1.35, 1.7),
)
"""(turning point ahead of the middle, radius of the arc) in metres, the likeliest first."""
SPEED_MPS = 1.3
PARKED_M = (5.0, 2.12)
"""Room that each parked vehicle is granted: length, and width with some askew."""
CLEARANCE_M = 0.12
FARTHEST_LANE_M = 6.5


@dataclass(frozen=True, kw_only=True)
class Bay:
    """A stall as a driver sees it; directions in radians.

    middle: (x, y); inward: direction from the lane into it; length, width: metres
    """

    stall: Stall
    middle: tuple[float, float]
    inward: float
    length: float
    width: float
    elevation: float

    @property
    def is_for_cars(self) -> bool:
        """Whether a car fits; else it is for motorcycles."""
        return self.width >= 2.0 and self.length >= 4.0

    def pose(self, *, nose_in: bool) -> tuple[Array, float]:
        """Return position (3,) and heading of a vehicle parked in the middle."""
        return np.array([*self.middle, self.elevation]), self.inward if nose_in else self.inward + np.pi


def bay(stall: Stall, plan: FloorPlan) -> Bay:
    """Return a stall's axis and size; its first edge is the open one."""
    corners = np.array(stall.polygon.exterior.coords)[:4]
    sides = np.array([corners[3] - corners[0], corners[2] - corners[1]])
    axis = sides.mean(axis=0)
    inward = float(np.arctan2(axis[1], axis[0]))
    edge = corners[1] - corners[0]
    across = abs(edge[0] * -np.sin(inward) + edge[1] * np.cos(inward))
    slack = abs(edge[0] * np.cos(inward) + edge[1] * np.sin(inward))
    middle = corners.mean(axis=0)
    return Bay(
        stall=stall, middle=(float(middle[0]), float(middle[1])), inward=inward,
        length=float(np.linalg.norm(axis)) - float(slack), width=float(across),
        elevation=next(level.elevation for level in plan.levels if level.id == stall.level),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Manoeuvre:
    """A way from a lane into a stall: it begins ``start`` metres along the drive, with the drive's direction."""

    drive: Drive
    start: float
    path: Path


@dataclass(eq=False)
class Parking:
    """Finds manoeuvres, and remembers them."""

    roads: Roads
    bays: dict[str, Bay]
    _known: dict[tuple, list[Manoeuvre]] = field(default_factory=dict)
    _fixed: dict[str, shapely.Geometry] = field(default_factory=dict)

    def manoeuvres(self, stall: str, size: tuple[float, float], *, nose_in: bool) -> list[Manoeuvre]:
        """Return a manoeuvre from each drive that has one for a vehicle of ``size`` (length, width)."""
        key = (stall, size, nose_in)
        if key not in self._known:
            tried = (self._from_drive(self.bays[stall], drive, size, nose_in) for drive in self._near(stall))
            self._known[key] = [found for found in tried if found is not None]
        return self._known[key]

    def _near(self, stall: str) -> list[Drive]:
        own = self.bays[stall]
        point = shapely.Point(own.middle)
        reach = FARTHEST_LANE_M + own.length / 2
        on_level = [drive for drive in self.roads.lines if self.roads.level(drive) == own.stall.level]
        return [drive for drive in on_level if self.roads.lines[drive].distance(point) < reach]

    def _from_drive(self, own: Bay, drive: Drive, size: tuple[float, float], nose_in: bool) -> Manoeuvre | None:
        line = self.roads.lines[drive]
        for offset, radius in TURNS:
            found = turn_in(np.array(line.coords), own, offset, radius, nose_in=nose_in)
            if found is not None and self._is_free(own, found[1], size):
                return Manoeuvre(drive=drive, start=found[0], path=found[1])
        return None

    def _is_free(self, own: Bay, path: Path, size: tuple[float, float]) -> bool:
        grown = (size[0] + CLEARANCE_M, size[1] + CLEARANCE_M)
        swept = shapely.polygons(footprints(path.position[::3], path.heading[::3], grown))
        others = self._others(own)
        return not (
            shapely.intersects(swept, self._standing(own.stall.level)).any() or shapely.intersects(swept, others).any()
        )

    def _standing(self, level: str) -> shapely.Geometry:
        if level not in self._fixed:
            self._fixed[level] = standing(self.roads.plan, level)
            shapely.prepare(self._fixed[level])
        return self._fixed[level]

    def _others(self, own: Bay) -> shapely.Geometry:
        """Return where vehicles may be parked around a stall."""
        others = [b for b in self.bays.values() if b.stall.level == own.stall.level and b is not own]
        near = [b for b in others if np.hypot(b.middle[0] - own.middle[0], b.middle[1] - own.middle[1]) < 18]
        return shapely.union_all([parked_room(b) for b in near])


def parked_room(own: Bay) -> shapely.Polygon:
    """Return the ground that a vehicle parked in a stall may cover."""
    size = (min(PARKED_M[0], own.length), min(PARKED_M[1], own.width))
    return shapely.Polygon(footprints([own.middle], [own.inward], size)[0])


def standing(plan: FloorPlan, level: str) -> shapely.Geometry:
    """Return the ground that walls, pillars and excluded things of a level cover."""
    walls = [wall.line.buffer(wall.thickness / 2, cap_style="flat") for wall in plan.walls if wall.level == level]
    pillars = [pillar.polygon for pillar in plan.pillars if pillar.level == level]
    excluded = [exclusion.polygon for exclusion in plan.exclusions if exclusion.level == level]
    return shapely.union_all([*walls, *pillars, *excluded])


def turn_in(line: Array, own: Bay, offset: float, radius: float, *, nose_in: bool) -> tuple[float, Path] | None:
    """Return where on a lane's ``line`` (N, 2) the manoeuvre begins, and its path; None where the arc does not fit.

    offset: of the turning point ahead of the vehicle's middle. Reversing in, the vehicle first drives past the stall.
    """
    along, begin, ahead, reach = _nearest_segment(line, np.array(own.middle))
    into = np.array([np.cos(own.inward), np.sin(own.inward)])
    crossing = ahead[0] * into[1] - ahead[1] * into[0]
    if abs(crossing) < 0.2:
        return None
    gap = np.array(own.middle) - begin
    where = (gap[0] * into[1] - gap[1] * into[0]) / crossing
    deep = (gap - where * ahead) @ into
    if deep < 0:
        return None
    moving = ahead if nose_in else -ahead
    turn = np.arctan2(moving[0] * into[1] - moving[1] * into[0], moving @ into)
    tangent = radius * np.tan(abs(turn) / 2)
    facing = 1.0 if nose_in else -1.0
    final = deep + facing * offset
    entry = where - facing * tangent - offset
    if tangent > final or not 0.2 < entry < reach - 0.2:
        return None
    heading, points = _fillet(begin + where * ahead, moving, into, radius, turn, tangent, final)
    heading = heading if nose_in else heading + np.pi
    middle = points - offset * np.column_stack([np.cos(heading), np.sin(heading)])
    count = len(middle)
    path = Path(
        position=np.column_stack([middle, np.full(count, own.elevation)]), heading=heading, pitch=np.zeros(count),
        limit=np.full(count, SPEED_MPS), gear=np.full(count, facing),
    )  # fmt: skip
    return along + entry, path


def _fillet(
    corner: Array, moving: Array, into: Array, radius: float, turn: float, tangent: float, final: float
) -> tuple[Array, Array]:
    """Return directions (N,) and points (N, 2) of an arc from one line to another, and of the straight after it."""
    start = np.arctan2(moving[1], moving[0])
    arc = radius * abs(turn)
    steps = np.linspace(0, arc + final - tangent, max(2, int(np.ceil((arc + final - tangent) / STEP_M)) + 1))
    turned = start + turn * np.minimum(steps / arc, 1.0)
    side = np.sign(turn)
    centre = corner - tangent * moving + side * radius * np.array([-moving[1], moving[0]])
    points = centre + side * radius * np.column_stack([np.sin(turned), -np.cos(turned)])
    return turned, points + np.maximum(steps - arc, 0)[:, None] * into


def _nearest_segment(line: Array, point: Array) -> tuple[float, Array, Array, float]:
    """Return the segment nearest to ``point``: metres along the line to it, its begin, direction and length."""
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    segments: Sequence[shapely.LineString] = [shapely.LineString(line[i : i + 2]) for i in range(len(line) - 1)]
    index = int(np.argmin(shapely.distance(segments, shapely.Point(point))))
    ahead = (line[index + 1] - line[index]) / lengths[index]
    return float(lengths[:index].sum()), line[index], ahead, float(lengths[index])
