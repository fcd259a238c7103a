"""A floor plan extruded: floors, ceilings, ramps, walls, pillars, exclusions and signs as panels.

Nothing is added that the plan does not say. Walls reach from the floor to their height, pillars to the ceiling. How
high an exclusion is has to be told, since the plan does not know; without a height it is left out.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry import FloorPlan
from geometry.floorplan import Level, Ramp, Sign, Wall
from twin.surface.panels import Panel, level_panel, quad_panels, upright_panels

Array = NDArray[np.float64]

OPEN_AIR_PILLAR_M = 2.5
"""Height of a pillar with no ceiling above it."""
TO_CEILING_M = 0.02
SIGN_STANDS_OFF_M = 0.01
"""Boards lie on walls; this far before them, they are what is seen."""


def extrude(plan: FloorPlan, exclusion_heights: Mapping[str, float] | None = None) -> list[Panel]:
    """Return the panels of a plan; ``exclusion_heights`` are metres above the floor by the exclusions' ids."""
    heights = exclusion_heights or {}
    levels = {level.id: level for level in plan.levels}
    panels = [panel for level in plan.levels for panel in _slab(plan, level)]
    for ramp in plan.ramps:
        panels += _ramp(ramp)
    for number, wall in enumerate(plan.walls):
        panels += _wall(f"{wall.level}/wall {number}", wall, levels[wall.level])
    for pillar in plan.pillars:
        level = levels[pillar.level]
        height = level.ceiling or OPEN_AIR_PILLAR_M
        panels += _prism(f"{level.id}/{pillar.id}", "pillar", pillar.polygon, level, height)
    for exclusion in plan.exclusions:
        if heights.get(exclusion.id, 0.0) > 0:
            level = levels[exclusion.level]
            name = f"{level.id}/{exclusion.id}"
            panels += _prism(name, "exclusion", exclusion.polygon, level, heights[exclusion.id])
    for sign in plan.signs:
        panels += _sign(sign)
    return panels


def _slab(plan: FloorPlan, level: Level) -> list[Panel]:
    """Return the floor without what ramps from below come through, the ceiling, and the edges of the openings."""
    top = None if level.ceiling is None else level.elevation + level.ceiling
    arriving = [ramp for ramp in plan.ramps if _rises_between(plan, ramp, below=level.elevation, to=level.elevation)]
    floor = shapely.difference(level.outline, shapely.union_all([ramp.polygon for ramp in arriving]))
    panels = level_panel(f"{level.id}/floor", "floor", floor, level.elevation, up=True)
    if top is not None:
        leaving = [ramp for ramp in plan.ramps if _rises_between(plan, ramp, below=top, to=top)]
        ceiling = shapely.difference(level.outline, shapely.union_all([ramp.polygon for ramp in leaving]))
        panels += level_panel(f"{level.id}/ceiling", "ceiling", ceiling, top, up=False)
    under = [low.elevation + low.ceiling for low in plan.levels if low.ceiling and low.elevation < level.elevation]
    if under and max(under) < level.elevation:
        for ramp in arriving:
            ring = _rings(ramp.polygon)[0][::-1]  # the faces look into the opening
            panels += upright_panels(f"{level.id}/slab edge {ramp.id}", "edge", ring, max(under), level.elevation)
    return panels


def _rises_between(plan: FloorPlan, ramp: Ramp, *, below: float, to: float) -> bool:
    """Tell whether a ramp begins under the height ``below`` and ends at or over ``to``."""
    ends = [level.elevation for level in plan.levels if level.id in (ramp.from_level, ramp.to_level)]
    return min(ends) < below and max(ends) >= to


def _ramp(ramp: Ramp) -> list[Panel]:
    """Return the surface, a panel for each step of the profile."""
    first, second, third, fourth = np.array(ramp.polygon.exterior.coords)[:4]
    s, z = np.array(ramp.profile).T
    share = (s / s[-1])[:, None]
    one = np.column_stack([first + share * (fourth - first), z])
    other = np.column_stack([second + share * (third - second), z])
    left, right = (one, other) if shapely.is_ccw(ramp.polygon.exterior) else (other, one)
    panels = []
    for i in range(len(s) - 1):
        panels += quad_panels(f"ramp {ramp.id}", "ramp", np.stack([left[i + 1], right[i + 1], right[i], left[i]]))
    return panels


def _wall(name: str, wall: Wall, level: Level) -> list[Panel]:
    ground = wall.line.buffer(wall.thickness / 2, cap_style="flat", join_style="mitre")
    return _prism(name, "wall", ground, level, wall.height)


def _prism(name: str, kind: str, ground: shapely.Polygon, level: Level, height: float) -> list[Panel]:
    """Return the sides of an upright prism, and its top unless that is at the ceiling."""
    bottom, top = level.elevation, level.elevation + height
    rings = [ring for part in shapely.get_parts(ground) for ring in _rings(part)]
    panels = [panel for ring in rings for panel in upright_panels(name, kind, ring, bottom, top)]
    if level.ceiling is None or height < level.ceiling - TO_CEILING_M:
        panels += level_panel(name, kind, ground, top, up=True)
    return panels


def _rings(polygon: shapely.Polygon) -> Sequence[Array]:
    """Return the rings (N, 2) of a polygon, what is outside of it to the right of the way along."""
    turned = shapely.orient_polygons(polygon)
    return [np.array(ring.coords) for ring in (turned.exterior, *turned.interiors)]


def _sign(sign: Sign) -> list[Panel]:
    """Return a board's front; one that lies on its back or face has no upper edge, and is left out."""
    normal = np.array(sign.normal)
    right = np.cross([0.0, 0.0, 1.0], normal)
    if np.linalg.norm(right) < 1e-3:
        return []
    right /= np.linalg.norm(right)
    down = np.cross(right, normal)
    centre = np.array(sign.position.coords[0]) + SIGN_STANDS_OFF_M * normal
    across, along = right * sign.width / 2, down * sign.height / 2
    corners = np.stack([centre - across - along, centre + across - along, centre + across + along])
    return quad_panels(f"{sign.level}/{sign.id}", "sign", np.vstack([corners, centre - across + along]))
