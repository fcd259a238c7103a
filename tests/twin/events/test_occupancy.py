"""Stalls: taken by what parks, freed by what leaves, and unknown where nobody looks."""

import numpy as np
import pytest

from geometry.errors import InputError
from geometry.track_records import TrackRow
from tests.twin.events.places import START, camera, going, mixed, pillar_before, plan, standing, track
from twin.events import EventEngine, events_of
from twin.events.occupancy import OccupancyOptions, StallStates
from twin.events.stall_views import StallViews

MIDDLE = {f"S{i}": (9.25 + 2.5 * i, 5.5) for i in range(10)}


def states(rows: list[TrackRow], seconds: float, **options: float) -> tuple[StallStates, EventEngine]:
    engine = EventEngine(plan(), [camera()])
    for tick in range(round(seconds * 5)):
        time = START + tick / 5
        engine.update(time, [row for row in rows if abs(row.time - time) < 0.05])
    return engine.stalls, engine


def test_what_parks_takes_its_stall_and_all_others_are_seen_empty() -> None:
    found, _ = states(track(1, standing(*MIDDLE["S4"]), 0, 10), 10)
    assert found.probability[4] > 0.95
    assert (np.delete(found.probability, 4) < 0.05).all()


def test_a_stall_changes_soon_after_its_vehicle_and_says_how_long_it_stayed() -> None:
    def parks(t: float) -> tuple[float, float]:
        x, y = MIDDLE["S2"]
        return (x, y) if 20 <= t <= 60 else (x, y + 0.8 * (20 - t)) if t < 20 else (x, y + 0.8 * (t - 60))

    rows = mixed(track(7, parks, 14, 66, heading=np.pi / 2), track(8, standing(*MIDDLE["S6"]), 0, 90))
    told = events_of(rows, plan(), [camera()])
    changes = {event.kind: event for event in told.events if event.where.stall == "S2"}
    taken, freed = changes["stall_taken"], changes["stall_freed"]
    assert (taken.track, freed.track) == (7, 7)
    assert 20 - 2 < taken.time - START < 20 + 5  # 18.4 measured: half of the body is inside a little earlier
    assert 60 < freed.time - START < 60 + 8  # 64.0 measured
    assert freed.meta["dwell_s"] == pytest.approx(freed.time - taken.time, abs=1e-3)
    assert taken.confidence >= 0.8
    assert taken.meta["observations"][0]["camera"] == "cam"
    lines = [line for line in told.occupancy if line.stall == "S6"]
    assert [(line.track, line.p_occupied > 0.8) for line in lines] == [(8, True)]


def test_a_vehicle_that_passes_over_takes_nothing() -> None:
    rows = track(1, going(5.0, 5.5, 6.0), 0, 5)
    told = events_of(mixed(rows, track(2, standing(1, 18), 0, 20)), plan(), [camera()])
    assert [event for event in told.events if "stall" in event.kind] == []
    assert all(line.p_occupied < 0.2 for line in told.occupancy)


def test_a_stall_that_no_camera_sees_is_not_told_empty() -> None:
    site = plan(pillars=(pillar_before(4),))
    engine = EventEngine(site, [camera()])
    for tick in range(100):
        engine.update(START + tick / 5, [])
    assert engine.stalls.probability[4] == pytest.approx(0.5, abs=0.05)
    assert engine.stalls.probability[0] < 0.05
    blind = EventEngine(plan(), [])
    for tick in range(100):
        blind.update(START + tick / 5, [])
    np.testing.assert_allclose(blind.stalls.probability, 0.5)


def test_a_camera_that_did_not_look_tells_nothing() -> None:
    engine = EventEngine(plan(), [camera()])
    for tick in range(100):
        engine.update(START + tick / 5, [], frozenset())
    np.testing.assert_allclose(engine.stalls.probability, 0.5)


def test_a_vehicle_hides_the_stall_behind_it() -> None:
    views = StallViews.of(plan(), [camera()])
    x, _ = MIDDLE["S5"]
    open_view = views.shares(np.zeros((0, 7)), np.zeros(0, dtype=np.int64))
    truck = np.array([[x, 10.5, 0.0, 0.0, 8.0, 2.5, 4.0]])
    hidden = views.shares(truck, np.array([-1]))
    assert open_view[0, 5] == 1.0
    assert hidden[0, 5] < 0.2
    assert hidden[0, 0] == 1.0
    np.testing.assert_array_equal(views.shares(truck, np.array([5]))[0, 5], 1.0), "it does not hide its own stall"


def test_a_low_vehicle_hides_the_floor_behind_it_before_what_stands_there() -> None:
    x, _ = MIDDLE["S5"]
    car = np.array([[x, 9.5, 0.0, 0.0, 6.0, 2.0, 1.2]])
    floor, body = (
        StallViews.of(plan(), [camera()], height=height).past(car, np.array([-1]))[0, 5].mean() for height in (0.0, 0.7)
    )
    assert floor < body


def test_a_position_that_is_unsure_takes_more_time_and_two_stalls_share_it() -> None:
    between = (MIDDLE["S3"][0] + 1.25, 5.5)
    found, _ = states(track(1, standing(*between), 0, 6, sigma=0.6), 6)
    assert found.probability[3] == pytest.approx(found.probability[4], abs=0.05)
    assert found.probability[3] < 0.9


@pytest.mark.parametrize("wrong", [{"taken": 0.1}, {"prior": 0.0}, {"change_s": 0.0}, {"surest": 0.5}])
def test_impossible_options_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="out of range"):
        OccupancyOptions(**wrong)


def test_moments_come_in_their_order() -> None:
    engine = EventEngine(plan())
    engine.update(5.0, [])
    with pytest.raises(InputError, match="not after"):
        engine.update(5.0, [])


def test_a_plan_without_stalls_has_none_to_tell_of() -> None:
    engine = EventEngine(plan().model_copy(update={"stalls": ()}), [camera()])
    for row in track(1, going(-4.0, 10.0, 3.0), 0, 3):
        assert engine.update(row.time, [row]).occupancy == ()
