"""A plan proposed where there is none: what is marked on each floor, for a person to correct."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from geometry import FloorPlan
from geometry.errors import InputError
from geometry.floorplan import Lane, Level, Ramp, Stall
from geometry.plan_lane_joints import LaneLine, cut_and_join
from twin.layout.lanes import LaneProposal, propose_lanes
from twin.layout.marks import FloorMarks, floor_mask, free_floor
from twin.layout.ortho import Ortho
from twin.layout.ramp_lanes import with_ramp_lanes


@dataclass(frozen=True, kw_only=True, eq=False)
class MarkedFloor:
    """A level, its orthophoto and the marks read from it."""

    level: Level
    ortho: Ortho
    marks: FloorMarks


def propose_plan(floors: Sequence[MarkedFloor], ramps: Sequence[Ramp] = ()) -> FloorPlan:
    """Return a plan with the stalls and lanes that are marked on each floor, and lanes over ``ramps`` between them.

    Ids are ``LEVEL-R1-01`` for the first stall of the first row and ``LEVEL-lane 1``. ``meta["proposed"]`` holds for
    each id its probability or confidence, and for a stall how many of its separators were not seen but inferred.
    Levels grow to hold their stalls. Lanes are cut where they cross or meet and go on to those that begin there: which
    turns are forbidden nobody has painted. Raises ``InputError`` where two floors are of one level.
    """
    names = [floor.level.id for floor in floors]
    if len(set(names)) != len(names):
        raise InputError("a level has two floors", remedy="Give one orthophoto a level.")
    stalls: list[Stall] = []
    lanes: list[tuple[LaneProposal, str]] = []
    levels: list[Level] = []
    proposed: dict[str, Any] = {"stalls": {}, "lanes": {}}
    for floor in floors:
        mine = _stalls(floor, proposed["stalls"])
        stalls += mine
        lanes += [(lane, floor.level.id) for lane in lanes_of(floor)]
        levels.append(floor.level.model_copy(update={"outline": _around(floor.level.outline, mine)}))
    return FloorPlan(
        levels=tuple(levels),
        ramps=tuple(ramps),
        stalls=tuple(stalls),
        lanes=tuple(_linked(with_ramp_lanes(lanes, ramps), ramps, proposed["lanes"])),
        meta={"proposed": proposed},
    )


def lanes_of(floor: MarkedFloor) -> list[LaneProposal]:
    """Return the lanes of one floor."""
    mask = floor_mask(floor.ortho)
    return propose_lanes(floor.marks.stalls, floor.marks.arrows, lambda points: free_floor(floor.ortho, mask, points))


def _stalls(floor: MarkedFloor, proposed: dict[str, Any]) -> list[Stall]:
    found = floor.marks.stalls
    stalls: list[Stall] = []
    count = np.zeros(len(found) + 1, dtype=int)
    for index in range(len(found)):
        row = int(found.row[index])
        count[row] += 1
        id = f"{floor.level.id}-R{row + 1}-{count[row]:02d}"
        polygon = shapely.Polygon(found.corners[index].round(3))
        stalls.append(Stall(id=id, level=floor.level.id, polygon=polygon, kind=found.kind[index]))
        proposed[id] = {
            "probability": round(float(found.probability[index]), 3),
            "inferred_separators": int(found.inferred[index]),
        }
    return stalls


def _linked(
    proposals: Sequence[tuple[LaneProposal, str]], ramps: Sequence[Ramp], proposed: dict[str, Any]
) -> list[Lane]:
    """Return the lanes of all levels, cut and joined at junctions, numbered by level."""
    lines = [
        LaneLine(level=level, line=shapely.LineString(lane.line), oneway=lane.oneway, source=number)
        for number, (lane, level) in enumerate(proposals)
    ]
    pieces = cut_and_join(lines, [(ramp.polygon, ramp.from_level, ramp.to_level) for ramp in ramps])
    count: Counter[str] = Counter()
    ids = []
    for piece in pieces:
        count[piece.level] += 1
        ids.append(f"{piece.level}-lane {count[piece.level]}")
    lanes = []
    for id, piece in zip(ids, pieces, strict=True):
        lane = proposals[piece.source][0]
        line = shapely.LineString(shapely.get_coordinates(piece.line).round(3))
        width, to = round(lane.width, 2), tuple(ids[number] for number in piece.to)
        lanes.append(Lane(id=id, level=piece.level, line=line, width=width, oneway=lane.oneway, to=to))
        proposed[id] = {"confidence": round(lane.confidence, 3)}
    return lanes


def _around(outline: shapely.Polygon, stalls: Sequence[Stall]) -> shapely.Polygon:
    """Return the outline with what sticks out of it, hulled where that would fall apart."""
    whole = shapely.union_all([outline, *(shapely.buffer(stall.polygon, 0.01) for stall in stalls)])
    return whole if isinstance(whole, shapely.Polygon) else whole.convex_hull
