import sys

import cv2
import numpy as np
import pytest

from geometry.errors import ImageError, InputError, MissingExtraError
from perception.reading import TextReader, text_log_likelihood
from perception.reading.text_reader import _as_read
from tests.perception.reading.pictures import board_picture, box, on_wall, skip_without_reader


@pytest.fixture(scope="module")
def reader() -> TextReader:
    skip_without_reader()
    return TextReader()


PLACE = box(220, 200, 400, 260)


def picture_of(text: str, corners: np.ndarray = PLACE, letters: int = 70) -> np.ndarray:
    return on_wall(board_picture(text, letters=letters), corners)


@pytest.mark.parametrize("text", ["P2", "EXIT", "B12", "STAIRS P1"])
def test_a_sign_is_read_where_it_is(reader: TextReader, text: str) -> None:
    (reading,) = reader.read(picture_of(text, letters=50), up=(0.0, -1.0))
    assert reading.folded == text.replace(" ", "")
    assert reading.confidence > 0.5  # measured 0.94 to 0.9999
    np.testing.assert_allclose(reading.quad.mean(axis=0), PLACE.mean(axis=0), atol=3.0)  # measured 1.3 px at most
    assert reading.quad[0, 0] < reading.quad[1, 0]
    assert reading.quad[0, 1] < reading.quad[3, 1]


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_phone_may_be_held_any_way_round(reader: TextReader, quarters: int) -> None:
    turned = np.ascontiguousarray(np.rot90(picture_of("EXIT"), quarters))
    (reading,) = reader.read(turned)
    assert reading.folded == "EXIT"
    ups = [(0, -1), (-1, 0), (0, 1), (1, 0)]
    (told,) = reader.read(turned, up=ups[quarters])
    np.testing.assert_allclose(told.quad, reading.quad)
    upward = reading.quad[0] - reading.quad[3]
    assert upward @ np.array(ups[quarters]) > 0.9 * np.linalg.norm(upward)


def test_the_right_text_is_likelier_than_its_like(reader: TextReader) -> None:
    (reading,) = reader.read(picture_of("P2"), up=(0.0, -1.0))
    right, three, other = text_log_likelihood(reading, ["p 2", "P3", "EXIT"])
    assert right - three > 3.0  # measured 13.9
    assert three > other


def test_small_signs_are_enlarged(reader: TextReader) -> None:
    (reading,) = reader.read(picture_of("P2", box(300, 220, 348, 236)), up=(0.0, -1.0))
    assert reading.folded == "P2"
    assert reading.height_px < 16


def test_a_reading_does_not_depend_on_what_else_is_in_the_photo(reader: TextReader) -> None:
    alone = picture_of("P2")
    both = alone.copy()
    both[340:460] = picture_of("STAIRS EXIT", box(60, 370, 420, 430), 45)[340:460]
    first = next(r for r in reader.read(both, up=(0.0, -1.0)) if r.folded == "P2")
    (second,) = reader.read(alone, up=(0.0, -1.0))
    shift = (
        np.abs(np.exp(first.log_frames) - np.exp(second.log_frames)).max()
        if np.allclose(first.quad, second.quad)
        else 0
    )
    assert shift < 1e-4


def test_a_bare_wall_says_nothing(reader: TextReader) -> None:
    assert reader.read(np.full((480, 640, 3), 118, np.uint8)) == []
    noise = np.random.default_rng(0).normal(118, 10, (480, 640, 3)).clip(0, 255).astype(np.uint8)
    assert reader.read(cv2.GaussianBlur(noise, (0, 0), 2)) == []


def test_bad_pictures_are_refused(reader: TextReader) -> None:
    with pytest.raises(InputError, match="RGB"):
        reader.read(np.zeros((480, 640), np.uint8))
    with pytest.raises(InputError, match="float64"):
        reader.read(np.zeros((480, 640, 3)))
    with pytest.raises(ImageError, match="without pixels"):
        reader.read(np.zeros((0, 640, 3), np.uint8))


def test_the_reader_leaves_the_picture_alone(reader: TextReader) -> None:
    picture = picture_of("P2")
    picture.flags.writeable = False
    assert reader.read(picture, up=(0.0, -1.0))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr_onnxruntime", None)
    with pytest.raises(MissingExtraError, match="rapidocr"):
        TextReader()


def test_corners_start_at_the_top_left_as_read() -> None:
    upright = box(0, 0, 40, 10)
    for turn in range(4):
        for corners in (np.roll(upright, turn, axis=0), np.roll(upright, turn, axis=0)[::-1]):
            np.testing.assert_array_equal(_as_read(corners[None], np.array([0.0, -1.0]))[0], upright)
            upside_down = np.roll(upright, 2, axis=0)
            np.testing.assert_array_equal(_as_read(corners[None], np.array([0.0, 1.0]))[0], upside_down)
