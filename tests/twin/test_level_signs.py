"""Signs that name a level, expected on all levels and asked which they name."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geometry import camera_from_params, pose_from_position, position_of, quat_xyzw_of
from geometry.floorplan import Level
from perception import TextReading
from scenes import look
from tests.twin.signs.sites import frames_of
from twin.level_names import LevelNames
from twin.level_signs import ExpectedSign, LevelSigns
from twin.signs import SignLandmark

CAMERA = camera_from_params("PINHOLE", 640, 480, [500.0, 500.0, 320.0, 240.0])
POSE = look((0.0, 0.0, 1.6), np.pi / 2, 0.0, 0.0)  # looks along +y
LEVELS = [Level(id=f"P{k + 1}", elevation=3.5 * k, outline=shapely.box(-10.0, -10.0, 10.0, 10.0)) for k in range(3)]
STAIRS = ("STAIRS P1", "STAIRS P2", "STAIRS P3")
QUAD = np.array([[0.0, 0.0], [90.0, 0.0], [90.0, 20.0], [0.0, 20.0]])


def sign(text: str, height: float, x: float = 0.0) -> SignLandmark:
    return SignLandmark(
        id=text,
        position=(x, 4.0, height),
        normal=(0.0, -1.0, 0.0),
        text=text,
        width=1.2,
        height=0.6,
        letter_height=0.3,
        probability=1.0,
        covariance=((1e-4, 0, 0), (0, 1e-4, 0), (0, 0, 1e-4)),
        views=5,
        kind="board",
    )


def signs_of(*signs: SignLandmark) -> LevelSigns:
    return LevelSigns(signs, LEVELS, LevelNames(LEVELS, signs))


def reading(letters: str, sureness: float) -> TextReading:
    confidence = sureness ** len(letters)
    return TextReading(
        quad=QUAD, text=letters, confidence=confidence, detection=1.0, log_frames=frames_of(letters, sureness)
    )


def test_a_sign_of_one_level_is_expected_on_all() -> None:
    found = signs_of(sign("Stairs P2", 5.7), sign("EXIT", 2.0, x=1.0))
    assert found
    poses = [
        pose_from_position(position_of(POSE) + np.array([0.0, 0.0, 3.5 * k]), quat_xyzw_of(POSE)) for k in range(3)
    ]
    for pose in poses:
        (one,) = found.expected(CAMERA, [pose], (640, 480))
        assert one.texts == ("Stairs P1", "Stairs P2", "Stairs P3")
        np.testing.assert_allclose(one.quad.mean(axis=0), [320.0, 240.0 - 500.0 * 0.6 / 4.0], atol=1.0)
    assert len(found.expected(CAMERA, poses, (640, 480))) == 1, "one place in the photo"
    away = look((0.0, 0.0, 1.6), -np.pi / 2, 0.0, 0.0)
    assert found.expected(CAMERA, [away], (640, 480)) == []


def test_signs_of_one_place_are_one() -> None:
    signs = signs_of(sign("P1", 2.0), sign("P2", 5.6), sign("P1", 2.0, x=3.0))
    assert len(signs.expected(CAMERA, [look((1.5, -2.0, 1.6), np.pi / 2, 0.0, 0.0)], (640, 480))) == 2
    assert not signs_of(sign("EXIT", 2.0))


@pytest.mark.parametrize(
    ("texts", "letters", "sureness", "likeliest", "least"),
    [
        (("P1", "P2", "P3"), "P2", 0.95, 1, 2.0),
        (("P1", "P2", "P3"), "P2", 0.6, 1, 1.0),
        (STAIRS, "STARSP2", 0.7, 1, 2.0),  # a letter is left out
        (STAIRS, "STAUSPI", 0.9, 0, 2.0),  # beside letters an I is a 1
        (("Deck 9", "Deck 10"), "DECK10", 0.9, 1, 2.0),
        (("LEVEL 1", "LEVEL 11"), "LEVEL11", 0.9, 1, 1.0),
        (("LEVEL 1", "LEVEL 11"), "LEVEL1", 0.9, 0, 2.0),
    ],
)
def test_a_reading_tells_the_level(
    texts: tuple[str, ...], letters: str, sureness: float, likeliest: int, least: float
) -> None:
    odds = ExpectedSign(quad=QUAD, texts=texts).log_odds([reading(letters, sureness)])
    assert odds.argmax() == likeliest
    assert odds.max() == 0.0
    assert np.delete(odds, likeliest).max() < -least  # measured -3.9, of LEVEL 11 -1.4


def test_what_is_no_name_or_hardly_read_tells_nothing() -> None:
    one = ExpectedSign(quad=QUAD, texts=("P1", "P2", "P3"))
    assert np.abs(one.log_odds([reading("B7", 0.99), None])).max() < 0.1  # measured 0.0
    assert np.abs(one.log_odds([reading("PI", 0.99)])).max() < 0.1, "of one word the I may be a pillar's edge"
    for other in ("A2", "102", "P12", "2"):
        assert np.abs(one.log_odds([reading(other, 0.99)])).max() < 0.1, other
    stairs = ExpectedSign(quad=QUAD, texts=STAIRS)
    assert np.abs(stairs.log_odds([reading("ZONEB2", 0.99)])).max() < 0.1
    for cut in ("STAI", "STAL", "STA1", "ST2"):
        assert np.abs(stairs.log_odds([reading(cut, 0.99)])).max() < 0.1, f"{cut} is what a pillar leaves of it"
    longer = ExpectedSign(quad=QUAD, texts=("LEVEL 1", "LEVEL 11"))
    assert np.abs(longer.log_odds([reading("LEVEL1X", 0.99)])).max() < 0.1
    assert np.abs(one.log_odds([None, None])).max() == 0.0


def test_cuts_that_agree_say_more_than_one_of_many() -> None:
    one = ExpectedSign(quad=QUAD, texts=("P1", "P2", "P3"))
    sure = reading("P2", 0.95)
    all_agree, one_of_six = one.log_odds([sure] * 6), one.log_odds([sure, *[None] * 5])
    assert all_agree[0] < one_of_six[0] - 1.0  # measured -3.9, -1.0
    assert one_of_six.argmax() == 1


@given(letters=st.text("PSTAIR123", min_size=1, max_size=9), sureness=st.floats(0.2, 0.99))
def test_shares_are_probabilities(letters: str, sureness: float) -> None:
    for texts in (("P1", "P2", "P3"), STAIRS):
        shares = ExpectedSign(quad=QUAD, texts=texts).shares(reading(letters, sureness))
        assert (shares >= 0.0).all()
        assert shares.sum() <= 1.0 + 1e-9


def test_cuts_lie_about_the_line() -> None:
    sign_there = ExpectedSign(quad=QUAD, texts=("P1", "P2"))
    cuts = np.array(sign_there.cuts())
    np.testing.assert_allclose(cuts[:, :, 0], np.tile(QUAD[:, 0], (len(cuts), 1)))
    assert np.unique(cuts[:, 3, 1] - cuts[:, 0, 1]).round(6).tolist() == [17.0, 22.0]
    np.testing.assert_allclose(cuts.mean(axis=(0, 1)), QUAD.mean(axis=0))


def test_the_word_by_which_levels_differ_is_asked_alone() -> None:
    (word,) = ExpectedSign(quad=QUAD, texts=("STAIRS P1", "STAIRS P2", "STAIRS P3")).words()
    assert word.texts == ("P1", "P2", "P3")
    np.testing.assert_allclose(word.quad[:, 0], [60.0, 90.0, 90.0, 60.0])
    np.testing.assert_allclose(word.quad[:, 1], QUAD[:, 1])
    assert ExpectedSign(quad=QUAD, texts=("P1", "P2")).words() == []
    assert ExpectedSign(quad=QUAD, texts=("Deck 1 A", "Deck 2 B")).words() == []
