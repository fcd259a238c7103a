"""What looks wrong in a plan that is well formed: lanes in pieces, stalls on top of each other, ramps in the air.

``FloorPlan`` refuses what can't be; these are doubts, as a real site may be so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import networkx as nx
import numpy as np
import shapely

from geometry.floorplan import FloorPlan, Stall
from geometry.lane_graph import Drive, gate_drives, lane_graph, pieces
from geometry.location import lane_path
from geometry.plan_units import implausible_size, looks_like, sides

MIN_OVERLAP_M2 = 0.05
"""Less than this is how people draw."""
LANE_REACH_M = 5.0
"""A stall's edge is no further from the middle of the lane that serves it."""
JOINT_M = 2.0
"""A lane ends no further than this from the beginning of the one that follows it."""
MEET_M = 0.05
"""A ramp's ends are no further than this from the elevations of its levels."""
NAMED = 5


@dataclass(frozen=True, kw_only=True)
class PlanWarning:
    """A doubt about an element of a plan: which it is, what is odd about it, and what to do."""

    element: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.element}: {self.what}. {self.remedy}"


def plan_warnings(plan: FloorPlan) -> tuple[PlanWarning, ...]:
    """Return all doubts about a plan, kind by kind, in the order of its elements."""
    graph = lane_graph(plan)
    checks = (
        _stall_sizes(plan),
        _overlaps(plan),
        _ramp_ends(plan),
        _pieces(plan, graph),
        _gates(plan, graph),
        _lane_ends(plan, graph),
        _joints(plan, graph),
        _unreached_lanes(plan, graph),
        _unreached_stalls(plan),
    )
    return tuple(chain.from_iterable(checks))


def _stall_sizes(plan: FloorPlan) -> Iterator[PlanWarning]:
    sizes = sides([stall.polygon for stall in plan.stalls])
    unit = looks_like(sizes[:, 0], "m")
    if unit is not None:
        what = f"the median stall is {np.median(sizes[:, 0]):.3g} m wide, so that its unit looks like {unit}"
        yield PlanWarning(element="plan", what=what, remedy=f"Read it with units='{unit}'.")
        return
    for stall, (width, length) in zip(plan.stalls, sizes.tolist(), strict=True):
        if implausible_size(stall.kind, width, length):
            what = f"it is {width:.2f} x {length:.2f} m"
            yield PlanWarning(element=f"stall '{stall.id}'", what=what, remedy="Check its corners.")


def _overlaps(plan: FloorPlan) -> Iterator[PlanWarning]:
    stalls = np.array([stall.polygon for stall in plan.stalls], dtype=object)
    tree = shapely.STRtree(stalls)
    for others, kind in ((plan.stalls, "stall"), (plan.pillars, "pillar"), (plan.exclusions, "exclusion")):
        shapes = np.array([other.polygon for other in others], dtype=object)
        second, first = tree.query(shapes, predicate="intersects")
        area = shapely.area(shapely.intersection(stalls[first], shapes[second]))
        order = np.lexsort((second, first))
        for a, b in zip(
            first[order][area[order] > MIN_OVERLAP_M2], second[order][area[order] > MIN_OVERLAP_M2], strict=True
        ):
            if plan.stalls[a].level == others[b].level and (kind != "stall" or a < b):
                where = f"stall '{plan.stalls[a].id}'"
                yield PlanWarning(
                    element=where, what=f"it overlaps {kind} '{others[b].id}'", remedy="Move one of them."
                )


def _ramp_ends(plan: FloorPlan) -> Iterator[PlanWarning]:
    elevations = {level.id: level.elevation for level in plan.levels}
    for ramp in plan.ramps:
        ends = ((ramp.from_level, "begins", ramp.profile[0][1]), (ramp.to_level, "ends", ramp.profile[-1][1]))
        for level, verb, z in ends:
            if abs(z - elevations[level]) > MEET_M:
                what = f"its profile {verb} at {z:g} m, level '{level}' is at {elevations[level]:g} m"
                yield PlanWarning(
                    element=f"ramp '{ramp.id}'", what=what, remedy="Correct the profile or the elevation."
                )
        corners = np.array(ramp.polygon.exterior.coords)
        drawn = float(np.linalg.norm(corners[:2].mean(axis=0) - corners[2:4].mean(axis=0)))
        if abs(ramp.profile[-1][0] - drawn) > max(0.1 * drawn, MEET_M):
            what = f"its profile is {ramp.profile[-1][0]:g} m long, its polygon {drawn:.4g} m"
            remedy = "Begin the polygon with the edge at its 'from' end, and give s in metres."
            yield PlanWarning(element=f"ramp '{ramp.id}'", what=what, remedy=remedy)


def _pieces(plan: FloorPlan, graph: nx.DiGraph) -> Iterator[PlanWarning]:
    for piece in pieces(graph)[1:]:
        what = "no way leads between them and the other lanes" if len(piece) > 1 else "no way leads to another lane"
        remedy = "Name the lane that follows in 'to'."
        yield PlanWarning(element=_named("lane", sorted(piece)), what=what, remedy=remedy)


def _gates(plan: FloorPlan, graph: nx.DiGraph) -> Iterator[PlanWarning]:
    for gate in plan.gates:
        if gate_drives(plan, gate, graph) == ([], []):
            what = f"no lane of level '{gate.level}' goes {'in' if gate.direction == 'in' else 'out'} there"
            what = "no lane of its level goes through it" if gate.direction == "both" else what
            yield PlanWarning(element=f"gate '{gate.id}'", what=what, remedy="Move it onto a lane, or draw that lane.")


def _lane_ends(plan: FloorPlan, graph: nx.DiGraph) -> Iterator[PlanWarning]:
    """One-way lanes that end in nothing or that nothing leads to; those of two directions may be dead ends."""
    coming, going = _at_gates(plan, graph)
    for lane in plan.lanes:
        drive = Drive(lane.id)
        if lane.oneway and not graph.out_degree(drive) and drive not in going:
            remedy = "Name the lane that follows in 'to', or put a gate there."
            yield PlanWarning(element=f"lane '{lane.id}'", what="it ends in nothing", remedy=remedy)
        if lane.oneway and not graph.in_degree(drive) and drive not in coming:
            remedy = "Name it in 'to' of the lane before it, or put a gate there."
            yield PlanWarning(element=f"lane '{lane.id}'", what="nothing leads to it", remedy=remedy)


def _joints(plan: FloorPlan, graph: nx.DiGraph) -> Iterator[PlanWarning]:
    paths = {lane.id: lane_path(plan, lane) for lane in plan.lanes}
    following = {lane.id: set(lane.to) for lane in plan.lanes}  # an edge may be another's way back
    for before, after in graph.edges:
        left, entered = paths[before.lane][-1 if before.forward else 0], paths[after.lane][0 if after.forward else -1]
        gap = float(np.linalg.norm(left - entered))
        if gap > JOINT_M and after.lane in following[before.lane]:
            what = f"it goes on to lane '{after.lane}', which begins {gap:.1f} m from its end"
            remedy = "Correct 'to' or the lines, which run in driving direction."
            yield PlanWarning(element=f"lane '{before.lane}'", what=what, remedy=remedy)


def _unreached_lanes(plan: FloorPlan, graph: nx.DiGraph) -> Iterator[PlanWarning]:
    """Lanes that can't be reached from the gates in, or from which no gate out can be reached."""
    coming, going = _at_gates(plan, graph)
    ways = (
        (coming, graph, "no gate in leads to it"),
        (going, graph.reverse(copy=False), "it leads to no gate out"),
    )
    connected = pieces(graph)[:1]
    for gates, directed, what in ways:
        if not gates:
            continue
        reached = {drive.lane for drive in chain(gates, *(nx.descendants(directed, gate) for gate in gates))}
        lost = sorted((connected[0] if connected else set()) - reached)
        if lost:
            remedy = "Check the directions of lanes and their 'to'."
            yield PlanWarning(element=_named("lane", lost), what=what, remedy=remedy)


def _unreached_stalls(plan: FloorPlan) -> Iterator[PlanWarning]:
    ramps = shapely.union_all([ramp.polygon for ramp in plan.ramps])
    for level in plan.levels:
        lines = shapely.union_all([lane.line for lane in plan.lanes if lane.level == level.id])
        lanes = shapely.difference(lines, ramps)  # there is no way from a ramp's side into a stall
        stalls = [stall for stall in plan.stalls if stall.level == level.id]
        if stalls and shapely.is_empty(lanes):
            what = f"its {len(stalls)} stalls have no lane"
            yield PlanWarning(element=f"level '{level.id}'", what=what, remedy="Draw its lanes.")
        elif stalls:
            yield from _stalls_off_lanes(stalls, lanes)


def _stalls_off_lanes(stalls: Sequence[Stall], lanes: shapely.Geometry) -> Iterator[PlanWarning]:
    shapes = np.array([stall.polygon for stall in stalls], dtype=object)
    shapely.prepare(lanes)
    distances = shapely.distance(shapes, lanes)
    corners = [np.array(shape.exterior.coords)[:-1] for shape in shapes]
    edges = [np.stack([ring, np.roll(ring, -1, axis=0)], axis=1) for ring in corners]
    to_lane = [shapely.distance(shapely.points(edge.mean(axis=1)), lanes) for edge in edges]
    for stall, distance, of_edges in zip(stalls, distances.tolist(), to_lane, strict=True):
        if distance > LANE_REACH_M:
            what = f"the nearest lane is {distance:.1f} m from it"
            yield PlanWarning(element=f"stall '{stall.id}'", what=what, remedy="Draw the lane that serves it.")
        elif len(of_edges) == 4 and of_edges[0] > LANE_REACH_M >= of_edges[2]:
            what = "its first edge, the open one, is turned away from the lane"
            yield PlanWarning(element=f"stall '{stall.id}'", what=what, remedy="Begin its polygon with the open edge.")


def _at_gates(plan: FloorPlan, graph: nx.DiGraph) -> tuple[set[Drive], set[Drive]]:
    found: list[tuple[list[Drive], list[Drive]]] = [gate_drives(plan, gate, graph) for gate in plan.gates]
    return {drive for coming, _ in found for drive in coming}, {drive for _, going in found for drive in going}


def _named(kind: str, ids: Sequence[str]) -> str:
    """Name one element or the first few of many."""
    if len(ids) == 1:
        return f"{kind} '{ids[0]}'"
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return f"{kind}s {', '.join(repr(id) for id in ids[:NAMED])}{more}"
