"""Suppression of boxes that show one object, held against the plain loop."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from perception.detection.suppression import overlaps, suppress

Array = NDArray[np.float64]


def plainly(boxes: Array, scores: Array, groups: list[int], iou: float, most: int) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        clash = [j for j in kept if groups[j] == groups[i] and overlaps(boxes[[i]], boxes[[j]])[0, 0] > iou]
        if not clash and len(kept) < most:
            kept.append(i)
    return kept


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 700), iou=st.floats(0.1, 1.0), most=st.integers(1, 400))
def test_it_keeps_what_the_plain_loop_keeps(seed: int, count: int, iou: float, most: int) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0, 30, (count, 2))], axis=1)
    scores = rng.integers(0, 20, count) / 20.0
    groups = rng.integers(0, 3, count).tolist()
    assert suppress(boxes, scores, groups, iou, most).tolist() == plainly(boxes, scores, groups, iou, most)


def test_boxes_of_other_groups_do_not_matter() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]])
    assert suppress(boxes, np.array([0.5, 0.9, 0.7]), ["car", "person", "car"], 0.5).tolist() == [1, 2]


def test_boxes_without_an_area_overlap_nothing() -> None:
    assert overlaps(np.array([[1.0, 1, 1, 1]]), np.array([[1.0, 1, 1, 1], [0, 0, 2, 2]])).tolist() == [[0.0, 0.0]]
    assert overlaps(np.zeros((0, 4)), np.ones((3, 4))).shape == (0, 3)
