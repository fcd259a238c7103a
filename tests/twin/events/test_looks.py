"""Looks at stalls decide over tracks where there are any, and change nothing where there are none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from geometry.track_records import FrameRecord
from tests.twin.events.places import START, camera, going, mixed, plan, standing, track
from twin.events import EventEngine, events_of, read_occupancy
from twin.events.engine import Happenings
from twin.events.moments import Moments
from twin.events.writing import EventWriter
from twin.parked.stays import Look

MIDDLE = {f"S{i}": (9.25 + 2.5 * i, 5.5) for i in range(10)}
PASSES = track(1, going(-4.0, 10.0, 1.2), 0, 30)


def said(p: float, begin: float = 0, end: float = 30, stall: str = "S4", camera_id: str = "cam") -> list[Look]:
    return [Look(camera_id, START + t, {stall: p}) for t in np.arange(begin, end + 0.5).tolist()]


def lines(told: Happenings, stall: str = "S4") -> list[bool]:
    """Return what was said of a stall, one after the other: taken or not."""
    return [line.p_occupied > 0.5 for line in told.occupancy if line.stall == stall]


def kinds(told: Happenings, stall: str = "S4") -> list[str]:
    return [event.kind for event in told.events if event.where.stall == stall]


def asked(looks: Sequence[Look], *tracks: list) -> Happenings:
    return events_of(mixed(PASSES, *tracks), plan(), [camera()], looks=looks)


def test_a_stall_that_looks_taken_is_taken_though_no_track_is_in_it() -> None:
    assert lines(asked(said(0.95))) == [True]
    assert lines(asked([])) == [False]
    told = asked(said(0.95))
    assert [each for each in told.occupancy if each.stall != "S4"] == [
        each for each in asked([]).occupancy if each.stall != "S4"
    ]


def test_one_that_looks_free_is_free_though_a_track_stands_in_it() -> None:
    stands = track(2, standing(*MIDDLE["S4"]), 0, 30)
    assert lines(asked(said(0.05), stands)) == [False]
    assert lines(asked([], stands)) == [True]


def test_changes_that_looks_tell_are_events_of_the_track_that_is_there() -> None:
    stands = track(2, standing(*MIDDLE["S4"]), 10, 20)
    told = asked([*said(0.03, 0, 9), *said(0.97, 10, 20), *said(0.03, 21, 30)], stands)
    assert kinds(told) == ["stall_taken", "stall_freed"]
    taken, freed = (event for event in told.events if event.where.stall == "S4")
    assert 10 <= taken.time - START <= 14
    assert 21 <= freed.time - START <= 26
    assert (taken.track, freed.track) == (2, 2)
    assert freed.meta["dwell_s"] == pytest.approx(freed.time - taken.time, abs=1e-3)


def test_without_looks_nothing_changes() -> None:
    stands = track(2, standing(*MIDDLE["S4"]), 0, 30)
    plain = events_of(mixed(PASSES, stands), plan(), [camera()])
    for looks in ((), said(0.9, stall="elsewhere"), [Look("cam", START + 3, {})]):
        assert asked(looks, stands) == plain


def test_looks_count_from_their_own_time_on() -> None:
    told = asked([*said(0.03, 0, 14), *said(0.97, 15, 30)])
    assert lines(told) == [False, True]
    changes = [line.time - START for line in told.occupancy if line.stall == "S4"]
    assert changes[0] < 2
    assert 15 <= changes[1] <= 20


def test_two_cameras_that_agree_are_believed_more() -> None:
    def probability(*cameras: str) -> float:
        engine = EventEngine(plan(), [camera()])
        for name in cameras:
            engine.look(name, START, {"S4": 0.7})
        engine.update(START, [])
        return float(engine.stalls.probability[4])

    assert probability("cam") == pytest.approx(0.7)
    assert probability("cam", "other") == pytest.approx(0.49 / (0.49 + 0.09))


def test_probabilities_stay_within_what_is_ever_believed() -> None:
    engine = EventEngine(plan(), [camera()])
    for name in "abc":
        engine.look(name, START, {"S4": 1.0, "S5": 0.0})
    engine.update(START, [])
    most = engine.stalls.options.surest
    np.testing.assert_allclose(engine.stalls.probability[[4, 5]], [most, 1 - most])


def test_moments_take_what_frames_tell() -> None:
    engine = EventEngine(plan(), [camera()])
    moments = Moments(engine=engine)
    moments.look(FrameRecord(camera="cam", time=START, detections=()), START)
    moments.look(FrameRecord(camera="other", time=START, detections=(), stalls={}), START)
    assert moments.looked == {"cam", "other"}
    assert not engine.stalls.looks.seen(START).any()
    moments.look(FrameRecord(camera="third", time=START, detections=(), stalls={"S4": 0.9}), START)
    assert moments.looked == {"cam", "other", "third"}
    (told,) = moments.pass_to(START, PASSES[:1])
    assert lines(told) == [True]
    assert moments.looked == set()


def test_looks_go_on_while_no_track_comes() -> None:
    moments = Moments(engine=EventEngine(plan(), [camera()]))
    told: list[Happenings] = []
    for second in range(60):
        share = 0.95 if second < 30 else 0.05
        moments.look(
            FrameRecord(camera="cam", time=START + second, detections=(), stalls={"S4": share}), START + second
        )
        told += moments.pass_to(START + second, [])
    assert [value for each in told for value in lines(each)] == [True, False]
    assert [kind for each in told for kind in kinds(each)] == ["stall_freed"]


def test_a_camera_whose_clock_is_known_to_be_slow_is_believed_too(tmp_path: Path) -> None:
    slow = camera().model_copy(update={"clock_offset_s": -600.0})
    writer = EventWriter(plan(), [slow], None, tmp_path / "o.jsonl")
    writer.begin()
    for second in range(10):
        frame = FrameRecord(camera="cam", time=START + second - 600.0, detections=(), stalls={"S4": 0.95})
        writer.look(frame, slow.utc(frame.time))
        writer.live(START + second, [row for row in PASSES if row.time == START + second])
    writer.end()
    assert [line.p_occupied > 0.5 for line in read_occupancy(tmp_path / "o.jsonl") if line.stall == "S4"] == [True]


def test_where_nothing_was_tracked_looks_still_tell() -> None:
    told = events_of([], plan(), [camera()], looks=said(0.95))
    assert lines(told) == [True]


def test_looks_long_after_the_last_row_are_told_too() -> None:
    first, later = said(0.95), [look._replace(time=look.time + 7200.0) for look in said(0.05)]
    told = events_of([], plan(), [camera()], looks=[*first, *later])
    assert lines(told) == [True, False]
