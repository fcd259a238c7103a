import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.errors import InputError
from perception.reading.ctc import (
    BLANK,
    CLASSES,
    LETTERS,
    OTHER,
    best_path,
    class_of,
    fold_frames,
    fold_text,
    likely_texts,
    text_log_likelihoods,
)


def random_frames(frames: int, seed: int, letters: str = "AB") -> np.ndarray:
    """Return log probabilities (T, CLASSES) of a line in which only blank and ``letters`` have any."""
    rng = np.random.default_rng(seed)
    used = [BLANK, *(LETTERS.index(letter) + 1 for letter in letters)]
    log_frames = np.full((frames, CLASSES), -40.0)
    log_frames[:, used] = np.log(rng.dirichlet(np.ones(len(used)), frames))
    return log_frames


def summed_over_paths(log_frames: np.ndarray, letters: str = "AB") -> dict[str, float]:
    """Return P(string) of all strings by spelling out every path: the oracle."""
    used = ["", *letters]
    rows = [BLANK, *(LETTERS.index(letter) + 1 for letter in letters)]
    found: dict[str, float] = {}
    for path in itertools.product(range(len(used)), repeat=len(log_frames)):
        text = "".join(used[one] for one, before in zip(path, (-1, *path), strict=False) if one != before)
        probability = np.exp(sum(log_frames[t, rows[one]] for t, one in enumerate(path)))
        found[text] = found.get(text, 0.0) + probability
    return found


@pytest.mark.parametrize("frames", [1, 2, 5, 7])
def test_likelihoods_are_sums_over_all_paths(frames: int) -> None:
    log_frames = random_frames(frames, seed=frames)
    expected = summed_over_paths(log_frames)
    found = np.exp(text_log_likelihoods([log_frames], list(expected))[0])
    np.testing.assert_allclose(found, list(expected.values()), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(found.sum(), 1.0, rtol=1e-9)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_lines_and_candidates_do_not_depend_on_each_other(lengths: list[int], seed: int) -> None:
    lines = [random_frames(length, seed + number) for number, length in enumerate(lengths)]
    candidates = ["", "A", "B", "AA", "ABBA"]
    together = text_log_likelihoods(lines, candidates)
    alone = [[text_log_likelihoods([line], [text])[0, 0] for text in candidates] for line in lines]
    np.testing.assert_allclose(np.exp(together), np.exp(alone), rtol=1e-9, atol=1e-300)


def test_case_spaces_and_punctuation_are_apart() -> None:
    line = random_frames(6, seed=3)
    same = text_log_likelihoods([line], ["AB", "a b", " a-B.", "Å b"])
    np.testing.assert_allclose(same, same[0, 0])


def test_what_cannot_be_has_next_to_no_probability() -> None:
    line = random_frames(2, seed=1)
    longer, doubled = text_log_likelihoods([line], ["ABA", "AA"])[0]
    assert longer < -1e20
    assert doubled < -1e20  # a letter twice needs a blank between
    assert np.isfinite(text_log_likelihoods([line], ["A" * 1000])).all()


def test_nothing_in_nothing_out() -> None:
    assert text_log_likelihoods([], ["A"]).shape == (0, 1)
    assert text_log_likelihoods([random_frames(2, 0)], []).shape == (1, 0)
    with pytest.raises(InputError, match="38"):
        text_log_likelihoods([np.zeros((4, 5))], ["A"])


@pytest.mark.parametrize(
    ("text", "folded"), [("Exit → P2", "EXITP2"), ("Größe", "GROSSE"), ("é-1", "E1"), ("汽车", ""), ("", "")]
)
def test_folding(text: str, folded: str) -> None:
    assert fold_text(text.replace("ß", "ss")) == folded


def test_classes_of_symbols() -> None:
    assert class_of("a") == class_of("A") == class_of("Ä") == LETTERS.index("A") + 1
    assert {class_of(symbol) for symbol in (" ", "→", "-", "")} == {BLANK}
    assert class_of("汽") == class_of("π") == OTHER


def test_folded_frames_keep_all_probability() -> None:
    symbols = ["", "a", "A", "1", "→", "汽"]
    frames = np.random.default_rng(0).dirichlet(np.ones(len(symbols)), 4)
    folded = np.exp(fold_frames(frames, np.array([class_of(symbol) for symbol in symbols])))
    np.testing.assert_allclose(folded.sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(folded[:, class_of("A")], frames[:, 1] + frames[:, 2], rtol=1e-6)
    np.testing.assert_allclose(folded[:, BLANK], frames[:, 0] + frames[:, 4], rtol=1e-6)
    np.testing.assert_allclose(folded[:, OTHER], frames[:, 5], rtol=1e-6)


def test_runner_up_letters_are_candidates() -> None:
    log_frames = np.full((5, CLASSES), np.log(1e-4))
    for frame, letters in enumerate([{"P": 0.9}, {}, {"1": 0.6, "I": 0.3}, {}, {"2": 0.5}]):
        rest = 1.0 - sum(letters.values())
        log_frames[frame, BLANK] = np.log(max(rest, 1e-3))
        for letter, probability in letters.items():
            log_frames[frame, class_of(letter)] = np.log(probability)
    log_frames[4, BLANK] = np.log(0.4)
    assert best_path(log_frames) == "P12"
    assert set(likely_texts(log_frames)) == {"P12", "PI2", "P1", "12"}
    assert likely_texts(np.zeros((0, CLASSES))) == [""]
