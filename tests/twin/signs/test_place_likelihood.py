import numpy as np

from tests.twin.signs.sites import reading_of
from twin.signs import SignLandmark, place_likelihood
from twin.signs.place_likelihood import MISREAD

QUAD = np.zeros((4, 2))


def sign(text: str, probability: float = 1.0, kind: str = "board") -> SignLandmark:
    eye = ((0.01, 0.0, 0.0), (0.0, 0.01, 0.0), (0.0, 0.0, 0.01))
    return SignLandmark(
        id=text, position=(0, 0, 0), normal=(0, 1, 0), text=text, width=1, height=1, letter_height=0.5,
        probability=probability, covariance=eye, views=3, kind=kind,
    )  # fmt: skip


def test_the_right_sign_is_likelier_and_a_rare_one_more_so() -> None:
    signs = [sign("P1"), *[sign("P2")] * 9]
    ratios = place_likelihood([reading_of("P1", QUAD), reading_of("P2", QUAD)], signs)
    assert ratios.shape == (2, 10)
    assert ratios[0, 0] > 2.0  # of ten signs it is the only one: log 10 and a little more
    assert (ratios[0, 1:] < -3.5).all()
    assert (ratios[1, 1:] < 1.0).all()
    assert ratios[1, 1] > 0.0
    assert ratios.min() >= np.log(MISREAD) - 1e-9


def test_what_is_not_sure_or_not_permanent_says_little() -> None:
    signs = [sign("P1", 0.5), sign("P1", kind="vehicle"), sign("P2")]
    ratios = place_likelihood([reading_of("P3", QUAD, 0.9, "B2")], signs)
    np.testing.assert_allclose(ratios[0, 1], 0.0, atol=1e-9)
    assert ratios[0, 0] > np.log(0.5) - 1e-9


def test_a_doubtful_reading_speaks_softly() -> None:
    signs = [sign("P1"), sign("P2")]
    sure, doubtful = place_likelihood([reading_of("P1", QUAD), reading_of("P1", QUAD, 0.55, "P2")], signs)
    assert sure[0] - sure[1] > doubtful[0] - doubtful[1] > 0


def test_nothing_is_nothing() -> None:
    assert place_likelihood([], [sign("P1")]).shape == (0, 1)
    assert place_likelihood([reading_of("P1", QUAD)], []).shape == (1, 0)
