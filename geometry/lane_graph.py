"""The lanes of a plan as a directed graph, and the least time in which a vehicle gets from one place to another."""

from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

import networkx as nx
import numpy as np

from geometry.errors import InputError, nearest_known
from geometry.floorplan import FloorPlan
from geometry.location import Array, lane_path


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
