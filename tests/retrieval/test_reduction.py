"""Descriptors in fewer dimensions."""

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval import Reduction


def descriptors(count: int, dimensions: int, directions: int, seed: int) -> NDArray[np.float32]:
    """Return unit vectors that vary along so many directions, and a little along all."""
    rng = np.random.default_rng(seed)
    spread = rng.normal(size=(count, directions)) @ rng.normal(size=(directions, dimensions))
    rows = spread + 0.05 * rng.normal(size=(count, dimensions))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_distances_stay_where_little_is_dropped() -> None:
    rows = descriptors(600, 128, 40, 1)
    reduced = Reduction(rows)(rows)
    assert reduced.shape == (600, 64)
    before = np.linalg.norm(rows[:50, None] - rows[None], axis=2)
    after = np.linalg.norm(reduced[:50, None] - reduced[None], axis=2)
    assert (after <= before + 1e-5).all()
    assert np.abs(after - before).max() < 0.01  # measured 0.001


@pytest.mark.parametrize(("count", "dimensions"), [(500, 64), (500, 32), (100, 128), (0, 128)])
def test_nothing_is_dropped_of_few_or_of_short_ones(count: int, dimensions: int) -> None:
    rows = descriptors(count, dimensions, 20, 2)
    np.testing.assert_array_equal(Reduction(rows)(rows), rows)


def test_none_give_none() -> None:
    made = Reduction(descriptors(300, 128, 20, 3))
    assert made(np.zeros((0, 128), np.float32)).shape == (0, 64)
