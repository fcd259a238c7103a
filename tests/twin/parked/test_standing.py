"""What stands is found by boxes that keep their place, and by nothing that goes through one."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.track_records import FrameRecord
from perception.tracking.instant import STILL_SHARE
from tests.twin.parked.sequences import detected
from twin.parked.standing import LEAST_BOXES, LOST_S, standing_of

BOX = [100.0, 100.0, 160.0, 140.0]


def frames(
    boxes: Sequence[list[float] | None], *, changed: Sequence[float] | None = None
) -> list[tuple[float, FrameRecord]]:
    """Return a frame every 0.2 s, each with one box or none."""
    shares = changed or [0.0] * len(boxes)
    shown = [() if box is None else (detected(box, changed=share),) for box, share in zip(boxes, shares, strict=True)]
    return [(0.2 * k, FrameRecord(camera="cam", time=0.2 * k, detections=own)) for k, own in enumerate(shown)]


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31), spread=st.floats(0.0, 1.0))
def test_a_box_that_jitters_in_its_place_is_one_thing(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    boxes = [(np.array(BOX) + rng.normal(0, spread, 4)).tolist() for _ in range(60)]
    found = standing_of(frames(boxes))
    assert len(found.boxes) == 1
    assert np.abs(found.boxes[0] - BOX).max() <= max(2 * spread, 1e-9)
    assert (found.begin[0], found.end[0]) == (0.0, pytest.approx(0.2 * 59))
    assert found.of(6.0, np.array(boxes)).tolist() == [0] * 60


def test_a_box_belongs_to_what_rests_there_before_and_after_though_something_passes() -> None:
    changed = [0.5 if 20 <= k < 30 else 0.0 for k in range(60)]
    found = standing_of(frames([BOX] * 60, changed=changed))
    assert found.of(5.0, np.array([BOX, [300.0, 100, 360, 140]])).tolist() == [0, -1]
    for never in (-1.0, 13.0):
        assert found.of(never, np.array([BOX])).tolist() == [-1], "it was not there yet, or no more"


def test_what_goes_through_or_shows_seldom_stands_nowhere() -> None:
    moving = [[100.0 + 9 * k, 100, 160 + 9 * k, 140] for k in range(60)]
    assert len(standing_of(frames(moving)).boxes) == 0
    assert len(standing_of(frames([BOX] * (LEAST_BOXES - 1) + [None] * 10)).boxes) == 0
    assert len(standing_of(frames([BOX] * LEAST_BOXES)).boxes) == 1
    assert len(standing_of(frames([BOX] * 60, changed=[STILL_SHARE] * 60)).boxes) == 0
    assert len(standing_of([]).boxes) == 0


@pytest.mark.parametrize(("gap", "things"), [(LOST_S - 1, 1), (LOST_S + 1, 2)])
def test_after_a_long_time_another_stands_there(gap: float, things: int) -> None:
    found = standing_of(frames([BOX] * 20 + [None] * int(gap / 0.2) + [BOX] * 20))
    assert len(found.boxes) == things
