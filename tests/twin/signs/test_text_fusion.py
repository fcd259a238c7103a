import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.twin.signs.sites import frames_of
from twin.signs.text_fusion import PAIR_TRUST, fuse_texts, fused_probabilities, usual_spelling


def test_views_that_agree_make_a_text_sure() -> None:
    probabilities = [fuse_texts([frames_of("P2", 0.8, "B3")] * count).probability for count in (1, 2, 3, 6, 12)]
    assert probabilities == sorted(probabilities)
    assert probabilities[1] < PAIR_TRUST
    assert probabilities[2] > 0.8  # measured 0.845
    assert probabilities[-1] > 0.98  # measured 0.984


def test_the_right_text_wins_though_one_view_misreads() -> None:
    fused = fuse_texts([*[frames_of("P2", 0.9, "B3")] * 4, frames_of("P3", 0.95, "P2")])
    assert fused.text == "P2"
    assert fused.probability > 0.9  # measured 0.929
    assert "P3" in dict(fused.alternatives) or fused.probability > 0.99


def test_views_that_disagree_leave_it_open() -> None:
    fused = fuse_texts([frames_of("P2", 0.95, "B3"), frames_of("P3", 0.95, "B2"), frames_of("P7", 0.95, "B1")])
    assert fused.probability < 0.6  # measured 0.455


def test_a_letter_that_was_never_first_can_win() -> None:
    views = [frames_of("PI", 0.55, "P1"), frames_of("P1", 0.9, "PI"), frames_of("PL", 0.55, "P1")]
    assert fuse_texts(views).text == "P1"
    assert fuse_texts(views[:1]).text == "PI"


def test_words_are_candidates() -> None:
    assert fuse_texts([frames_of("PI", 0.6, "X1")] * 3, ["P1"]).text == "PI"


def test_nothing_read_is_no_text() -> None:
    assert fuse_texts([frames_of("")[:0].reshape(0, 38)]).probability == 0.0


@given(st.lists(st.lists(st.floats(-30, 0), min_size=3, max_size=3), min_size=1, max_size=6))
def test_probabilities_are_a_distribution(rows: list[list[float]]) -> None:
    log_likelihoods = np.array(rows) - np.log(3)
    found = fused_probabilities(log_likelihoods)
    assert found.shape == (4,)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(), 1.0)


def test_one_failed_look_costs_only_so_much() -> None:
    clean, failed = np.log([[0.9, 0.05]]), np.log([[1e-12, 1e-12]])
    alone = fused_probabilities(np.repeat(clean, 5, axis=0))
    with_one = fused_probabilities(np.vstack([np.repeat(clean, 5, axis=0), failed]))
    assert alone[0] > with_one[0] > 0.9


def test_spelling_is_the_usual_one() -> None:
    assert usual_spelling(["STAIRSP1", "Stairs P1", "Stairs P1", "STAIRS PI"], "STAIRSP1") == "Stairs P1"
    assert usual_spelling(["PI"], "P1") == "P1"
