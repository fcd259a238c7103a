import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.errors import InputError
from retrieval.descriptors import aggregate
from retrieval.vocabulary import Vocabulary, train_vocabulary


def _vocabulary(words: int = 8, dimension: int = 16, seed: int = 0) -> Vocabulary:
    return Vocabulary(centers=np.random.default_rng(seed).normal(size=(words, dimension)).astype(np.float32))


def _oracle(vocabulary: Vocabulary, descriptors: np.ndarray) -> np.ndarray:
    """The definition, one descriptor at a time."""
    blocks = np.zeros(vocabulary.centers.shape)
    for row in descriptors:
        word = np.argmin(((vocabulary.centers - row) ** 2).sum(axis=1))
        blocks[word] += row - vocabulary.centers[word]
    for block in blocks:
        block /= np.linalg.norm(block) or 1.0
    rooted = (np.sign(blocks) * np.sqrt(np.abs(blocks))).ravel()
    return rooted / (np.linalg.norm(rooted) or 1.0)


@given(st.integers(0, 2**31), st.integers(0, 60))
@settings(max_examples=50, deadline=None)
def test_aggregate_follows_its_definition(seed: int, n: int) -> None:
    vocabulary = _vocabulary(seed=seed)
    descriptors = np.random.default_rng(seed + 1).normal(size=(n, 16)).astype(np.float32)
    descriptors.flags.writeable = False
    vector = aggregate(vocabulary, descriptors)
    assert vector.dtype == np.float32
    # a residual sum that cancels to nearly nothing is blown up by its own normalisation
    np.testing.assert_allclose(vector, _oracle(vocabulary, descriptors.astype(np.float64)), atol=2e-3)


@given(st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_order_of_features_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    descriptors = rng.normal(size=(50, 16)).astype(np.float32)
    first, second = (aggregate(_vocabulary(), d) for d in (descriptors, rng.permutation(descriptors)))
    np.testing.assert_allclose(first, second, atol=2e-3)
    assert np.linalg.norm(first) == pytest.approx(1.0, abs=1e-5)


def test_no_features_give_the_zero_vector() -> None:
    vector = aggregate(_vocabulary(), np.empty((0, 16), dtype=np.float32))
    assert vector.shape == (8 * 16,)
    assert not vector.any()


def test_descriptors_on_a_word_give_the_zero_vector() -> None:
    vocabulary = _vocabulary()
    assert not aggregate(vocabulary, vocabulary.centers[[3, 3, 5]]).any()


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((3, 15), dtype=np.float32),
        np.zeros((3, 16)),
        np.zeros(16, dtype=np.float32),
        np.full((2, 16), np.nan, dtype=np.float32),
    ],
)
def test_bad_descriptors_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(InputError):
        aggregate(_vocabulary(), bad)


def test_training_finds_the_clusters_and_repeats_itself() -> None:
    rng = np.random.default_rng(1)
    truth = 10 * rng.normal(size=(6, 16))
    descriptors = (truth.repeat(100, axis=0) + 0.1 * rng.normal(size=(600, 16))).astype(np.float32)
    first, second = (train_vocabulary(descriptors, 12, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.centers, second.centers)
    nearest = np.linalg.norm(first.centers[:, None] - truth, axis=2).min(axis=0)
    assert nearest.max() < 0.2  # measured 0.1; clusters lie 50 apart


def test_training_needs_as_many_descriptors_as_words() -> None:
    few = np.random.default_rng(0).normal(size=(5, 16)).astype(np.float32)
    assert len(train_vocabulary(few, 5, np.random.default_rng(0))) == 5
    for words in (0, 6):
        with pytest.raises(InputError, match="words"):
            train_vocabulary(few, words, np.random.default_rng(0))


@pytest.mark.parametrize(
    "centers", [np.zeros((0, 4), np.float32), np.zeros((2, 2)), np.full((2, 2), np.inf, np.float32)]
)
def test_bad_vocabularies_are_refused(centers: np.ndarray) -> None:
    with pytest.raises(InputError):
        Vocabulary(centers=centers)
