"""Whole recordings with looks at stalls through ``track``: who drives in, who is parked, and who just stands about."""

from collections.abc import Callable

import numpy as np

from geometry.track_records import DetectionRecord, FrameRecord
from tests.twin.events.places import START, camera
from tests.twin.parked.sequences import MIDDLE, PLAN, Taken, always, between, box_at, detected, looks, never
from twin.events import events_of
from twin.tracking import TrackingOptions, Tracks, track

EMPTY: Taken = dict.fromkeys(MIDDLE, never)
COMES_S, STOOD_S, MPS = 6.0, 12.0, 1.5


def comes(t: float) -> list[DetectionRecord]:
    """One drives into S3 from the north, and stands from ``STOOD_S`` on; another is parked in S6 all the time."""
    rng = np.random.default_rng(round(t * 10))
    found = [(box_at("S6"), 0.0)]
    if t >= COMES_S:
        away = max(0.0, (STOOD_S - t) * MPS)
        found.append((box_at("S3", away=(0.0, away)), 0.6 if away else 0.0))
    return [detected((np.array(box) + 0.5 * rng.normal(size=4)).tolist(), changed=share) for box, share in found]


def tracked(frames: list[FrameRecord]) -> Tracks:
    return track(frames, [camera()], plan=PLAN, options=TrackingOptions(clock_sigma_s=0.0))


def recording(boxes: Callable[[float], list[DetectionRecord]] = comes) -> list[FrameRecord]:
    taken = {**EMPTY, "S3": between(STOOD_S - 1.0, 99), "S6": always}
    return looks(taken, 30, noise=1.0, boxes=boxes, seed=5)


def test_one_drives_in_and_one_is_parked() -> None:
    found = tracked(recording())
    at_end = {row.stall: row.track for row in found.rows if row.time == START + 30}
    assert set(at_end) == {"S3", "S6"}
    assert {row.track for row in found.rows} == set(at_end.values()) == {1, 2}
    own = [row for row in found.rows if row.track == at_end["S3"]]
    assert own[0].time - START < COMES_S + 2.0  # measured 6.0 s
    assert own[0].position[1] > MIDDLE["S3"][1] + 5.0
    assert np.diff([row.time for row in own]).max() < 0.5
    assert sum(not row.observations for row in own) <= 6  # measured 3: before looks tell that it stands


def test_looks_come_along_for_occupancy() -> None:
    found = tracked(recording())
    assert len(found.looks) == 31
    told = events_of(found.rows, PLAN, [camera()], looks=found.looks)
    changes = [(event.kind, event.where.stall) for event in told.events if "stall" in event.kind]
    assert changes == [("stall_taken", "S3")]
    last = {line.stall: line.p_occupied > 0.5 for line in told.occupancy}
    assert last == {stall: stall in ("S3", "S6") for stall in MIDDLE}


def test_one_that_stands_in_the_lane_from_the_first_is_no_track() -> None:
    """By design, as of now: where stalls are looked at, what never moves and is in no stall is taken for nothing."""
    stands = detected(box_at("S4", away=(0.0, 6.0)))
    assert {row.stall for row in tracked(recording(lambda t: [stands])).rows} == {"S3", "S6"}
    plain = [frame.model_copy(update={"stalls": None}) for frame in recording(lambda t: [stands])]
    assert len({row.track for row in tracked(plain).rows}) == 1


def test_without_looks_nothing_is_taken_for_parked() -> None:
    plain = [frame.model_copy(update={"stalls": None}) for frame in recording()]
    found = tracked(plain)
    assert found.looks == ()
    assert {row.stall for row in found.rows if row.time == START + 29} == {"S3", "S6"}


def test_boxes_without_what_changes_are_tracked_too() -> None:
    """Detections of somebody else's detector, beside looks at stalls."""

    def blind(t: float) -> list[DetectionRecord]:
        return [box.model_copy(update={"changed": None}) for box in comes(t)]

    rows = tracked(recording(blind)).rows
    assert min(row.time - START for row in rows if row.stall != "S6") < STOOD_S - 2.0


def test_frames_that_come_twice_count_once() -> None:
    once, twice = tracked(recording()), tracked([*recording(), *recording()])
    assert twice.dropped["repeated frames"] == len(recording())
    assert twice.rows == once.rows


def test_one_far_off_frame_and_cameras_that_stop_looking_make_no_stay_of_years() -> None:
    frames = recording()
    far = frames[0].model_copy(update={"time": START + 1e7, "detections": (), "stalls": {}})
    found = tracked([*frames, far])
    assert len(found.rows) == len(tracked(frames).rows)


def test_looks_at_stalls_that_the_plan_does_not_have_change_nothing() -> None:
    plain = [frame.model_copy(update={"stalls": None}) for frame in recording()]
    other = [
        frame.model_copy(update={"stalls": {f"X{stall}": p for stall, p in (frame.stalls or {}).items()}})
        for frame in recording()
    ]
    assert tracked(other).rows == tracked(plain).rows
    without_a_plan = track(recording(), [camera()], options=TrackingOptions(clock_sigma_s=0.0)).rows
    assert {row.track for row in without_a_plan} == {row.track for row in tracked(plain).rows}


def test_what_a_camera_sees_that_looks_at_no_stall_is_tracked_by_its_boxes() -> None:
    stands = detected(box_at("S4", away=(0.0, 6.0)))
    other = camera().model_copy(update={"id": "other"})
    seen = [
        frame.model_copy(update={"camera": "other", "stalls": None, "time": frame.time + 0.05})
        for frame in recording(lambda t: [stands])
    ]
    options = TrackingOptions(clock_sigma_s=0.0)
    rows = track([*recording(lambda t: []), *seen], [camera(), other], plan=PLAN, options=options).rows
    assert {row.stall for row in rows} == {"S3", "S6", None}
