"""Plans drawn as DXF, on layers with the default names."""

from pathlib import Path
from typing import Any

import ezdxf
import numpy as np
import shapely

from geometry.floorplan import FloorPlan
from geometry.plan_dxf import UNIT_CODES
from geometry.plan_units import METRES


def draw(path: Path, plan: FloorPlan, unit: str = "m") -> Any:
    """Draw a plan in a unit and save it; return the document."""
    document = new_drawing(unit)
    space, factor = document.modelspace(), 1 / METRES[unit]

    def line(shape: Any, layer: str, z: float = 0.0) -> None:
        closed = isinstance(shape, shapely.Polygon)
        points = np.array(shape.exterior.coords[:-1] if closed else shape.coords) * factor
        space.add_lwpolyline(points.tolist(), close=closed, dxfattribs={"layer": layer, "elevation": z * factor})

    for level in plan.levels:
        line(level.outline, f"{level.id}-OUTLINE", level.elevation)
    for ramp in plan.ramps:
        line(ramp.polygon, f"{ramp.from_level}-RAMPS-{ramp.to_level}")
    for stall in plan.stalls:
        line(stall.polygon, f"{stall.level}-STALLS" + ("" if stall.kind == "standard" else f"-{stall.kind}"))
        text(space, stall.id, shapely.centroid(stall.polygon), factor, f"{stall.level}-LABELS")
    for lane in plan.lanes:
        line(lane.line, f"{lane.level}-LANES" + ("" if lane.oneway else "-TWOWAY"))
    for wall in plan.walls:
        line(wall.line, f"{wall.level}-WALLS")
    for pillar in plan.pillars:
        line(pillar.polygon, f"{pillar.level}-PILLARS")
    for zone in plan.zones:
        line(zone.polygon, f"{zone.level}-ZONES")
    for gate in plan.gates:
        line(gate.line, f"{gate.level}-GATES" + {"in": "-IN", "out": "-OUT", "both": ""}[gate.direction])
    for sign in plan.signs:
        turn = float(np.degrees(np.arctan2(sign.normal[1], sign.normal[0])) + 90)
        text(space, sign.text, sign.position, factor, f"{sign.level}-SIGNS", turn)
    for exclusion in plan.exclusions:
        line(exclusion.polygon, f"{exclusion.level}-OBSTACLES")
    document.saveas(path)
    return document


def new_drawing(unit: str | None) -> Any:
    document = ezdxf.new("R2010")
    document.header["$INSUNITS"] = next((code for code, name in UNIT_CODES.items() if name == unit), 0)
    return document


def text(space: Any, words: str, at: shapely.Point, factor: float, layer: str, turn: float = 0.0) -> None:
    place = {"layer": layer, "insert": (at.x * factor, at.y * factor), "rotation": turn}
    space.add_text(words, height=0.3 * factor, dxfattribs=place)
