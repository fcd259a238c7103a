"""Pictures in a network's input, and boxes back in the picture's pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.detection.preparing import Preparation, place


@settings(max_examples=60, deadline=None)
@given(
    picture=st.tuples(st.integers(4, 200), st.integers(4, 200)),
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    fit=st.sampled_from(["corner", "centre", "stretch"]),
)
def test_the_whole_picture_is_in_the_input_and_comes_back(
    picture: tuple[int, int], size: tuple[int, int], fit: str
) -> None:
    height, width = picture
    placed = place(np.zeros((height, width, 3), dtype=np.uint8), (32 * size[0], 32 * size[1]), Preparation(fit=fit))  # type: ignore[arg-type]
    assert placed.values.shape == (1, 3, 32 * size[0], 32 * size[1])
    whole = np.array([[0.0, 0, width, height]])
    inside = whole * np.tile(placed.scale, 2) + np.tile(placed.offset, 2)
    assert (inside[:, :2] >= -1e-9).all()
    assert (inside[:, 2:] <= np.array([32 * size[1], 32 * size[0]]) + 1e-9).all()
    np.testing.assert_allclose(placed.boxes_in_picture(inside), whole, atol=1e-9)


def test_channels_fill_and_scale_are_as_asked() -> None:
    picture = np.zeros((32, 64, 3), dtype=np.uint8)
    picture[:] = (10, 20, 30)
    how = Preparation(order="bgr", fit="centre", fill=114, mean=(1.0, 2.0, 3.0), deviation=(2.0, 2.0, 2.0))
    values = place(picture, (64, 64), how).values[0]
    assert values[:, 32, 32].tolist() == [(30 - 1) / 2, (20 - 2) / 2, (10 - 3) / 2]
    assert values[:, 0, 0].tolist() == [113 / 2, 112 / 2, 111 / 2]


@pytest.mark.parametrize("fit", ["corner", "centre"])
def test_shapes_are_kept(fit: str) -> None:
    placed = place(np.zeros((100, 200, 3), dtype=np.uint8), (64, 64), Preparation(fit=fit))  # type: ignore[arg-type]
    assert placed.scale == (0.32, 0.32)
