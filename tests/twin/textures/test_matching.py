"""Textures that a photo shows, or does not: photos of a drawn floor, with a truth."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geometry import pose_from_position, position_of, project, refine_pose, transform_points
from tests.twin.textures.grounds import CAMERA, UPRIGHT_FRAME, ground, looking_down, photo_of, surface_of, textures_of
from twin.textures import TextureSupport, cut_textures, match_textures, pyramid_of
from twin.textures.matching import SIGMA_M, SIGMA_OUT_M, SIGMA_PX, _correlation, point_covariances

GROUND = ground()
TEXTURES = textures_of(GROUND)


@pytest.mark.parametrize(("noise", "least"), [(0.0, 0.9), (4.0, 0.8)])
def test_a_right_pose_finds_them_where_they_are(noise: float, least: float) -> None:
    pose = looking_down()
    found = match_textures(TEXTURES, pyramid_of(photo_of(GROUND, pose, noise)), CAMERA, pose, reach=2, most=80)
    assert found.looked_for > 30
    assert found.support.found > least * found.looked_for  # measured 0.96 clean, 0.91 noisy
    true, _ = project(CAMERA, transform_points(pose, TEXTURES.centres[found.patch]))
    assert np.median(np.linalg.norm(found.pixels - true, axis=1)) < 0.6  # measured 0.26, 0.32
    assert found.support.log10_false_alarms < -20.0


def test_a_wrong_pose_finds_none() -> None:
    pyramid = pyramid_of(photo_of(GROUND, looking_down(), 2.0))
    for wrong in (looking_down(1.0), looking_down(y=-2.0), looking_down(degrees=40.0)):
        found = match_textures(TEXTURES, pyramid, CAMERA, wrong, reach=2, most=80)
        assert found.looked_for > 20
        assert found.support.found < 0.1 * found.looked_for  # measured 1 of 65 at most
        assert found.support.log10_false_alarms > -2.0


def test_what_is_found_brings_a_pose_home() -> None:
    pose, start = looking_down(), looking_down(0.06, -2.95, 30.5)
    pyramid = pyramid_of(photo_of(GROUND, pose, 2.0))
    for _ in range(2):
        found = match_textures(TEXTURES, pyramid, CAMERA, start, reach=2, most=80)
        start = refine_pose(
            start,
            found.pixels,
            TEXTURES.centres[found.patch],
            CAMERA,
            sigma_px=np.full(len(found.patch), SIGMA_PX),
            point_covariances=point_covariances(TEXTURES, found.patch),
        ).cam_from_site
    assert np.linalg.norm(position_of(start) - position_of(pose)) < 0.02  # measured 0.008 m, 0.078 before


def test_a_ceiling_is_found_from_below_and_not_from_above() -> None:
    ceiling = cut_textures(surface_of(GROUND, height=3.2), from_below=True)
    below = looking_down(degrees=-30.0)
    pyramid = pyramid_of(photo_of(GROUND, below, 2.0, height=3.2))
    found = match_textures(ceiling, pyramid, CAMERA, below, reach=2, most=80)
    assert found.looked_for > 30
    assert found.support.found > 0.8 * found.looked_for
    true, _ = project(CAMERA, transform_points(below, ceiling.centres[found.patch]))
    assert np.median(np.linalg.norm(found.pixels - true, axis=1)) < 0.6
    beneath = replace(ceiling, centres=ceiling.centres - [0.0, 0.0, 3.2])
    down = looking_down()
    assert match_textures(beneath, pyramid_of(photo_of(GROUND, down)), CAMERA, down, reach=2, most=80).looked_for == 0


def test_a_wall_is_found_from_before_it_and_not_from_behind_or_from_another_storey() -> None:
    wall = cut_textures(surface_of(GROUND), site_from_surface=UPRIGHT_FRAME)
    above = pose_from_position((0.2, 0.1, 4.0), (1.0, 0.0, 0.0, 0.0))  # straight down, which is ahead for a wall
    frontal = above * UPRIGHT_FRAME.inverse()
    pyramid = pyramid_of(photo_of(GROUND, above, 2.0))
    found = match_textures(wall, pyramid, CAMERA, frontal, reach=2, most=80)
    assert found.looked_for > 10
    assert found.support.found > 0.8 * found.looked_for
    true, _ = project(CAMERA, transform_points(frontal, wall.centres[found.patch]))
    assert np.median(np.linalg.norm(found.pixels - true, axis=1)) < 0.6
    from_behind = replace(wall, right=-wall.right)
    assert match_textures(from_behind, pyramid, CAMERA, frontal, reach=2, most=80).looked_for == 0


def test_walls_of_other_storeys_are_not_looked_for() -> None:
    wall = cut_textures(surface_of(GROUND), site_from_surface=UPRIGHT_FRAME)
    afar = pose_from_position((0.2, 0.1, 8.0), (1.0, 0.0, 0.0, 0.0)) * UPRIGHT_FRAME.inverse()
    rise = wall.centres[:, 2] - position_of(afar)[2]
    blank = pyramid_of(np.full((CAMERA.height, CAMERA.width), 90, np.uint8))
    for low, high, looked_at in ((-1.4, 1.9, True), (-2.8, -1.6, False), (2.1, 3.0, False)):
        part = wall.take((rise > low) & (rise < high))
        pixels, _ = project(CAMERA, transform_points(afar, part.centres))
        assert ((pixels > 60) & (pixels < np.array([580, 420]))).all(axis=1).any(), "it is in the picture"
        found = match_textures(part, blank, CAMERA, afar, reach=2, most=80)
        assert (found.looked_for > 0) == looked_at


def test_patches_are_unsure_along_their_surface_and_less_out_of_it() -> None:
    wall = cut_textures(surface_of(GROUND), site_from_surface=UPRIGHT_FRAME)
    for part, sigmas in ((TEXTURES, (SIGMA_M, SIGMA_M, SIGMA_OUT_M)), (wall, (SIGMA_M, SIGMA_OUT_M, SIGMA_M))):
        found = point_covariances(part, np.arange(3))
        np.testing.assert_allclose(found, np.tile(np.diag(np.square(sigmas)), (3, 1, 1)), atol=1e-12)


def test_other_storeys_are_not_looked_for() -> None:
    pose = looking_down()
    pyramid = pyramid_of(photo_of(GROUND, pose))
    lower = replace(TEXTURES, centres=TEXTURES.centres - [0.0, 0.0, 3.5])
    assert match_textures(lower, pyramid, CAMERA, pose, reach=2, most=80).looked_for == 0
    split = replace(TEXTURES, centres=TEXTURES.centres - [0.0, 0.0, 1.2])
    assert match_textures(split, pyramid, CAMERA, pose, reach=2, most=80).looked_for > 0, "half a storey is"


def test_a_flat_photo_shows_none() -> None:
    gray = np.full((CAMERA.height, CAMERA.width), 100, np.uint8)
    found = match_textures(TEXTURES, pyramid_of(gray), CAMERA, looking_down(), reach=2, most=80)
    assert found.looked_for > 30
    assert found.support == TextureSupport(found=0, looked_for=found.looked_for)
    assert found.support.log10_false_alarms == 0.0


def test_no_more_are_compared_than_asked_for() -> None:
    pose = looking_down()
    assert match_textures(TEXTURES, pyramid_of(photo_of(GROUND, pose)), CAMERA, pose, reach=1, most=7).looked_for == 7


@given(seen=arrays(np.float32, (16, 16), elements=st.floats(-1, 1, width=32)), seed=st.integers(0, 100))
def test_correlation_is_that_of_opencv(seen: np.ndarray, seed: int) -> None:
    look = np.random.default_rng(seed).normal(size=(12, 12)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(seen, (12, 12))
    textured = windows.std(axis=(2, 3)) > 0.05
    ours = _correlation(seen[None], look[None])[0]
    oracle = cv2.matchTemplate(seen, look, cv2.TM_CCOEFF_NORMED)
    np.testing.assert_allclose(ours[textured], oracle[textured], atol=2e-4)
    assert (np.abs(ours) <= 1.0 + 1e-6).all()


@given(looked_for=st.integers(1, 100), share=st.floats(0.0, 1.0))
def test_more_is_found_less_often_by_chance(looked_for: int, share: float) -> None:
    found = int(share * looked_for)
    alarms = TextureSupport(found=found, looked_for=looked_for).log10_false_alarms
    assert alarms <= 0.0
    if found < looked_for:
        assert TextureSupport(found=found + 1, looked_for=looked_for).log10_false_alarms < alarms + 1e-12
        assert TextureSupport(found=found, looked_for=looked_for + 1).log10_false_alarms >= alarms - 1e-12


@given(looked_for=st.integers(0, 100), share=st.floats(0.0, 1.0))
def test_more_found_speaks_more_for_a_pose(looked_for: int, share: float) -> None:
    found = int(share * looked_for)
    said = TextureSupport(found=found, looked_for=looked_for).log_odds()
    if looked_for == 0:
        assert said == 0.0
    if found < looked_for:
        assert TextureSupport(found=found + 1, looked_for=looked_for).log_odds() > said
        assert TextureSupport(found=found, looked_for=looked_for + 1).log_odds() < said


def test_what_is_found_by_chance_speaks_against_a_pose() -> None:
    assert TextureSupport(found=2, looked_for=80).log_odds() < -3.0
    assert TextureSupport(found=0, looked_for=4).log_odds() > -2.5  # four patches may be hidden
    assert TextureSupport(found=40, looked_for=80).log_odds() > 5.0


def test_counts_of_patches_have_the_odds_of_the_shares_that_they_were_drawn_by() -> None:
    rng, shares = np.random.default_rng(0), ((2.0, 1.5), (0.5, 15.0))
    found = np.array([rng.binomial(20, rng.beta(a, b, 200_000)) for a, b in shares])
    for count in (0, 1, 5, 15):
        drawn = (found == count).mean(axis=1)
        said = TextureSupport(found=count, looked_for=20).log_odds(shares)
        assert np.isclose(said, np.log(drawn[0] / drawn[1]), atol=0.35) or drawn.min() < 1e-4
