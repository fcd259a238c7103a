"""Who takes part: vehicles that fit their stalls, look-alikes among them, and how they stand in the stalls."""

from collections.abc import Sequence

import numpy as np

from scenes.objects import VehicleSpec, draw_vehicle_spec
from scenes.traffic.drivers import Vehicle
from scenes.traffic.parking import Bay
from scenes.traffic.trips import Askew

USUAL_STALL_M = (5.0, 2.5)
"""Who comes from outside fits into a stall of this length and width."""


def draw_specs(bays: Sequence[Bay], coming: int, look_alikes: int, rng: np.random.Generator) -> list[VehicleSpec]:
    """Draw what is parked in ``bays`` and then what will come; some of the cars are look-alikes."""
    room = [(own.length, own.width) if own.is_for_cars else None for own in bays] + [USUAL_STALL_M] * coming
    specs = [_fitting(size, rng) for size in room]
    cars = [i for i, spec in enumerate(specs) if spec.kind not in ("motorcycle", "van")]
    group = rng.permutation(cars)[:look_alikes].tolist()
    if not group:
        return specs
    smallest = min((specs[i] for i in group), key=lambda spec: spec.length)
    return [smallest if i in group else spec for i, spec in enumerate(specs)]


def fits(own: Bay, size: tuple[float, float]) -> bool:
    """Return whether a car of ``size`` (length, width) fits into a stall with room to open a door."""
    return own.is_for_cars and own.length > size[0] + 0.1 and own.width > size[1] + 0.3


def draw_askew(spec: VehicleSpec, own: Bay, rng: np.random.Generator) -> Askew:
    """Draw how a vehicle stands in its stall: off the middle, and a little turned, but inside."""
    along = float(np.clip((own.length - spec.length) / 2 - 0.08, 0, 0.25))
    across = float(np.clip((own.width - spec.width) / 2 - 0.1, 0, 0.07))
    turn = 0.016 if own.is_for_cars else 0.0
    draws = rng.uniform(-1, 1, 3)
    return Askew(along=along * draws[0], across=across * draws[1], turn=turn * draws[2])


def park(vehicle: Vehicle, own: Bay) -> None:
    """Put a vehicle into a stall, as its ``nose_in`` and ``askew`` say."""
    (x, y, z), heading = own.pose(nose_in=vehicle.nose_in)
    cos, sin = np.cos(heading), np.sin(heading)
    along, across = vehicle.askew.along, vehicle.askew.across
    vehicle.stall = own.stall.id
    vehicle.position = np.array([x + along * cos - across * sin, y + along * sin + across * cos, z])
    vehicle.heading = heading + vehicle.askew.turn


def _fitting(room: tuple[float, float] | None, rng: np.random.Generator) -> VehicleSpec:
    """Draw a car for a stall of some length and width, or a motorcycle for a stall too small for cars."""
    if room is None:
        return draw_vehicle_spec(rng, "motorcycle")
    for _ in range(50):
        spec = draw_vehicle_spec(rng)
        if spec.kind != "motorcycle" and spec.length < room[0] - 0.1 and spec.width < room[1] - 0.3:
            return spec
    return draw_vehicle_spec(rng, "hatchback")
