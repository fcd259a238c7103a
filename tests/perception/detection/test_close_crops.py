"""Ends of boxes in the units of answers, and what a network is told beside its crops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perception.detection.close_crops import CLOSE, ENDS, NUMBERS, bases_of, numbers_of, to_crop, to_picture
from perception.detection.windows import windows_of

sides = st.tuples(
    st.floats(10, 60), st.floats(10, 45), st.floats(6, 65), st.floats(6, 50)
).map(lambda each: np.array([[each[0], each[1], each[0] + each[2], each[1] + each[3]]]))  # fmt: skip


def test_of_no_boxes_nothing_is_told() -> None:
    nothing = windows_of(np.zeros((0, 4)), CLOSE)
    told = numbers_of(np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=np.bool_), nothing)
    assert told.shape == (0, NUMBERS)


@given(boxes=sides, seed=st.integers(0, 99))
def test_ends_come_back(boxes: np.ndarray, seed: int) -> None:
    windows = windows_of(boxes, CLOSE)
    ends = np.random.default_rng(seed).uniform(-100, 700, (1, ENDS))
    np.testing.assert_allclose(to_picture(to_crop(ends, windows), windows), ends, atol=1e-9)
    below = [(boxes[0, 0] + boxes[0, 2]) / 2, boxes[0, 3]]
    np.testing.assert_allclose(to_picture(bases_of(boxes, windows), windows)[0], [*boxes[0], *boxes[0], *below])
