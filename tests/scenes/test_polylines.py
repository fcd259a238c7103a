"""Lines of points: distances and even steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.polylines import distances_along, even_distances, points_at, resampled

CORNER = np.array([[0.0, 0.0, 1.0], [3.0, 0.0, 1.0], [3.0, 4.0, 1.0]])


def test_a_corner() -> None:
    np.testing.assert_allclose(distances_along(CORNER), [0, 3, 7])
    np.testing.assert_allclose(
        points_at(np.array([1.5, 5.0]), distances_along(CORNER), CORNER), [[1.5, 0, 1], [3, 2, 1]]
    )
    np.testing.assert_allclose(resampled(CORNER, 1.0)[[0, 3, -1]], CORNER)


@given(st.floats(0.05, 100), st.floats(0.01, 3))
def test_steps_are_even_and_about_as_asked(length: float, step: float) -> None:
    steps = np.diff(even_distances(length, step))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)
    assert steps[0] == pytest.approx(min(step, length), rel=0.51)


def test_a_line_without_length_stays() -> None:
    np.testing.assert_array_equal(resampled(np.zeros((2, 2)), 0.5), np.zeros((2, 2)))
