import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry import camera_from_params, pose_from_matrix, project, transform_points
from geometry.errors import DegenerateError, InputError
from perception import aligned_median, ground_view, line_segments

SIZE = (1280, 720)


def _view(pitch_deg: float, yaw_deg: float, focal: float, height: float = 6.0):
    """Return what projects ground points (..., 2) to pixels: a level camera that looks down by ``pitch_deg``."""
    p, y = np.radians([pitch_deg, yaw_deg])
    forward = np.array([np.cos(p) * np.cos(y), np.cos(p) * np.sin(y), -np.sin(p)])
    right = np.array([np.sin(y), -np.cos(y), 0.0])
    rotation = np.stack([right, np.cross(forward, right), forward])
    pose = pose_from_matrix(rotation, -rotation @ np.array([0, 0, height]))
    camera = camera_from_params("PINHOLE", *SIZE, [focal, focal, SIZE[0] / 2, SIZE[1] / 2])

    def image(points: np.ndarray) -> np.ndarray:
        flat = np.column_stack([points.reshape(-1, 2), np.zeros(points.size // 2)])
        return project(camera, transform_points(pose, flat))[0].reshape(points.shape)

    return image, np.radians(yaw_deg)


def _segments(view, rng: np.random.Generator, noise: float, strays: int) -> np.ndarray:
    """Return segments along both axes of the ground before the camera, and stray ones."""
    image, yaw = view
    away, aside = rng.uniform((7, -3), (16, 3), (60, 2)).T
    turn = np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]])
    starts = np.column_stack([away, aside]) @ turn
    along = np.where(np.arange(60)[:, None] % 2 == 0, (2.0, 0.0), (0.0, 2.0))
    ends = image(np.stack([starts, starts + along], axis=1))
    inside = np.isfinite(ends).all(axis=(1, 2)) & ((ends > 0) & (ends < SIZE)).all(axis=(1, 2))
    stray = rng.uniform((0, 0), SIZE, (strays, 1, 2)) + rng.normal(0, 30, (strays, 2, 2))
    return np.concatenate([ends[inside], stray]) + rng.normal(0, noise, (inside.sum() + strays, 2, 2))


@settings(max_examples=10, deadline=None)
@given(pitch=st.floats(20, 40), yaw=st.floats(25, 65), focal=st.floats(800, 1600), seed=st.integers(0, 1000))
def test_exact_lines_give_focal_length_and_ground(pitch: float, yaw: float, focal: float, seed: int) -> None:
    image, _ = scene = _view(pitch, yaw, focal)
    view = ground_view(_segments(scene, np.random.default_rng(seed), 0.0, 0), SIZE)
    assert view.focal_px == pytest.approx(focal, rel=1e-3)
    middle = np.round(9 * np.array([np.cos(np.radians(yaw)), np.sin(np.radians(yaw))]))
    grid = np.array([[[-2.0, -2.0], [2.0, -2.0], [2.0, 1.0], [-2.0, 1.0]]]) + middle
    ground = view.ground_from_image(image(grid))[0]
    sides = np.linalg.norm(np.roll(ground, -1, axis=0) - ground, axis=1) * 6.0
    assert sides == pytest.approx([4, 3, 4, 3], rel=5e-3)  # in units of the camera's height
    assert np.allclose(view.image_from(ground), image(grid)[0], atol=1e-6)


def test_noisy_lines_and_strays() -> None:
    errors = []
    for seed in range(6):
        view = ground_view(_segments(_view(30, 40, 1100), np.random.default_rng(seed), 0.5, 25), SIZE)
        errors.append(abs(view.focal_px / 1100 - 1))
    assert np.median(errors) < 0.06  # measured 0.004
    assert np.max(errors) > 1e-4


def test_seen_from_above_y_is_left_of_x() -> None:
    view = ground_view(_segments(_view(30, 40, 1100), np.random.default_rng(0), 0.0, 0), SIZE)
    centre, right, up = view.ground_from_image([[640, 500], [700, 500], [640, 440]])
    right, up = right - centre, up - centre
    assert right[0] * up[1] - right[1] * up[0] > 0


def test_above_the_horizon_there_is_no_ground() -> None:
    view = ground_view(_segments(_view(20, 40, 900), np.random.default_rng(0), 0.0, 0), SIZE)
    assert np.isnan(view.ground_from_image([640.0, -300.0])).all()


def test_one_direction_alone_is_degenerate() -> None:
    segments = _segments(_view(30, 40, 1100), np.random.default_rng(0), 0.0, 0)
    span = segments[:, 1] - segments[:, 0]
    one = segments[np.abs(span[:, 0]) < np.abs(span).max(axis=1)]
    for few in (np.empty((0, 2, 2)), segments[:2], np.repeat(segments[:1], 9, axis=0), one[:3]):
        with pytest.raises(DegenerateError, match="two directions"):
            ground_view(few, SIZE)
    with pytest.raises(InputError, match="finite"):
        ground_view(np.full((4, 2, 2), np.nan), SIZE)


def test_segments_of_a_drawn_line() -> None:
    picture = np.full((200, 300), 60, np.uint8)
    picture[100:, :] = 180
    ends = line_segments(picture)
    assert len(ends) == 1
    assert ends[0, :, 1] == pytest.approx([100.0, 100.0], abs=0.6)
    assert len(line_segments(np.zeros((50, 50), np.uint8))) == 0


def test_median_of_moving_frames_loses_what_passes() -> None:
    rng = np.random.default_rng(4)
    scene = 110 + 12 * (cv2.GaussianBlur(rng.integers(0, 255, (240, 320)).astype(np.float32), (0, 0), 2) - 127)
    scene = np.clip(scene, 0, 255).astype(np.uint8)
    frames = []
    for index in range(7):
        shift = np.array([[1, 0, index * 0.7], [0, 1, -index * 0.4]], dtype=np.float64)
        frame = cv2.warpAffine(scene, shift, (320, 240), borderMode=cv2.BORDER_REFLECT)
        frame[100:130, 40 * index + 20 : 40 * index + 45] = 200
        frames.append(frame)
    median, shifts = aligned_median(frames)
    assert shifts[:, 0] == pytest.approx(0.7 * np.arange(7), abs=0.15)
    assert shifts[:, 1] == pytest.approx(-0.4 * np.arange(7), abs=0.15)
    inner = np.s_[20:-20, 20:-20]
    assert np.abs(median.astype(float) - scene)[inner].mean() < 8
    with pytest.raises(InputError, match="one size"):
        aligned_median([scene, scene[:100]])
    with pytest.raises(InputError, match="one size"):
        aligned_median([])
