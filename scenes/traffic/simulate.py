"""Traffic on a facility, simulated: who is parked, who comes and goes, and who walks."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.floorplan import FloorPlan
from geometry.lane_graph import Drive
from scenes.facility import Facility
from scenes.objects import draw_person_spec
from scenes.traffic.boxes import STOREY_M, Array, overlaps
from scenes.traffic.drivers import Vehicle, advance
from scenes.traffic.episode import Episode, States, TrafficObject
from scenes.traffic.following import DriverModel
from scenes.traffic.parking import Manoeuvre, Parking, bay
from scenes.traffic.people import Walker, Walkways, beside, walk
from scenes.traffic.population import draw_askew, draw_specs, fits, park
from scenes.traffic.routes import STEP_M, Roads
from scenes.traffic.trips import trip_in, trip_out

MAX_STEPS = 200_000
ENTRY_CLEAR_M = 9.0


@dataclass(frozen=True, kw_only=True)
class TrafficOptions:
    """How traffic behaves; seconds and metres.

    backed_in: share of vehicles parked nose out; dwell, away: ranges of the time that one who came stays, and one who
    will return is away; return_share: how many of those who leave return; pace: range of people's speeds
    """

    backed_in: float = 0.3
    dwell: tuple[float, float] = (15.0, 60.0)
    away: tuple[float, float] = (8.0, 25.0)
    return_share: float = 0.4
    pace: tuple[float, float] = (1.0, 1.6)
    driver: DriverModel = field(default_factory=DriverModel)


def simulate(
    facility: Facility,
    plan: FloorPlan,
    rng: np.random.Generator,
    *,
    seconds: float,
    step: float = 0.1,
    options: TrafficOptions | None = None,
) -> Episode:
    """Simulate ``seconds`` of the facility's traffic in steps of ``step`` seconds.

    ``facility.traffic`` says how much; motorcycles only stand parked. Vehicles come by gates that begin a lane, leave
    by gates that end one, and never overlap each other. Raises ``InputError`` for times that make no sense.
    """
    if not (seconds >= 0 and 0.01 <= step <= 0.5 and seconds / step <= MAX_STEPS):
        raise InputError(
            f"can't simulate {seconds} s in steps of {step} s", remedy=f"At most {MAX_STEPS} steps, of 0.01 to 0.5 s."
        )
    world = _World(facility=facility, plan=plan, rng=rng, options=options or TrafficOptions(), seconds=seconds)
    world.populate()
    times = step * np.arange(int(seconds / step + 1e-9) + 1, dtype=np.float64)
    rows = []
    for number, time in enumerate(times.tolist()):
        if number:
            world.step(time, step)
        rows.append(world.snapshot(time))
    return world.episode(times, rows)


@dataclass(kw_only=True, eq=False)
class _World:
    """The mutable state of a simulation."""

    facility: Facility
    plan: FloorPlan
    rng: np.random.Generator
    options: TrafficOptions
    seconds: float
    vehicles: list[Vehicle] = field(default_factory=list)
    walkers: list[Walker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bays = {stall.id: bay(stall, self.plan) for stall in self.plan.stalls}
        self.roads = Roads(self.plan)
        self.parking = Parking(self.roads, self.bays)
        self.entries, self.exits = self.roads.gate_drives("in"), self.roads.gate_drives("out")
        self.levels = tuple(level.id for level in self.plan.levels)
        self.stall_index = {id: index for index, id in enumerate(self.bays)}

    def populate(self) -> None:
        """Park vehicles, and settle who will come, who will leave, and who will walk where."""
        traffic, rng = self.facility.traffic, self.rng
        stalls = list(self.bays)
        taken = rng.permutation(len(stalls))[: round(traffic.parked * len(stalls))]
        moving = round(traffic.vehicles * self.seconds / 60)
        coming = moving - moving // 2 if self.entries else 0
        specs = draw_specs([self.bays[stalls[i]] for i in taken], coming, traffic.look_alikes, rng)
        for i, spec in zip(taken, specs[: len(taken)], strict=True):
            own = self.bays[stalls[i]]
            vehicle = Vehicle(index=len(self.vehicles), spec=spec, nose_in=self._draws_nose_in())
            vehicle.askew = draw_askew(spec, own, rng)
            park(vehicle, own)
            self.vehicles.append(vehicle)
        cars = [vehicle for vehicle in self.vehicles if self.bays[vehicle.stall or ""].is_for_cars]
        leaving = rng.permutation(len(cars))[: moving // 2 if self.exits else 0]
        for i in leaving.tolist():
            cars[i].wake = float(rng.uniform(1.0, max(1.5, 0.7 * self.seconds)))
            cars[i].returns = bool(self.entries) and bool(rng.random() < self.options.return_share)
        for spec in specs[len(taken) :]:
            wake = float(rng.uniform(0, 0.75 * self.seconds))
            self.vehicles.append(Vehicle(index=len(self.vehicles), spec=spec, wake=wake))
        self._people(cars)

    def _draws_nose_in(self) -> bool:
        return bool(self.rng.random() >= self.options.backed_in)

    def _people(self, cars: list[Vehicle]) -> None:
        """Send people from doors, or gates where a level has none, to parked cars or the other way round."""
        count = round(self.facility.traffic.people * self.seconds / 60)
        ways = {level: Walkways(self.plan, level, tuple(self.bays.values())) for level in self.levels}
        for _ in range(count if cars else 0):
            own = self.bays[cars[int(self.rng.integers(len(cars)))].stall or ""]
            doors = self._doors(own.stall.level)
            if not len(doors):
                continue
            ends = [beside(own, left=bool(self.rng.random() < 0.5)), doors[int(self.rng.integers(len(doors)))]]
            first = int(self.rng.random() < 0.5)
            way = ways[own.stall.level].way(ends[first], ends[1 - first])
            start, pace = float(self.rng.uniform(0, 0.85 * self.seconds)), float(self.rng.uniform(*self.options.pace))
            spec = draw_person_spec(self.rng)
            if way is not None:
                walkways = ways[own.stall.level]
                self.walkers.append(
                    Walker(spec=spec, start=start, way=way, walkways=walkways, elevation=own.elevation, pace=pace)
                )

    def _doors(self, level: str) -> Array:
        doors = [d for d in self.facility.doors if d.level == level]
        turns = np.radians([door.facing_deg for door in doors])
        before = np.array([door.at for door in doors]).reshape(-1, 2) + 0.5 * np.column_stack(
            [np.cos(turns), np.sin(turns)]
        )
        gates = [np.array(gate.line.coords)[:, :2].mean(axis=0) for gate in self.plan.gates if gate.level == level]
        return before if len(doors) else np.array(gates).reshape(-1, 2)

    def step(self, time: float, step: float) -> None:
        """Advance everything to ``time``."""
        for vehicle in self.vehicles:
            if vehicle.trip is None and vehicle.wake <= time:
                self._set_off(vehicle, time)
        moving = self._moving
        people = np.array([w.position for w in self._walking(time)]).reshape(-1, 3)
        for vehicle in moving:
            advance(vehicle, moving, people, self.options.driver, step)
        for vehicle in moving:
            self._arrive(vehicle, time)
        for walker in self._walking(time):
            walk(walker, self._moving, step)

    @property
    def _moving(self) -> list[Vehicle]:
        return [vehicle for vehicle in self.vehicles if vehicle.trip is not None]

    def _walking(self, time: float) -> list[Walker]:
        started = [walker for walker in self.walkers if walker.start <= time and not walker.gone]
        for walker in started:
            if walker.s == 0:
                walker.place()
        return started

    def _set_off(self, vehicle: Vehicle, time: float) -> None:
        """Begin a trip if there is one; else try again in a second or two."""
        vehicle.wake = time + float(self.rng.uniform(1, 2))
        if self.roads.single_file and self._moving:
            return
        if vehicle.stall is None:
            self._come_in(vehicle)
        else:
            self._drive_out(vehicle)

    def _come_in(self, vehicle: Vehicle) -> None:
        entry = self.entries[int(self.rng.integers(len(self.entries)))]
        free = self._free_stalls(vehicle)
        nose_in = self._draws_nose_in()
        for stall in self.rng.permutation(free).tolist()[:8]:
            options = self.parking.manoeuvres(stall, vehicle.size, nose_in=nose_in)
            found = self._reachable(options, entry, inbound=True)
            if found is None:
                continue
            into, route = found
            askew = draw_askew(vehicle.spec, self.bays[stall], self.rng)
            trip = trip_in(self.roads, route, into, vehicle.size, askew)
            reach = int(ENTRY_CLEAR_M / STEP_M)
            if not self._is_clear(trip.boxes[:reach:5], float(trip.path.position[0, 2])):
                return
            vehicle.trip, vehicle.target, vehicle.nose_in, vehicle.askew = trip, stall, nose_in, askew
            vehicle.s, vehicle.v = 0.0, 0.6 * float(trip.limits[0])
            vehicle.place()
            return

    def _free_stalls(self, vehicle: Vehicle) -> list[str]:
        taken = {id for other in self.vehicles for id in (other.stall, other.target) if id is not None}
        return [id for id, own in self.bays.items() if id not in taken and fits(own, vehicle.size)]

    def _reachable(
        self, options: list[Manoeuvre], gate: Drive, *, inbound: bool
    ) -> tuple[Manoeuvre, list[Drive]] | None:
        for into in options:
            ends = (gate, into.drive) if inbound else (into.drive, gate)
            route = self.roads.route(*ends, self.rng)
            if route is not None:
                return into, route
        return None

    def _is_clear(self, boxes: Array, z: float) -> bool:
        others = [v for v in self._moving if v.position is not None and abs(v.position[2] - z) < STOREY_M]
        taken = [v.footprint() for v in others] + [v.zone.boxes for v in others if v.zone is not None]
        return not taken or not overlaps(boxes, np.concatenate(taken)).any()

    def _drive_out(self, vehicle: Vehicle) -> None:
        assert vehicle.stall is not None
        gate = self.exits[int(self.rng.integers(len(self.exits)))]
        options = self.parking.manoeuvres(vehicle.stall, vehicle.size, nose_in=vehicle.nose_in)
        found = self._reachable(options, gate, inbound=False)
        if found is None:
            vehicle.wake = np.inf
            return
        vehicle.trip = trip_out(self.roads, found[1], found[0], vehicle.size, vehicle.askew)
        vehicle.s, vehicle.v = 0.0, 0.0

    def _arrive(self, vehicle: Vehicle, time: float) -> None:
        """Settle what follows when a trip is over, and free the stall that was left."""
        trip = vehicle.trip
        assert trip is not None
        if (
            vehicle.target is None
            and vehicle.stall is not None
            and vehicle.at > int(trip.stops[0])
            and vehicle.zone is None
        ):
            vehicle.stall = None
        if vehicle.s < STEP_M * (len(trip.path) - 1) - 1e-6:
            return
        vehicle.trip, vehicle.zone, vehicle.v = None, None, 0.0
        if vehicle.target is not None:
            vehicle.stall, vehicle.target = vehicle.target, None
            dwell = float(self.rng.uniform(*self.options.dwell))
            vehicle.wake = time + dwell if self.exits else np.inf
        else:
            vehicle.stall, vehicle.position = None, None
            vehicle.wake = time + float(self.rng.uniform(*self.options.away)) if vehicle.returns else np.inf

    def snapshot(self, time: float) -> NDArray[np.float64]:
        """Return a row (N, 10) of the present state: present, x, y, z, heading, pitch, speed, level, stall, phase."""
        row = np.zeros((len(self.vehicles) + len(self.walkers), 10))
        row[:, 8:] = -1
        for i, v in enumerate(self.vehicles):
            if v.position is not None:
                gear = 1.0 if v.trip is None else float(v.trip.path.gear[v.at])
                stall = self.stall_index[v.stall] if v.stall is not None and (v.trip is None or v.s == 0) else -1
                row[i] = [1, *v.position, v.heading, v.pitch, gear * v.v, self._level_at(v.position[2]), stall, -1]
        for i, walker in enumerate(self.walkers, start=len(self.vehicles)):
            if walker.start <= time and not walker.gone:
                walker.place()
                level = self._level_at(walker.elevation)
                row[i] = [1, *walker.position, walker.heading, 0, walker.v, level, -1, walker.phase]
        return row

    def _level_at(self, z: float) -> int:
        return int(np.argmin([abs(level.elevation - z) for level in self.plan.levels]))

    def episode(self, times: Array, rows: list[NDArray[np.float64]]) -> Episode:
        """Return all rows as an episode."""
        table = np.stack(rows)
        vehicles = [TrafficObject(id=f"v{v.index + 1:03d}", spec=v.spec) for v in self.vehicles]
        people = [TrafficObject(id=f"p{i + 1:03d}", spec=walker.spec) for i, walker in enumerate(self.walkers)]
        heading = np.mod(table[..., 4] + np.pi, 2 * np.pi) - np.pi
        states = States(
            present=table[..., 0] > 0, position=table[..., 1:4], heading=heading, pitch=table[..., 5],
            speed=table[..., 6], level=table[..., 7].astype(np.int32), stall=table[..., 8].astype(np.int32),
            phase=table[..., 9],
        )  # fmt: skip
        return Episode(
            objects=(*vehicles, *people), times=times, states=states, level_ids=self.levels,
            stall_ids=tuple(self.stall_index),
        )  # fmt: skip
