"""What should not happen: wrong way, standing in a lane, people near what moves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import erf, sqrt

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.floorplan import FloorPlan
from geometry.solids import size_prior
from geometry.track_records import TrackRow
from twin.events.records import Event, evidence, place_of

Array = NDArray[np.float64]

AGAINST = -0.5
"""Cosine between a course and a lane below which it goes against it."""
FORGET_S = 5.0


@dataclass(frozen=True, kw_only=True)
class ConductOptions:
    """From when on something is told.

    wrong_way_m, wrong_way_mps: how far and fast against every lane that is there; parking backwards is shorter
    stopped_s, stopped_mps: how long and still in a lane and in no stall
    near_m, near_mps: from a person to a vehicle's side, and how fast the vehicle is; apart_s: after which the same two
    are told again; likely: probability from which they are told
    """

    wrong_way_m: float = 8.0
    wrong_way_mps: float = 1.0
    stopped_s: float = 15.0
    stopped_mps: float = 0.25
    near_m: float = 1.5
    near_mps: float = 1.0
    apart_s: float = 3.0
    likely: float = 0.5

    def __post_init__(self) -> None:
        values = (self.wrong_way_m, self.wrong_way_mps, self.stopped_s, self.stopped_mps, self.near_m, self.near_mps)
        if not all(0 < value < np.inf for value in (*values, self.apart_s)) or not 0 < self.likely < 1:
            raise InputError(f"conduct options out of range: {self}")


@dataclass(kw_only=True, eq=False)
class _Course:
    """What is kept of a vehicle: metres against the lanes, when it last moved, and what was told of it."""

    last: TrackRow
    against_m: float = 0.0
    moved: float = 0.0
    told_wrong: bool = False
    told_stopped: bool = False


@dataclass(kw_only=True, eq=False)
class Conduct:
    """Lanes of a plan, and how vehicles keep to them."""

    plan: FloorPlan
    options: ConductOptions = field(default_factory=ConductOptions)

    def __post_init__(self) -> None:
        lanes = self.plan.lanes
        widths = np.array([lane.width / 2 for lane in lanes])
        lines = np.array([lane.line for lane in lanes], dtype=object)
        self._tree = shapely.STRtree(shapely.buffer(lines, widths, cap_style="flat") if len(lanes) else [])
        self._courses: dict[int, _Course] = {}
        self._near: dict[tuple[int, int], float] = {}

    def update(self, time: float, rows: Sequence[TrackRow]) -> list[Event]:
        """Take the tracks of one moment."""
        vehicles = [row for row in rows if size_prior(row.kind).family == "vehicle"]
        people = [row for row in rows if size_prior(row.kind).family == "person"]
        events: list[Event] = []
        for row, lanes in zip(vehicles, self._lanes_at(vehicles), strict=True):
            course = self._courses.setdefault(row.track, _Course(last=row, moved=time))
            events += self._wrong_way(course, row, lanes) + self._stopped(course, row, lanes)
            course.last = row
        events += self._near_vehicles(time, people, vehicles)
        for number in [n for n, each in self._courses.items() if time - each.last.time > FORGET_S]:
            del self._courses[number]
        return events

    def _lanes_at(self, vehicles: Sequence[TrackRow]) -> list[list[int]]:
        """Return the lanes that each vehicle's middle is in."""
        found: list[list[int]] = [[] for _ in vehicles]
        if vehicles and self.plan.lanes:
            points = shapely.points([row.position[:2] for row in vehicles])
            for vehicle, lane in zip(*self._tree.query(points, "intersects").tolist(), strict=True):
                if vehicles[vehicle].level in (None, self.plan.lanes[lane].level):
                    found[vehicle].append(lane)
        return found

    def _wrong_way(self, course: _Course, row: TrackRow, lanes: list[int]) -> list[Event]:
        velocity = np.array((row.velocity or (0.0, 0.0, 0.0))[:2])
        speed = float(np.linalg.norm(velocity))
        if speed < self.options.wrong_way_mps:
            return []
        best, lane = max(((_along(self.plan, lane, row, velocity / speed), lane) for lane in lanes), default=(1.0, -1))
        if best > AGAINST:
            course.against_m, course.told_wrong = 0.0, course.told_wrong and best < 0
            return []
        course.against_m += float(np.hypot(*np.subtract(row.position[:2], course.last.position[:2])))
        if course.told_wrong or course.against_m < self.options.wrong_way_m:
            return []
        course.told_wrong = True
        turn = _normal(-(best - AGAINST) / 0.25)
        return [
            Event(
                time=row.time, kind="wrong_way", track=row.track,
                where=place_of(row, lane=self.plan.lanes[lane].id), confidence=round(turn, 4),
                meta=evidence(course.last, row) | {"speed_mps": round(speed, 2)},
            )
        ]  # fmt: skip

    def _stopped(self, course: _Course, row: TrackRow, lanes: list[int]) -> list[Event]:
        speed = float(np.hypot(*(row.velocity or (0.0, 0.0, 0.0))[:2]))
        if speed > self.options.stopped_mps or not lanes or row.stall is not None:
            course.moved, course.told_stopped = row.time, False
            return []
        if course.told_stopped or row.time - course.moved < self.options.stopped_s:
            return []
        course.told_stopped = True
        lane = min(lanes, key=lambda i: self.plan.lanes[i].line.distance(shapely.Point(row.position[:2])))
        off = self.plan.lanes[lane].line.distance(shapely.Point(row.position[:2]))
        inside = _normal((self.plan.lanes[lane].width / 2 - off) / max(_sigma(row), 0.05))
        return [
            Event(
                time=row.time, kind="stopped_in_lane", track=row.track,
                where=place_of(row, lane=self.plan.lanes[lane].id), confidence=round(inside, 4),
                meta=evidence(row) | {"since": course.moved},
            )
        ]  # fmt: skip

    def _near_vehicles(self, time: float, people: Sequence[TrackRow], vehicles: Sequence[TrackRow]) -> list[Event]:
        events = []
        for vehicle in vehicles:
            speed = float(np.hypot(*(vehicle.velocity or (0.0, 0.0, 0.0))[:2]))
            if speed < self.options.near_mps:
                continue
            for person in people:
                if abs(person.position[2] - vehicle.position[2]) > 1.5:
                    continue
                gap = _gap(np.array(person.position[:2]), vehicle)
                sigma = sqrt(_sigma(person) ** 2 + _sigma(vehicle) ** 2)
                likely = _normal((self.options.near_m - gap) / max(sigma, 0.05))
                if likely < self.options.likely:
                    continue
                pair = person.track, vehicle.track
                told, self._near[pair] = self._near.get(pair, -np.inf), time
                if time - told > self.options.apart_s:
                    events.append(
                        Event(
                            time=time, kind="person_near_vehicle", track=person.track, where=place_of(person),
                            confidence=round(likely, 4),
                            meta=evidence(person, vehicle)
                            | {"vehicle": vehicle.track, "gap_m": round(gap, 2), "speed_mps": round(speed, 2)},
                        )
                    )  # fmt: skip
        self._near = {pair: last for pair, last in self._near.items() if time - last <= self.options.apart_s}
        return events


def _along(plan: FloorPlan, lane: int, row: TrackRow, course: Array) -> float:
    """Return the cosine between a course (2,) and a lane where a vehicle is; of a two-way lane, its size."""
    line = plan.lanes[lane].line
    at = line.project(shapely.Point(row.position[:2]))
    a, b = line.interpolate(max(at - 0.3, 0.0)), line.interpolate(min(at + 0.3, line.length))
    direction = np.array([b.x - a.x, b.y - a.y])
    cosine = float(course @ direction / max(np.linalg.norm(direction), 1e-9))
    return cosine if plan.lanes[lane].oneway else abs(cosine)


def _gap(point: Array, vehicle: TrackRow) -> float:
    """Return the distance from a point (2,) to a vehicle's outline, 0 inside."""
    length, width, _ = vehicle.size or size_prior(vehicle.kind).size
    cos, sin = np.cos(vehicle.heading or 0.0), np.sin(vehicle.heading or 0.0)
    offset = point - np.array(vehicle.position[:2])
    ahead, left = cos * offset[0] + sin * offset[1], cos * offset[1] - sin * offset[0]
    return float(np.hypot(max(abs(ahead) - length / 2, 0.0), max(abs(left) - width / 2, 0.0)))


def _sigma(row: TrackRow) -> float:
    """Return the larger standard deviation of a position on the ground."""
    if row.position_covariance is None:
        return 0.0
    return float(np.sqrt(max(np.linalg.eigvalsh(np.array(row.position_covariance)[:2, :2])[-1], 0.0)))


def _normal(z: float) -> float:
    """Return the standard normal distribution's share below ``z``."""
    return 0.5 * (1 + erf(z / sqrt(2)))
