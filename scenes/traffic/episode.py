"""What happened: every object's state over time, and what is asked of it: states, instances, occupancy."""

from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from geometry.errors import InputError
from scenes.objects import PersonSpec, VehicleSpec, person, vehicle
from scenes.rendering.shapes import Instance, Model

Array = NDArray[np.float64]
STILL_M = 1e-6
"""An object that moves no farther is static."""


@dataclass(frozen=True, kw_only=True)
class TrafficObject:
    """A vehicle or a person; ``id`` stays the same when it leaves and returns."""

    id: str
    spec: VehicleSpec | PersonSpec

    @property
    def kind(self) -> str:
        """The class in truth files: a vehicle's kind, or "person"."""
        return self.spec.kind if isinstance(self.spec, VehicleSpec) else "person"

    @property
    def size(self) -> tuple[float, float, float]:
        """Length, width and height, metres."""
        if isinstance(self.spec, VehicleSpec):
            return self.spec.length, self.spec.width, self.spec.height
        return person(self.spec).size

    def model(self, phase: float) -> Model:
        """Return what to render; a negative ``phase`` is a person standing."""
        if isinstance(self.spec, VehicleSpec):
            return vehicle(self.spec)
        return person(self.spec, None if phase < 0 else phase)


@dataclass(frozen=True, kw_only=True, eq=False)
class States:
    """States of N objects, at one time (N, ...) or at T times (T, N, ...); what is absent has zeros.

    present: bool; position: (..., 3) ground centre, site metres; heading: radians from site +x; pitch: radians, nose up
    speed: m/s along the heading, negative in reverse; level, stall: indices into the episode's ids, stall -1 unless
    parked in one; phase: of a person's stride in [0, 1), -1 for standing
    """

    present: NDArray[np.bool_]
    position: Array
    heading: Array
    pitch: Array
    speed: Array
    level: NDArray[np.int32]
    stall: NDArray[np.int32]
    phase: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Episode:
    """Traffic over some seconds: ``states`` has a row for each of ``times`` (T,), a column for each object."""

    objects: tuple[TrafficObject, ...]
    times: Array
    states: States
    level_ids: tuple[str, ...]
    stall_ids: tuple[str, ...]

    @property
    def is_static(self) -> NDArray[np.bool_]:
        """Which objects (N,) are there all the time and never move."""
        states = self.states
        moved = np.ptp(states.position, axis=0).max(axis=1) > STILL_M if len(self.times) else np.zeros(0, bool)
        return np.asarray(states.present.all(axis=0) & ~moved)


def states_at(episode: Episode, time: float) -> States:
    """Return the states at ``time``, between steps interpolated; an object there at only one of the steps is absent.

    Raises ``InputError`` for a time outside the episode.
    """
    times, states = episode.times, episode.states
    if not times[0] <= time <= times[-1]:
        raise InputError(f"time {time} is outside the episode, {times[0]} to {times[-1]} s")
    after = int(np.clip(np.searchsorted(times, time), 1, len(times) - 1)) if len(times) > 1 else 0
    before = max(after - 1, 0)
    share = (time - times[before]) / (times[after] - times[before]) if after > before else 0.0
    nearest = after if share >= 0.5 else before
    mixed = {name: _mix(getattr(states, name), before, after, share) for name in ("position", "pitch", "speed")}
    turn = _wrapped(states.heading[after] - states.heading[before])
    step = np.mod(states.phase[after] - states.phase[before], 1.0)
    walking = (states.phase[before] >= 0) & (states.phase[after] >= 0)
    phase = np.where(walking, np.mod(states.phase[before] + share * step, 1.0), states.phase[nearest])
    present = states.present[nearest] if share in (0.0, 1.0) else states.present[before] & states.present[after]
    return States(
        present=present, heading=_wrapped(states.heading[before] + share * turn), phase=phase,
        level=states.level[nearest], stall=states.stall[nearest], **mixed,
    )  # fmt: skip


def instances_at(episode: Episode, time: float, *, static: bool | None = None) -> tuple[Instance, ...]:
    """Return what is there at ``time``, in the objects' order; only the static ones, or only the others, if given."""
    states = states_at(episode, time)
    chosen = states.present if static is None else states.present & (episode.is_static == static)
    return tuple(
        Instance(
            object=episode.objects[i].id,
            model=episode.objects[i].model(float(states.phase[i])),
            site_from_model=site_from_model(states.position[i], float(states.heading[i]), float(states.pitch[i])),
        )
        for i in np.flatnonzero(chosen)
    )


def occupancy_at(episode: Episode, time: float) -> dict[str, str]:
    """Return the id of the object parked in each stall that is taken at ``time``."""
    states = states_at(episode, time)
    parked = np.flatnonzero(states.present & (states.stall >= 0))
    return {episode.stall_ids[states.stall[i]]: episode.objects[i].id for i in parked}


def site_from_model(position: Array, heading: float, pitch: float) -> pycolmap.Rigid3d:
    """Return the pose of a model on the ground at ``position`` (3,), turned by ``heading``, nose up by ``pitch``."""
    rotation = Rotation.from_euler("ZY", [heading, -pitch])
    return pycolmap.Rigid3d(pycolmap.Rotation3d(rotation.as_quat()), np.asarray(position, dtype=np.float64))


def _mix(values: Array, before: int, after: int, share: float) -> Array:
    return (1 - share) * values[before] + share * values[after]


def _wrapped(angles: Array) -> Array:
    return np.mod(angles + np.pi, 2 * np.pi) - np.pi
