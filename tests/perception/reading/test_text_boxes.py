import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.reading.text_boxes import GROWTH, text_boxes


def text_map(middle: tuple[float, float], size: tuple[float, float], angle_deg: float) -> np.ndarray:
    """Return a map (240, 320) that is 0.9 inside a rectangle, first pixel's centre at (0.5, 0.5)."""
    x, y = np.meshgrid(np.arange(320) + 0.5, np.arange(240) + 0.5)
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    along = c * (x - middle[0]) + s * (y - middle[1])
    across = -s * (x - middle[0]) + c * (y - middle[1])
    inside = (np.abs(along) < size[0] / 2) & (np.abs(across) < size[1] / 2)
    return np.where(inside, 0.9, 0.0).astype(np.float32)


@given(st.floats(120, 200), st.floats(100, 140), st.floats(30, 90), st.floats(10, 25), st.floats(-90, 90))
@settings(max_examples=60, deadline=None)
def test_rectangles_are_found_in_any_orientation(x: float, y: float, long: float, short: float, angle: float) -> None:
    boxes, scores = text_boxes(text_map((x, y), (long, short), angle))
    assert boxes.shape == (1, 4, 2)
    assert scores[0] > 0.6
    np.testing.assert_allclose(boxes[0].mean(axis=0), [x, y], atol=1.2)  # the core grows by a pixel to one side
    reach = long * short * GROWTH / (2 * (long + short))
    sides = np.sort(np.linalg.norm(boxes[0] - np.roll(boxes[0], 1, axis=0), axis=1))
    np.testing.assert_allclose(sides[[0, 2]], [short + 2 * reach, long + 2 * reach], atol=4.0)


def test_lines_are_told_apart() -> None:
    both = np.maximum(text_map((80, 60), (60, 15), 0), text_map((200, 180), (60, 15), 90))
    assert len(text_boxes(both)[0]) == 2


@pytest.mark.parametrize("value", [0.0, 0.29])
def test_nothing_is_no_text(value: float) -> None:
    boxes, scores = text_boxes(np.full((64, 64), value, dtype=np.float32))
    assert boxes.shape == (0, 4, 2)
    assert scores.shape == (0,)


def test_specks_and_faint_parts_are_no_text() -> None:
    speck = np.zeros((64, 64), dtype=np.float32)
    speck[30:32, 30:32] = 1.0
    faint = cv2.GaussianBlur(text_map((160, 120), (60, 20), 0), (0, 0), 1) * 0.5
    assert len(text_boxes(speck)[0]) == 0
    assert len(text_boxes(faint)[0]) == 0


def test_text_at_the_rim_is_found() -> None:
    boxes, _ = text_boxes(text_map((0, 100), (80, 20), 0))
    assert len(boxes) == 1
    assert np.isfinite(boxes).all()
