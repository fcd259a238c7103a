"""Layouts of exports: what is written as each of them is read again, and none is mistaken for another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from perception.detection.heads import HEADS, layouts
from perception.detection.heads.candidates import cell_corners, cell_count
from perception.detection.heads.nanodet import BINS, PLUS_STRIDES
from tests.perception.detection.exports import SIZE, cell_of, yolox_rows

Array = NDArray[np.float64]
CLASSES = 80
CELLS = cell_count(SIZE)


def centred(box: Array) -> Array:
    return np.concatenate([(box[:2] + box[2:]) / 2, box[2:] - box[:2]])


def logit(score: float) -> float:
    return float(np.log(score / (1 - score)))


@st.composite
def objects(draw: st.DrawFn) -> tuple[Array, int, float]:
    """Draw a box inside the input that no head has trouble with, a class and a score."""
    x, y = draw(st.floats(20, 130)), draw(st.floats(20, 100))
    w, h = draw(st.floats(4, 30)), draw(st.floats(4, 30))
    return np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]), draw(st.integers(0, 79)), draw(st.floats(0.4, 0.99))


def encoded(layout: str, box: Array, number: int, score: float) -> list[NDArray[np.generic]]:
    """Return the outputs that a network of a layout would give for one object."""
    shares = centred(box) / np.array([SIZE[1], SIZE[0], SIZE[1], SIZE[0]])
    if layout == "yolox":
        return [yolox_rows(box[None], [number], [score])[None]]
    if layout == "yolov5":
        rows = np.zeros((3 * CELLS, 5 + CLASSES))
        rows[7, :4], rows[7, 4], rows[7, 5 + number] = centred(box), 1.0, score
        return [rows[None]]
    if layout == "yolov8":
        rows = np.zeros((CELLS, 4 + CLASSES))
        rows[7, :4], rows[7, 4 + number] = centred(box), score
        return [rows.T[None]]
    if layout == "end-to-end":
        rows = np.zeros((100, 6))
        rows[0] = [*box, score, number]
        return [rows[None]]
    if layout == "rt-detr":
        rows = np.zeros((100, 4 + CLASSES))
        rows[3, :4], rows[3, 4 + number] = shares, score
        return [rows[None]]
    if layout == "rt-detr-logits":
        logits, boxes = np.full((100, CLASSES), -9.0), np.zeros((100, 4))
        logits[3, number], boxes[3] = logit(score), shares
        return [logits[None], boxes[None]]
    if layout == "rt-detr-sorted":
        numbers, scores, boxes = np.zeros(100, dtype=np.int64), np.zeros(100), np.zeros((100, 4))
        numbers[0], scores[0], boxes[0] = number, score, box
        return [numbers[None], boxes[None], scores[None]]
    assert layout == "nanodet"
    rows = np.zeros((cell_count(SIZE, PLUS_STRIDES), CLASSES + 4 * BINS))
    corners, steps = cell_corners(SIZE, PLUS_STRIDES)
    cell = cell_of(box)
    at = corners[cell] * steps[cell]
    reach = np.concatenate([at - box[:2], box[2:] - at]) / steps[cell]
    low = np.clip(np.floor(reach), 0, BINS - 2).astype(int)
    bins = np.full((4, BINS), -50.0)
    bins[np.arange(4), low] = np.log(np.maximum(low + 1 - reach, 1e-12))
    bins[np.arange(4), low + 1] = np.log(np.maximum(reach - low, 1e-12))
    rows[cell, CLASSES:], rows[cell, number] = bins.ravel(), score
    return [rows[None]]


@pytest.mark.parametrize("layout", [name for name in HEADS if name != "tiepoint"])
@settings(max_examples=25, deadline=None)
@given(thing=objects())
def test_what_a_network_says_is_read(layout: str, thing: tuple[Array, int, float]) -> None:
    box, number, score = thing
    if layout == "nanodet":  # a distribution over 8 bins of 8 px reaches no farther, and not to the other side
        middle = (box[:2] + box[2:]) / 2
        box = np.concatenate([middle - 10, middle + 10])
    outputs = encoded(layout, box, number, score)
    found = HEADS[layout].decode(outputs, SIZE, CLASSES)
    best = np.unravel_index(found.scores.argmax(), found.scores.shape)
    assert best[1] == number
    assert found.scores[best] == pytest.approx(score, abs=1e-6)
    np.testing.assert_allclose(found.boxes[best[0]], box, atol=1e-3)


@pytest.mark.parametrize("layout", [name for name in HEADS if name != "tiepoint"])
def test_a_layout_is_told_by_its_shapes_and_the_number_of_classes(layout: str) -> None:
    shapes = [output.shape for output in encoded(layout, np.array([40.0, 40, 60, 60]), 2, 0.9)]
    assert layouts(shapes, SIZE, CLASSES) == [layout]


@pytest.mark.parametrize(
    "shapes", [[(1, 1000)], [(1, CELLS + 1, 85, 1)], [(1, 7, 5), (1, 8, 4)], [], [(1, 5000, 85)], [(1, 3)] * 3]
)
def test_other_shapes_are_of_no_layout(shapes: list[tuple[int, ...]]) -> None:
    assert layouts(shapes, SIZE, CLASSES) == []


def test_yolox_decoded_in_the_network_is_told_from_raw() -> None:
    box = np.array([40.0, 40, 70, 60])
    raw = yolox_rows(box[None], [2], [0.8])
    corners, steps = cell_corners(SIZE)
    decoded = raw.copy()
    decoded[:, :2] = (raw[:, :2] + corners) * steps[:, None]
    decoded[:, 2:4] = np.exp(raw[:, 2:4]) * steps[:, None]
    head = HEADS["yolox"]
    first, second = (head.decode([rows[None]], SIZE, 80) for rows in (raw, decoded))
    np.testing.assert_allclose(first.boxes, second.boxes, atol=1e-9)


def test_nanodet_without_the_coarsest_grid_counts_from_the_middle_of_cells() -> None:
    rows = np.zeros((CELLS, CLASSES + 4 * BINS))
    rows[0, CLASSES:] = np.tile(np.where(np.arange(BINS) == 1, 60.0, 0.0), 4)
    found = HEADS["nanodet"].decode([rows[None]], SIZE, CLASSES)
    np.testing.assert_allclose(found.boxes[0], [4 - 8, 4 - 8, 4 + 8, 4 + 8], atol=1e-6)


def test_our_own_layout_holds_families_and_kinds() -> None:
    rows = np.zeros((CELLS, 4 + 2 + 7 + 2))
    corners, steps = cell_corners(SIZE)
    box, cell = np.array([30.0, 30, 70, 60]), cell_of(np.array([30.0, 30, 70, 60]))
    at = (corners[cell] + 0.5) * steps[cell]
    rows[:, 4:6] = -9.0
    rows[cell, :4] = np.log(np.concatenate([at - box[:2], box[2:] - at]) / steps[cell])
    rows[cell, 4:] = [logit(0.9), -9, 0, 0, 9, 0, 0, 0, 0, 0.5, 0.25]
    found = HEADS["tiepoint"].decode([rows[None]], SIZE, 7)
    assert found.kinds is not None
    np.testing.assert_allclose(found.boxes[cell], box, atol=1e-9)
    assert found.scores[cell, 0] == pytest.approx(0.9)
    assert found.kinds[cell].argmax() == 2
    assert found.feet is not None
    np.testing.assert_allclose(found.feet[cell], at + steps[cell] * np.array([0.5, 0.25]))
    assert layouts([rows[None].shape], SIZE, 7) == [], "only a file that says so is read as our own"
