"""The least times between any two positions of a site, by vehicle or on foot: who can have been where, when.

They are lower bounds under a stated model, so that whoever arrives earlier is somebody else. By vehicle: straight over
the floor one stands on to a lane in reach (``plan_approaches``), along lanes in their direction at their speed limits
times ``speeding``, and straight to the goal; from a gate out to a gate in straight at ``STREET_MPS``, as one may come
back. On foot: ``plan_walking``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError
from geometry.floorplan import FloorPlan
from geometry.lane_graph import gate_drives, lane_graph, times_between_drives
from geometry.location import Locator
from geometry.plan_approaches import LaneSegments
from geometry.plan_walking import WALKING_MPS, Footways

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Timing = Callable[[Array, Indices, Array, Indices], Array]

CHUNK = 2**16
"""Pairs that are timed at once, which bounds the memory."""
STREET_MPS = 14.0
"""Speed between gates, outside of the site."""


@dataclass(frozen=True, kw_only=True)
class _Drives:
    """The drives in reach of positions, (N, K) padded: which (-1 none), seconds to its end or from its beginning."""

    drive: Indices
    to_end: Array
    from_start: Array
    first: Array
    last: Array


class TravelTimes:
    """A plan prepared for ``between`` and ``on_foot``."""

    def __init__(self, plan: FloorPlan, *, speeding: float = 1.0, walking_mps: float = WALKING_MPS) -> None:
        """Tabulate the ways between lanes and between ramps; ``InputError`` for factors that aren't positive.

        speeding: how much faster than the speed limits of the lanes, and than ``walking_mps``, anybody goes
        """
        if not (0 < speeding < np.inf and 0 < walking_mps < np.inf):
            raise InputError(f"speeding {speeding} and walking_mps {walking_mps} must be positive numbers")
        graph = lane_graph(plan)
        _add_street(plan, graph)
        index = {lane.id: number for number, lane in enumerate(plan.lanes)}
        self._locator = Locator(plan)
        self._segments = LaneSegments(plan)
        self._footways = Footways(plan)
        self._between = times_between_drives(graph) / speeding
        self._speed = speeding * np.array([lane.speed_mps for lane in plan.lanes])
        self._walking = speeding * walking_mps
        self._drive = np.full((len(plan.lanes), 2), -1, dtype=np.int64)  # of a lane: along it, against it
        for number, drive in enumerate(graph):
            self._drive[index[drive.lane], 0 if drive.forward else 1] = number
        self._lane = np.array([index[drive.lane] for drive in graph], dtype=np.int64)

    @classmethod
    def of(cls, plan: FloorPlan, *, speeding: float = 1.0, walking_mps: float = WALKING_MPS) -> "TravelTimes":
        """Prepare a plan, as the constructor does."""
        return cls(plan, speeding=speeding, walking_mps=walking_mps)

    def between(self, starts_in_site: ArrayLike, ends_in_site: ArrayLike) -> Array:
        """Return the least times (N,) in seconds by vehicle from positions (N, 3) to positions (N, 3) in site metres.

        Infinite where no lanes lead there, NaN where a position is on no floor of the plan.
        """
        return self._in_chunks(self._drive_between, starts_in_site, ends_in_site)

    def on_foot(self, starts_in_site: ArrayLike, ends_in_site: ArrayLike) -> Array:
        """Return the least times (N,) in seconds on foot from positions (N, 3) to positions (N, 3) in site metres.

        Infinite where neither ramps nor stairs lead there, NaN where a position is on no floor of the plan.
        """
        return self._in_chunks(self._walk_between, starts_in_site, ends_in_site)

    def _in_chunks(self, times: Timing, starts_in_site: ArrayLike, ends_in_site: ArrayLike) -> Array:
        starts, ends = (np.asarray(each, dtype=np.float64) for each in (starts_in_site, ends_in_site))
        if starts.ndim != 2 or starts.shape[1] != 3 or starts.shape != ends.shape:
            raise InputError(f"positions are (N, 3) and as many, got {starts.shape} and {ends.shape}")
        found = np.empty(len(starts))
        start_floor, end_floor = (self._segments.floors(self._locator.locate(each)) for each in (starts, ends))
        for begin in range(0, len(starts), CHUNK):
            part = slice(begin, begin + CHUNK)
            found[part] = times(starts[part], start_floor[part], ends[part], end_floor[part])
        return np.where((start_floor >= 0) & (end_floor >= 0), found, np.nan)

    def _drive_between(self, starts: Array, start_floor: Indices, ends: Array, end_floor: Indices) -> Array:
        leaving, entering = self._drives(starts, start_floor), self._drives(ends, end_floor)
        straight = np.linalg.norm((ends - starts)[:, :2], axis=1)
        found = np.full(len(starts), np.inf)
        for i in range(leaving.drive.shape[1]):
            rows = np.flatnonzero(leaving.drive[:, i] >= 0)
            first, to_end = leaving.drive[rows, i], leaving.to_end[rows, i]
            speed = self._speed[self._lane[first]]
            best = np.full(len(rows), np.inf)
            for j in range(entering.drive.shape[1]):
                last, from_start = entering.drive[rows, j], entering.from_start[rows, j]
                best = np.minimum(best, to_end + self._between[first, last] + from_start)
                # By one lane nobody is faster than straight; a car that is shunted doesn't even touch the lane.
                ahead = (first == last) & (leaving.first[rows, i] <= entering.last[rows, j])
                best = np.where(ahead, np.minimum(best, straight[rows] / speed), best)
            found[rows] = np.minimum(found[rows], best)
        return found

    def _drives(self, positions: Array, floor: Indices) -> _Drives:
        """Return the drives in reach of positions (N, 3) on floors (N,)."""
        near = self._segments.approaches(positions[:, :2], floor)
        length, speed = self._segments.length[near.lane], self._speed[near.lane]
        along = near.to_end / speed, near.to_start / speed, near.first, near.last
        against = near.to_start / speed, near.to_end / speed, length - near.last, length - near.first
        drive = self._drive[near.lane].T.ravel()
        values = [np.concatenate(pair)[drive >= 0] for pair in zip(along, against, strict=True)]
        position = np.tile(near.position, 2)[drive >= 0]
        order = np.argsort(position, kind="stable")
        position, drive = position[order], drive[drive >= 0][order]
        slot = np.arange(len(position)) - np.searchsorted(position, position)
        shape = len(positions), int(slot.max(initial=-1)) + 1

        def padded(values: NDArray[Any], fill: float) -> NDArray[Any]:
            table = np.full(shape, fill, dtype=values.dtype)
            table[position, slot] = values
            return table

        to_end, from_start, first, last = (padded(each[order], np.inf) for each in values)
        return _Drives(drive=padded(drive, -1), to_end=to_end, from_start=from_start, first=first, last=last)

    def _walk_between(self, starts: Array, start_floor: Indices, ends: Array, end_floor: Indices) -> Array:
        return self._footways.distances(starts, start_floor, ends, end_floor) / self._walking


def _add_street(plan: FloorPlan, graph: nx.DiGraph) -> None:
    """Join the ends of drives that go out by a gate with the beginnings of those that come in by one."""
    at_gates = [(gate, *gate_drives(plan, gate, graph)) for gate in plan.gates]
    for (out_gate, _, going), (in_gate, coming, _) in product(at_gates, at_gates):
        outside = out_gate.line.distance(in_gate.line) / STREET_MPS
        for leaving, entering in product(going, coming):
            weight = graph.nodes[leaving]["travel_time"] + outside
            if not graph.has_edge(leaving, entering) or weight < graph.edges[leaving, entering]["weight"]:
                graph.add_edge(leaving, entering, weight=weight)
