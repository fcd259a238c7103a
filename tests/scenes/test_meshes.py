"""Surfaces, boxes and their triangles."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.errors import InputError
from scenes.meshes import FACES, Surface, box, build_mesh, wall

coordinates = st.floats(-50, 50)
lengths = st.floats(0.05, 20)


@given(st.tuples(coordinates, coordinates, coordinates), st.tuples(lengths, lengths, lengths), st.floats(-7, 7))
def test_a_box_is_closed_and_faces_outwards(base: tuple[float, ...], size: tuple[float, ...], yaw: float) -> None:
    mesh = build_mesh(box("box", base, size, yaw, dict.fromkeys(FACES, 0)))
    a, b, c = (mesh.vertices[mesh.triangles[:, i]].astype(float) - base for i in range(3))
    volume = np.einsum("nk,nk->n", a, np.cross(b, c)).sum() / 6  # divergence theorem: positive only if outward
    assert volume == pytest.approx(np.prod(size), rel=1e-3)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 5), st.floats(-4, 4))
def test_uv_interpolated_over_triangles_agrees_with_points_in_site(s: float, t: float, face: int, yaw: float) -> None:
    surface = box("box", (1, 2, 3), (2.0, 3.0, 4.0), yaw, {FACES[face]: 0})[0]
    surface = replace(surface, uv_corner=(0.5, 0.25))
    mesh = build_mesh([surface])
    weights = np.array([1 - max(s, t), max(s, t) - min(s, t), min(s, t)])
    for triangle, uv in zip(mesh.triangles, mesh.uv, strict=True):
        expected = surface.points_in_site(weights @ uv - surface.uv_corner)
        np.testing.assert_allclose(weights @ mesh.vertices[triangle], expected, atol=1e-5)


def test_a_wall_shows_left_on_the_left() -> None:
    north = wall("north", (0, 12), (16, 12), (0, 5), 0)
    np.testing.assert_allclose(north.corner, [0, 12, 5])
    np.testing.assert_allclose(north.normal, [0, -1, 0], atol=1e-12)
    np.testing.assert_allclose(north.points_in_site((16, 5)), [16, 12, 0])


@pytest.mark.parametrize(
    "change",
    [
        {"size": (0.0, 1.0)},
        {"size": (1.0, np.nan)},
        {"corner": np.array([np.nan, 0, 0])},
        {"right": np.array([0.0, 0.0, 1.0])},
        {"right": np.array([2.0, 0.0, 0.0])},
    ],
)
def test_bad_surfaces_are_refused_by_name(change: dict[str, object]) -> None:
    good = wall("east wall", (0, 0), (1, 0), (0, 1), 0)
    with pytest.raises(InputError, match="east wall"):
        replace(good, **change)  # type: ignore[arg-type]


def test_degenerate_scenes_are_refused() -> None:
    surface = wall("w", (0, 0), (1, 0), (0, 1), 0)
    for surfaces in ([], [surface, surface]):
        with pytest.raises(InputError, match="unique"):
            build_mesh(surfaces)
    with pytest.raises(InputError, match="two different ends"):
        wall("w", (1, 1), (1, 1), (0, 1), 0)
    with pytest.raises(InputError, match="no face"):
        box("b", (0, 0, 0), (1, 1, 1), 0.0, {"lid": 0})


def test_surface_is_a_value_object() -> None:
    assert isinstance(wall("w", (0, 0), (1, 0), (0, 1), 0), Surface)
