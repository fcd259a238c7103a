"""What stands before textures: boards of landmarks between a camera and a drawn floor."""

import numpy as np
import pycolmap
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry import pose_from_position, position_of, project, transform_points
from geometry.cameras import camera_from_params
from tests.twin.textures.grounds import CAMERA, ground, looking_down, photo_of, textures_of
from twin.textures import Occluders, match_textures, pyramid_of
from twin.textures.occlusion import FARTHEST_M, LEAST_NEARER, NEARER, NEAREST_M, STEP, _cells

GROUND = ground()
TEXTURES = textures_of(GROUND)
POSE = looking_down()
FOLDING = camera_from_params("SIMPLE_RADIAL", 640, 480, (400.0, 320.0, 240.0, -0.3))
"""Its polynomial folds rays from beyond its corners, which have none, back into the picture."""
ROUND = camera_from_params("OPENCV_FISHEYE", 800, 800, (250.0, 250.0, 400.0, 400.0, 0.0, 0.0, 0.0, 0.0))
"""It sees more than half a turn; its corners see what is behind it."""


def board(centre: tuple[float, float, float], side: float = 0.6, count: int = 12) -> np.ndarray:
    """Return landmarks (count ** 2, 3) on a level square, metres."""
    at = np.linspace(-side / 2, side / 2, count)
    x, y = np.meshgrid(at, at)
    return np.column_stack([x.ravel(), y.ravel(), np.zeros(count**2)]) + centre


def middle_of_view(height: float) -> tuple[float, float, float]:
    """Return what the photo's middle shows at a height, metres."""
    at = position_of(POSE)
    ahead = POSE.rotation.matrix().T @ [0.0, 0.0, 1.0]
    x, y, z = at + ahead * (height - at[2]) / ahead[2]
    return float(x), float(y), float(z)


def test_what_is_behind_a_board_is_not_looked_for_and_all_else_is() -> None:
    pyramid = pyramid_of(photo_of(GROUND, POSE, 2.0))
    whole = match_textures(TEXTURES, pyramid, CAMERA, POSE, reach=2, most=1000)
    standing = Occluders.of(board(middle_of_view(1.0)), TEXTURES)
    assert len(standing.points) == 144
    rest = match_textures(TEXTURES, pyramid, CAMERA, POSE, reach=2, most=1000, occluders=standing)
    assert 4 <= whole.looked_for - rest.looked_for < 0.7 * whole.looked_for
    assert set(rest.patch) < set(whole.patch)


def test_landmarks_of_the_surface_or_behind_it_or_single_ones_hide_nothing() -> None:
    pixels, _ = project(CAMERA, transform_points(POSE, TEXTURES.centres))
    inside = ((pixels > 0) & (pixels < (CAMERA.width, CAMERA.height))).all(axis=1)
    patches, pixels = TEXTURES.centres[inside], pixels[inside]
    middle = middle_of_view(1.0)
    for points in (board(middle_of_view(0.0)), board(middle_of_view(-0.5)), board(middle, 0.0, LEAST_NEARER - 1)):
        assert not Occluders.of(points, TEXTURES).hide(CAMERA, POSE, patches, pixels).any()
    assert len(Occluders.of(board(middle_of_view(0.0)), TEXTURES).points) == 0
    assert Occluders.of(board(middle, 0.0, 2), TEXTURES).hide(CAMERA, POSE, patches, pixels).any()


@pytest.mark.parametrize("turned", [0.0, 70.0])
@pytest.mark.parametrize("camera", [CAMERA, FOLDING, ROUND], ids=lambda camera: camera.model_name)
@given(seed=st.integers(0, 2**32 - 1))
def test_counting_all_at_once_is_counting_one_by_one(camera: pycolmap.Camera, turned: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pose = pose_from_position(
        (0.0, 0.0, 0.0), (np.sin(np.radians(turned) / 2), 0.0, 0.0, np.cos(np.radians(turned) / 2))
    )
    landmarks, points = rng.uniform(-8.0, 8.0, (300, 3)), rng.uniform(-12.0, 12.0, (60, 3))
    pixels, valid = project(camera, transform_points(pose, points))
    shown = valid & (np.nan_to_num(pixels, nan=-1.0) > 0).all(axis=1)
    shown &= (np.nan_to_num(pixels, nan=1e9) < (camera.width, camera.height)).all(axis=1)
    points, pixels = points[shown], pixels[shown]
    occluders = Occluders(points=landmarks[np.argsort(landmarks[:, 2])])
    expected = [
        _nearer_ones(camera, landmarks, pose, point, pixel) >= LEAST_NEARER
        for point, pixel in zip(points, pixels, strict=True)
    ]
    np.testing.assert_array_equal(occluders.hide(camera, pose, points, pixels), np.array(expected, dtype=bool))


def test_a_patch_is_hidden_by_what_is_clearly_nearer_and_close_to_it_in_the_photo() -> None:
    """In metres and pixels: at 5 m, by two landmarks up to 16 px beside it and 4 m away, not by those at 4.5 m."""
    pose, patch = pose_from_position((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)), np.array([[0.3, 0.2, 5.0]])
    pixels, _ = project(CAMERA, patch)
    for share, off, hidden in ((0.4, 0, True), (0.8, 0, True), (0.9, 0, False), (1.2, 0, False), (0.5, 16, True)):
        landmark = share * patch + [[off / 520.0 * 5.0 * share, 0.0, 0.0]]
        assert Occluders(points=np.repeat(landmark, 2, axis=0)).hide(CAMERA, pose, patch, pixels)[0] == hidden
    beside = 0.5 * patch + [[40 / 520.0 * 2.5, 0.0, 0.0]]
    assert not Occluders(points=np.repeat(beside, 2, axis=0)).hide(CAMERA, pose, patch, pixels)[0]


def test_a_round_fisheye_is_hidden_from_at_its_rim() -> None:
    pose = pose_from_position((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    ray = np.array([[np.sin(np.radians(75.0)), 0.0, np.cos(np.radians(75.0))]])
    pixels, valid = project(ROUND, 8.0 * ray)
    assert valid.all()
    assert Occluders(points=np.repeat(3.0 * ray, 3, axis=0)).hide(ROUND, pose, 8.0 * ray, pixels).all()


def _nearer_ones(
    camera: pycolmap.Camera, landmarks: np.ndarray, pose: object, point: np.ndarray, pixel: np.ndarray
) -> int:
    """Return how many landmarks are in a point's cell or beside it and not of a farther step of distance."""
    count = 0
    at, last = (
        position_of(pose),
        np.floor(np.log(NEARER * np.linalg.norm(point - position_of(pose)) / NEAREST_M) / np.log(STEP)),
    )
    for landmark in landmarks:
        distance = np.linalg.norm(landmark - at)
        ((x, y),), (valid,) = project(camera, transform_points(pose, landmark[None]))
        if not valid or not (0 <= x < camera.width and 0 <= y < camera.height and NEAREST_M < distance < FARTHEST_M):
            continue
        beside = np.abs(_cells(camera, np.array([[x, y]])) - _cells(camera, pixel[None])).max() <= 1
        count += int(beside and np.floor(np.log(distance / NEAREST_M) / np.log(STEP)) <= max(last, 0.0))
    return count
