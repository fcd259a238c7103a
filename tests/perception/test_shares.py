"""Probabilities over names, and detections that carry them to and from supervision's."""

import numpy as np
import pytest

from geometry.errors import InputError
from perception.detections import Detections
from perception.shares import Shares


def test_rows_sum_to_one_or_are_unknown() -> None:
    shares = Shares(names=("car", "van"), values=np.array([[0.25, 0.75], [np.nan, np.nan]]))
    assert shares.named(0) == {"van": 0.75, "car": 0.25}
    assert list(shares.named(0)) == ["van", "car"]
    assert shares.named(1) == {}
    assert len(shares.take(np.array([1]))) == 1
    for wrong in ([[0.5, 0.6]], [[-0.5, 1.5]], [[1.0]]):
        with pytest.raises(InputError):
            Shares(names=("car", "van"), values=np.array(wrong))


def test_detections_take_their_shares_along() -> None:
    shares = Shares(names=("car", "van"), values=np.array([[0.25, 0.75], [1.0, 0.0]]))
    plain = Detections.of("c", 0.0, [[0, 0, 1, 1], [0, 0, 2, 2]], "car")
    found = Detections(**vars(plain) | {"kind_shares": shares})
    assert found.take(np.array([1])).kind_shares.named(0) == {"car": 1.0}  # type: ignore[union-attr]
    with pytest.raises(InputError, match="expected 2 rows"):
        Detections(**vars(plain) | {"kind_shares": shares.take(np.array([0]))})


def test_there_and_back_through_supervision() -> None:
    pytest.importorskip("supervision", reason="supervision is not installed")
    found = Detections.of("c", 4.0, [[0, 0, 10, 20], [5, 5, 9, 9]], ["car", "person"], [0.5, 0.25])
    back = Detections.from_supervision("c", 4.0, found.to_supervision())
    assert back.kinds == found.kinds
    np.testing.assert_array_equal(back.boxes, found.boxes)
    np.testing.assert_array_equal(back.scores, found.scores)
    empty = Detections.of("c", 0.0, [], [], [])
    assert len(Detections.from_supervision("c", 0.0, empty.to_supervision())) == 0
