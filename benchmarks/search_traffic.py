"""Twenty minutes of a garage for the benchmark of search: who was where, and which camera saw whom.

Routes and manoeuvres are those of the scenes' traffic; its drivers, who wait for each other, are left out, as they
would take an hour of computing for 200 vehicles. A camera sees a vehicle that is large enough in its picture and that
neither walls, pillars nor nearer vehicles hide.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry.cameras import project
from geometry.floorplan import FloorPlan
from geometry.frames import position_of, transform_points
from geometry.records import FixedCamera
from scenes.traffic.parking import Manoeuvre, Parking, bay
from scenes.traffic.routes import STEP_M, Roads
from scenes.traffic.trips import Askew, Trip, trip_in, trip_out

Array = NDArray[np.float64]

SIZE_M = (4.4, 1.8)
PARKED, VEHICLES = 75, 200
LEAVE_SHARE, RETURN_SHARE = 0.6, 0.4
DWELL_S, AWAY_S = 300.0, (60.0, 240.0)
PACE = (0.6, 1.0)
"""Share of the speed limits that a driver takes."""
GEAR_S = 2.0
SLOWEST_MPS = 0.6
RATE = 2.0
"""Samples a second."""
BODY_M, ROOF_M, WIDTH_M = 1.1, 1.45, 0.9
"""What of a vehicle is looked for, what hides others, and half its width, metres."""
REACH_M, LEAST_PX = 35.0, 16.0
MARGIN_PX = 4.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Movements:
    """Where N vehicles are at T times: seconds (T,), position (T, N, 3) site metres, NaN off the site."""

    seconds: Array
    position: Array


def movements(plan: FloorPlan, seconds: float, rng: np.random.Generator) -> Movements:
    """Draw who is parked, who comes and goes when, and by which ways; stalls hold one vehicle at a time."""
    roads = Roads(plan)
    bays = {stall.id: bay(stall, plan) for stall in plan.stalls}
    parking = Parking(roads, bays)
    usable = [id for id, own in bays.items() if own.is_for_cars and parking.manoeuvres(id, SIZE_M, nose_in=True)]
    times = np.arange(0.0, seconds, 1.0 / RATE)
    position = np.full((len(times), VEHICLES, 3), np.nan)
    free_from = dict.fromkeys(usable, 0.0)
    pending: list[tuple[float, int, str | None]] = []  # when a vehicle acts next, and the stall that it then leaves
    for vehicle, stall in enumerate(rng.permutation(usable)[:PARKED].tolist()):
        leaves = float(rng.uniform(5, 0.9 * seconds)) if rng.random() < LEAVE_SHARE else np.inf
        free_from[stall] = np.inf
        position[times < leaves, vehicle] = bays[stall].pose(nose_in=True)[0]
        pending.append((leaves, vehicle, stall))
    pending += [(float(rng.uniform(0, 0.85 * seconds)), vehicle, None) for vehicle in range(PARKED, VEHICLES)]
    while pending:
        pending.sort(key=lambda each: each[0])
        when, vehicle, stall = pending.pop(0)
        if when >= seconds:
            continue
        if stall is not None:
            gone = _drive(roads, parking, stall, rng, position[:, vehicle], times, when, inbound=False)
            free_from[stall] = when + 15.0
            if rng.random() < RETURN_SHARE:
                pending.append((gone + float(rng.uniform(*AWAY_S)), vehicle, None))
            continue
        free = [id for id, since in free_from.items() if since <= when]
        chosen = str(rng.choice(free))
        arrived = _drive(roads, parking, chosen, rng, position[:, vehicle], times, when, inbound=True)
        leaves = arrived + float(rng.exponential(DWELL_S))
        free_from[chosen] = np.inf
        parked = (times >= arrived) & (times < leaves)
        position[parked, vehicle] = bays[chosen].pose(nose_in=True)[0]
        pending.append((leaves, vehicle, chosen))
    return Movements(seconds=times, position=position)


def _drive(
    roads: Roads,
    parking: Parking,
    stall: str,
    rng: np.random.Generator,
    position: Array,
    times: Array,
    when: float,
    *,
    inbound: bool,
) -> float:
    """Write a trip that begins ``when`` into positions (T, 3) and return when it ends."""
    trip = _trip(roads, parking, stall, rng, inbound)
    pace = float(rng.uniform(*PACE))
    speed = np.maximum(pace * trip.limits, SLOWEST_MPS)
    steps = STEP_M / speed
    steps[np.flatnonzero(np.diff(trip.path.gear) != 0)] += GEAR_S
    at = when + np.concatenate([[0.0], np.cumsum(steps[:-1])])
    during = (times >= at[0]) & (times <= at[-1])
    for axis in range(3):
        position[during, axis] = np.interp(times[during], at, trip.path.position[:, axis])
    return float(at[-1])


def _trip(roads: Roads, parking: Parking, stall: str, rng: np.random.Generator, inbound: bool) -> Trip:
    gates = roads.gate_drives("in" if inbound else "out")
    gate = gates[int(rng.integers(len(gates)))]
    options: Sequence[Manoeuvre] = parking.manoeuvres(stall, SIZE_M, nose_in=True)
    for into in options:
        route = roads.route(*((gate, into.drive) if inbound else (into.drive, gate)), rng)
        if route is not None:
            return (trip_in if inbound else trip_out)(roads, route, into, SIZE_M, Askew())
    raise RuntimeError(f"no way leads between the gates and stall '{stall}'")


def seen(plan: FloorPlan, camera: FixedCamera, moved: Movements) -> NDArray[np.bool_]:
    """Return at which times a camera sees which vehicles (T, N)."""
    lens, cam_from_site = camera.camera(), camera.pose()
    eye = position_of(cam_from_site)
    elevation = {level.id: level.elevation for level in plan.levels}[camera.level]
    flat = moved.position.reshape(-1, 3)
    near = np.abs(flat[:, 2] - elevation) < 1.5
    near &= np.linalg.norm(flat[:, :2] - eye[:2], axis=1) < REACH_M
    rows = np.flatnonzero(near)
    bodies = flat[rows] + [0.0, 0.0, BODY_M]
    in_cam = transform_points(cam_from_site, bodies)
    pixels, known = project(lens, in_cam)
    above, _ = project(lens, transform_points(cam_from_site, flat[rows] + [0.0, 0.0, ROOF_M]))
    below, _ = project(lens, transform_points(cam_from_site, flat[rows]))
    size = np.array([camera.width, camera.height])
    inside = ((pixels > MARGIN_PX) & (pixels < size - MARGIN_PX)).all(axis=1)
    large = np.linalg.norm(above - below, axis=1) >= LEAST_PX
    good = rows[known & inside & large]
    places, which = np.unique(np.round(flat[good, :2] / 0.25).astype(np.int64), axis=0, return_inverse=True)
    obstacles = [wall.line for wall in plan.walls if wall.level == camera.level and wall.height >= ROOF_M]
    obstacles += [pillar.polygon for pillar in plan.pillars if pillar.level == camera.level]
    barrier = shapely.union_all(obstacles)
    shapely.prepare(barrier)
    sight = shapely.linestrings([[eye[:2], 0.25 * place] for place in places]) if len(places) else []
    open_places = ~np.asarray(shapely.intersects(barrier, sight), dtype=bool)
    visible = np.zeros(len(flat), dtype=bool)
    visible[good[open_places[which.ravel()]]] = True
    table = visible.reshape(moved.position.shape[:2])
    on_level = np.abs(moved.position[:, :, 2] - elevation) < 1.5
    for time in np.flatnonzero(table.any(axis=1)):
        targets, others = np.flatnonzero(table[time]), np.flatnonzero(on_level[time])
        table[time, targets[_hidden(eye, moved.position[time], targets, others, elevation)]] = False
    return table


def _hidden(
    eye: Array, position: Array, targets: NDArray[np.int64], others: NDArray[np.int64], floor: float
) -> NDArray[np.bool_]:
    """Return which targets (n,) stand behind another vehicle, where the line of sight is lower than its roof."""
    height = eye[2] - floor
    low = (height - ROOF_M) / max(height - BODY_M, 1e-6)  # from this share of the way on
    along = position[targets, None, :2] - eye[:2]
    offset = position[None, others, :2] - eye[:2]
    share = (offset * along).sum(axis=2) / np.maximum((along**2).sum(axis=2), 1e-9)
    aside = np.linalg.norm(offset - share[:, :, None] * along, axis=2)
    length = np.linalg.norm(along, axis=2)
    blocks = (aside < WIDTH_M) & (share > low) & (share * length < length - 2.0) & (targets[:, None] != others)
    return np.asarray(blocks.any(axis=1))
