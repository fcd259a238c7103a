import numpy as np
import pytest
import shapely

from geometry.floorplan import FloorPlan, Level, Ramp
from geometry.ground_surface import GroundSurface
from geometry.location import floor_height

PLAN = FloorPlan(
    levels=(
        Level(id="low", elevation=0.0, outline=shapely.box(0, 0, 40, 20)),
        Level(id="high", elevation=3.0, outline=shapely.box(0, 0, 40, 20)),
    ),
    ramps=(
        Ramp(
            id="ramp",
            from_level="low",
            to_level="high",
            polygon=shapely.Polygon([(10, 8), (10, 12), (30, 12), (30, 8)][::-1]),
            profile=((0.0, 0.0), (20.0, 3.0)),
        ),
    ),
)
GROUND = GroundSurface.of(PLAN)


def test_heights_are_those_of_floors_and_ramps():
    rng = np.random.default_rng(3)
    points = rng.uniform([0.3, 0.3], [39.7, 19.7], (500, 2))
    for level in (0, 1):
        exact = floor_height(PLAN, points, level)
        near_edge = shapely.distance(PLAN.ramps[0].polygon.exterior, shapely.points(points)) < 0.3
        found, _ = GROUND.height(level, points)
        np.testing.assert_allclose(found[~near_edge], exact[~near_edge], atol=0.01)


def test_slopes_are_differences_of_heights():
    points = np.array([[20.0, 10.0], [5.0, 5.0]])
    _, slope = GROUND.height(0, points)
    assert abs(slope[0, 0]) == pytest.approx(3 / 20, abs=1e-3)
    np.testing.assert_allclose(slope[1], 0.0)


def test_rays_meet_the_floor_they_look_at():
    rng = np.random.default_rng(5)
    points = rng.uniform([1.0, 1.0], [39.0, 19.0], (300, 2))
    z, _ = GROUND.height(0, points)
    near_edge = shapely.distance(PLAN.ramps[0].polygon.exterior, shapely.points(points)) < 0.6
    eye = np.array([35.0, 2.0, 6.0])
    rays = np.column_stack([points, z]) - eye
    found, met = GROUND.intersect(0, eye, rays / np.linalg.norm(rays, axis=1, keepdims=True))
    flat = ~near_edge & (z == 0)
    behind_ramp = np.linalg.norm(found[:, :2] - points, axis=1) > 0.5
    assert met[flat & ~behind_ramp].all()
    np.testing.assert_allclose(found[flat & ~behind_ramp, :2], points[flat & ~behind_ramp], atol=0.05)
    level_ray = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert not GROUND.intersect(0, eye, level_ray)[1].any()


def test_who_drives_up_changes_level_on_the_way():
    points = np.array([[28.0, 10.0], [20.5, 10.0], [11.0, 10.0], [5.0, 5.0]])
    z, _ = GROUND.height(0, points)
    expected = [int(height > 1.5) for height in z[:3].tolist()] + [0]
    assert GROUND.levels_at(np.zeros(4, dtype=np.int64), points).tolist() == expected


def test_off_the_level_and_not_a_number():
    points = np.array([[-3.0, 5.0], [np.nan, 1.0], [1e12, 0.0]])
    assert not GROUND.contains(0, points).any()
    assert np.isfinite(GROUND.height(0, points[:1])[0]).all()


def test_a_plane_without_bounds():
    plane = GroundSurface.flat(1.5)
    found, met = plane.intersect(0, [0.0, 0.0, 4.0], np.array([[0.6, 0.0, -0.8]]))
    assert met[0]
    np.testing.assert_allclose(found[0], [1.875, 0.0, 1.5])
