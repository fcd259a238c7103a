import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geometry import FloorPlan, ramp_height
from geometry.floorplan import Exclusion, Level, Pillar, Ramp, Sign, Wall
from scenes.rendering.raycasting import cast_rays, raycaster
from tests.twin.surface.rooms import DEPTH, HEIGHT, WIDTH, room
from twin.surface.extrusion import extrude
from twin.surface.panels import mesh_of, quad_panels

DOWN = (0.0, 0.0, -1.0)
PROFILE = ((0.0, 0.0), (2.0, 0.2), (10.0, 2.8), (12.0, 3.0))


def two_levels(*, clockwise: bool = False) -> FloorPlan:
    outline = shapely.box(0, 0, 20, 10)
    corners = [(4, 3), (4, 6), (16, 6), (16, 3)] if clockwise else [(4, 6), (4, 3), (16, 3), (16, 6)]
    return FloorPlan(
        levels=(
            Level(id="A", elevation=0.0, ceiling=2.7, outline=outline),
            Level(id="B", elevation=3.0, ceiling=2.7, outline=outline),
        ),
        ramps=(
            Ramp.model_validate(
                {"id": "r", "from": "A", "to": "B", "polygon": shapely.Polygon(corners), "profile": PROFILE}
            ),
        ),
    )


def hits(plan: FloorPlan, starts: np.ndarray, directions: np.ndarray, **heights: float) -> np.ndarray:
    mesh = mesh_of(extrude(plan, heights))
    scene = raycaster(mesh.vertices, mesh.triangles)
    found = cast_rays(scene, starts.astype(np.float32), directions.astype(np.float32))
    return starts + found.distance[:, None] * directions


@given(st.floats(-3.1, 3.1), st.floats(0.1, 0.6), st.floats(0.5, 3.0))
def test_triangles_look_where_their_panel_does(yaw: float, thickness: float, height: float) -> None:
    end = np.array([4.0, 3.0]) + 2.0 * np.array([np.cos(yaw), np.sin(yaw)])
    wall = Wall(level="A", line=shapely.LineString([(4, 3), end]), height=height, thickness=thickness)
    panels = extrude(room(walls=(wall,)))
    mesh = mesh_of(panels)
    corners = mesh.vertices[mesh.triangles].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (np.einsum("ti,ti->t", normals, [panels[i].normal for i in mesh.panel]) > 0).all()
    area = 0.5 * np.linalg.norm(normals, axis=1).sum()
    assert area == pytest.approx(sum(panel.area.area for panel in panels), rel=1e-4)
    # The faces of a wall enclose it: seen from its middle, every one of them shows its back.
    own = np.array([panels[i].element == "A/wall 1" for i in mesh.panel])
    middle = np.array([*(np.array([4.0, 3.0]) + end) / 2, height / 2])
    assert (np.einsum("ti,ti->t", normals[own], corners[own, 0] - middle) > 0).all()


def test_a_room_is_closed() -> None:
    rng = np.random.default_rng(0)
    rays = rng.normal(size=(2000, 3))
    ends = hits(room(), np.tile([3.0, 2.0, 1.5], (len(rays), 1)), rays)
    outside = np.maximum(0 - ends, ends - [WIDTH, DEPTH, HEIGHT])
    assert np.abs(outside.max(axis=1)).max() < 1e-4  # on a face of the box


@pytest.mark.parametrize("clockwise", [False, True])
def test_ramps_follow_their_profile_and_open_the_slab(clockwise: bool) -> None:
    plan = two_levels(clockwise=clockwise)
    rng = np.random.default_rng(0)
    above = np.column_stack([rng.uniform(0.1, 19.9, 500), rng.uniform(0.1, 9.9, 500), np.full(500, 5.0)])
    height = hits(plan, above, np.tile(DOWN, (500, 1)))[:, 2]
    on_ramp = shapely.contains_xy(plan.ramps[0].polygon, above[:, 0], above[:, 1])
    assert height[on_ramp] == pytest.approx(np.interp(above[on_ramp, 0] - 4.0, *np.transpose(PROFILE)), abs=1e-4)
    if not clockwise:
        assert height[on_ramp] == pytest.approx(ramp_height(plan.ramps[0], above[on_ramp, :2]), abs=1e-4)
    assert height[~on_ramp] == pytest.approx(3.0, abs=1e-5)
    panels = extrude(plan)
    ramp = [panel for panel in panels if panel.kind == "ramp"]
    assert len(ramp) == 3
    assert all(panel.normal[2] > 0.9 for panel in ramp)
    edges = [panel for panel in panels if panel.kind == "edge"]
    assert len(edges) == 4  # each looks into the opening
    for panel in edges:
        middle = panel.origin + np.array(panel.size) / 2 @ panel.axes
        assert ((np.array([10.0, 4.5, 2.85]) - middle) @ panel.normal) > 0


def test_pillars_reach_the_ceiling_signs_face_their_normal_and_exclusions_need_a_height() -> None:
    plan = room(
        pillars=(Pillar(id="p", level="A", polygon=shapely.box(2, 2, 2.5, 2.5)),),
        signs=(
            Sign(id="s", level="A", position=shapely.Point(4, 5.9, 2), normal=(0, -1, 0), text="A", width=2, height=1),
            Sign(id="flat", level="A", position=shapely.Point(4, 3, 2), normal=(0, 0, 1), text="", width=2, height=1),
        ),
        exclusions=(Exclusion(id="crate", level="A", polygon=shapely.box(6, 4, 7, 5)),),
    )
    pillar = [panel for panel in extrude(plan) if panel.element == "A/p"]
    assert len(pillar) == 4
    assert all(panel.size == pytest.approx((0.5, HEIGHT)) for panel in pillar)
    (sign,) = [panel for panel in extrude(plan) if panel.kind == "sign"]  # the one that lies flat has no upright face
    assert sign.normal == pytest.approx([0, -1, 0])
    assert sign.size == pytest.approx((2.0, 1.0))
    assert sign.axes[0] == pytest.approx([1, 0, 0])
    assert sign.axes[1] == pytest.approx([0, 0, -1])
    assert not [panel for panel in extrude(plan) if panel.kind == "exclusion"]
    start = np.array([[6.5, 4.5, 2.0]])
    assert hits(plan, start, np.array([DOWN]))[0, 2] == pytest.approx(0.0, abs=1e-6)
    assert hits(plan, start, np.array([DOWN]), crate=0.7)[0, 2] == pytest.approx(0.7, abs=1e-6)


def test_a_twisted_quadrilateral_is_two_triangles() -> None:
    flat = np.array([[0.0, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]])
    twisted = flat + np.array([[0, 0, 0.2], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    assert len(quad_panels("r", "ramp", flat)) == 1
    panels = quad_panels("r", "ramp", twisted)
    mesh = mesh_of(panels)
    assert len(panels) == 2
    assert all(panel.normal[2] > 0 for panel in panels)
    assert {tuple(np.round(v, 5)) for v in mesh.vertices.tolist()} == {tuple(np.round(v, 5)) for v in twisted.tolist()}


def test_no_panels_make_an_empty_mesh() -> None:
    mesh = mesh_of([])
    assert mesh.vertices.shape == (0, 3)
    assert mesh.triangles.shape == (0, 3)
