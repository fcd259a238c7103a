"""Slabs, walls, pillars and ramps: areas, openings, heights."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes.building import Building
from scenes.building.ramps import ramp_edges
from scenes.building.slabs import ceiling_area, floor_area
from scenes.facility import Facility, Ramp
from scenes.materials.markings import LINE_WIDTH_M
from scenes.rendering.shapes import Shape
from tests.scenes.building.conftest import RAMP, RING, RISE_M


def named(building: Building, name: str) -> Shape:
    return next(shape for shape in building.shapes if shape.name == name)


def area_of(shape: Shape) -> float:
    a, b, c = (shape.vertices[shape.triangles[:, i]].astype(float) for i in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def test_floors_and_ceilings_have_openings_where_the_ramp_is(building: Building, facility: Facility) -> None:
    whole, opening = shapely.Polygon(RING).area, shapely.Polygon(RAMP).area
    for level, above in zip(facility.levels, (whole - opening, whole), strict=True):
        assert floor_area(facility, level).area == pytest.approx(whole - opening)
        assert ceiling_area(facility, level).area == pytest.approx(above)
        assert area_of(named(building, f"{level.id}/floor")) == pytest.approx(whole - opening, rel=1e-5)
        assert area_of(named(building, f"{level.id}/ceiling")) == pytest.approx(above, rel=1e-5)
        assert set(named(building, f"{level.id}/floor").vertices[:, 2]) == {np.float32(level.elevation)}
        assert set(named(building, f"{level.id}/ceiling").vertices[:, 2]) == {np.float32(level.elevation + 2.6)}


def test_the_edge_of_an_opening_faces_it(building: Building) -> None:
    edge = named(building, "P2/slab edge")
    assert set(edge.vertices[:, 2].round(5).tolist()) == set(np.float32([2.6, RISE_M]).round(5).tolist())
    middle = np.array([8.5, 9.5, 0])
    assert (((middle - edge.vertices) * edge.normals)[:, :2].sum(axis=1) > 0).all()
    assert not [shape for shape in building.shapes if shape.name == "P1/slab edge"]


def test_walls_have_faces_on_both_sides_and_tops_where_they_show(building: Building) -> None:
    south = named(building, "P1/wall P1-south")
    assert south.vertices[:, 2].min() == 0
    assert south.vertices[:, 2].max() == pytest.approx(2.61)  # a little into the slab
    assert {tuple(n) for n in south.normals.round(6).tolist()} >= {(0, 1, 0), (-1, 0, 0)}
    assert {tuple(n) for n in named(building, "P1/wall P1-south/outer").normals.round(6).tolist()} >= {(0, -1, 0)}
    names = {shape.name for shape in building.shapes}
    assert "P1/wall P1-south/top" not in names
    top = named(building, "P1/wall P1-brick/top")
    assert area_of(top) == pytest.approx(3 * 0.2, rel=1e-4)
    np.testing.assert_allclose(top.vertices[:, 2], 1.2)


def test_pillars_reach_the_ceiling_all_around(building: Building) -> None:
    square, round_ = (named(building, f"P1/pillar P1-{number}") for number in (1, 2))
    assert area_of(square) == pytest.approx(4 * 0.5 * 2.61, rel=1e-5)
    assert area_of(round_) == pytest.approx(np.pi * 0.5 * 2.61, rel=0.01)
    np.testing.assert_allclose(np.linalg.norm(round_.vertices[:, :2] - (10, 5), axis=1), 0.25, rtol=1e-4)
    assert (square.texture.image != square.texture.image[:, :1]).any()


@settings(max_examples=30, deadline=None)
@given(turn=st.floats(0, 6.3), mirrored=st.booleans(), reverse=st.booleans())
def test_a_ramps_surface_follows_its_profile_and_faces_up(turn: float, mirrored: bool, reverse: bool) -> None:
    corners = np.array([[0, 0], [0, 4], [10, 4], [10, 0]], dtype=float) @ np.diag([1, -1 if mirrored else 1])
    corners = corners @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    heights = (0.0, 0.5, 3.0) if not reverse else (3.0, 2.5, 0.0)
    profile = tuple(zip((0.0, 3.0, 10.0), heights, strict=True))
    ramp = Ramp.model_validate({"id": "r", "from": "a", "to": "b", "polygon": corners.tolist(), "profile": profile})
    left, right = ramp_edges(ramp)
    np.testing.assert_allclose(left[:, 2], heights)
    np.testing.assert_allclose(np.linalg.norm(right - left, axis=1), 4.0)
    ahead = left[-1] - left[0]
    across = right[0] - left[0]
    assert ahead[0] * across[1] - ahead[1] * across[0] < 0  # right is on the right


def test_a_ramp_is_where_its_profile_says(building: Building) -> None:
    surface = named(building, "P1/ramp up")
    assert (surface.normals[:, 2] > 0.8).all()
    for x, z in ((4.0, 0.0), (6.0, 0.4), (11.0, 2.6), (13.0, RISE_M)):
        at = np.abs(surface.vertices[:, 0] - x) < 1e-5
        assert at.any()
        np.testing.assert_allclose(surface.vertices[at, 2], z, atol=1e-6)
    body = named(building, "P1/ramp up/sides")
    assert body.vertices[:, 2].min() == 0
    middle = np.array([8.5, 9.5])
    assert (((body.vertices[:, :2] - middle) * body.normals[:, :2]).sum(axis=1) > 0).all()


def test_stall_lines_are_painted_where_their_corners_say(building: Building, facility: Facility) -> None:
    lines = building.line_corners["P1-A"]
    assert lines.shape == (4, 4, 3)
    assert (lines[..., 2] == 0).all()
    np.testing.assert_allclose(lines[0, :2].mean(axis=0), (9.5, 5.2, 0))
    np.testing.assert_allclose(np.linalg.norm(lines[0, 0] - lines[0, 1]), LINE_WIDTH_M)
    texture = named(building, "P1/floor").texture
    gray = texture.image.mean(axis=2)
    density = texture.px_per_m
    for line in lines:
        x = line[:, 0].mean()
        column, rows = int(x * density), slice(int((12 - 5.0) * density), int((12 - 0.5) * density))
        beside = gray[rows, column - int(0.5 * density)]
        assert np.median(gray[rows, column]) > np.median(beside) + 25
