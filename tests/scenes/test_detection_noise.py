from collections import Counter

import numpy as np
import pytest

from geometry.errors import InputError
from scenes.captures.boxes import Box, FrameBoxes
from scenes.detection_noise import PERFECT, DetectionNoise, clearness, iou, noisy_detections, true_detections


def box(thing, camera, time, left, fraction=1.0, height=60.0):
    bbox = (left, 100.0, left + 80.0, 100.0 + height)
    return Box(
        camera=camera, time=time, object=thing, kind="car", bbox=bbox, bbox_visible=bbox if fraction else None,
        visible_fraction=fraction, contact=(left + 40.0, 90.0 + height), position=(0.0, 0.0, 0.0), heading=0.0,
        size=(4.0, 1.8, 1.5),
    )  # fmt: skip


def recording(count=400):
    """Two cameras, three cars: one clear, one half hidden, one hidden entirely; every tenth frame is empty."""
    return [frame(camera, 0.2 * i, empty=i % 10 == 9) for camera in ("cam1", "cam2") for i in range(count)]


def frame(camera, time, empty=False):
    boxes = (box("a", camera, time, 100.0), box("b", camera, time, 400.0, 0.5), box("c", camera, time, 0.0, 0.0))
    utc = time - 0.05 * (camera == "cam2")
    return FrameBoxes(camera=camera, time=time, utc=utc, image_size=(640, 480), boxes=() if empty else boxes)


def only(**fields):
    """Perfect but for these."""
    return DetectionNoise(**{**vars(PERFECT), **fields})


def found(lines):
    return Counter(name for line in lines for d in line["detections"] for name in d["meta"]["objects"])


def test_a_perfect_detector_reports_what_is_visible_and_keeps_empty_frames():
    frames = recording(20)
    lines = true_detections(frames)
    assert len(lines) == 40
    assert sum(not line["detections"] for line in lines) == 4
    assert found(lines) == {"a": 36, "b": 36}
    first = lines[0]["detections"][0]
    assert first == {
        "bbox": [100.0, 100.0, 180.0, 160.0], "score": 1.0, "class": "car", "meta": {"objects": ["a"]},
        "foot": [140.0, 150.0],
    }  # fmt: skip
    assert set(lines[0]) == {"camera", "time", "detections"}


def test_lines_of_a_perfect_detector_come_in_the_order_of_exposure():
    lines = true_detections(recording(20))
    assert [line["camera"] for line in lines[:4]] == ["cam2", "cam1", "cam2", "cam1"]


def test_noise_is_the_same_for_the_same_seed_and_leaves_the_truth_alone():
    frames = recording(30)
    runs = [noisy_detections(frames, DetectionNoise(), np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_misses_follow_the_visible_fraction():
    lines = noisy_detections(recording(), only(miss_rate=0.1, visible=(0.2, 0.8)), np.random.default_rng(0))
    count = found(lines)
    assert 0.87 < count["a"] / 720 < 0.93  # expected 0.9, measured 0.906
    assert 0.39 < count["b"] / 720 < 0.51  # expected 0.9 * 0.5, measured 0.449
    assert "c" not in count


def test_small_objects_are_missed():
    options = only(height_px=(20.0, 100.0))
    assert clearness(box("a", "cam1", 0.0, 0.0, height=20.0), options) == 0
    assert clearness(box("a", "cam1", 0.0, 0.0, height=60.0), options) == pytest.approx(0.5)
    assert clearness(box("a", "cam1", 0.0, 0.0, height=200.0), options) == 1


def test_jitter_has_the_given_size_and_no_bias():
    lines = noisy_detections(recording(), only(jitter=0.05), np.random.default_rng(0))
    boxes = np.array([d["bbox"] for line in lines for d in line["detections"] if d["meta"]["objects"] == ["a"]])
    error = boxes - [100.0, 100.0, 180.0, 160.0]
    np.testing.assert_allclose(error.std(axis=0), [4.0, 3.0, 4.0, 3.0], rtol=0.1)
    assert np.abs(error.mean(axis=0)).max() < 0.5  # standard error 0.15


def test_false_boxes_come_at_their_rate_inside_the_picture_with_low_scores():
    lines = noisy_detections(recording(), only(false_rate=0.5), np.random.default_rng(0))
    false = [d for line in lines for d in line["detections"] if not d["meta"]["objects"]]
    assert 0.42 < len(false) / len(lines) < 0.58
    boxes = np.array([d["bbox"] for d in false])
    assert boxes.min() >= 0
    assert (boxes[:, 2:] <= [640, 480]).all()
    assert 0.28 < np.mean([d["score"] for d in false]) < 0.38


def test_boxes_that_overlap_are_merged_into_their_union():
    boxes = (box("a", "cam1", 0.0, 100.0), box("b", "cam1", 0.0, 110.0), box("c", "cam1", 0.0, 400.0))
    frame = FrameBoxes(camera="cam1", time=0.0, utc=0.0, image_size=(640, 480), boxes=boxes)
    (line,) = noisy_detections([frame], only(merge_rate=1.0, merge_iou=0.5), np.random.default_rng(0))
    joined, alone = line["detections"]
    assert joined["meta"]["objects"] == ["a", "b"]
    assert joined["bbox"] == [100.0, 100.0, 190.0, 160.0]
    assert alone["meta"]["objects"] == ["c"]


def test_clear_objects_score_higher():
    lines = noisy_detections(recording(), only(score_sigma=0.05, visible=(0.0, 1.0)), np.random.default_rng(0))
    scores: dict[str, list[float]] = {"a": [], "b": []}
    for detection in (d for line in lines for d in line["detections"]):
        scores[detection["meta"]["objects"][0]].append(detection["score"])
    assert np.mean(scores["a"]) > np.mean(scores["b"]) + 0.2  # expected difference 0.25


def test_late_frames_arrive_out_of_order_and_say_when():
    lines = noisy_detections(recording(), only(latency_s=0.3), np.random.default_rng(0))
    arrivals = [line["meta"]["arrival"] for line in lines]
    assert arrivals == sorted(arrivals)
    own = [line["time"] for line in lines if line["camera"] == "cam1"]
    assert own != sorted(own)
    delays = np.array([line["meta"]["arrival"] - line["time"] + 0.05 * (line["camera"] == "cam2") for line in lines])
    assert delays.min() >= 0.06 - 1e-9
    assert 0.27 < delays.mean() < 0.33


def test_nothing_stays_nothing():
    assert noisy_detections([], DetectionNoise(), np.random.default_rng(0)) == []


def test_overlap_of_boxes():
    assert iou((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert iou((0, 0, 1, 1), (1, 1, 2, 2)) == 0
    assert iou((0, 0, 0, 0), (0, 0, 0, 0)) == 0


@pytest.mark.parametrize(
    "values",
    [{"miss_rate": 1.1}, {"jitter": -1.0}, {"visible": (0.6, 0.2)}, {"latency_s": np.inf}, {"merge_iou": np.nan}],
)
def test_impossible_noise_is_refused(values):
    with pytest.raises(InputError, match="out of range"):
        DetectionNoise(**values)
