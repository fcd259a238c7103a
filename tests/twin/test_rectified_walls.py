"""Walls of a plan from straight ahead: photos of a drawn wall, with a truth."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import shapely

from geometry import FloorPlan, pose_from_position
from geometry.floorplan import Level, Wall
from tests.twin.textures.grounds import CAMERA, UPRIGHT_FRAME, ground, photo_of
from twin.mapping.meaning_stages import MeaningStages
from twin.mapping.rectified_walls import FROM_M, rectify_walls
from twin.mapping.textures import find_textures
from twin.photos import MapPhoto
from twin.progress import silent
from twin.textures import match_textures, pyramid_of

GROUND = ground()
LEVEL = Level(id="P1", name="P1", elevation=0.0, ceiling=3.0, outline=shapely.box(-6, -6, 10, 5))


def plan_with(wall: Wall) -> FloorPlan:
    return FloorPlan(levels=(LEVEL,), walls=(wall,))


def wall(height: float = 2.8, thickness: float = 0.2) -> Wall:
    """Return a wall whose face to smaller y is where ``UPRIGHT_FRAME`` has the drawn one."""
    y = 5.0 + thickness / 2
    return Wall(level="P1", line=shapely.LineString([(-5.0, y), (9.0, y)]), height=height, thickness=thickness)


@pytest.fixture
def photos(tmp_path: Path) -> list[MapPhoto]:
    """Seven photos taken along the wall, 4.5 m before it, by a phone held at 1.6 m."""
    found = []
    for number, x in enumerate(np.linspace(-3.0, 7.0, 7)):
        before = pose_from_position((x - 2.0, 0.6, 4.5), (1.0, 0.0, 0.0, 0.0))  # in the frame of the drawn ground
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), photo_of(GROUND, before, noise=2.0))
        pose = before * UPRIGHT_FRAME.inverse()
        found.append(MapPhoto(name=path.name, path=path, camera=CAMERA, cam_from_site=pose))
    return found


def test_a_wall_is_seen_from_its_front_above_what_parks(photos: list[MapPhoto]) -> None:
    faces = rectify_walls(MeaningStages(None), photos, plan_with(wall()), silent)
    assert len(faces) == 1, "nobody stood behind it"
    found = find_textures([], faces)
    assert len(found) > 10  # measured 13: one row, as 1.55 m of the wall are above what parks
    np.testing.assert_allclose(found.centres[:, 1], 5.0, atol=1e-9)
    assert (np.abs(found.centres[:, 2] - (FROM_M + 2.8) / 2) < 0.4).all()
    pose = pose_from_position((0.5, 0.4, 5.5), (1.0, 0.0, 0.0, 0.0))
    there = match_textures(
        found, pyramid_of(photo_of(GROUND, pose)), CAMERA, pose * UPRIGHT_FRAME.inverse(), reach=2, most=80
    )
    assert there.looked_for > 5
    assert there.support.found == there.looked_for


def test_photos_of_another_storey_show_nothing(photos: list[MapPhoto]) -> None:
    below = LEVEL.model_copy(update={"ceiling": 1.5})  # the photos were taken at 1.6 m, which is above its ceiling
    tall = wall(height=4.0)
    assert rectify_walls(MeaningStages(None), photos, FloorPlan(levels=(below,), walls=(tall,)), silent) == []
    assert len(rectify_walls(MeaningStages(None), photos, FloorPlan(levels=(LEVEL,), walls=(tall,)), silent)) == 1


@pytest.mark.parametrize("height", [1.0, 1.26, 1.3, 2.2])
def test_walls_that_no_patch_fits_on_are_left_out(photos: list[MapPhoto], height: float) -> None:
    assert rectify_walls(MeaningStages(None), photos, plan_with(wall(height=height)), silent) == []


def test_a_wall_of_absurd_size_costs_nothing(photos: list[MapPhoto]) -> None:
    endless = wall().model_copy(update={"line": shapely.LineString([(-1e8, 5.1), (1e8, 5.1)])})
    sky_high = wall(height=1e8)
    faces = rectify_walls(MeaningStages(None), photos, FloorPlan(levels=(LEVEL,), walls=(endless, sky_high)), silent)
    assert len(faces) == 1
    assert faces[0].surface.ortho.pixels.shape[0] <= (3.0 - FROM_M) / faces[0].surface.ortho.m_per_px
