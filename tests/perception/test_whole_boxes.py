"""Boxes of whole objects: rows are taken, moved and joined, and what can't be is refused."""

import numpy as np
import pytest

from geometry.errors import InputError
from perception.whole_boxes import WholeBoxes

ROW = ((1.0, 2.0, 3.0, 4.0), (1.0, 1.0, 2.0, 2.0, 0.5, 0.5))


def test_rows_are_taken_moved_and_joined() -> None:
    whole = WholeBoxes.of([ROW, None, ROW])
    assert whole is not None
    assert len(whole) == 3
    assert np.isnan(whole.boxes[1]).all()
    assert WholeBoxes.of([None]) is None
    assert WholeBoxes.of([]) is None
    last = whole.take(np.array([2])).moved(np.array([10.0, 20.0]))
    np.testing.assert_array_equal(last.boxes, [[11, 22, 13, 24]])
    joined = WholeBoxes.joined([whole, last])
    assert len(joined) == 4
    np.testing.assert_array_equal(joined.sigma[3], ROW[1])


@pytest.mark.parametrize(
    ("boxes", "sigma"),
    [
        (np.zeros((2, 4)), np.ones((1, 6))),
        (np.zeros((1, 4)), np.zeros((1, 6))),
        (np.zeros((1, 4), int), np.ones((1, 6))),
    ],
)
def test_what_can_not_be_is_refused(boxes: np.ndarray, sigma: np.ndarray) -> None:
    with pytest.raises(InputError):
        WholeBoxes(boxes=boxes, sigma=sigma)
