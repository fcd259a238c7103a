from collections.abc import Callable

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.errors import InputError
from perception import StallOptions, StallProposals, propose_stalls

Array = np.ndarray


def _row(count: int, width: float, depth: float, angle_deg: float = 90.0) -> tuple[Array, Array]:
    """Return separators (count + 1, 2, 2) and stalls (count, 4, 2) of a row along +x that opens to -y."""
    slant = np.radians(angle_deg)
    front = np.column_stack([np.arange(count + 1) * width / np.sin(slant), np.zeros(count + 1)])
    side = depth / np.sin(slant) * np.array([np.cos(slant), np.sin(slant)])
    stalls = np.stack([front[:-1], front[1:], front[1:] + side, front[:-1] + side], axis=1)
    return np.stack([front, front + side], axis=1), stalls


def _along(x: float) -> Array:
    return np.array([x, 0.0])


def _paint(lines: Array, hidden: shapely.Geometry | None = None) -> Callable[[Array], tuple[Array, Array]]:
    """Return the evidence that paint on exact ``lines`` gives, but for what is ``hidden``."""
    painted = shapely.buffer(shapely.union_all(shapely.linestrings(lines)), 0.06)
    hidden = hidden or shapely.Point()

    def evidence(asked: Array) -> tuple[Array, Array]:
        strings = shapely.linestrings(asked)
        visible = shapely.difference(strings, hidden)
        length = shapely.length(visible)
        share = shapely.length(shapely.intersection(visible, painted)) / np.maximum(length, 1e-9)
        return length / shapely.length(strings), share

    return evidence


def _in_front(points: Array) -> Array:
    """Say that floor is free at y < 0."""
    return (points[:, 1] < 0).astype(float)


def _propose(ends: Array, lines: Array, hidden: shapely.Geometry | None = None, **options: object) -> StallProposals:
    is_open = np.ones(ends.shape[:2], dtype=bool)
    return propose_stalls(ends, is_open, _paint(lines, hidden), _in_front, StallOptions(**options))  # type: ignore[arg-type]


def _worst(found: StallProposals, truth: Array) -> Array:
    return np.asarray(np.linalg.norm(found.corners[:, None] - truth, axis=3).max(axis=2).min(axis=0))


@settings(max_examples=25, deadline=None)
@given(
    width=st.floats(2.3, 3.1),
    depth=st.floats(4.2, 5.8),
    angle=st.sampled_from([45.0, 60.0, 75.0, 90.0, 120.0]),
    turn_deg=st.floats(0, 360),
    seed=st.integers(0, 1000),
)
def test_rows_of_any_width_depth_and_angle(
    width: float, depth: float, angle: float, turn_deg: float, seed: int
) -> None:
    lines, truth = _row(6, width, depth, angle)
    turn = np.radians(turn_deg)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    noisy = lines + np.random.default_rng(seed).normal(0, 0.01, lines.shape)
    found = propose_stalls(
        noisy @ rotation,
        np.ones((7, 2), dtype=bool),
        _paint(lines @ rotation),
        lambda points: _in_front(points @ rotation.T),
    )
    assert len(found) == 6
    assert _worst(found, truth @ rotation).max() < 0.12  # the first edge is the lane's; measured at most 0.03
    assert (shapely.is_ccw(shapely.linearrings(found.corners))).all()
    assert (found.inferred == 0).all()
    assert (found.probability > 0.9).all()


def test_a_hidden_separator_is_inferred_with_less_confidence() -> None:
    lines, truth = _row(6, 2.5, 5.0)
    hidden = shapely.box(6.5, -1, 8.5, 6)
    found = _propose(lines[[0, 1, 2, 4, 5, 6]], lines, hidden)
    assert _worst(found, truth).max() < 0.05
    assert found.inferred.tolist() == [0, 0, 1, 1, 0, 0]
    assert found.probability[2:4].max() < found.probability[[0, 1, 4, 5]].min()


def test_where_a_separator_should_be_seen_and_is_not_there_is_no_stall() -> None:
    lines, _ = _row(6, 2.5, 5.0)
    kept = lines[[0, 1, 2, 4, 5, 6]]
    assert len(_propose(kept, kept)) == 4


def test_weak_paint_confirms_what_gave_no_stripe() -> None:
    lines, truth = _row(6, 2.5, 5.0)
    found = _propose(lines[[0, 1, 2, 4, 5]], lines)
    assert _worst(found, truth).max() < 0.12
    assert (found.inferred == 0).all()


def test_depth_is_told_by_what_is_not_cut_off() -> None:
    lines, truth = _row(8, 2.5, 5.0)
    ends = lines.copy()
    cut = np.array([0, 2, 3, 5, 7])
    ends[cut, 1, 1] = [4.1, 4.6, 2.2, 1.0, 3.0]
    is_open = np.ones((9, 2), dtype=bool)
    is_open[cut, 1] = False
    found = propose_stalls(ends, is_open, _paint(lines), _in_front)
    assert _worst(found, truth).max() < 0.05


def test_pillars_between_bays_and_motorcycles_beside_them() -> None:
    first, cars = _row(3, 2.5, 5.0)
    small, motorcycles = _row(4, 0.95, 2.4)
    lines = np.concatenate([first, first + _along(8.0), first + _along(16.0), small + _along(24.5)])
    truth = np.concatenate([cars, cars + _along(8.0), cars + _along(16.0), motorcycles + _along(24.5)])
    found = _propose(lines, lines)
    assert len(found) == 13
    assert _worst(found, truth).max() < 0.05
    assert found.kind.count("motorcycle") == 4


def test_long_separators_belong_to_two_rows_back_to_back() -> None:
    lines, truth = _row(6, 2.5, 5.0)
    both = lines.copy()
    both[:, 1, 1] = 10.0
    aisles = propose_stalls(
        both, np.ones((7, 2), dtype=bool), _paint(both), lambda p: ((p[:, 1] < 0) | (p[:, 1] > 10)) * 1.0
    )
    other = -truth[::-1] + np.array([15.0, 10.0])
    assert len(aisles) == 12
    assert _worst(aisles, np.concatenate([truth, other])).max() < 0.05


def test_a_stray_stripe_off_the_rhythm_is_dropped() -> None:
    lines, truth = _row(6, 2.5, 5.0)
    stray = lines[[3]] + (-1.1, 0)
    ends = np.concatenate([lines[[0, 1, 2, 4, 5, 6]], stray])
    found = _propose(ends, lines, shapely.box(6, -1, 8.5, 6))
    assert _worst(found, truth).max() < 0.05


def test_stalls_open_to_free_floor_only() -> None:
    lines, _ = _row(6, 2.5, 5.0)
    blocked = propose_stalls(lines, np.ones((7, 2), dtype=bool), _paint(lines), lambda points: np.zeros(len(points)))
    assert len(blocked) == 0


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_stripes_make_no_row(count: int) -> None:
    lines, _ = _row(6, 2.5, 5.0)
    found = _propose(lines[:count], lines)
    assert found.corners.shape == (0, 4, 2)
    assert found.kind == ()


def test_coincident_and_collinear_stripes_make_no_row() -> None:
    one = np.array([[[0.0, 0.0], [0.0, 5.0]]])
    stack = one + np.arange(5)[:, None, None] * (0.0, 6.0)
    for ends in (np.repeat(one, 5, axis=0), stack):
        assert len(_propose(ends, ends)) == 0


def test_malformed_stripes_are_refused() -> None:
    with pytest.raises(InputError, match="finite"):
        _propose(np.full((3, 2, 2), np.nan), _row(2, 2.5, 5.0)[0])
    with pytest.raises(InputError, match="open ends"):
        propose_stalls(_row(2, 2.5, 5)[0], np.ones((2, 2), dtype=bool), _paint(_row(2, 2.5, 5)[0]), _in_front)
