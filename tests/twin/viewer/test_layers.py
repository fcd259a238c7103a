import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import points
from twin.viewer.layers import NO_LEVEL, levels_of, lines, polyline


def test_levels_reach_from_half_a_metre_below_a_floor_to_the_next() -> None:
    assert levels_of([-0.6, -0.4, 2.4, 2.6, 50.0], [0.0, 3.0]).tolist() == [NO_LEVEL, 0, 0, 1, 1]
    assert levels_of([1.0], []).tolist() == [NO_LEVEL]


@given(points(min_size=2))
def test_polyline_joins_each_point_with_the_next(rows: np.ndarray) -> None:
    open_, closed = polyline(rows), polyline(rows, closed=True)
    assert np.array_equal(open_[:, 1], rows[1:])
    assert len(closed) == len(rows)
    assert np.array_equal(closed[-1, 1], rows[0])


@given(st.lists(st.integers(0, 4), max_size=5))
def test_lines_keep_colour_and_level_of_each_part(counts: list[int]) -> None:
    parts = [(np.full((n, 2, 3), float(k)), (k, k, k), k) for k, n in enumerate(counts)]
    joined = lines("walk", parts)
    assert len(joined) == sum(counts)
    assert np.array_equal(joined.segments[:, 0, 0], joined.level)
    assert np.array_equal(joined.colours[:, 1], joined.level)


@pytest.mark.parametrize(("level", "expected"), [(None, 3), (0, 2), (1, 1)])
def test_what_has_no_level_is_on_each(level: int | None, expected: int) -> None:
    part, grey = np.zeros((1, 2, 3)), (1, 1, 1)
    joined = lines("plan", [(part, grey, 0), (part, grey, NO_LEVEL), (part, grey, 2)])
    assert len(joined.on(level)) == expected
