"""The rotation between photos that a walker took while turning on the spot."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from twin.mapping.by_order.turns import MIN_TURNED, turn_on_the_spot

Array = NDArray[np.float64]


def strip(count: int, rng: np.random.Generator) -> Array:
    """Return directions (count, 3) in a strip at the right border of a camera's picture."""
    rays = np.column_stack([rng.uniform(0.45, 0.62, count), rng.uniform(-0.4, 0.4, count), np.ones(count)])
    return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))


def seen_after(turn: Rotation, first: Array, step: Array, depth: float) -> Array:
    """Return the directions (M, 3) of what lies ``depth`` metres along ``first``, after a turn and a step."""
    points = turn.apply(depth * first - step)
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


@given(degrees=st.floats(-90.0, 90.0), seed=st.integers(0, 2**16))
def test_a_turn_is_found_exactly_where_nothing_errs(degrees: float, seed: int) -> None:
    first = strip(MIN_TURNED, np.random.default_rng(seed))
    turn = Rotation.from_euler("y", degrees, degrees=True)
    found = turn_on_the_spot(first, turn.apply(first))
    assert found is not None
    np.testing.assert_allclose(found.matrix(), turn.as_matrix(), atol=1e-7)


@pytest.mark.parametrize(("noise", "step_m", "bound"), [(0.0, 0.0, 1e-3), (0.001, 0.0, 0.2), (0.001, 0.2, 3.0)])
def test_a_strip_and_a_few_wrong_matches_tell_a_turn(noise: float, step_m: float, bound: float) -> None:
    # Largest of 50: 0.0005, 0.11 and 1.8 degrees.
    off = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        first, turn = strip(40, rng), Rotation.from_euler("yx", [55.0, 3.0], degrees=True)
        second = seen_after(turn, first, np.array([step_m, 0.0, 0.0]), 6.0) + rng.normal(0.0, noise, first.shape)
        second[:4] = strip(4, rng)
        found = turn_on_the_spot(first, second)
        assert found is not None
        off.append(np.degrees((Rotation.from_matrix(found.matrix()) * turn.inv()).magnitude()))
    assert max(off) < bound


def test_a_step_aside_is_no_turn() -> None:
    rng = np.random.default_rng(0)
    rays = np.column_stack([rng.uniform(-0.6, 0.6, (60, 2)), np.ones(60)])
    first = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    depths = rng.uniform(3.0, 12.0, (60, 1))
    points = depths * first - np.array([1.5, 0.0, 0.0])
    assert turn_on_the_spot(first, points / np.linalg.norm(points, axis=1, keepdims=True)) is None


def test_what_a_lens_gives_no_direction_counts_as_wrong() -> None:
    first, turn = strip(40, np.random.default_rng(0)), Rotation.from_euler("y", 55.0, degrees=True)
    second = turn.apply(first)
    second[:4] = np.nan
    found = turn_on_the_spot(first, second)
    assert found is not None
    np.testing.assert_allclose(found.matrix(), turn.as_matrix(), atol=1e-7)
    second[:20] = np.nan
    assert turn_on_the_spot(first, second) is None


def test_directions_that_coincide_tell_no_turn() -> None:
    first = np.tile([[0.0, 0.0, 1.0]], (40, 1)) + np.random.default_rng(0).normal(0.0, 1e-9, (40, 3))
    assert turn_on_the_spot(first, first) is None
    second = first.copy()
    first[0], second[0] = [0.6, 0.0, 0.8], [0.0, 0.6, 0.8]
    assert turn_on_the_spot(first, second) is None, "one that is wrong gives them no spread"


def test_few_matches_tell_nothing() -> None:
    first = strip(MIN_TURNED - 1, np.random.default_rng(0))
    assert turn_on_the_spot(first, first) is None
