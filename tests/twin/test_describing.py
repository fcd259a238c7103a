"""What tracks are: views speak for themselves, boxes of one view together, and only boxes that show the track."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.solids import size_prior
from geometry.track_records import DetectionRecord, FrameRecord, TrackRow
from perception.appearance.pooling import NEW, pool_shares
from perception.shares import told_shares
from twin.describing import described, tell
from twin.events.records import evidence

NEAR, FAR = (10.0, 10.0, 170.0, 110.0), (300.0, 50.0, 330.0, 70.0)


def frame(camera: str, time: float, box: tuple[float, ...], **shares: dict[str, float]) -> FrameRecord:
    found = DetectionRecord(bbox=box, score=0.9, kind="car", meta=shares)  # type: ignore[arg-type]
    return FrameRecord(camera=camera, time=time, detections=(found,))


def row(track: int, *seen: tuple[str, float, tuple[float, ...]], kind: str = "car") -> TrackRow:
    return TrackRow.model_validate(
        {
            "time": 1.0, "track": track, "class": kind, "position": (0.0, 0.0, 0.0), "size": size_prior(kind).size,
            "observations": tuple({"camera": c, "time": t, "bbox": b} for c, t, b in seen),
        }
    )  # fmt: skip


def test_many_frames_of_one_camera_do_not_outvote_others() -> None:
    doubtful = {"car": 0.6, "van": 0.4}
    frames = [frame("cam1", t, NEAR, kinds=doubtful) for t in range(100)]
    frames += [frame(camera, 0, NEAR, kinds={"van": 0.9, "car": 0.1}) for camera in ("cam2", "cam3", "cam4")]
    shows = [(each.camera, each.time, NEAR) for each in frames]
    told = tell([row(1, *shows)], frames)
    assert next(iter(told[1]["kinds"])) == "van"


def test_a_large_box_says_more_than_a_small_one_of_the_same_camera() -> None:
    small = (*NEAR[:2], NEAR[0] + 16, NEAR[1] + 10)
    frames = [frame("cam1", 0, NEAR, colours={"red": 0.8, "blue": 0.2}), frame("cam1", 1, small, colours={"blue": 1.0})]
    told = tell([row(1, ("cam1", 0, NEAR), ("cam1", 1, small))], frames)
    assert next(iter(told[1]["colours"])) == "red"


def test_boxes_of_others_do_not_count() -> None:
    frames = [frame("cam1", 0, NEAR, kinds={"van": 1.0}), frame("cam1", 1, NEAR), frame("cam2", 0, FAR)]
    told = tell([row(1, ("cam1", 1, NEAR)), row(2, ("cam2", 0, FAR)), row(3, ("cam1", 0, NEAR))], frames)
    assert told == {3: {"kinds": {"van": 1.0}}}


def test_few_boxes_that_say_something_do_not_speak_for_many() -> None:
    frames = [frame("cam1", t, NEAR, **({"kinds": {"van": 1.0}} if t < 4 else {})) for t in range(10)]
    assert tell([row(1, *(("cam1", t, NEAR) for t in range(10)))], frames) == {}
    assert set(tell([row(1, *(("cam1", t, NEAR) for t in range(8)))], frames)) == {1}


def test_a_person_has_no_kind_and_a_vehicle_is_none() -> None:
    told = {"kinds": {"van": 1.0}}
    person = FrameRecord(
        camera="cam1",
        time=0.0,
        detections=(DetectionRecord(bbox=NEAR, score=0.9, kind="person", meta=told),),  # type: ignore[call-arg]
    )
    assert tell([row(1, ("cam1", 0.0, NEAR), kind="person")], [person]) == {}
    assert tell([row(1, ("cam1", 0.0, NEAR))], [person]) == {}, "the box of a person shows no car"
    wrong = frame("cam1", 0, NEAR, kinds={"person": 0.9, "car": 0.1}, colours={"red": 1.0})
    assert tell([row(1, ("cam1", 0, NEAR))], [wrong]) == {1: {"colours": {"red": 1.0}}}


@pytest.mark.parametrize(
    "said",
    [
        {}, None, 3, [1], "van", {"van": "high"}, {"van": [1]}, {"van": None}, {"van": float("nan")},
        {"van": float("inf")}, {"van": 10**400}, {"van": -1.0}, {"van": 50}, {"van": True}, {"van": 0.0}, {"": 1.0},
        {"x" * 101: 1.0}, {f"kind {i}": 0.01 for i in range(65)},
    ],
)  # fmt: skip
def test_what_is_no_share_says_nothing(said: object) -> None:
    """``meta`` may hold anything."""
    assert told_shares({"kinds": said}, "kinds") == {}
    found = DetectionRecord.model_construct(bbox=NEAR, score=0.9, kind="car", meta={"kinds": said})
    odd = FrameRecord.model_construct(camera="cam1", time=0.0, detections=(found,))
    assert tell([row(1, ("cam1", 0.0, NEAR))], [odd]) == {}


def test_shares_that_were_rounded_sum_to_one_again() -> None:
    assert told_shares({"kinds": {"car": 0.6, "van": 0.3}}, "kinds") == pytest.approx({"car": 2 / 3, "van": 1 / 3})


def test_rows_are_of_the_likeliest_kind_and_keep_a_size_of_their_own() -> None:
    own = row(1).model_copy(update={"size": (4.0, 1.8, 1.5)})
    told = {1: {"kinds": {"van": 0.7, "car": 0.3}, "colours": {"red": 1.0}}}
    usual, measured, other = described([row(1), own, row(2)], told)
    assert (usual.kind, usual.size) == ("van", tuple(size_prior("van").size))
    assert (measured.kind, measured.size) == ("van", (4.0, 1.8, 1.5))
    assert other == row(2)
    assert evidence(usual) == {"kinds": {"van": 0.7, "car": 0.3}, "colours": {"red": 1.0}}
    assert TrackRow.model_validate_json(usual.model_dump_json(by_alias=True)) == usual


def test_only_colours_leave_the_kind_as_it_is() -> None:
    (told,) = described([row(1, kind="estate")], {1: {"colours": {"red": 1.0}}})
    assert (told.kind, told.meta) == ("estate", {"colours": {"red": 1.0}})


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=6), st.integers(0, 9))
def test_pooled_shares_lie_among_those_of_one_camera_in_any_order(values: list[list[float]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.array(values) + 0.01
    rows /= rows.sum(axis=1, keepdims=True)
    boxes = [(0.0, 0.0, float(w), float(h)) for w, h in rng.uniform(1, 200, (len(rows), 2))]
    shares = pool_shares(rows, boxes, ["cam1"] * len(rows))
    odds, pooled = np.log(rows[:, 0] / rows[:, 1]), np.log(shares[0] / shares[1])
    assert odds.min() - 1e-9 <= pooled <= odds.max() + 1e-9
    cameras = [f"cam{i}" for i in rng.integers(3, size=len(rows))]
    order = rng.permutation(len(rows)).tolist()
    again = pool_shares(rows[order], [boxes[i] for i in order], [cameras[i] for i in order])
    np.testing.assert_allclose(again, pool_shares(rows, boxes, cameras), atol=1e-9)


def test_cameras_that_agree_are_surer_together() -> None:
    values, boxes = np.array([[0.8, 0.2]] * 6), [(0.0, 0.0, 200.0, 150.0)] * 6
    alone, together = (pool_shares(values, boxes, list(cameras)) for cameras in ("aaaaaa", "aaabbb"))
    assert alone[0] == pytest.approx(0.8)
    odds = 4.0 ** (2.0**NEW)
    assert together[0] == pytest.approx(odds / (1 + odds))
