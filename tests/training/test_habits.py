"""Habits of a detector whose errors are drawn here."""

from dataclasses import replace

import numpy as np
import pytest

from geometry.errors import InputError
from perception.detections import Detections
from perception.whole_boxes import WholeBoxes
from training.habits import habits_of, sigmas
from training.labelled import Labelled


@pytest.mark.parametrize(("box_share", "foot_share"), [(0.01, 0.02), (0.08, 0.15)])
def test_what_was_drawn_is_measured(box_share: float, foot_share: float) -> None:
    rng = np.random.default_rng(0)
    found, pictures = [], []
    for number in range(120):
        corner = np.array([[40.0, 40], [240, 60], [420, 220], [90, 300]])
        size = rng.uniform(60, 120, (4, 2))
        boxes = np.concatenate([corner, corner + size], axis=1)
        feet = corner + size * [0.5, 0.9]
        labels = [
            {"bbox": box.tolist(), "kind": "car", "visible": 1.0, "contact": foot.tolist()}
            for box, foot in zip(boxes, feet, strict=True)
        ]
        pictures.append(Labelled(str(number), np.zeros((480, 640, 3), np.uint8), labels))
        seen = rng.random(4) < 0.9
        off = boxes + rng.normal(size=(4, 4)) * box_share * np.tile(size, 2)
        stood = feet + rng.normal(size=(4, 2)) * foot_share * size
        false = np.array([[520.0, 20, 600, 90]]) + rng.normal(size=(1, 4))
        # Right ones have scores with density 2 s, false ones 2 (1 - s): the odds are 3.6 s / (1 - s).
        scores = np.concatenate([np.sqrt(rng.random(int(seen.sum()))), 1 - np.sqrt(rng.random(1))])
        found.append(
            Detections.of(
                "a", float(number), np.concatenate([off[seen], false]), "car", np.clip(scores, 0.02, 0.98),
                np.concatenate([stood[seen], false[:, 2:]]),
            )
        )  # fmt: skip
    habits = habits_of(found, pictures)
    assert habits.box_share == pytest.approx(box_share, rel=0.15)  # measured 1 and 6 % off
    assert habits.foot_share == pytest.approx(foot_share, rel=0.15)  # measured 4 and 4 % off
    assert habits.objects == pytest.approx(4.0)
    assert habits.score_slope == pytest.approx(1.0, abs=0.25)
    assert habits.score_middle == pytest.approx(-np.log(3.6), abs=0.4)
    assert habits.detected == pytest.approx(0.9, abs=0.05)
    assert habits.low_score < habits.high_score < 0.35


def test_without_contacts_or_objects_there_is_still_an_answer() -> None:
    empty = [Labelled(str(k), np.zeros((48, 64, 3), np.uint8), []) for k in range(3)]
    false = [Detections.of("a", float(k), [[1.0, 1, 30, 30]], "car", 0.3) for k in range(3)]
    assert 0 < habits_of(false, empty).low_score < 1


@pytest.mark.parametrize("off", [0.5, 2.0])
def test_standard_deviations_that_are_told_are_put_right(off: float) -> None:
    """Errors are ``off`` times what is told of sides, twice that of feet; sides at the border are never off."""
    rng = np.random.default_rng(4)
    pictures, found = [], []
    for _ in range(150):
        boxes = np.array([[0.0, 40, 60, 90], [100, 40, 180, 90]])
        feet = np.array([[30.0, 85], [140, 85]])
        labels = [
            {"kind": "car", "bbox": box, "whole": box, "contact": foot, "visible": 1.0}
            for box, foot in zip(boxes.tolist(), feet.tolist(), strict=True)
        ]
        pictures.append(Labelled("", np.zeros((120, 200, 3), dtype=np.uint8), labels))
        sigma = rng.uniform(0.5, 3.0, (2, 6))
        error = sigma * off * rng.standard_normal((2, 6)) * [1, 1, 1, 1, 2, 2]
        error[0, 0] = 0.0
        whole = WholeBoxes(boxes=boxes + error[:, :4], sigma=sigma)
        found.append(replace(Detections.of("", 0.0, boxes, "car", 0.9, feet + error[:, 4:]), whole=whole))
    told = sigmas(found, pictures)
    assert told["sigma_sides"] == pytest.approx(off, rel=0.1)  # measured 3 and 3 % off
    assert told["sigma_feet"] == pytest.approx(2 * off, rel=0.1)  # measured 2 and 2 % off
    with pytest.raises(InputError, match="nothing"):
        sigmas([replace(each, whole=None) for each in found], pictures)
