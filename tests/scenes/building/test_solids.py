"""Patches: areas, directions, round trips of uv."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes.building.solids import Patch, flat, joined, prism, quad, sides, tube


def area_of(patch: Patch) -> float:
    a, b, c = (patch.vertices[patch.triangles[:, i]] for i in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def volume_of(patch: Patch) -> float:
    """Return the volume inside a closed patch, by the divergence theorem; negative where it is inside out."""
    a, b, c = (patch.vertices[patch.triangles[:, i]] for i in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


@settings(max_examples=40, deadline=None)
@given(
    hole=st.tuples(st.floats(1, 4), st.floats(1, 3), st.floats(0.5, 4), st.floats(0.5, 3)),
    turn=st.floats(0, 360),
    up=st.booleans(),
)
def test_a_flat_area_is_covered_exactly_once(hole: tuple[float, ...], turn: float, up: bool) -> None:
    x, y, width, depth = hole
    plate = shapely.box(0, 0, 10, 8).difference(shapely.affinity.rotate(shapely.box(x, y, x + width, y + depth), turn))
    patch = flat(plate, 1.5, up=up, origin=(0.0, 8.0))
    assert area_of(patch) == pytest.approx(plate.area, rel=1e-9)
    assert (patch.vertices[:, 2] == 1.5).all()
    assert (patch.normals[:, 2] == (1 if up else -1)).all()


@settings(max_examples=30, deadline=None)
@given(count=st.integers(3, 12), high=st.floats(0.1, 5), x=st.floats(-50, 50))
def test_a_prism_is_closed_and_right_side_out(count: int, high: float, x: float) -> None:
    angles = np.arange(count) * 2 * np.pi / count
    ring = np.column_stack([x + np.cos(angles), np.sin(angles)])
    patch = prism(ring, 0.5, 0.5 + high)
    assert volume_of(patch) == pytest.approx(shapely.Polygon(ring).area * high, rel=1e-6)


def test_sides_unroll_along_their_way() -> None:
    patch = sides([[0, 0], [3, 0], [3, 4]], 0.0, 2.5, 1.0)
    np.testing.assert_allclose(patch.uv[[0, 1, 4, 5], 0], [1, 4, 4, 8])
    assert set(patch.uv[:, 1]) == {0.0, 2.5}
    np.testing.assert_allclose(patch.normals[[0, 4]], [[0, -1, 0], [1, 0, 0]])


def test_smooth_normals_point_away_from_the_axis() -> None:
    angles = np.linspace(0, 2 * np.pi, 25)
    patch = sides(np.column_stack([np.cos(angles), np.sin(angles)]), 0, 1, smooth=True)
    np.testing.assert_allclose(patch.normals[:, :2], patch.vertices[:, :2], atol=1e-9)


@pytest.mark.parametrize("end", [(0, 0, 3), (2, 1, 0), (1, -2, -1)])
def test_a_tube_keeps_its_distance(end: tuple[float, float, float]) -> None:
    patch = tube((0, 0, 0), end, 0.1)
    axis = np.array(end) / np.linalg.norm(end)
    off = patch.vertices - np.outer(patch.vertices @ axis, axis)
    np.testing.assert_allclose(np.linalg.norm(off, axis=1), 0.1)
    np.testing.assert_allclose(patch.normals, off / 0.1, atol=1e-9)


def test_joining_keeps_every_triangle() -> None:
    one = quad([[0, 0, 1], [2, 0, 1], [2, 0, 0], [0, 0, 0]])
    assert area_of(joined([one, one, one])) == pytest.approx(6.0)
    np.testing.assert_allclose(one.normals[0], [0, -1, 0])
