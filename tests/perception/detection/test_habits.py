"""How a detector errs: read, refused, measured and taken over by the tracker."""

from dataclasses import asdict

import numpy as np
import pytest

from geometry.errors import InputError
from perception.detection.habits import DetectorHabits
from perception.detection.making import habits_of
from perception.tracking.instant import _prior
from perception.tracking.options import TrackerOptions

HABITS = DetectorHabits(
    box_share=0.06, foot_share=0.08, detected=0.8, score_slope=1.2, score_middle=-0.4, objects=6.0, low_score=0.1,
    high_score=0.4,
)  # fmt: skip


def test_what_a_file_says_is_read() -> None:
    assert DetectorHabits.of(asdict(HABITS)) == HABITS


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {**asdict(HABITS), "detected": 1.0},
        {**asdict(HABITS), "score_slope": -1.0},
        {**asdict(HABITS), "low_score": 0.6},
        {**asdict(HABITS), "box_share": "wide"},
        {**asdict(HABITS), "objects": float("nan")},
        {**asdict(HABITS), "more": 1.0},
        {**asdict(HABITS), "objects": 10**400},
        [1, 2],
    ],
)
def test_habits_that_can_not_be_are_refused(wrong: object) -> None:
    with pytest.raises(InputError):
        DetectorHabits.of(wrong)


def test_the_tracker_takes_them_over() -> None:
    options = TrackerOptions.of(HABITS, box_px=2.0)
    assert (options.box_share, options.high_score, options.box_px) == (0.06, 0.4, 2.0)
    assert TrackerOptions.of(None) == TrackerOptions()


def test_a_box_counts_by_how_often_its_score_is_right() -> None:
    scores = np.array([0.05, 0.4, 0.9])
    plain, measured = (_prior(scores, TrackerOptions.of(habits)) for habits in (None, HABITS))
    assert np.ptp(plain) == 0
    right = 1 / (1 + np.exp(-(measured + np.log(HABITS.objects))))
    expected = 1 / (1 + np.exp(-1.2 * (np.log(scores / (1 - scores)) + 0.4)))
    np.testing.assert_allclose(right, expected, rtol=1e-9)


def test_what_does_not_tell_has_none() -> None:
    assert habits_of("background") is None
