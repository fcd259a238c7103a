"""Numbers beside crops: what is known is told, and what is not is said not to be."""

import numpy as np

from perception.detection.floor_below import MEASURES, FloorBelow
from perception.detection.vehicle_look import SHAPE
from perception.detection.vehicle_numbers import (
    BOX_MIDDLE,
    BOX_SPREAD,
    BY_BOX,
    FLAG,
    FLOOR_MIDDLE,
    FLOOR_SPREAD,
    Known,
    count_numbers,
    numbers_of,
)
from perception.detection.windows import windows_of
from perception.detections import Detections
from perception.shares import Shares
from perception.whole_boxes import WholeBoxes
from tests.perception.sites import camera_over

KINDS = ("car", "van", "pickup")
FOUND = Detections.of("", 0.0, np.array([[200.0, 200, 264, 232], [300, 220, 428, 284]]), "car")
WINDOWS = windows_of(FOUND.boxes, SHAPE)
SIZE = 640, 480
FLOOR = FloorBelow(camera_over(*SIZE), 0.0)


def told(found: Detections = FOUND, floor: FloorBelow | None = None) -> np.ndarray:
    return numbers_of(found.boxes, WINDOWS.scale, Known.of(found, SIZE, KINDS, floor)).astype(np.float64)


def test_boxes_tell_scale_and_shape() -> None:
    numbers = told()
    assert numbers.shape == (2, count_numbers(len(KINDS)))
    by_box = numbers[:, :BY_BOX] * BOX_SPREAD + BOX_MIDDLE
    scale = SHAPE.width / (SHAPE.context * np.array([64, 128]))
    np.testing.assert_allclose(by_box[:, 0], np.log(scale), rtol=1e-5)
    np.testing.assert_allclose(by_box[:, 1:4], [[np.log(2), 0, 0]] * 2, atol=1e-6)
    assert not numbers[:, 4:].any(), "how sure sides are, metres and shares are unknown"


def test_whole_boxes_are_what_is_measured() -> None:
    whole = np.array([[200.0, 200, 264, 244], [np.nan] * 4])
    sigma = np.array([[1.0, 2, 3, 8, 1, 1], [np.nan] * 6])
    hidden = Detections(**{**vars(FOUND), "whole": WholeBoxes(boxes=whole, sigma=sigma)})
    numbers, plain = told(hidden, FLOOR), told(FOUND, FLOOR)
    by_box = numbers[0, :BY_BOX] * BOX_SPREAD + BOX_MIDDLE
    np.testing.assert_allclose(by_box[2:], [0, np.log(44 / 32), np.log(3 / 64), np.log(8 / 44)], atol=1e-5)
    np.testing.assert_array_equal(numbers[1], plain[1], "of which the whole is not told")
    measured = FLOOR.measured(np.array([whole[0], FOUND.boxes[1]]), SIZE)
    metres = numbers[:, BY_BOX + FLAG : BY_BOX + FLAG + MEASURES] * FLOOR_SPREAD + FLOOR_MIDDLE
    np.testing.assert_allclose(metres[:, 1:3], np.log(measured[:, 1:3]), rtol=1e-4)
    np.testing.assert_allclose(metres[:, 0], np.log(measured[:, 0] / WINDOWS.scale), rtol=1e-4)
    assert numbers[:, BY_BOX].tolist() == [1, 1]


def test_shares_of_the_same_kinds_are_told() -> None:
    values = np.array([[1.0, 0, 0], [np.nan] * 3])
    numbers = told(Detections(**{**vars(FOUND), "kind_shares": Shares(names=KINDS, values=values)}))
    known = numbers[:, BY_BOX + FLAG + MEASURES]
    assert known.tolist() == [1, 0]
    assert numbers[0, -3] > 1 > -1 > numbers[0, -2]
    other = Shares(names=("van", "car", "pickup"), values=values)
    np.testing.assert_array_equal(told(Detections(**{**vars(FOUND), "kind_shares": other})), told())


def test_numbers_stay_finite_whatever_boxes_are() -> None:
    boxes = np.array([[0.0, 0, 0, 0], [0, 0, 1e6, 1e-3], [5, 5, 4, 4]])
    measured = np.array([[np.inf] * MEASURES, [0.0] * MEASURES, [np.nan] * MEASURES])
    known = Known(boxes, np.full((3, 4), 1e9), measured, np.full((3, 3), np.nan))
    found = numbers_of(boxes, np.array([1e-9, 1.0, 1e9]), known)
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 4.0
