"""The lanes of a plan as a directed graph, and the least time in which a vehicle gets from one place to another."""

from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

import networkx as nx
import numpy as np
import shapely
from scipy import sparse
from scipy.sparse import csgraph

from geometry.errors import InputError, nearest_known
from geometry.floorplan import FloorPlan, Gate
from geometry.location import Array, lane_path

MAX_DRIVES = 4000
"""Their table of times takes 128 MB."""
GATE_REACH_M = 1.0
"""How far a gate may be from the middle of a lane that it stands on."""


class Drive(NamedTuple):
    """A lane driven along its line, or against it, which only lanes of two directions allow."""

    lane: str
    forward: bool = True


class LanePosition(NamedTuple):
    """A place on a lane, ``s`` metres from the start of its line, on ramps along the slope."""

    lane: str
    s: float


def lane_graph(plan: FloorPlan) -> nx.DiGraph:
    """Return the graph of ``Drive`` nodes with their ``length`` (metres along the slope) and ``travel_time`` (seconds).

    An edge leads from a lane to each one in its ``to``, at those of their ends that are nearest to each other; its
    ``weight`` is the travel time of the lane it leaves. Between lanes of two directions it can be driven back.
    """
    graph = nx.DiGraph()
    paths = {lane.id: lane_path(plan, lane) for lane in plan.lanes}
    for lane in plan.lanes:
        length = float(np.linalg.norm(np.diff(paths[lane.id], axis=0), axis=1).sum())
        for forward in (True,) if lane.oneway else (True, False):
            graph.add_node(Drive(lane.id, forward), length=length, travel_time=length / lane.speed_mps)
    for lane in plan.lanes:
        for target in lane.to:
            here, there = _joint(graph, paths, lane.id, target)
            graph.add_edge(here, there, weight=graph.nodes[here]["travel_time"])
            back, home = Drive(target, not there.forward), Drive(lane.id, not here.forward)
            if back in graph and home in graph:
                graph.add_edge(back, home, weight=graph.nodes[back]["travel_time"])
    return graph


def travel_time(graph: nx.DiGraph, start: LanePosition, end: LanePosition) -> float:
    """Return the least time in seconds from one place on the lanes to another, infinite where there is no way.

    Raises ``InputError`` for a lane that is not in the graph. Nobody turns round within a lane.
    """
    times = [_time(graph, a, start.s, b, end.s) for a, b in product(_drives(graph, start), _drives(graph, end))]
    return min(times)


def times_between_drives(graph: nx.DiGraph) -> Array:
    """Return the least times (D, D) in seconds from the end of a drive to the beginning of another, in node order.

    Infinite where there is no way; from a drive to itself it is the way round. Raises ``InputError`` above
    ``MAX_DRIVES``.
    """
    if len(graph) > MAX_DRIVES:
        remedy = "Split the plan by parts that no lane connects, or draw fewer, longer lanes."
        raise InputError(f"{len(graph)} directions of lanes, of which {MAX_DRIVES} can be tabulated", remedy=remedy)
    index = {drive: number for number, drive in enumerate(graph)}
    edges = [(index[a], index[b], weight) for a, b, weight in graph.edges(data="weight")]
    leave, enter, weights = np.array(edges).reshape(-1, 3).T
    leave, enter = leave.astype(np.int64), enter.astype(np.int64)
    durations = np.array([duration for _, duration in graph.nodes(data="travel_time")])
    shape = len(graph), len(graph)
    times = np.full(shape, np.inf)
    if len(edges):
        from_beginnings = csgraph.dijkstra(sparse.csr_array((weights, (leave, enter)), shape=shape))
        np.minimum.at(times, leave, (weights - durations[leave])[:, None] + from_beginnings[enter])
    return times


def gate_drives(plan: FloorPlan, gate: Gate, graph: nx.DiGraph) -> tuple[list[Drive], list[Drive]]:
    """Return the drives that come in and those that go out by a gate: along lanes no further than ``GATE_REACH_M``.

    Where the gate lets both through, a drive comes in if the gate is nearer to its beginning than to its end.
    """
    coming: list[Drive] = []
    going: list[Drive] = []
    for lane in plan.lanes:
        if lane.level != gate.level or lane.line.distance(gate.line) > GATE_REACH_M:
            continue
        at_start = lane.line.project(shapely.centroid(gate.line), normalized=True) < 0.5
        for drive in (Drive(lane.id, True), Drive(lane.id, False)):
            comes_in = gate.direction == "in" if lane.oneway and gate.direction != "both" else drive.forward == at_start
            if drive in graph and gate.direction in ("both", "in" if comes_in else "out"):
                (coming if comes_in else going).append(drive)
    return coming, going


def pieces(graph: nx.DiGraph) -> list[set[str]]:
    """Return the lanes' ids in parts that no way connects, whatever its direction, the largest part first."""
    undirected = nx.Graph((a.lane, b.lane) for a, b in graph.edges)
    undirected.add_nodes_from(drive.lane for drive in graph)
    return sorted(nx.connected_components(undirected), key=lambda part: (-len(part), min(part)))


def _time(graph: nx.DiGraph, first: Drive, start_s: float, last: Drive, end_s: float) -> float:
    """Return the time from a place on one drive to a place on another."""
    departed, arrived = _elapsed(graph, first, start_s), _elapsed(graph, last, end_s)
    if first == last and arrived >= departed:
        return arrived - departed
    ways = []
    for following in graph.successors(first):
        try:
            between = nx.dijkstra_path_length(graph, following, last)
        except nx.NetworkXNoPath:
            continue
        ways.append(graph.nodes[first]["travel_time"] - departed + between + arrived)
    return min(ways, default=np.inf)


def _elapsed(graph: nx.DiGraph, drive: Drive, s: float) -> float:
    """Return the time from the beginning of a drive to ``s``."""
    length, duration = graph.nodes[drive]["length"], graph.nodes[drive]["travel_time"]
    share = float(np.clip(s / length, 0.0, 1.0))
    return duration * (share if drive.forward else 1.0 - share)


def _drives(graph: nx.DiGraph, place: LanePosition) -> list[Drive]:
    drives = [drive for drive in (Drive(place.lane, True), Drive(place.lane, False)) if drive in graph]
    if not drives:
        remedy = nearest_known(place.lane, {drive.lane for drive in graph})
        raise InputError(f"there is no lane '{place.lane}' in the graph", remedy=remedy)
    return drives


def _joint(graph: nx.DiGraph, paths: Mapping[str, Array], lane: str, target: str) -> tuple[Drive, Drive]:
    """Return how ``lane`` is left and ``target`` entered: the pair of ends with the least gap, forward if equal."""
    ways = [
        (a, b)
        for a, b in product((Drive(lane, True), Drive(lane, False)), (Drive(target, True), Drive(target, False)))
        if a in graph and b in graph
    ]
    gaps = [
        np.linalg.norm(paths[lane][-1 if a.forward else 0] - paths[target][0 if b.forward else -1]) for a, b in ways
    ]
    return ways[int(np.argmin(np.round(gaps, 3)))]
