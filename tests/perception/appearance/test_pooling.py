"""Vectors of one object pooled: each view counts alike, what is seen well counts more."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perception.appearance.pooling import pool

LARGE, SMALL = (0.0, 0.0, 100.0, 100.0), (0.0, 0.0, 20.0, 20.0)


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, dtype=np.float32)
    return vector / np.linalg.norm(vector)


@given(count=st.integers(1, 30), seed=st.integers(0, 1000))
def test_the_result_has_unit_length_and_the_order_does_not_matter(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = [unit(*rng.normal(size=8)) for _ in range(count)]
    boxes = [tuple(np.concatenate([[0, 0], rng.uniform(5, 200, 2)]).tolist()) for _ in range(count)]
    cameras = [f"cam{i}" for i in rng.integers(0, 3, count)]
    pooled = pool(vectors, boxes, cameras)
    assert pooled is not None
    assert np.linalg.norm(pooled) == pytest.approx(1.0)
    order = rng.permutation(count)
    again = pool([vectors[i] for i in order], [boxes[i] for i in order], [cameras[i] for i in order])
    np.testing.assert_allclose(pooled, again, atol=1e-6)


def test_minutes_of_one_view_do_not_hide_another() -> None:
    front, side = unit(1, 0, 0), unit(0, 1, 0)
    pooled = pool([front] * 300 + [side] * 10, [LARGE] * 310, ["a"] * 300 + ["b"] * 10)
    np.testing.assert_allclose(pooled, unit(1, 1, 0), atol=1e-6)
    long_box = (0.0, 0.0, 200.0, 80.0)
    by_shape = pool([front] * 300 + [side] * 10, [LARGE] * 300 + [long_box] * 10, ["a"] * 310)
    np.testing.assert_allclose(by_shape, unit(1, 1, 0), atol=1e-6)


def test_what_is_seen_small_counts_little() -> None:
    pooled = pool([unit(1, 0), unit(0, 1)], [LARGE, SMALL], ["a", "a"])
    assert pooled is not None
    assert pooled[1] / pooled[0] == pytest.approx((20 / 80) ** 2, rel=1e-5)


def test_nothing_pools_to_nothing() -> None:
    assert pool([], [], []) is None
    assert pool([unit(1, 0), unit(-1, 0)], [LARGE, LARGE], ["a", "a"]) is None
