import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from scenes.facility import Facility, Level, Obstacle, Pillar, Sign, StallRow, Wall
from scenes.plan import floor_plan, pillar_polygon, row_polygons, stall_ids, wall_polygon

LEVEL = Level(id="P2", elevation=3.5, ceiling=2.8, outline=((-50, -50), (50, -50), (50, 50), (-50, 50)))


@given(along=st.floats(-360, 360), angle=st.floats(30, 150), count=st.integers(1, 12))
def test_stalls_of_a_row_touch_and_lie_left_of_it(along: float, angle: float, count: int) -> None:
    row = StallRow(id="A", level="P2", start=(3.0, -2.0), along_deg=along, count=count, angle_deg=angle)
    corners = row_polygons(row)
    assert corners.shape == (count, 4, 2)
    stalls = shapely.polygons(corners)
    assert shapely.is_ccw(shapely.get_exterior_ring(stalls)).all()
    np.testing.assert_allclose(corners[0, 0], row.start)
    np.testing.assert_allclose(corners[1:, 0], corners[:-1, 1])
    np.testing.assert_allclose(corners[1:, 3], corners[:-1, 2])
    np.testing.assert_allclose(shapely.area(stalls), row.width * row.depth / np.sin(np.radians(angle)))
    side = corners[:, 3] - corners[:, 0]
    direction = np.array([np.cos(np.radians(along)), np.sin(np.radians(along))])
    np.testing.assert_allclose(direction[0] * side[:, 1] - direction[1] * side[:, 0], row.depth)


def test_stalls_are_numbered_from_the_first() -> None:
    row = StallRow(id="P1-B", level="P2", start=(0, 0), along_deg=0, count=3, first=9)
    assert stall_ids(row) == ["P1-B-09", "P1-B-10", "P1-B-11"]


def test_a_plan_has_absolute_heights_and_every_kind() -> None:
    facility = Facility(
        name="yard",
        levels=(LEVEL,),
        rows=(StallRow(id="E", level="P2", start=(0, 0), along_deg=0, count=2, kind="electric"),),
        walls=(
            Wall(id="w", level="P2", line=((0, 10), (5, 10))),
            Wall(id="v", level="P2", line=((0, 9), (5, 9)), height=1.1),
        ),
        pillars=(Pillar(id="7", level="P2", at=(10, 10), yaw_deg=45),),
        obstacles=(Obstacle(id="crate", level="P2", at=(20, 10), size=(2, 1, 1), yaw_deg=90),),
        signs=(
            Sign(id="s", level="P2", at=(1, 2), height=2.0, facing_deg=90, size=(1, 0.5), text="P2", double_sided=True),
        ),
    )
    plan = floor_plan(facility)
    assert [(stall.id, stall.kind) for stall in plan.stalls] == [("E-01", "electric"), ("E-02", "electric")]
    assert [wall.height for wall in plan.walls] == [2.8, 1.1]
    np.testing.assert_allclose(plan.exclusions[0].polygon.bounds, (19.5, 9, 20.5, 11))
    np.testing.assert_allclose(plan.pillars[0].polygon.bounds[0], 10 - 0.25 * np.sqrt(2))
    front, back = plan.signs
    assert front.position.z == 5.5
    np.testing.assert_allclose(front.normal, (0, 1, 0), atol=1e-12)
    np.testing.assert_allclose(np.add(front.normal, back.normal), 0, atol=1e-12)


@pytest.mark.parametrize("yaw", [0.0, 30.0])
def test_a_round_pillar_fits_into_its_size(yaw: float) -> None:
    pillar = Pillar(id="p", level="P2", at=(1, 2), size=(0.6, 0.6), yaw_deg=yaw, round=True)
    polygon = pillar_polygon(pillar)
    np.testing.assert_allclose((polygon.centroid.x, polygon.centroid.y), (1, 2), atol=1e-9)
    assert 0.97 * np.pi * 0.09 < polygon.area < np.pi * 0.09  # measured 0.989 of the disc


def test_a_wall_stands_on_both_sides_of_its_line() -> None:
    wall = Wall(id="w", level="P2", line=((0, 0), (4, 0), (4, 3)), thickness=0.2)
    np.testing.assert_allclose(wall_polygon(wall).bounds, (0, -0.1, 4.1, 3))
