"""Poses of walks and queries, and the court they are taken in."""

from dataclasses import replace

import cv2
import numpy as np
import pycolmap
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geometry.errors import InputError
from geometry.frames import position_of, transform_points
from scenes import CLEAN, Place, look, query_views, render_capture, walk_views
from scenes.capture import CLEARANCE_M, sees_enough


@given(st.floats(-3, 3), st.floats(-1.5, 1.5), st.floats(-3, 3))
def test_look_points_the_optical_axis_and_keeps_the_horizon(yaw: float, pitch: float, roll: float) -> None:
    position = np.array([1.0, 2.0, 3.0])
    ahead = [np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)]
    pose = look(position, yaw, pitch, roll)
    np.testing.assert_allclose(transform_points(pose, position + ahead), [0, 0, 1], atol=1e-9)
    np.testing.assert_allclose(position_of(pose), position, atol=1e-9)
    up = look((0, 0, 0), yaw, pitch).rotation.matrix() @ [0, 0, 1]
    assert up[0] == pytest.approx(0, abs=1e-9)
    assert up[1] <= 1e-9  # image y is down


def test_roll_turns_the_camera_clockwise() -> None:
    up = look((0, 0, 0), 0.4, 0.0, 0.2).rotation.matrix() @ [0, 0, 1]
    assert up[0] < 0  # a camera turned clockwise sees the world turned counter-clockwise


def test_walk_stays_clear_and_successive_views_overlap(small_court: Place, camera: pycolmap.Camera) -> None:
    views = walk_views(small_court, camera, np.random.default_rng(0), 40)
    positions = np.array([position_of(view.cam_from_site) for view in views])
    assert len({view.image for view in views}) == 40
    assert ((positions[:, 2] >= 1.5) & (positions[:, 2] <= 1.7)).all()
    room = small_court.free_space.buffer(-CLEARANCE_M + 0.01)
    assert shapely.contains_xy(room, positions[:, 0], positions[:, 1]).all()
    axes = np.array([view.cam_from_site.rotation.matrix()[2] for view in views])
    for loop in (slice(0, 20), slice(20, 40)):
        turn = np.degrees(np.arccos(np.einsum("nk,nk->n", axes[loop][:-1], axes[loop][1:])))
        assert np.median(turn) < 30  # the view is 67 degrees wide; measured 23 and 19
        assert np.linalg.norm(np.diff(positions[loop], axis=0), axis=1).max() < 4


def test_queries_are_free_varied_and_see_something(small_court: Place, camera: pycolmap.Camera) -> None:
    views = query_views(small_court, camera, np.random.default_rng(0), 30)
    positions = np.array([position_of(view.cam_from_site) for view in views])
    assert shapely.contains_xy(small_court.free_space.buffer(-CLEARANCE_M), positions[:, 0], positions[:, 1]).all()
    assert ((positions[:, 2] >= 1.2) & (positions[:, 2] <= 2.0)).all()
    assert positions[:, :2].std(axis=0).min() > 1.5
    assert all(sees_enough(small_court.scene, camera, view.cam_from_site) for view in views)


def test_a_view_of_the_sky_or_of_a_near_wall_is_not_enough(small_court: Place, camera: pycolmap.Camera) -> None:
    assert not sees_enough(small_court.scene, camera, look((6.5, 6.0, 1.6), 0.0, 1.4))
    assert not sees_enough(small_court.scene, camera, look((15.6, 8.0, 1.6), 0.0))
    assert sees_enough(small_court.scene, camera, look((6.5, 6.0, 1.6), 0.0))


def test_captures_repeat_with_the_seed(small_court: Place, camera: pycolmap.Camera) -> None:
    for make in (walk_views, query_views):
        a, b, c = (make(small_court, camera, np.random.default_rng(seed), 6) for seed in (5, 5, 6))
        matrices = [np.array([view.cam_from_site.matrix() for view in views]) for views in (a, b, c)]
        np.testing.assert_array_equal(matrices[0], matrices[1])
        assert np.abs(matrices[0] - matrices[2]).max() > 1e-3


def test_most_views_of_the_court_are_rich_in_keypoints(small_court: Place) -> None:
    camera = pycolmap.Camera(model="PINHOLE", width=640, height=480, params=[480, 480, 320, 240])
    views = walk_views(small_court, camera, np.random.default_rng(0), 6)
    sift, seen = cv2.SIFT_create(), []
    progress: list[tuple[int, int]] = []
    shots = render_capture(
        small_court, views, np.random.default_rng(0), noise=CLEAN, on_progress=lambda *p: progress.append(p)
    )
    for shot in shots:
        assert shot.image.dtype == np.uint8
        assert shot.depth.shape == shot.image.shape[:2]
        seen.append(len(sift.detect(cv2.cvtColor(shot.image, cv2.COLOR_RGB2GRAY), None)))
    assert np.median(seen) > 1500  # measured 2300
    assert progress[-1] == (6, 6)


def test_no_room_is_an_error(small_court: Place, camera: pycolmap.Camera) -> None:
    cramped = replace(small_court, free_space=shapely.box(0, 0, 1, 1))
    for make in (walk_views, query_views):
        with pytest.raises(InputError, match="court"):
            make(cramped, camera, np.random.default_rng(0), 4)
    with pytest.raises(InputError, match="at least two"):
        walk_views(small_court, camera, np.random.default_rng(0), 1)
    outside = replace(small_court, free_space=shapely.box(100, 100, 110, 110))
    with pytest.raises(InputError, match="queries see enough"):
        query_views(outside, camera, np.random.default_rng(0), 3)
