"""Figures of detectors on pictures small enough to count by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.errors import InputError
from perception.detections import Detections
from twin.evaluate_detection import TrueBoxes, judge_detections, match


def truth(boxes: list[list[float]], kinds: list[str], ignored: list[int] = [], distance: float = 5.0) -> TrueBoxes:  # noqa: B006
    mask = np.isin(np.arange(len(kinds)), ignored)
    return TrueBoxes(
        boxes=np.array(boxes, dtype=np.float64).reshape(-1, 4),
        kinds=tuple(kinds),
        ignored=mask,
        distances=np.full(len(kinds), distance),
    )


A, B, C = [0.0, 0, 10, 10], [20.0, 0, 30, 10], [40.0, 0, 50, 10]


def test_a_perfect_detector_is_perfect() -> None:
    found = Detections.of("c", 0.0, [A, B, C], ["car", "van", "person"], [0.9, 0.8, 0.7])
    judged = judge_detections([found], [truth([A, B, C], ["car", "van", "person"])])
    assert judged["vehicle"]["AP50"] == judged["person"]["AP50"] == 1.0
    assert judged["vehicle"]["kind_accuracy"] == 1.0
    assert judged["vehicle"]["AP50_by_distance_m"]["0-8"] == {"boxes": 2, "AP50": 1.0}
    assert judged["vehicle"]["AP50_by_distance_m"]["15-25"] is None


def test_average_precision_by_hand() -> None:
    """Right, wrong, right of three objects: precisions 1 and 2/3 at recalls 1/3 and 2/3."""
    found = Detections.of("c", 0.0, [A, [60.0, 0, 70, 10], B], "car", [0.9, 0.8, 0.7])
    matched = match([found], [truth([A, B, C], ["car"] * 3)], lambda kind: True)
    assert matched.average_precision() == pytest.approx((1 + 2 / 3) / 3)
    assert matched.at(0.75) == (pytest.approx(1 / 3), pytest.approx(1 / 2))
    assert matched.missed.tolist() == [False, False, True]


def test_a_second_box_on_an_object_is_false_and_a_kind_may_be_wrong() -> None:
    found = Detections.of("c", 0.0, [A, A, B], ["car", "car", "suv"], [0.9, 0.8, 0.7])
    judged = judge_detections([found], [truth([A, B], ["car", "van"])])["vehicle"]
    assert judged["precision"] == pytest.approx(2 / 3)
    assert judged["kind_accuracy"] == 0.5
    assert judged["confused_most"] == {"van taken for suv": 1}
    assert judged["AP50_by_kind"] == {"car": 1.0, "van": 0.0}


def test_what_is_ignored_counts_neither_way() -> None:
    found = Detections.of("c", 0.0, [A, B, [41.0, 1, 45, 9]], "car", [0.9, 0.8, 0.7])
    judged = judge_detections([found], [truth([A, B, C], ["car"] * 3, ignored=[1, 2])])["vehicle"]
    assert (judged["boxes"], judged["AP50"], judged["precision"]) == (1, 1.0, 1.0)
    none = judge_detections([found.take(np.array([1]))], [truth([A, B], ["car"] * 2, ignored=[1])])["vehicle"]
    assert (none["recall"], none["precision"]) == (0.0, None)


@given(seed=st.integers(0, 500))
def test_more_right_boxes_never_lower_it_and_the_order_of_boxes_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = [[20.0 * i, 0.0, 20.0 * i + 10, 10.0] for i in range(8)]
    false = [[20.0 * i, 50.0, 20.0 * i + 10, 60.0] for i in range(4)]
    true = truth(boxes, ["car"] * 8)
    chosen = [*(boxes[i] for i in rng.permutation(8)[:5]), *false]
    scores = rng.permutation(len(chosen)) / 10 + 0.05

    def ap(order: np.ndarray) -> float:
        found = Detections.of("c", 0.0, np.array(chosen)[order], "car", scores[order])
        value = match([found], [true], lambda kind: True).average_precision()
        assert value is not None
        return value

    whole = ap(np.arange(len(chosen)))
    assert ap(rng.permutation(len(chosen))) == pytest.approx(whole)
    assert ap(np.arange(1, len(chosen))) <= whole + 1e-9
    assert 0 <= whole <= 5 / 8


def test_nothing_and_mistakes_of_the_caller() -> None:
    empty = Detections.of("c", 0.0, [], [], [])
    assert judge_detections([empty], [truth([], [])]) == {"pictures": 1}
    assert judge_detections([empty], [truth([A], ["car"])])["vehicle"]["AP50"] == 0.0
    with pytest.raises(InputError, match="1 pictures were looked at"):
        match([empty], [], lambda kind: True)
    with pytest.raises(InputError, match="have shapes"):
        TrueBoxes(boxes=np.zeros((1, 4)), kinds=(), ignored=np.zeros(1, dtype=bool), distances=np.zeros(1))
