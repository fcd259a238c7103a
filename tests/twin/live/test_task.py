"""What a worker is told."""

import pytest

from perception.detection.habits import DetectorHabits
from perception.tracking.options import TrackerOptions
from twin.live import task
from twin.live.task import LiveOptions


def test_the_habits_of_the_detector_that_all_boxes_come_from_count(monkeypatch: pytest.MonkeyPatch) -> None:
    habits = DetectorHabits(
        box_share=0.07, foot_share=0.1, detected=0.7, score_slope=1.0, score_middle=0.0, objects=4.0, low_score=0.1,
        high_score=0.5,
    )  # fmt: skip
    monkeypatch.setattr(task, "habits_of", {"own": habits, "background": None}.__getitem__)
    assert LiveOptions(boxes_by="own").tracking().tracker == TrackerOptions.of(habits)
    assert LiveOptions(boxes_by="background").tracking().tracker == TrackerOptions()
    assert LiveOptions(whole_boxes=True).tracking().tracker == TrackerOptions(visible_boxes=False)
