"""Which stalls a camera is asked about, and where these are in its pictures."""

import numpy as np
import shapely

from geometry import FixedCamera, FloorPlan, camera_from_opencv
from geometry.cameras import project
from geometry.floorplan import Level, Stall
from geometry.frames import transform_points
from perception.occupancy.stall_crops import HEIGHT_PX, MIDDLE_M, WIDTH_PX
from scenes.captures.views import look
from tests.twin.events.places import camera, pillar_before, plan
from twin.events.stall_views import seen_stalls, stall_sights

ALL = [f"S{i}" for i in range(10)]


def away(name: str = "away") -> FixedCamera:
    """Return a camera that looks at no stall."""
    lens = camera_from_opencv(np.array([[500.0, 0, 639.5], [0, 500, 359.5], [0, 0, 1]]), [], (1280, 720))
    return FixedCamera.of(name, lens, look((20.0, 24.0, 6.0), np.pi / 2, -0.35), level="L")


def test_a_camera_sees_the_stalls_before_it_with_their_corners() -> None:
    found = seen_stalls(plan(), camera())
    assert list(found) == ALL
    np.testing.assert_allclose(found["S3"].mean(axis=0), (16.75, 5.5, 0.0))
    edges = np.linalg.norm(found["S3"] - np.roll(found["S3"], 1, axis=0), axis=1)
    np.testing.assert_allclose(np.sort(edges), [2.5, 2.5, 5.0, 5.0])


def test_a_stall_behind_a_pillar_is_not_asked_about() -> None:
    assert list(seen_stalls(plan(pillars=(pillar_before(4),)), camera())) == [each for each in ALL if each != "S4"]


def test_a_camera_that_looks_away_and_one_of_another_level_see_none() -> None:
    assert seen_stalls(plan(), away()) == {}
    other = plan().model_copy(
        update={"levels": (*plan().levels, Level(id="U", elevation=-4.0, outline=shapely.box(-6, 0, 46, 20)))}
    )
    below = camera().model_copy(update={"level": "U"})
    assert seen_stalls(other, below) == {}
    assert list(seen_stalls(other, camera())) == ALL


def test_corners_lie_on_their_level() -> None:
    raised = tuple(level.model_copy(update={"elevation": 1.5}) for level in plan().levels)
    found = seen_stalls(plan().model_copy(update={"levels": raised}), camera())
    assert {float(z) for corners in found.values() for z in corners[:, 2]} == {1.5}


def test_only_quadrilaterals_are_asked_about() -> None:
    odd = Stall(id="odd", level="L", polygon=shapely.Polygon([(20, 3), (22, 3), (23, 5), (21, 7), (20, 6)]))
    site = FloorPlan(levels=plan().levels, stalls=(odd, plan().stalls[0]))
    assert list(seen_stalls(site, camera())) == ["S0"]
    assert list(stall_sights(site, [camera()])["cam"].stalls) == ["S0"]


def test_sights_are_of_the_cameras_that_see_any() -> None:
    sights = stall_sights(plan(), [camera(), away()])
    assert list(sights) == ["cam"]
    sight = sights["cam"]
    assert sight.stalls == tuple(ALL)
    assert len(sight.crops) == 10
    assert sight.crops.size == (1280, 720)
    assert stall_sights(plan(), []) == {}
    assert stall_sights(plan().model_copy(update={"stalls": ()}), [camera()]) == {}


def test_the_middle_of_a_crop_is_the_stall() -> None:
    known = camera()
    sight = stall_sights(plan(), [known])["cam"]
    corners = np.array(list(seen_stalls(plan(), known).values()))
    middles = corners.mean(axis=1) + np.array([0.0, 0.0, MIDDLE_M])
    pixels, _ = project(known.camera(), transform_points(known.pose(), middles))
    row, column = HEIGHT_PX // 2, WIDTH_PX // 2
    found = sight.crops.maps[:, row - 1 : row + 1, column - 1 : column + 1]
    np.testing.assert_allclose(found.reshape(10, 4, 2).mean(axis=1), pixels - 0.5, atol=0.05)  # measured 0.002 px
