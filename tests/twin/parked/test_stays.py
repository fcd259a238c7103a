"""From when to when stalls are taken, by clean looks and by noisy ones."""

from collections.abc import Callable

import numpy as np
import pytest

from geometry.parking_places import ParkingPlaces
from geometry.track_records import FrameRecord
from tests.twin.events.places import START
from tests.twin.parked.sequences import MIDDLE, PLACES, always, between, looks, never
from twin.parked.stays import Course, Stay, course_of, looks_of, stays_of

CLEAN, NOISY = 0.0, 1.5
"""Of the log-odds of looks, which are 3 where they are right: 1 in 44 of the noisy ones is wrong."""


def course(frames: list[FrameRecord], places: ParkingPlaces = PLACES) -> Course:
    return course_of([(frame.time, frame) for frame in frames], places)


def stays(frames: list[FrameRecord]) -> list[Stay]:
    return stays_of(course(frames))


def one_of(frames: list[FrameRecord], stall: str = "S3") -> Stay:
    (found,) = stays(frames)
    assert PLACES.stalls[found.stall] == stall
    return found


@pytest.mark.parametrize("noise", [CLEAN, NOISY])
def test_a_stall_that_is_taken_all_the_time_has_one_stay(noise: float) -> None:
    found = one_of(looks({"S3": always, "S4": never}, 120, noise=noise, seed=1))
    assert (found.begun, found.ended) == (False, False)
    assert found.begin - START < 5
    assert found.end == START + 120


@pytest.mark.parametrize(("noise", "late"), [(CLEAN, 4.0), (NOISY, 8.0)])
def test_one_that_comes_and_goes_has_a_beginning_and_an_end(noise: float, late: float) -> None:
    """Measured where looks settle in 2 s: clean ones tell after 1 to 2 s, noisy ones after 0 to 5 s."""
    for seed in range(5):
        found = one_of(looks({"S3": between(30, 80), "S4": never}, 120, noise=noise, seed=seed))
        assert (found.begun, found.ended) == (True, True)
        assert 0 <= found.begin - START - 30 <= late
        assert 0 <= found.end - START - 80 <= late


def test_noise_alone_is_no_vehicle_and_hides_none() -> None:
    """Of ten stalls over ten minutes: 6000 noisy looks, of which some 140 are wrong."""
    taken = {f"S{k}": always if k % 2 else never for k in range(10)}
    found = stays(looks(taken, 600, noise=NOISY, seed=3))
    assert {PLACES.stalls[each.stall] for each in found} == {f"S{k}" for k in range(1, 10, 2)}
    lasted = sum(each.end - each.begin for each in found)
    assert 0.98 < lasted / (5 * 600) <= 1  # measured 0.9993 to 1


def test_two_after_each_other_have_a_stay_each() -> None:
    def taken(t: float) -> bool:
        return 20 <= t < 50 or 60 <= t < 90

    found = stays(looks({"S3": taken}, 120))
    assert [(each.begun, each.ended) for each in found] == [(True, True)] * 2
    np.testing.assert_allclose([each.begin - START for each in found], [20, 60], atol=2)
    np.testing.assert_allclose([each.end - START for each in found], [50, 90], atol=2)


def test_looks_gone_wrong_for_seconds_are_no_stay() -> None:
    for wrong_s, count in ((1.0, 0), (4.0, 0), (15.0, 1)):
        found = stays(looks({"S3": between(30, 30 + wrong_s)}, 60))
        assert len(found) == count


def test_what_is_in_between_stays_what_it_was() -> None:
    """Looks become unsure for a minute: nothing begins or ends; and where nothing was known, nothing is told."""

    def told(first: float) -> list[FrameRecord]:
        at = [(float(k), first if k < 10 else 0.55 if k % 2 else 0.45) for k in range(70)]
        return [FrameRecord(camera="cam", time=START + t, detections=(), stalls={"S3": p}) for t, p in at]

    assert (one_of(told(0.97)).begin, one_of(told(0.97)).end) == (START, START + 69)
    assert stays(told(0.03)) == []
    assert stays(told(0.5)) == []


def test_cameras_that_disagree_are_weighed() -> None:
    sure, unsure = looks({"S3": always}, 30), looks({"S3": never}, 30, name="other")
    weak = [each.model_copy(update={"stalls": {"S3": 0.4} if each.stalls else {}}) for each in unsure]
    assert len(stays(sorted([*sure, *weak], key=lambda each: each.time))) == 1
    strong = sorted([*sure, *unsure], key=lambda each: each.time)
    assert stays(strong) == []


def test_which_stalls_were_looked_at() -> None:
    found = course(looks({"S3": always, "S5": never, "elsewhere": always}, 5))
    assert np.flatnonzero(found.seen.any(axis=0)).tolist() == [3, 5]
    assert [each.stall for each in stays_of(found)] == [3]


@pytest.mark.parametrize("make", [lambda: [], lambda: looks({}, 5), lambda: looks({"elsewhere": always}, 5)])
def test_without_looks_there_are_no_stays(make: Callable[[], list[FrameRecord]]) -> None:
    found = course(make())
    assert stays_of(found) == []
    assert not found.seen.any()
    assert looks_of(course([]), PLACES) == ()
    assert stays_of(course(looks({"S3": always}, 5), ParkingPlaces.none())) == []


def test_what_all_looks_tell_is_as_sure_before_as_after() -> None:
    """Unsure looks at first, sure ones later, of one stay: each second is told what the stay is worth on average."""
    frames = [
        FrameRecord(camera="cam", time=START + k, detections=(), stalls={"S3": 0.6 if k < 20 else 0.95})
        for k in range(40)
    ]
    told = [look.told["S3"] for look in looks_of(course(frames), PLACES)]
    assert len(told) == 40
    assert max(told) - min(told) < 1e-9
    assert 0.75 < told[0] < 0.9


def test_a_camera_that_looks_no_more_ends_a_stay_where_it_last_looked() -> None:
    late = FrameRecord(camera="other", time=START + 3600, detections=(), stalls={"S5": 0.03})
    found = one_of([*looks({"S3": always}, 60), late])
    assert (found.end, found.ended) == (START + 60, False)


def test_the_stalls_are_those_of_the_plan() -> None:
    assert list(MIDDLE) == [f"S{k}" for k in range(10)]
