"""Pictures behave like photos: what one shows another shows where geometry says, and chance keeps to its seed."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from geometry.frames import pixels_from_opencv, skew, transform_points
from scenes.building import build_facility
from scenes.captures.day import world_of
from scenes.captures.options import CaptureOptions
from scenes.captures.phone import Phone
from scenes.captures.views import View, look
from scenes.noise import CLEAN
from scenes.rendering import DRAFT, RenderOptions, World, cast
from tests.scenes.captures.surveyed_room import COARSE, PHONE, room, survey_day, survey_world

CAMERA = CaptureOptions(width=480, height=360).phone
PERFECT = Phone(seed=(1,), rendering=RenderOptions(exposure=3.6), stops=0.0, blur=0.0, blur_m=0.0, noise=CLEAN)
POSES = look((9.0, 5.0, 1.5), -0.9), look((9.5, 4.7, 1.6), -0.82, 0.02, 0.03)
VIEWS = [
    View(image=f"{i}.jpg", camera=CAMERA, cam_from_site=pose, time=float(i), level="G") for i, pose in enumerate(POSES)
]


@cache
def world() -> World:
    """The room in finer detail, as pixels are to be compared."""
    place = room().model_copy(update={"px_per_m": 96.0})
    return world_of(place, build_facility(place), survey_day(), COARSE)


@cache
def picture(index: int) -> NDArray[np.uint8]:
    return PERFECT.picture(world(), VIEWS, index)


def rays(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([CAMERA.cam_from_img(pixels), np.ones(len(pixels))])


def test_depth_and_poses_carry_one_picture_onto_another() -> None:
    depths = [cast(world(), CAMERA, pose).depth for pose in POSES]
    v, u = np.indices(depths[0].shape).reshape(2, -1) + 0.5
    points = transform_points(POSES[1] * POSES[0].inverse(), rays(np.column_stack([u, v])) * depths[0].reshape(-1, 1))
    x, y = (np.asarray(CAMERA.img_from_cam(points)).T.reshape(2, *depths[0].shape) - 0.5).astype(np.float32)
    seen, depth = cv2.remap(picture(1), x, y, cv2.INTER_LINEAR), cv2.remap(depths[1], x, y, cv2.INTER_NEAREST)
    visible = np.abs(depth / points[:, 2].reshape(x.shape) - 1) < 0.01
    difference, shifted = (
        np.abs(other.astype(float) - picture(0))[visible].mean(axis=1) for other in (seen, np.roll(seen, 2, axis=1))
    )
    assert visible.mean() > 0.65  # measured 0.71
    assert np.median(difference) < 1.0  # measured 0.33 levels of 255
    assert difference.mean() < 0.4 * shifted.mean()  # two pixels off; measured 0.25


def test_sift_matches_obey_the_true_epipolar_geometry() -> None:
    sift = cv2.SIFT_create()
    gray = [cv2.cvtColor(picture(index), cv2.COLOR_RGB2GRAY) for index in range(2)]
    (points_a, describe_a), (points_b, describe_b) = (sift.detectAndCompute(image, None) for image in gray)
    pairs = cv2.BFMatcher().knnMatch(describe_a, describe_b, k=2)
    good = [first for first, second in pairs if first.distance < 0.7 * second.distance]
    a = rays(pixels_from_opencv(np.array([points_a[match.queryIdx].pt for match in good])))
    b = rays(pixels_from_opencv(np.array([points_b[match.trainIdx].pt for match in good])))
    b_from_a = POSES[1] * POSES[0].inverse()
    lines = a @ (skew(b_from_a.translation) @ b_from_a.rotation.matrix()).T
    distance_px = CAMERA.params[0] * np.abs(np.einsum("nk,nk->n", lines, b)) / np.linalg.norm(lines[:, :2], axis=1)
    assert len(good) > 300  # measured 494
    assert np.median(distance_px) < 0.15  # measured 0.08


def test_chance_depends_on_the_seed_and_the_index() -> None:
    phone = Phone(seed=(3,), rendering=DRAFT)
    views = [replace(view, camera=PHONE) for view in (VIEWS[0], VIEWS[0])]
    first, again = (phone.picture(survey_world(), views, 0) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert phone.file(0, first) == phone.file(0, again)
    assert phone.file(0, first) != phone.file(1, first)
    others = (phone.picture(survey_world(), views, 1), replace(phone, seed=(4,)).picture(survey_world(), views, 0))
    assert all((other != first).any() for other in others)


def test_the_hand_blurs_and_a_still_one_does_not() -> None:
    shaken = replace(PERFECT, blur=0.03)
    views = [replace(view, camera=PHONE) for view in VIEWS]
    sharp, blurred = (
        np.abs(np.diff(phone.picture(survey_world(), views, 0).astype(float), axis=1)).mean()
        for phone in (PERFECT, shaken)
    )
    assert blurred < 0.9 * sharp  # measured 0.84
