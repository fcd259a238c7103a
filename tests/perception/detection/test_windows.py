"""Windows around boxes: each pixel shows what lies there in the picture, at any scale and beyond the border."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perception.detection.windows import FILL, Shape, cut, windows_of

SHAPE = Shape(width=112, height=80, context=1.5)
SIZE = (100, 125)
COLUMNS, ROWS = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
PICTURE = np.stack([2 * COLUMNS, 2 * ROWS, np.full(SIZE, 50)], axis=-1).astype(np.uint8)
"""Each pixel's red is twice its column, and its green twice its row."""

sides = st.tuples(
    st.floats(10, 60), st.floats(10, 45), st.floats(6, 65), st.floats(6, 50)
).map(lambda each: np.array([[each[0], each[1], each[0] + each[2], each[1] + each[3]]]))  # fmt: skip


@given(boxes=sides)
def test_each_pixel_shows_what_lies_there_in_the_picture(boxes: np.ndarray) -> None:
    windows = windows_of(boxes, SHAPE)
    crop = cut(PICTURE, windows, SHAPE)[0].astype(float)
    x = (np.arange(SHAPE.width) + 0.5 - SHAPE.width / 2) / windows.scale[0] + windows.middle[0, 0] - 0.5
    y = (np.arange(SHAPE.height) + 0.5 - SHAPE.height / 2) / windows.scale[0] + windows.middle[0, 1] - 0.5
    margin = 2 + 2 / windows.scale[0]
    inside = np.ix_((y > margin) & (y < SIZE[0] - margin), (x > margin) & (x < SIZE[1] - margin))
    for found, place in ((crop[..., 0], 2 * x + 0 * y[:, None]), (crop[..., 1], 2 * y[:, None] + 0 * x)):
        off = (found - place)[inside]
        # Half a pixel is 1; rounding alone is up to 0.5, everywhere the same where crops are as fine as the picture.
        assert np.abs(off).max(initial=0) < 0.8


def test_wide_pictures_are_cut_too() -> None:
    """OpenCV warps no picture of more than 32767 px."""
    wide = np.zeros((20, 40_000, 3), dtype=np.uint8)
    wide[5:15, 39_000:39_020] = 200
    crop = cut(wide, windows_of(np.array([[39_000.0, 5, 39_020, 15]]), SHAPE), SHAPE)[0]
    assert crop[SHAPE.height // 2, SHAPE.width // 2].tolist() == [200, 200, 200]


def test_beyond_the_border_there_is_grey() -> None:
    crop = cut(np.zeros((60, 80, 3), dtype=np.uint8), windows_of(np.array([[-10.0, 20, 30, 50]]), SHAPE), SHAPE)[0]
    assert (crop[:, 0] == FILL).all()
    assert (crop[SHAPE.height // 2, -1] == 0).all()


def test_no_boxes_no_crops() -> None:
    nothing = windows_of(np.zeros((0, 4)), SHAPE)
    assert cut(PICTURE, nothing, SHAPE).shape == (0, SHAPE.height, SHAPE.width, 3)


@given(boxes=sides)
def test_a_box_fills_its_crop(boxes: np.ndarray) -> None:
    windows = windows_of(boxes, SHAPE)
    shown = (boxes[0, 2:] - boxes[0, :2]) * windows.scale[0] * SHAPE.context
    assert np.isclose(max(shown / [SHAPE.width, SHAPE.height]), 1.0)


def test_a_picture_of_a_pixel_has_crops_too() -> None:
    one = np.full((1, 1, 3), 9, dtype=np.uint8)
    assert cut(one, windows_of(np.array([[-500.0, -500, 500, 500]]), SHAPE), SHAPE).shape == (
        1,
        SHAPE.height,
        SHAPE.width,
        3,
    )
