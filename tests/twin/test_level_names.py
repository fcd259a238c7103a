"""Texts that name a level."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geometry.floorplan import Level
from perception import TextReading
from perception.reading import fold_text
from tests.twin.signs.sites import frames_of
from twin.level_names import ANOTHERS, LevelNames

SQUARE = shapely.box(0.0, 0.0, 10.0, 10.0)
LEVELS = [Level(id=name, elevation=3.0 * k, outline=SQUARE) for k, name in enumerate(("P1", "P2", "P3"))]


def reading_of(text: str, sureness: float) -> TextReading:
    frames = frames_of(fold_text(text), sureness)
    return TextReading(
        quad=np.zeros((4, 2)), text=text, confidence=sureness ** len(text), detection=0.8, log_frames=frames
    )


def test_a_text_tells_its_level() -> None:
    names = LevelNames(LEVELS, [])
    told = names.likelihood([reading_of("P2", 0.99)])
    assert told.argmax() == 1
    assert told[1] / told[0] > 15.0  # measured 31
    np.testing.assert_allclose(told[0], told[2])


def test_other_texts_tell_nothing() -> None:
    names = LevelNames(LEVELS, [])
    np.testing.assert_allclose(names.likelihood([reading_of("EXIT", 0.99), reading_of("B7", 0.99)]), 1.0, atol=1e-3)
    np.testing.assert_array_equal(names.likelihood([]), np.ones(3))


def test_a_level_is_named_within_a_line_but_not_within_a_word() -> None:
    names = LevelNames(LEVELS, [])
    assert names.likelihood([reading_of("A2 P3", 0.99)]).argmax() == 2
    np.testing.assert_allclose(names.likelihood([reading_of("AP3X", 0.99)]), 1.0, atol=1e-2)


def test_two_levels_in_one_photo_leave_it_open() -> None:
    told = LevelNames(LEVELS, []).likelihood([reading_of("P1", 0.99), reading_of("P2", 0.99)])
    np.testing.assert_allclose(told[0], told[1], rtol=1e-6)
    assert told[2] < told[0]


def test_one_level_has_no_names_to_tell_apart() -> None:
    assert not LevelNames(LEVELS[:1], [])
    assert not LevelNames([], [])
    assert LevelNames(LEVELS, [])


@given(st.lists(st.tuples(st.sampled_from(["P1", "P2", "P3", "EXIT", "P1 P2"]), st.floats(0.3, 1.0)), max_size=4))
def test_levels_share_and_none_is_excluded(texts: list[tuple[str, float]]) -> None:
    told = LevelNames(LEVELS, []).likelihood([reading_of(text, sure) for text, sure in texts])
    np.testing.assert_allclose(told.mean(), 1.0)
    assert (told >= ANOTHERS * 0.5).all()


def test_a_text_is_put_on_each_level() -> None:
    names = LevelNames(LEVELS, [])
    assert names.on_each_level("Stairs P2 >") == ("Stairs P1 >", "Stairs P2 >", "Stairs P3 >")
    assert names.on_each_level("EXIT") is None
    assert names.on_each_level("P1 P2") is None
    assert names.on_each_level("P12") is None
    named = [level.model_copy(update={"name": f"Deck {k + 1}"}) for k, level in enumerate(LEVELS)]
    assert LevelNames(named, []).on_each_level("deck 3") == ("Deck 1", "Deck 2", "Deck 3")
    assert LevelNames([*named[:2], LEVELS[2]], []).on_each_level("deck 2") is None, "the third level has no such name"


def test_names_of_which_a_reader_gets_the_same_letters_tell_nothing() -> None:
    levels = [level.model_copy(update={"id": name}) for level, name in zip(LEVELS, ("-1", "0", "1"), strict=True)]
    names = LevelNames(levels, [])
    assert names.on_each_level("LEVEL 1") is None
    told = names.likelihood([reading_of("1", 0.99)])
    np.testing.assert_allclose(told[0], told[2])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("P2", (0.5, 1.0)), ("STAIRS P2", (8 / 9, 1.0)), ("P2 STAIRS", (1 / 9, 2 / 9)), ("EXIT", (0.0, 1.0))],
)
def test_the_letters_that_tell_a_level_are_those_that_differ(text: str, expected: tuple[float, float]) -> None:
    np.testing.assert_allclose(LevelNames(LEVELS, []).telling_letters(text), expected)


def test_names_of_several_lengths_tell_by_what_one_has_more() -> None:
    levels = [LEVELS[0], LEVELS[1].model_copy(update={"id": "P11"})]
    assert LevelNames(levels, []).telling_letters("P11") == (2 / 3, 1.0)
    start, stop = LevelNames(levels, []).telling_letters("P1")
    assert 0.0 <= start <= stop <= 1.0
