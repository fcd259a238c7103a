"""Boxes that show who is parked are noted and taken out; all others stay where they are."""

import numpy as np
import pytest

from geometry import FixedCamera, camera_from_opencv
from geometry.track_records import DetectionRecord, FrameRecord
from perception.tracking.instant import STILL_SHARE
from scenes.captures.views import look
from tests.twin.events.places import START, camera
from tests.twin.parked.sequences import Taken, always, between, box_at, detected, looks, never, parked
from twin.parked.joining import Parked


def shown(
    *boxes: DetectionRecord, taken: Taken | None = None, seconds: float = 20.0
) -> tuple[list[FrameRecord], Parked]:
    return parked(looks({"S3": always, "S4": never} if taken is None else taken, seconds, boxes=lambda t: boxes))


def moved(box: list[float], x: float, y: float = 0.0) -> list[float]:
    return (np.array(box) + np.array([x, y, x, y])).tolist()


def test_the_box_of_one_that_is_parked_is_noted_and_taken_out() -> None:
    left, found = shown(detected(box_at("S3")))
    (stay,) = found.stays
    assert stay.kinds == pytest.approx({"car": 0.8 * 101})
    assert len(stay.seen) == 101
    assert all(frame.detections == () for frame in left)
    assert stay.seen[0][1].time == START


def test_one_that_stands_a_little_askew_is_still_it() -> None:
    _, found = shown(detected(box_at("S3", away=(0.3, 0.5))))
    assert len(found.stays[0].seen) == 101


def test_boxes_of_empty_stalls_and_of_the_lane_stay_where_something_moves_in_them() -> None:
    places = (box_at("S4"), box_at("S8"), box_at("S3", away=(0.0, 6.0)))
    others = [detected(box, changed=STILL_SHARE) for box in places]
    left, found = shown(*others)
    assert all(frame.detections == tuple(others) for frame in left)
    assert found.stays[0].seen == []


def test_what_was_at_rest_from_the_first_is_nobody_who_came_whatever_passes_before_it() -> None:
    box = box_at("S3", away=(0.0, 6.0))
    for begin, is_left in ((0.0, False), (5.0, True)):
        frames = looks(
            {"S3": never, "S4": never}, 30,
            boxes=lambda t, begin=begin: [] if t < begin else [detected(box, changed=0.5 if 14 <= t < 16 else 0.0)],
        )  # fmt: skip
        assert any(frame.detections for frame in parked(frames)[0]) == is_left


def test_one_that_waits_in_the_lane_before_a_stall_that_is_taken_later_is_left() -> None:
    """Its box lies half where one in the stall would show, but nobody is in there while it waits."""
    waits = detected(box_at("S3", away=(0.0, 2.5)))
    frames = looks({"S3": between(39, 200)}, 60, boxes=lambda t: [waits] if 20 <= t < 40 else [])
    left = [frame for frame in parked(frames)[0] if frame.detections]
    assert len(left) >= 90, "of the 95 frames before the stall is taken"


def test_who_passes_one_that_is_parked_is_left_and_it_is_not() -> None:
    """The box of the parked one changes as somebody goes by before it; theirs is another."""
    box, passing = box_at("S3"), moved(box_at("S3"), 60.0, 40.0)
    goes_by = detected(passing, changed=0.6)
    frames = looks(
        {"S3": always}, 30,
        boxes=lambda t: [detected(box, changed=0.4), goes_by] if 10 <= t < 12 else [detected(box)],
    )  # fmt: skip
    for frame in parked(frames)[0]:
        assert frame.detections == ((goes_by,) if 10 <= frame.time - START < 12 else ())


def test_a_box_in_which_something_moves_stays() -> None:
    """Somebody drives past right before the one that is parked: the box may be theirs."""
    passes = detected(box_at("S3"), changed=STILL_SHARE)
    left, found = shown(passes)
    assert all(frame.detections == (passes,) for frame in left)
    assert len(found.stays[0].seen) == 101
    for changed in (0.99 * STILL_SHARE, None):
        assert all(frame.detections == () for frame in shown(detected(box_at("S3"), changed=changed))[0])


def test_people_stay_whatever_is_parked_behind_them() -> None:
    person = detected(box_at("S3"), kind="person")
    left, found = shown(person)
    assert all(frame.detections == (person,) for frame in left)
    assert found.stays[0].kinds == {}


def test_of_two_boxes_the_better_one_is_noted_and_both_go() -> None:
    good, worse = detected(box_at("S3"), kind="van"), detected(moved(box_at("S3"), 12.0))
    left, found = shown(worse, good)
    assert set(found.stays[0].kinds) == {"van"}
    assert all(frame.detections == () for frame in left)


def test_neighbours_get_their_own_boxes() -> None:
    both = [detected(box_at("S4"), kind="van"), detected(box_at("S3"))]
    _, found = shown(*both, taken={"S3": always, "S4": always, "S5": never})
    assert sorted((stay.stall, *stay.kinds) for stay in found.stays) == [(3, "car"), (4, "van")]


def test_before_and_after_a_stay_its_boxes_stay() -> None:
    box = detected(box_at("S3"), changed=STILL_SHARE)
    left, found = shown(box, taken={"S3": between(20, 40)}, seconds=60)
    (stay,) = found.stays
    for frame in left:
        assert frame.detections == (box,)
    assert all(stay.begin <= time <= stay.end for time, _ in stay.seen)


def other_camera() -> FixedCamera:
    lens = camera_from_opencv(np.array([[500.0, 0, 639.5], [0, 500, 359.5], [0, 0, 1]]), [], (1280, 720))
    return FixedCamera.of("other", lens, look((10.0, 22.0, 5.0), -1.3, -0.35), level="L")


def test_a_camera_shows_what_is_in_the_stalls_that_it_looks_at() -> None:
    """The other camera does not look at S3, and its boxes there stay."""
    theirs = detected(box_at("S3", other_camera()), changed=STILL_SHARE)
    frames = looks({"S3": always}, 20, boxes=lambda t: [detected(box_at("S3"), changed=STILL_SHARE)])
    for taken, noted in (({"S8": never}, {"cam"}), ({"S3": always}, {"cam", "other"})):
        others = looks(taken, 20, boxes=lambda t: [theirs], name="other")
        _, found = parked([*frames, *others], camera(), other_camera())
        assert {seen.camera for _, seen in found.stays[0].seen} == noted


def test_a_camera_with_the_stall_behind_it_shows_nothing() -> None:
    """It is told to look at it, wrongly, and a box of the whole picture is no car in the stall."""
    away = camera().model_copy(update={"id": "away"})
    turned = FixedCamera.of("away", away.camera(), look((20.0, 24.0, 6.0), np.pi / 2, -0.35), level="L")
    whole = detected([0.0, 0.0, 1280.0, 720.0], changed=STILL_SHARE)
    left, found = parked(looks({"S3": always}, 5, boxes=lambda t: [whole], name="away"), turned)
    assert found.stays[0].seen == []
    assert all(frame.detections == (whole,) for frame in left)


def test_clocks_that_are_known_to_be_off_are_put_right() -> None:
    late = camera().model_copy(update={"clock_offset_s": 7.0})
    frames = looks({"S3": always}, 10, boxes=lambda t: [detected(box_at("S3"))])
    _, found = parked(frames, late)
    (stay,) = found.stays
    assert stay.begin == pytest.approx(START - 7.0)
    assert stay.seen[0][0] == pytest.approx(START - 7.0)
    assert stay.seen[0][1].time == START, "an observation is found by the camera's own clock"
