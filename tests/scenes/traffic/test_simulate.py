"""Traffic in the library's garage: nothing overlaps, jumps, floats or loses its identity."""

import numpy as np
import pytest
import shapely

from geometry.errors import InputError
from geometry.location import ramp_height
from scenes.facility import Traffic
from scenes.library.garage import garage
from scenes.library.room import room
from scenes.plan import floor_plan
from scenes.traffic import Episode, TrafficOptions, instances_at, occupancy_at, simulate, states_at
from scenes.traffic.boxes import footprints, overlaps

FACILITY = garage().model_copy(update={"traffic": Traffic(vehicles=16, people=10, parked=0.45, look_alikes=4)})
PLAN = floor_plan(FACILITY)
SECONDS = 45.0
BRIEF = TrafficOptions(dwell=(3.0, 6.0), away=(1.0, 3.0), return_share=1.0)


@pytest.fixture(scope="module")
def episode() -> Episode:
    return simulate(FACILITY, PLAN, np.random.default_rng(4), seconds=SECONDS, options=BRIEF)


def _vehicles(episode):
    return [i for i, thing in enumerate(episode.objects) if thing.kind != "person"]


def _boxes(episode, row, columns, shrink=0.0):
    states = episode.states
    return np.concatenate([
        footprints(states.position[row, i : i + 1], states.heading[row, i : i + 1],
                   tuple(np.array(episode.objects[i].size[:2]) - shrink))
        for i in columns
    ])  # fmt: skip


def test_no_two_vehicles_overlap(episode):
    for row in range(len(episode.times)):
        there = [i for i in _vehicles(episode) if episode.states.present[row, i]]
        boxes, z = _boxes(episode, row, there, shrink=0.005), episode.states.position[row, there, 2]
        hits = overlaps(boxes, boxes) & (np.abs(z[:, None] - z) < 1.6) & ~np.eye(len(there), dtype=bool)
        assert not hits.any(), f"at {episode.times[row]} s"


def test_something_happens(episode):
    moving = [i for i in _vehicles(episode) if not episode.is_static[i]]
    driven = [np.linalg.norm(np.diff(episode.states.position[:, i], axis=0), axis=1).sum() for i in moving]
    assert sum(metres > 20 for metres in driven) >= 5  # measured 8
    assert any(thing.kind == "person" for thing in episode.objects)


def test_positions_are_continuous_and_speeds_bounded(episode):
    states = episode.states
    both = states.present[1:] & states.present[:-1]
    moved = np.linalg.norm(np.diff(states.position, axis=0), axis=2)[both]
    assert moved.max() < 0.45  # lanes allow 4 m/s
    assert np.abs(states.speed).max() <= 4.2
    turned = np.abs(np.mod(np.diff(states.heading, axis=0) + np.pi, 2 * np.pi) - np.pi)[:, _vehicles(episode)]
    assert turned[both[:, _vehicles(episode)]].max() < 0.25  # measured 0.10


def test_everything_is_on_a_floor_or_on_the_ramp(episode):
    states, ramp = episode.states, PLAN.ramps[0]
    points = states.position[states.present]
    floors = np.array([level.elevation for level in PLAN.levels])
    off_floor = np.abs(points[:, 2:] - floors).min(axis=1)
    off_ramp = np.abs(points[:, 2] - ramp_height(ramp, points[:, :2]))
    near_ramp = shapely.contains_xy(ramp.polygon.buffer(2.0), *points[:, :2].T)
    assert np.where(near_ramp, np.minimum(off_floor, off_ramp), off_floor).max() < 0.06  # axles, not the middle, touch


def test_parked_vehicles_are_inside_their_stall_and_alone(episode):
    polygons = {stall.id: stall.polygon for stall in PLAN.stalls}
    for row in range(0, len(episode.times), 50):
        parked = np.flatnonzero(episode.states.stall[row] >= 0)
        stalls = [episode.stall_ids[episode.states.stall[row, i]] for i in parked]
        assert len(set(stalls)) == len(stalls)
        for box, stall in zip(shapely.polygons(_boxes(episode, row, parked)), stalls, strict=True):
            assert polygons[stall].buffer(0.02).contains(box), stall
        assert occupancy_at(episode, float(episode.times[row])) == {
            stall: episode.objects[i].id for stall, i in zip(stalls, parked, strict=True)
        }


def test_vehicles_come_and_go_at_the_gates_only(episode):
    states = episode.states
    for i in _vehicles(episode):
        changes = np.flatnonzero(np.diff(states.present[:, i]))
        for row in changes:
            there = row + 1 if states.present[row + 1, i] else row
            assert states.position[there, i, 0] < -5, "only outside the gates in the west"


def test_who_leaves_and_returns_keeps_its_id():
    facility = FACILITY.model_copy(update={"traffic": Traffic(vehicles=6, people=0, parked=0.2)})
    episode = simulate(facility, PLAN, np.random.default_rng(2), seconds=80, step=0.2, options=BRIEF)
    appearances = (np.diff(episode.states.present[:, _vehicles(episode)].astype(int), axis=0) > 0).sum(axis=0)
    initially = episode.states.present[0, _vehicles(episode)]
    assert (initially & (appearances > 0)).any()
    assert len({thing.id for thing in episode.objects}) == len(episode.objects)


def test_look_alikes_have_equal_specs_and_other_ids(episode):
    specs = [episode.objects[i].spec for i in _vehicles(episode)]
    most = max(specs, key=specs.count)
    assert specs.count(most) == 4


def test_states_between_steps_and_instances(episode):
    exact, between = states_at(episode, 10.0), states_at(episode, 10.05)
    np.testing.assert_allclose(exact.position, episode.states.position[100], atol=1e-9)
    both = between.present
    middle = (episode.states.position[100] + episode.states.position[101]) / 2
    np.testing.assert_allclose(between.position[both], middle[both], atol=1e-9)
    everything, still, moving = (instances_at(episode, 10.0, static=static) for static in (None, True, False))
    assert len(everything) == len(still) + len(moving) == exact.present.sum()
    assert {i.object for i in still} == {t.id for t, s in zip(episode.objects, episode.is_static, strict=True) if s}
    first = everything[0]
    np.testing.assert_allclose(first.site_from_model.translation, exact.position[np.flatnonzero(exact.present)[0]])


def test_same_seed_same_episode():
    a, b = (simulate(FACILITY, PLAN, np.random.default_rng(9), seconds=6.0) for _ in range(2))
    assert a.objects == b.objects
    for name in a.states.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(a.states, name), getattr(b.states, name))


def test_an_empty_facility_is_fine():
    empty = FACILITY.model_copy(update={"traffic": Traffic(vehicles=0, people=0, parked=0.0)})
    episode = simulate(empty, PLAN, np.random.default_rng(0), seconds=1.0)
    assert episode.objects == ()
    assert instances_at(episode, 0.5) == ()
    bare = floor_plan(FACILITY).model_copy(update={"stalls": (), "lanes": (), "gates": ()})
    assert simulate(FACILITY, bare, np.random.default_rng(0), seconds=0.0).objects == ()


@pytest.mark.parametrize(("seconds", "step"), [(-1.0, 0.1), (10.0, 0.0), (1e9, 0.1), (float("nan"), 0.1)])
def test_refuses_times_that_make_no_sense(seconds, step):
    with pytest.raises(InputError):
        simulate(FACILITY, PLAN, np.random.default_rng(0), seconds=seconds, step=step)


def test_refuses_a_time_outside_the_episode(episode):
    with pytest.raises(InputError, match="outside"):
        states_at(episode, SECONDS + 1)


def test_a_dead_end_lane_of_two_directions_is_used_by_one_at_a_time():
    facility = room().model_copy(update={"traffic": Traffic(vehicles=8, people=4, parked=0.5)})
    episode = simulate(facility, floor_plan(facility), np.random.default_rng(0), seconds=40, step=0.2)
    vehicles = _vehicles(episode)
    driving = np.abs(episode.states.speed[:, vehicles]) > 0.05
    assert driving.any()
    assert driving.sum(axis=1).max() == 1
    assert len(vehicles) < len(episode.objects), "people walk in it"
