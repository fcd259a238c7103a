"""What is learned of stalls: taken ones, free ones, and those that a vehicle is just driving in or out of."""

import numpy as np
import pytest

from scenes.objects import PersonSpec, VehicleSpec
from scenes.traffic.episode import Episode, States, TrafficObject
from tests.twin.events.places import camera, pillar_before, plan
from training.stall_labels import DRIVES_WITHIN_M, stall_labels

STALLS = [f"S{i}" for i in range(10)]
MIDDLE = {name: (9.25 + 2.5 * i, 5.5) for i, name in enumerate(STALLS)}
CAR = VehicleSpec(kind="car", colour=(0.5, 0.1, 0.1), length=4.4, width=1.8, height=1.5)

Place = tuple[float, float]


def episode(*objects: tuple[VehicleSpec | PersonSpec, Place, str | None]) -> Episode:
    """Return one of things that stay where they are, parked in a stall or not, for ten seconds."""
    count, shape = len(objects), (2, len(objects))
    positions = np.array([(*place, 0.0) for _, place, _ in objects]).reshape(1, count, 3)
    own = [STALLS.index(stall) if stall else -1 for _, _, stall in objects]
    states = States(
        present=np.ones(shape, dtype=np.bool_),
        position=np.repeat(positions, 2, axis=0),
        heading=np.zeros(shape),
        pitch=np.zeros(shape),
        speed=np.zeros(shape),
        level=np.zeros(shape, dtype=np.int32),
        stall=np.tile(np.array(own, dtype=np.int32), (2, 1)),
        phase=np.full(shape, -1.0),
    )
    named = tuple(TrafficObject(id=f"o{k}", spec=spec) for k, (spec, _, _) in enumerate(objects))
    return Episode(objects=named, times=np.array([0.0, 10.0]), states=states, level_ids=("L",), stall_ids=tuple(STALLS))


def taken(*objects: tuple[VehicleSpec | PersonSpec, Place, str | None]) -> dict[str, bool | None]:
    return {each["stall"]: each["taken"] for each in stall_labels(plan(), camera(), episode(*objects), 5.0)}


def test_a_parked_vehicle_takes_its_stall_and_no_other() -> None:
    assert taken((CAR, MIDDLE["S3"], "S3")) == {stall: stall == "S3" for stall in STALLS}
    assert taken() == dict.fromkeys(STALLS, False)


def test_of_stalls_that_a_vehicle_drives_near_nothing_is_said() -> None:
    x, y = MIDDLE["S5"]
    found = taken((CAR, (x, y + 2.0), None), (CAR, MIDDLE["S6"], "S6"))
    for stall in STALLS:
        near = np.hypot(MIDDLE[stall][0] - x, 2.0) < DRIVES_WITHIN_M
        assert found[stall] is (True if stall == "S6" else None if near else False)
    assert list(found.values()).count(None) == 2  # S5 and S4; the parked one's stall is known
    assert taken((CAR, (x, y + 4.6), None)) == dict.fromkeys(STALLS, False), "one in the lane is none"


def test_people_take_nothing() -> None:
    assert taken((PersonSpec(), MIDDLE["S5"], None)) == dict.fromkeys(STALLS, False)


def test_only_what_the_camera_sees_is_labelled_with_its_corners() -> None:
    labels = stall_labels(plan(pillars=(pillar_before(4),)), camera(), episode(), 5.0)
    assert [each["stall"] for each in labels] == [stall for stall in STALLS if stall != "S4"]
    corners = np.array(labels[3]["corners"])
    assert corners.shape == (4, 3)
    assert corners.mean(axis=0) == pytest.approx((*MIDDLE["S3"], 0.0))
