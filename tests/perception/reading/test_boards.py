import numpy as np
import pytest

from perception.reading import board_outline
from tests.perception.reading.pictures import board_picture, box, on_wall


def text_quad(corners: np.ndarray, left: float = 0.3, right: float = 0.7) -> np.ndarray:
    """Return a quad of the middle of a board between shares of its width, 0.25 to 0.75 of its height."""
    top, bottom = corners[1] - corners[0], corners[2] - corners[3]

    def at(along: float, down: float) -> np.ndarray:
        upper, lower = corners[0] + along * top, corners[3] + along * bottom
        return upper + down * (lower - upper)

    return np.array([at(left, 0.22), at(right, 0.22), at(right, 0.78), at(left, 0.78)])


@pytest.mark.parametrize(
    "corners",
    [
        box(200, 200, 380, 260),
        np.array([[180, 180], [330, 205], [328, 260], [181, 252.0]]),
        np.array([[300, 340], [300, 190], [350, 190], [350, 340.0]]),  # a phone held sideways
    ],
)
def test_the_board_around_a_text_is_found(corners: np.ndarray) -> None:
    picture = on_wall(board_picture("P2"), corners)
    found = board_outline(picture, text_quad(corners))
    assert found is not None
    error = np.linalg.norm(found - corners, axis=1)
    # measured: corners off by 0.7 px, the middle by 0.25 px at most
    assert error.max() < 2.0
    np.testing.assert_allclose(found.mean(axis=0), corners.mean(axis=0), atol=1.2)


def test_the_middle_is_the_boards_and_not_the_texts() -> None:
    corners = box(200, 200, 380, 260)
    found = board_outline(on_wall(board_picture("P2"), corners), text_quad(corners, 0.3, 0.6))
    assert found is not None
    np.testing.assert_allclose(found.mean(axis=0), [290, 230], atol=1.2)


def test_text_on_a_bare_wall_has_no_board() -> None:
    picture = on_wall(board_picture("P2", colour=(118, 118, 118)), box(200, 200, 380, 260))
    picture[195:265, 195:215] = picture[195:265, 365:385] = 118  # without the border line
    picture[195:210] = picture[250:265] = 118
    assert board_outline(picture, box(250, 212, 330, 248)) is None


def test_a_board_cut_off_by_the_picture_has_no_outline() -> None:
    corners = box(560, 200, 740, 260)
    assert board_outline(on_wall(board_picture("P2"), corners), box(575, 212, 630, 248)) is None


def test_flat_and_tiny_pictures_have_none() -> None:
    assert board_outline(np.full((100, 100, 3), 90, np.uint8), box(30, 40, 70, 60)) is None
    assert board_outline(np.full((2, 2, 3), 90, np.uint8), box(0, 0, 2, 2)) is None
    assert board_outline(np.full((100, 100, 3), 90, np.uint8), box(300, 400, 370, 460)) is None
