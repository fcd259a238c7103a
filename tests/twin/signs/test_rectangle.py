import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.errors import DegenerateError, InputError
from geometry.uncertainty import squared_mahalanobis
from tests.twin.signs.sites import CAMERA, corners_of, walk_past
from twin.signs.rectangle import Rectangle, fit_rectangle

CENTRE, NORMAL = np.array([3.0, 2.0, 2.4]), np.array([0.0, -1.0, 0.0])


def fitted(corners: np.ndarray, *, count: int, noise_px: float = 0.0, seed: int = 0, step: float = 1.0) -> Rectangle:
    photos = walk_past(CENTRE, NORMAL, count=count, step=step)
    rng = np.random.default_rng(seed)
    poses = np.array([photo.cam_from_site.matrix() for photo in photos])
    in_cam = corners @ np.swapaxes(poses[:, :, :3], 1, 2) + poses[:, None, :, 3]
    seen = in_cam[..., :2] / in_cam[..., 2:] + rng.normal(0, noise_px, (count, 4, 2)) / CAMERA.mean_focal_length()
    sigmas = np.full(count, max(noise_px, 0.5) / CAMERA.mean_focal_length())
    return fit_rectangle(seen, poses, sigmas, CENTRE + rng.normal(0, 0.1, 3))


@given(st.floats(0.2, 2.0), st.floats(0.1, 1.0), st.floats(-0.9, 0.9))
@settings(max_examples=25, deadline=None)
def test_clean_corners_give_the_rectangle_back(width: float, height: float, turn: float) -> None:
    normal = np.array([np.sin(turn), -np.cos(turn), 0.0])
    found = fitted(corners_of(CENTRE, normal, width, height), count=5)
    np.testing.assert_allclose(found.centre, CENTRE, atol=1e-4)
    np.testing.assert_allclose([found.width, found.height], [width, height], rtol=1e-2, atol=1e-3)
    assert np.degrees(np.arccos(np.clip(found.normal @ normal, -1, 1))) < 1.5  # the weak prior pulls small ones
    np.testing.assert_allclose(found.corners(), corners_of(CENTRE, normal, width, height), atol=0.02)


def test_noise_is_as_large_as_claimed() -> None:
    corners = corners_of(CENTRE, NORMAL, 1.8, 0.4)
    found = [fitted(corners, count=6, noise_px=1.0, seed=seed) for seed in range(60)]
    nees = squared_mahalanobis(
        np.array([one.centre - CENTRE for one in found]), np.array([one.covariance[:3, :3] for one in found])
    )
    assert 0.6 < nees.mean() / 3 < 1.5  # measured 0.81
    errors = np.linalg.norm([one.centre - CENTRE for one in found], axis=1)
    assert 0.003 < np.median(errors) < 0.05  # measured 0.008 m


def test_one_wrong_view_of_eight_hardly_matters() -> None:
    corners = corners_of(CENTRE, NORMAL, 1.0, 0.5)
    photos = walk_past(CENTRE, NORMAL, count=8)
    poses = np.array([photo.cam_from_site.matrix() for photo in photos])
    in_cam = corners @ np.swapaxes(poses[:, :, :3], 1, 2) + poses[:, None, :, 3]
    seen = in_cam[..., :2] / in_cam[..., 2:]
    seen[3, :, 0] += 0.1  # 50 px aside
    found = fit_rectangle(seen, poses, np.full(8, 0.002), CENTRE)
    np.testing.assert_allclose(found.centre, CENTRE, atol=0.03)  # measured 0.008 m


def test_views_from_one_place_leave_it_undetermined() -> None:
    with pytest.raises(DegenerateError, match="undetermined"):
        fitted(corners_of(CENTRE, NORMAL, 0.5, 0.3), count=3, step=1e-3, noise_px=1.0)


def test_bad_numbers_are_refused() -> None:
    photos = walk_past(CENTRE, NORMAL, count=2)
    poses = np.array([photo.cam_from_site.matrix() for photo in photos])
    corners = np.zeros((2, 4, 2))
    with pytest.raises(InputError, match="two views"):
        fit_rectangle(corners[:1], poses[:1], [0.01], CENTRE)
    with pytest.raises(InputError, match="two views"):
        fit_rectangle(corners, poses, [0.01, 0.0], CENTRE)
    with pytest.raises(InputError, match="finite"):
        fit_rectangle(corners + np.nan, poses, [0.01, 0.01], CENTRE)
    with pytest.raises(InputError, match="expected"):
        fit_rectangle(corners[:, :3], poses, [0.01, 0.01], CENTRE)
