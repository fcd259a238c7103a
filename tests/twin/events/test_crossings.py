"""Gates and zones: counted once, at the right time and in the right direction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.track_records import TrackRow
from tests.twin.events.places import START, camera, going, mixed, plan, standing, track
from twin.events import events_of
from twin.events.crossings import CrossingOptions
from twin.events.engine import EventOptions


def gates(told: object) -> list[tuple[str, str | None]]:
    return [(e.kind, e.where.gate) for e in told.events if e.kind.startswith("gate")]  # type: ignore[attr-defined]


@settings(max_examples=25, deadline=None)
@given(speed=st.floats(1.5, 8.0), off=st.floats(-1.5, 1.5), phase=st.floats(0, 1))
def test_a_passage_is_counted_once_and_when_it_was(speed: float, off: float, phase: float) -> None:
    rows = track(3, going(-4.0 - phase, 10.0 + off, speed), 0, 50 / speed)
    told = events_of(rows, plan())
    assert gates(told) == [("gate_in", "in"), ("gate_out", "out")]
    crossed = [(4.0 + phase) / speed, (44.0 + phase) / speed]
    for event, time in zip([e for e in told.events if e.kind.startswith("gate")], crossed, strict=True):
        assert event.time - START == pytest.approx(time, abs=0.02)
        assert event.track == 3
        assert event.confidence > 0.85
        assert event.meta["observations"]


def test_one_that_stands_on_the_line_is_not_counted_again_and_again() -> None:
    rng = np.random.default_rng(0)
    wobble = rng.normal(0, 0.1, 1000)
    rows = track(1, lambda t: (wobble[int(t * 5) % 1000], 10.0), 0, 60)
    assert gates(events_of(rows, plan())) == []


def test_one_that_turns_back_goes_in_and_out() -> None:
    rows = track(1, lambda t: (-3 + 2 * t if t < 5 else 7 - 2 * (t - 5), 10.0), 0, 10)
    assert gates(events_of(rows, plan())) == [("gate_in", "in"), ("gate_out", "in")]


def test_passages_beside_a_gate_and_people_do_not_count() -> None:
    walker = track(1, going(-3.0, 10.0, 1.4), 0, 10, kind="person")
    beside = track(2, going(-3.0, 16.0, 3.0), 0, 5)
    assert gates(events_of(mixed(walker, beside), plan())) == []


def test_one_that_is_first_seen_inside_and_last_seen_before_the_gate_passed_them() -> None:
    witness = track(9, standing(20, 18), 0, 40)
    rows = track(4, going(3.0, 10.0, 3.0, since=5.0), 5, 16)
    told = events_of(mixed(witness, rows), plan())
    assert gates(told) == [("gate_in", "in"), ("gate_out", "out")]
    passages = [e for e in told.events if e.kind.startswith("gate")]
    assert all(e.confidence < 0.7 and e.meta["seen"] == "beside the gate" for e in passages)


def test_a_vehicle_that_two_tracks_tell_of_came_in_once_and_one_behind_it_counts() -> None:
    first = track(3, going(-4.0, 10.0, 4.0), 0, 8)
    again = track(4, going(-4.5, 10.2, 4.0), 0, 8)
    behind = track(5, going(-10.0, 10.0, 4.0), 0, 8)
    assert gates(events_of(mixed(first, again, behind), plan())) == [("gate_in", "in")] * 2
    abreast = track(6, going(-4.0, 11.8, 4.0), 0, 8)
    assert len(gates(events_of(mixed(first, abreast), plan()))) == 2
    walkers = [track(n, going(-4.0 - 0.2 * n, 10.0, 1.4), 0, 8, kind="person") for n in (6, 7)]
    counted = EventOptions(crossings=CrossingOptions(people=True))
    assert gates(events_of(mixed(*walkers), plan(), options=counted)) == [("gate_in", "in")] * 2
    assert len(gates(events_of(mixed(first, walkers[0]), plan(), options=counted))) == 2, "a person is no car"


@pytest.mark.parametrize(("waits_s", "begin"), [(0.5, 5.0), (3.0, 5.0), (30.0, 5.0)])
def test_one_that_is_first_seen_on_the_line_came_in_however_long_it_waits_there(waits_s: float, begin: float) -> None:
    witness = track(9, standing(20, 18), 0, 60)
    rows = track(4, lambda t: (max(0.1, 0.1 + 2.0 * (t - begin - waits_s)), 10.0), begin, begin + waits_s + 4)
    assert gates(events_of(mixed(witness, rows), plan())) == [("gate_in", "in")]


def test_what_is_there_when_the_recording_begins_did_not_just_come() -> None:
    assert gates(events_of(track(4, going(3.0, 10.0, 3.0), 0, 5), plan())) == []


def test_zones_are_left_and_entered_and_a_wobble_on_their_line_is_neither() -> None:
    rows = track(1, going(5.0, 10.0, 3.0), 0, 10)
    told = [e for e in events_of(rows, plan()).events if e.kind.startswith("zone")]
    assert [(e.kind, e.where.zone) for e in told] == [("zone_left", "west"), ("zone_entered", "east")]
    assert told[0].time - START == pytest.approx(5.0, abs=0.21)
    assert told[0].meta["dwell_s"] == pytest.approx(5.0, abs=0.21)
    wobble = track(2, lambda t: (20 + (0.2 if int(t * 5) % 2 else -0.2), 10.0), 0, 10)
    assert [e for e in events_of(wobble, plan()).events if e.kind.startswith("zone")] == []


def unsure(rows: list[TrackRow], sigma_m: float) -> list[TrackRow]:
    spread = tuple(tuple(float(sigma_m**2 * (i == j)) for j in range(3)) for i in range(3))
    return [row.model_copy(update={"position_covariance": spread}) for row in rows]


def test_a_track_that_is_too_unsure_near_the_gate_to_be_published_still_passes_it() -> None:
    rows = track(3, going(-12.0, 10.0, 3.0), 0, 64 / 3)
    sure = [row for row in rows if 5 < row.position[0] < 30]
    rest = unsure([row for row in rows if row not in sure], 4.0)
    assert gates(events_of(sure, plan())) == [], "before the gates it is not seen, and it is there from the first"
    told = events_of(sure, plan(), unsure=rest)
    assert gates(told) == [("gate_in", "in"), ("gate_out", "out")]
    passages = [event for event in told.events if event.kind.startswith("gate")]
    assert all(0.4 < event.confidence < 0.8 for event in passages), "how unsure it is is told"
    assert gates(events_of([], plan(), unsure=rest)) == [("gate_in", "in"), ("gate_out", "out")]


def test_unsure_rows_tell_no_zones_stalls_or_conduct() -> None:
    rows = mixed(track(1, going(-12.0, 10.0, 3.0), 0, 64 / 3), track(2, standing(20, 10), 0, 40))
    told = events_of([], plan(), unsure=unsure(rows, 4.0))
    assert {event.kind for event in told.events} == {"gate_in", "gate_out"}
    assert told.occupancy == ()
    assert {event.kind for event in events_of(rows, plan()).events} > {"gate_in", "gate_out"}


def test_unsure_rows_leave_a_tracks_zone_and_its_coming_to_sure_ones() -> None:
    """Unsure in the west, then sure in the east only: it entered no zone and left none before it was sure."""
    rows = track(1, standing(30, 16), 6, 20)
    before = unsure(track(1, standing(10, 16), 0, 5.8), 3.0)
    assert [e.kind for e in events_of(rows, plan(), unsure=before).events if e.kind.startswith("zone")] == []
    witness = track(9, standing(20, 18), 0, 40)
    coming = track(4, going(3.0, 10.0, 3.0, since=5.0), 5, 9)
    earlier = unsure(track(4, standing(3.0, 10.0), 3, 4.8), 1.5)
    alone = gates(events_of(mixed(witness, coming), plan()))
    assert alone == [("gate_in", "in")]
    assert gates(events_of(mixed(witness, coming), plan(), unsure=earlier)) == alone


def test_an_unsure_one_that_wobbles_across_a_gate_is_not_counted() -> None:
    wobble = np.random.default_rng(0).normal(0, 1.0, 1000)
    rows = unsure(track(1, lambda t: (wobble[int(t * 5) % 1000], 10.0), 0, 60), 4.0)
    assert gates(events_of([], plan(), unsure=rows)) == []


def test_unsure_rows_show_no_stall_to_be_empty() -> None:
    """A vehicle in its stall whose position becomes unsure is there still, whatever a camera sees."""
    x, y = 9.25, 5.5
    parked, rest = track(1, standing(x, y), 0, 20), unsure(track(1, standing(x, y), 20.2, 60), 3.0)
    told = events_of(parked, plan(), [camera()], unsure=rest)
    assert told.events == ()
    assert [(each.stall, each.p_occupied > 0.8) for each in told.occupancy if each.stall == "S0"] == [("S0", True)]
    elsewhere = mixed(parked, track(2, standing(30, 16), 0, 60))
    assert [event.kind for event in events_of(elsewhere, plan(), [camera()]).events] == ["stall_freed"]


@pytest.mark.parametrize(
    ("begins", "goes", "counted"),
    [(0.6, 6.0, True), (2.5, 3.0, True), (0.6, 1.5, False), (4.0, 6.0, False)],
    ids=["from the line on", "near it", "too little of a way", "too far in"],
)
def test_one_that_is_first_seen_waiting_at_a_gate_came_in_by_it_once_it_goes_on(
    begins: float, goes: float, counted: bool
) -> None:
    """As in a queue: its first rows are slow, 0.3 m/s, and where it comes from is outside of the plan."""
    witness = track(9, standing(20, 18), 0, 40)
    rows = track(4, lambda t: (begins + min(0.3 * (t - 5.0), goes), 10.0), 5, 35)
    told = events_of(mixed(witness, rows), plan())
    assert gates(told) == [("gate_in", "in")] * counted
    for event in told.events:
        if event.kind == "gate_in":
            assert event.time - START == pytest.approx(5.0, abs=0.3), "when it was first seen"
            assert event.confidence < 0.7


def test_one_that_waits_at_a_gate_out_did_not_come_in() -> None:
    witness = track(9, standing(20, 18), 0, 40)
    rows = track(4, lambda t: (39.0 - 0.3 * (t - 5.0), 10.0), 5, 35)
    assert ("gate_in", "out") not in gates(events_of(mixed(witness, rows), plan()))
