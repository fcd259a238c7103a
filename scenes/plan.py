"""The floor plan of a facility: rows become stalls, pillars polygons, and heights above a floor site metres."""

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import affinity

from geometry import floorplan
from scenes.facility import Facility, Level, Obstacle, Pillar, Sign, StallRow, Wall

ROUND_PILLAR_CORNERS = 24
OPEN_AIR_WALL_M = 2.5
"""Height of a wall without a given one where there is no ceiling."""


def floor_plan(facility: Facility) -> floorplan.FloorPlan:
    """Return the plan (plan.json) of a facility; ``InputError`` names an element that can't be in a plan."""
    levels = {level.id: level for level in facility.levels}
    return floorplan.FloorPlan(
        levels=tuple(_level(level) for level in facility.levels),
        ramps=tuple(
            floorplan.Ramp.model_validate(
                ramp.model_dump(exclude={"polygon", "kerb"}) | {"polygon": shapely.Polygon(ramp.polygon)}
            )
            for ramp in facility.ramps
        ),
        stalls=tuple(stall for row in facility.rows for stall in _stalls(row)),
        lanes=tuple(
            floorplan.Lane(**lane.model_dump(exclude={"line", "arrows"}), line=shapely.LineString(lane.line))
            for lane in facility.lanes
        ),
        walls=tuple(_wall(wall, levels[wall.level]) for wall in facility.walls),
        pillars=tuple(
            floorplan.Pillar(id=pillar.id, level=pillar.level, polygon=pillar_polygon(pillar))
            for pillar in facility.pillars
        ),
        zones=tuple(
            floorplan.Zone(id=zone.id, level=zone.level, polygon=shapely.Polygon(zone.polygon), name=zone.name)
            for zone in facility.zones
        ),
        gates=tuple(
            floorplan.Gate(id=gate.id, level=gate.level, line=shapely.LineString(gate.line), direction=gate.direction)
            for gate in facility.gates
        ),
        signs=tuple(face for sign in facility.signs for face in _sign(sign, levels[sign.level])),
        exclusions=tuple(
            floorplan.Exclusion(id=obstacle.id, level=obstacle.level, polygon=obstacle_polygon(obstacle))
            for obstacle in facility.obstacles
        ),
        meta={"name": facility.name},
    )


def row_polygons(row: StallRow) -> NDArray[np.float64]:
    """Return the corners (count, 4, 2) of a row's stalls in site metres: the lane-side edge, then counter-clockwise.

    ``width`` is measured across a stall and ``depth`` across the row, so that oblique stalls take width / sin(angle)
    of the row and their sides are depth / sin(angle) long.
    """
    along, slant = np.radians(row.along_deg), np.radians(row.angle_deg)
    step = np.array([np.cos(along), np.sin(along)]) * row.width / np.sin(slant)
    side = np.array([np.cos(along + slant), np.sin(along + slant)]) * row.depth / np.sin(slant)
    front = np.array(row.start) + np.arange(row.count + 1)[:, None] * step
    return np.stack([front[:-1], front[1:], front[1:] + side, front[:-1] + side], axis=1)


def stall_ids(row: StallRow) -> list[str]:
    """Return the names of a row's stalls, "B-01" and so on, in the order of ``row_polygons``."""
    return [f"{row.id}-{number:02d}" for number in range(row.first, row.first + row.count)]


def pillar_polygon(pillar: Pillar) -> shapely.Polygon:
    """Return the outline of a pillar in site metres; a round one is an ellipse of ``ROUND_PILLAR_CORNERS`` corners."""
    if not pillar.round:
        return turned_box(pillar.at, pillar.size, pillar.yaw_deg)
    angles = np.arange(ROUND_PILLAR_CORNERS) * (2 * np.pi / ROUND_PILLAR_CORNERS)
    circle = shapely.Polygon(0.5 * np.array(pillar.size) * np.stack([np.cos(angles), np.sin(angles)], axis=1))
    return affinity.translate(affinity.rotate(circle, pillar.yaw_deg, origin=(0, 0)), *pillar.at)


def obstacle_polygon(obstacle: Obstacle) -> shapely.Polygon:
    """Return the ground an obstacle stands on, in site metres."""
    return turned_box(obstacle.at, obstacle.size[:2], obstacle.yaw_deg)


def wall_polygon(wall: Wall) -> shapely.Polygon:
    """Return the ground a wall stands on, in site metres; corners are mitred and ends are flat."""
    return shapely.LineString(wall.line).buffer(wall.thickness / 2, cap_style="flat", join_style="mitre")


def wall_height(wall: Wall, level: Level) -> float:
    """Return the height of a wall in metres: its own, or up to the ceiling."""
    return wall.height or (level.ceiling or OPEN_AIR_WALL_M) - wall.base


def turned_box(at: tuple[float, float], size: tuple[float, float], yaw_deg: float) -> shapely.Polygon:
    """Return the rectangle of ``size`` around ``at``, turned counter-clockwise."""
    half = 0.5 * np.array(size)
    box = shapely.box(*(np.array(at) - half), *(np.array(at) + half))
    return affinity.rotate(box, yaw_deg, origin=at)


def _level(level: Level) -> floorplan.Level:
    return floorplan.Level(
        id=level.id,
        name=level.name,
        elevation=level.elevation,
        ceiling=level.ceiling,
        outline=shapely.Polygon(level.outline),
    )


def _stalls(row: StallRow) -> list[floorplan.Stall]:
    return [
        floorplan.Stall(id=id, level=row.level, polygon=shapely.Polygon(corners), kind=row.kind)
        for id, corners in zip(stall_ids(row), row_polygons(row), strict=True)
    ]


def _wall(wall: Wall, level: Level) -> floorplan.Wall:
    return floorplan.Wall(
        level=wall.level,
        line=shapely.LineString(wall.line),
        height=wall_height(wall, level),
        thickness=wall.thickness,
    )


def _sign(sign: Sign, level: Level) -> list[floorplan.Sign]:
    """Return a sign's faces; the second one of a double-sided sign is named id-back."""
    faces = [(sign.id, sign.facing_deg), (f"{sign.id}-back", sign.facing_deg + 180.0)]
    return [
        floorplan.Sign(
            id=id,
            level=sign.level,
            position=shapely.Point(*sign.at, level.elevation + sign.height),
            normal=(float(np.cos(np.radians(facing))), float(np.sin(np.radians(facing))), 0.0),
            text=sign.text,
            width=sign.size[0],
            height=sign.size[1],
        )
        for id, facing in faces[: 1 + sign.double_sided]
    ]
