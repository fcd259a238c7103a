"""Where vehicles can drive: the lanes as a graph, and smooth paths along them, up and down ramps."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import networkx as nx
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from geometry.floorplan import FloorPlan, Gate, Lane, Ramp
from geometry.lane_graph import Drive, lane_graph
from geometry.location import ramp_height
from scenes.polylines import distances_along, even_distances, points_at, resampled

Array = NDArray[np.float64]

STEP_M = 0.1
"""Spacing of the points of a path."""
SMOOTHING_M = 1.1
"""Standard deviation of the rounding of corners."""
OUTSIDE_M = 7.0
"""Vehicles come into being, and vanish, this far beyond a gate's lane."""
PASSING_WIDTH_M = 4.6
"""From this width on, a lane of two directions has room for two vehicles to meet."""
AXLES_M = 2.6
"""Between the axles, for the pitch on a ramp."""


@dataclass(frozen=True, eq=False)
class Roads:
    """The lanes of a plan as a graph of drives: a lane along its line or, where it has two directions, against it."""

    plan: FloorPlan

    @cached_property
    def graph(self) -> nx.DiGraph:
        """The lane graph; its edges' weights are seconds."""
        return lane_graph(self.plan)

    @cached_property
    def lanes(self) -> dict[str, Lane]:
        """Lanes by id."""
        return {lane.id: lane for lane in self.plan.lanes}

    @cached_property
    def lines(self) -> dict[Drive, shapely.LineString]:
        """The middle of where vehicles drive: keeping to the right on a lane of two directions that is wide enough."""
        return {drive: _drive_line(self.lanes[drive.lane], drive.forward) for drive in self.graph}

    @property
    def single_file(self) -> bool:
        """Whether some lane has two directions but no room for two vehicles to meet."""
        return any(not lane.oneway and lane.width < PASSING_WIDTH_M for lane in self.plan.lanes)

    @cached_property
    def ramps(self) -> dict[Drive, Ramp]:
        """Ramps by the drives on them: those inside whose neighbours are on another level."""
        found: dict[Drive, Ramp] = {}
        for drive, line in self.lines.items():
            near = [*self.graph.successors(drive), *self.graph.predecessors(drive)]
            if any(self.level(other) != self.level(drive) for other in near):
                middle = line.interpolate(0.5, normalized=True)
                found.update((drive, ramp) for ramp in self.plan.ramps if ramp.polygon.contains(middle))
        return found

    def level(self, drive: Drive) -> str:
        """Return the level on which a lane begins."""
        return self.lanes[drive.lane].level

    def gate_drives(self, direction: Literal["in", "out"]) -> list[Drive]:
        """Return the drives that begin ("in") or end ("out") at a gate of that direction."""
        degree = self.graph.in_degree if direction == "in" else self.graph.out_degree
        gates = [gate for gate in self.plan.gates if gate.direction in (direction, "both")]
        return [
            drive
            for drive, line in self.lines.items()
            if degree(drive) == 0 and self._is_end_at_gate(line, gates, self.level(drive), first=direction == "in")
        ]

    def _is_end_at_gate(self, line: shapely.LineString, gates: Sequence[Gate], level: str, *, first: bool) -> bool:
        end = shapely.LineString(_cut(line, -2.0, 3.0) if first else _cut(line, line.length - 3.0, line.length + 2.0))
        return any(gate.level == level and gate.line.intersects(end) for gate in gates)

    def route(self, start: Drive, end: Drive, rng: np.random.Generator) -> list[Drive] | None:
        """Return the drives from one to another, the quickest but for taste; None if there is no way."""
        taste = {edge: rng.uniform(0.8, 1.25) for edge in self.graph.edges}

        def weight(a: Drive, b: Drive, data: dict[str, float]) -> float:
            return data["weight"] * taste[a, b]

        try:
            return list(nx.dijkstra_path(self.graph, start, end, weight))
        except nx.NetworkXNoPath:
            return None

    def elevation(self, drive: Drive) -> float:
        """Return the height of the floor where a lane begins."""
        return next(level.elevation for level in self.plan.levels if level.id == self.level(drive))


def _drive_line(lane: Lane, forward: bool) -> shapely.LineString:
    line = lane.line if forward else lane.line.reverse()
    return (
        line if lane.oneway or lane.width < PASSING_WIDTH_M else line.offset_curve(-lane.width / 4, join_style="mitre")
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Path:
    """Poses every ``STEP_M`` along a way.

    position: (N, 3) of the vehicle's ground centre; heading, pitch: (N,) radians; limit: (N,) m/s
    gear: (N,) 1 forward, -1 reversing
    """

    position: Array
    heading: Array
    pitch: Array
    limit: Array
    gear: Array

    def __len__(self) -> int:
        return len(self.position)

    @property
    def length(self) -> float:
        """Metres from the first to the last pose."""
        return STEP_M * (len(self) - 1)

    def reversed(self) -> "Path":
        """Return the way back, in the other gear."""
        return Path(
            position=self.position[::-1], heading=self.heading[::-1], pitch=self.pitch[::-1], limit=self.limit[::-1],
            gear=-self.gear[::-1],
        )  # fmt: skip


def joined(paths: Sequence[Path]) -> Path:
    """Return paths one after the other; each begins where the last one ended."""
    return Path(
        position=np.concatenate([p.position for p in paths]), heading=np.concatenate([p.heading for p in paths]),
        pitch=np.concatenate([p.pitch for p in paths]), limit=np.concatenate([p.limit for p in paths]),
        gear=np.concatenate([p.gear for p in paths]),
    )  # fmt: skip


def lane_path(roads: Roads, route: Sequence[Drive], start: float, end: float) -> Path:
    """Return the way along ``route``, from ``start`` metres on its first lane to ``end`` metres on its last one.

    Either may lie beyond a lane's ends: the lane is continued straight.
    """
    pieces, limits, ids = [], [], []
    for index, drive in enumerate(route):
        first = start if index == 0 else 0.0
        last = end if index == len(route) - 1 else roads.lines[drive].length
        points = resampled(_cut(roads.lines[drive], first, last), STEP_M)
        pieces.append(points)
        limits.append(np.full(len(points), roads.lanes[drive.lane].speed_mps))
        ids.append(np.full(len(points), index))
    rough = np.concatenate(pieces)
    along = distances_along(rough)
    wanted = even_distances(along[-1], STEP_M)
    smooth = smoothed(points_at(wanted, along, rough))
    owner = np.concatenate(ids)[np.searchsorted(along, wanted - 1e-9).clip(max=len(rough) - 1)]
    heading = np.unwrap(np.arctan2(*np.gradient(smooth, axis=0).T[::-1]))
    z = _heights(roads, route, smooth, heading, owner)
    limit = np.interp(wanted, along, np.concatenate(limits))
    curvature = np.abs(np.gradient(heading)) / STEP_M
    return Path(
        position=np.column_stack([smooth, z.mean(axis=1)]),
        heading=heading,
        pitch=np.arctan2(z[:, 1] - z[:, 0], AXLES_M),
        limit=np.minimum(limit, np.sqrt(1.6 / np.maximum(curvature, 1e-3))),
        gear=np.ones(len(wanted)),
    )


def smoothed(points: Array, sigma_m: float = SMOOTHING_M, step: float = STEP_M) -> Array:
    """Return points (N, 2), ``step`` apart, with their corners rounded; the ends, and straight parts, stay."""
    pad = int(4 * sigma_m / step)
    reach = np.arange(1, pad + 1)[:, None]
    before = points[0] - reach[::-1] * (points[1] - points[0])
    after = points[-1] + reach * (points[-1] - points[-2])
    padded = gaussian_filter1d(np.concatenate([before, points, after]), sigma_m / step, axis=0, truncate=3.5)
    return np.asarray(padded[pad:-pad])


def _cut(line: shapely.LineString, first: float, last: float) -> Array:
    """Return the points of ``line`` from ``first`` to ``last`` metres, continued straight beyond its ends."""
    points = np.array(line.coords)
    along = distances_along(points)
    ahead, behind = _unit(points[-1] - points[-2]), _unit(points[0] - points[1])
    inner = points[(along > first + 1e-6) & (along < last - 1e-6)]

    def at(s: float) -> Array:
        inside = np.array([np.interp(s, along, axis) for axis in points.T])
        return inside + max(0.0, s - along[-1]) * ahead + max(0.0, -s) * behind

    return np.vstack([at(first), inner, at(last)])


def _heights(roads: Roads, route: Sequence[Drive], points: Array, heading: Array, owner: NDArray[np.int64]) -> Array:
    """Return the ground's heights (N, 2) under the rear and the front axle."""
    ahead = AXLES_M / 2 * np.column_stack([np.cos(heading), np.sin(heading)])
    z = np.array([roads.elevation(drive) for drive in route])[owner][:, None] * np.ones(2)
    for index, drive in enumerate(route):
        if drive in roads.ramps:
            near = (owner >= index - 1) & (owner <= index + 1)
            z[near] = np.column_stack(
                [ramp_height(roads.ramps[drive], points[near] + s * ahead[near]) for s in (-1, 1)]
            )
    return z


def _unit(vector: Array) -> Array:
    return vector / np.linalg.norm(vector)
