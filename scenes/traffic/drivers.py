"""Vehicles under way: each step they look along their way, take turns where ways meet, and never touch."""

from dataclasses import dataclass, field

import numpy as np

from scenes.objects import VehicleSpec
from scenes.traffic.boxes import STOREY_M, Array, footprints, overlaps
from scenes.traffic.following import DriverModel, idm_acceleration, stopping_speed
from scenes.traffic.routes import STEP_M
from scenes.traffic.trips import Askew, Trip, Zone, grown

ASKING_M = 14.0
"""How far before a zone a driver asks for it."""
SIGHT_M = 8.0
PERSON_M = (0.5, 0.5)
HORIZON_M = 32.0
"""Vehicles farther off, and what they have claimed, are not looked at."""
LOOK_EVERY = 4
"""Path points between two looks ahead."""


@dataclass(eq=False)
class Vehicle:
    """A vehicle's mutable state: parked in ``stall``, on a ``trip``, or away (neither).

    wake: when it sets off next; returns: whether it comes back after it left; s: metres along the trip; v: m/s
    """

    index: int
    spec: VehicleSpec
    wake: float = np.inf
    returns: bool = False
    stall: str | None = None
    nose_in: bool = True
    askew: Askew = field(default_factory=Askew)
    trip: Trip | None = None
    target: str | None = None
    s: float = 0.0
    v: float = 0.0
    zone: Zone | None = None
    position: Array | None = None
    heading: float = 0.0
    pitch: float = 0.0

    @property
    def size(self) -> tuple[float, float]:
        """Length and width, metres."""
        return self.spec.length, self.spec.width

    @property
    def at(self) -> int:
        """Index of the path's point last passed."""
        return int(self.s / STEP_M + 1e-9)

    def place(self) -> None:
        """Set the pose from ``s``, between the path's points interpolated."""
        assert self.trip is not None
        path, i = self.trip.path, self.at
        j, share = min(i + 1, len(path) - 1), self.s / STEP_M - i
        turn = np.mod(path.heading[j] - path.heading[i] + np.pi, 2 * np.pi) - np.pi
        self.position = path.position[i] + share * (path.position[j] - path.position[i])
        self.heading = float(path.heading[i] + share * turn)
        self.pitch = float(path.pitch[i] + share * (path.pitch[j] - path.pitch[i]))

    def footprint(self) -> Array:
        """Return the ground covered now (1, 4, 2)."""
        assert self.position is not None
        return footprints(self.position[None], [self.heading], self.size)


@dataclass(frozen=True, eq=False)
class Seen:
    """What is in the way of a vehicle: M boxes with their heights, and the speed and heading of what they belong to."""

    boxes: Array
    z: Array
    speed: Array
    heading: Array


def seen_by(own: Vehicle, moving: list[Vehicle], people: Array) -> Seen:
    """Return all other vehicles under way, the zones they have for themselves, and people (P, 3)."""
    others = [vehicle for vehicle in moving if vehicle is not own and _distance(own, vehicle) < HORIZON_M]
    zones = [vehicle.zone for vehicle in others if vehicle.zone is not None]
    taken = sum(len(zone.boxes) for zone in zones)
    still = np.zeros(taken + len(people))
    return Seen(
        boxes=np.concatenate([
            *(vehicle.footprint() for vehicle in others), *(zone.boxes for zone in zones),
            footprints(people, np.zeros(len(people)), PERSON_M),
        ]),
        z=np.concatenate([np.array([v.position[2] for v in others if v.position is not None]),
                          *(zone.z for zone in zones), people[:, 2]]),
        speed=np.concatenate([[v.v * (1 if v.trip is None else v.trip.path.gear[v.at]) for v in others], still]),
        heading=np.concatenate([[v.heading for v in others], still]),
    )  # fmt: skip


def _distance(some: Vehicle, other: Vehicle) -> float:
    assert some.position is not None
    assert other.position is not None
    return float(np.hypot(*(some.position - other.position)[:2]))


def advance(own: Vehicle, moving: list[Vehicle], people: Array, driver: DriverModel, step: float) -> None:
    """Drive one time step: speed by the Intelligent Driver Model, stops by braking, no step into another vehicle."""
    trip = own.trip
    assert trip is not None
    _take_turns(own, moving)
    stop = _next_stop(own)
    gap, leader = _gap(own, seen_by(own, moving, people), stop)
    wanted = float(trip.limits[own.at])
    speed = own.v + step * idm_acceleration(driver, own.v, wanted, gap, leader)
    last = stop < len(trip.path) - 1 or own.target is not None
    room = STEP_M * stop - own.s if last else np.inf
    barrier = _barrier(own)
    if barrier is not None:
        room = min(room, max(0.0, STEP_M * barrier - own.s))
    speed = max(0.0, min(speed, stopping_speed(driver, room)))
    _move(own, moving, min(speed * step, room, STEP_M * (len(trip.path) - 1) - own.s), speed)


def _next_stop(own: Vehicle) -> int:
    """Return the path index of the next stop; one who stands at a change of gear changes it."""
    assert own.trip is not None
    stops = own.trip.stops
    if own.v == 0 and own.at in stops[:-1]:
        own.s = STEP_M * (own.at + 1)  # the same place, the first point in the other gear
    return int(stops[np.searchsorted(stops, own.at)])


def _move(own: Vehicle, moving: list[Vehicle], distance: float, speed: float) -> None:
    before = own.s
    own.s, own.v = own.s + distance, speed if distance > 0 else 0.0
    own.place()
    others = [v for v in moving if v is not own and _same_storey(v, own)]
    if distance > 0 and others and overlaps(own.footprint(), np.concatenate([v.footprint() for v in others])).any():
        own.s, own.v = before, 0.0
        own.place()
    if own.zone is not None and own.at >= own.zone.release:
        own.zone = None


def _same_storey(some: Vehicle, other: Vehicle) -> bool:
    return (
        some.position is not None
        and other.position is not None
        and abs(some.position[2] - other.position[2]) < STOREY_M
    )


def _take_turns(own: Vehicle, moving: list[Vehicle]) -> None:
    """Get the next zone for oneself if it is near, and nobody is before it, in it, has it, or can't stop any more."""
    assert own.trip is not None
    zone = _next_zone(own)
    if zone is None or own.zone is not None or STEP_M * (zone.hold - own.at) > ASKING_M:
        return
    before = own.trip.boxes[own.at : zone.hold + 1 : LOOK_EVERY]
    for other in moving:
        if other is own or _distance(own, other) > 2 * HORIZON_M:
            continue
        if _same_storey(own, other) and overlaps(before, other.footprint()).any():
            return
        boxes, z = _claimed(other)
        near = np.abs(z[:, None] - zone.z[None]) < STOREY_M
        if (overlaps(boxes, zone.boxes) & near).any():
            return
    own.zone = zone


def _claimed(other: Vehicle) -> tuple[Array, Array]:
    """Return the ground another vehicle covers, will cover before it can stop, or has for itself."""
    assert other.trip is not None
    path = other.trip.path
    braking = int((other.v**2 / 4.0 + 0.3) / STEP_M)
    ahead = slice(other.at, min(other.at + braking, len(path) - 1) + 1, 3)
    boxes, z = (
        [footprints(path.position[ahead], path.heading[ahead], grown(grown(other.size)))],
        [path.position[ahead, 2]],
    )
    if other.zone is not None:
        boxes, z = [*boxes, other.zone.boxes], [*z, other.zone.z]
    return np.concatenate(boxes), np.concatenate(z)


def _next_zone(own: Vehicle) -> Zone | None:
    assert own.trip is not None
    return next((zone for zone in own.trip.zones if zone.release > own.at), None)


def _barrier(own: Vehicle) -> int | None:
    """Return the path index not to be passed yet, if any."""
    zone = _next_zone(own)
    if own.zone is not None:
        assert own.trip is not None
        later = [z for z in own.trip.zones if z.hold > own.zone.release]
        return later[0].hold if later else None
    return None if zone is None else zone.hold


def _gap(own: Vehicle, seen: Seen, stop: int) -> tuple[float, float]:
    """Return the free metres ahead, up to ``stop``, and the speed with which what is there moves away."""
    assert own.trip is not None
    reach = int((own.v**2 / 3.0 + SIGHT_M) / STEP_M)
    ahead = np.arange(own.at + 2, min(own.at + reach, stop) + 1, LOOK_EVERY)
    if not len(ahead) or not len(seen.boxes):
        return np.inf, 0.0
    near = np.abs(own.trip.path.position[ahead, 2][:, None] - seen.z[None]) < STOREY_M
    hits = overlaps(own.trip.boxes[ahead], seen.boxes) & near
    if not hits.any():
        return np.inf, 0.0
    first = int(np.argmax(hits.any(axis=1)))
    what = np.flatnonzero(hits[first])
    moving = own.heading if own.trip.path.gear[own.at] > 0 else own.heading + np.pi
    away = seen.speed[what] * np.cos(seen.heading[what] - moving)
    return STEP_M * float(ahead[first] - own.at), float(max(0.0, away.min()))
