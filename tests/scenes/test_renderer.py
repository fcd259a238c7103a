"""The renderer against ray-plane intersection by hand, and against itself from two places."""

import cv2
import numpy as np
import pycolmap
import pytest

from geometry.errors import InputError
from geometry.frames import pixels_from_opencv, skew, transform_points
from scenes import Place, Scene, Surface, Texture, build_scene, look, render, wall
from scenes.colour import bytes_from_linear
from scenes.renderer import NO_SURFACE, camera_rays, cast_depth
from tests.scenes.conftest import flat_light

CAMERAS = {
    "PINHOLE": [110.0, 112.0, 80.3, 59.1],
    "SIMPLE_RADIAL": [110.0, 80.3, 59.1, -0.08],
    "OPENCV": [110.0, 112.0, 80.3, 59.1, -0.1, 0.02, 0.002, -0.001],
    "OPENCV_FISHEYE": [70.0, 71.0, 80.3, 59.1, 0.02, -0.003, 0.0, 0.0],
}
POSE = look((0.3, -0.4, 0.2), np.radians(97.0), np.radians(4.0), np.radians(-6.0))


def pixel_centres(camera: pycolmap.Camera) -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5), axis=-1).reshape(-1, 2)


@pytest.mark.parametrize("model", CAMERAS)
def test_depth_and_colour_equal_ray_plane_intersection(plain_wall: tuple[Scene, Surface], model: str) -> None:
    scene, _ = plain_wall
    camera = pycolmap.Camera(model=model, width=160, height=120, params=CAMERAS[model])
    got = render(scene, camera, POSE, samples_per_axis=1)
    rays = np.column_stack([camera.cam_from_img(pixel_centres(camera)), np.ones(160 * 120)])
    site_from_cam = POSE.inverse()
    directions, centre = rays @ site_from_cam.rotation.matrix().T, site_from_cam.translation
    depth = (5.0 - centre[1]) / directions[:, 1]
    points = centre + depth[:, None] * directions
    u, v = (points[:, 0] + 3) / 6, (2 - points[:, 2]) / 4
    on_wall = (depth > 0) & (np.minimum(u, v) > 0) & (np.maximum(u, v) < 1)
    np.testing.assert_array_equal(got.surface_id.ravel() == 0, on_wall)
    np.testing.assert_allclose(got.depth.ravel()[on_wall], depth[on_wall], rtol=1e-5)  # measured 1e-6
    assert np.isinf(got.depth.ravel()[~on_wall]).all()
    inner = on_wall & (np.minimum(u, v) > 0.02) & (np.maximum(u, v) < 0.98)
    expected = bytes_from_linear(np.column_stack([u, v, np.full_like(u, 0.25)]))[inner].astype(int)
    assert np.abs(got.image.reshape(-1, 3)[inner] - expected).max() <= 1


def test_supersampling_is_centred_on_the_pixel(plain_wall: tuple[Scene, Surface]) -> None:
    camera = pycolmap.Camera(model="PINHOLE", width=160, height=120, params=CAMERAS["PINHOLE"])
    single, fine = (render(plain_wall[0], camera, POSE, samples_per_axis=n) for n in (1, 4))
    inner = cv2.erode((single.surface_id == 0).astype(np.uint8), np.ones((15, 15))) > 0
    difference = fine.image[inner].astype(float) - single.image[inner]
    assert np.abs(difference).max() <= 2  # a shift of half a pixel would show as a bias of 0.5
    assert abs(difference.mean()) < 0.02
    np.testing.assert_array_equal(single.depth, fine.depth)


def test_a_fine_pattern_far_away_turns_grey_instead_of_aliasing() -> None:
    checks = (np.indices((1000, 1000)).sum(axis=0) % 2).astype(np.float32)[..., None].repeat(3, axis=-1)
    plain = wall("w", (-5.0, 5.0), (5.0, 5.0), (-5.0, 5.0), 0)
    scene = build_scene([plain], [Texture(image=checks, px_per_m=100.0)], flat_light())
    camera = pycolmap.Camera(model="PINHOLE", width=96, height=96, params=[60.0, 60.0, 48.0, 48.0])
    image = render(scene, camera, look((0.02, 0.1, 0.03), np.pi / 2)).image
    assert image.std() < 2.0  # measured 0.5; point sampling gives about 127
    assert image.mean() == pytest.approx(188, abs=2)  # sRGB of linear one half


def test_pixels_beyond_the_lens_model_are_black_and_unknown(plain_wall: tuple[Scene, Surface]) -> None:
    camera = pycolmap.Camera(model="OPENCV_FISHEYE", width=160, height=120, params=[30, 30, 80, 60, 0, 0, 0, 0])
    known = camera_rays(camera, 1).known
    assert known.mean() == pytest.approx(0.36, abs=0.01)  # a disc of radius 30 * pi / 2 px
    got = render(plain_wall[0], camera, POSE)
    assert np.isnan(got.depth[~known]).all()
    assert (got.surface_id[~known] == NO_SURFACE).all()
    assert not np.isnan(got.depth[known]).any()


def test_rendering_is_deterministic(small_court: Place, camera: pycolmap.Camera) -> None:
    pose = look((3.0, 6.0, 1.6), 0.3)
    first, second = (render(small_court.scene, camera, pose) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)


def test_depth_and_poses_carry_one_view_onto_another(small_court: Place, camera: pycolmap.Camera) -> None:
    scene, poses = small_court.scene, (look((5.0, 5.5, 1.5), -0.2), look((5.4, 5.3, 1.6), -0.15, 0.02, 0.03))
    a, b = (render(scene, camera, pose, samples_per_axis=3) for pose in poses)
    depth = np.where(np.isfinite(a.depth), a.depth, 1e6).reshape(-1, 1)
    rays = np.column_stack([camera.cam_from_img(pixel_centres(camera)), np.ones(len(depth))])
    points = transform_points(poses[1] * poses[0].inverse(), rays * depth)
    x, y = (np.asarray(camera.img_from_cam(points)).T.reshape(2, *a.depth.shape) - 0.5).astype(np.float32)
    seen, depth_b = cv2.remap(b.image, x, y, cv2.INTER_LINEAR), cv2.remap(b.depth, x, y, cv2.INTER_NEAREST)
    visible = np.isfinite(a.depth) & (np.abs(depth_b / points[:, 2].reshape(x.shape) - 1) < 0.01)
    difference, shifted = (
        np.abs(picture.astype(float) - a.image)[visible].mean(axis=1) for picture in (seen, np.roll(seen, 2, axis=1))
    )
    assert visible.mean() > 0.65  # measured 0.73
    assert np.median(difference) < 3.0  # measured 1.3 levels of 255
    assert np.median(difference) < 0.4 * np.median(shifted)  # two pixels off; measured 0.21


def test_sift_matches_obey_the_true_epipolar_geometry(small_court: Place, camera: pycolmap.Camera) -> None:
    poses = look((5.0, 5.5, 1.5), -0.2), look((5.6, 5.1, 1.6), -0.12, 0.02, 0.03)
    sift = cv2.SIFT_create()
    gray = [cv2.cvtColor(render(small_court.scene, camera, p).image, cv2.COLOR_RGB2GRAY) for p in poses]
    (points_a, describe_a), (points_b, describe_b) = (sift.detectAndCompute(image, None) for image in gray)
    pairs = cv2.BFMatcher().knnMatch(describe_a, describe_b, k=2)
    good = [first for first, second in pairs if first.distance < 0.7 * second.distance]
    rays = []
    for points, index in ((points_a, [m.queryIdx for m in good]), (points_b, [m.trainIdx for m in good])):
        xy = camera.cam_from_img(pixels_from_opencv(np.array([points[i].pt for i in index])))
        rays.append(np.column_stack([xy, np.ones(len(xy))]))
    b_from_a = poses[1] * poses[0].inverse()
    lines = rays[0] @ (skew(b_from_a.translation) @ b_from_a.rotation.matrix()).T
    distance_px = (
        camera.params[0] * np.abs(np.einsum("nk,nk->n", lines, rays[1])) / np.linalg.norm(lines[:, :2], axis=1)
    )
    assert len(good) > 200  # measured 479
    assert np.median(distance_px) < 0.15  # measured 0.09 px


@pytest.mark.parametrize("samples", [0, 9])
def test_a_senseless_sample_count_is_refused(plain_wall: tuple[Scene, Surface], samples: int) -> None:
    camera = pycolmap.Camera(model="PINHOLE", width=8, height=8, params=[8, 8, 4, 4])
    with pytest.raises(InputError, match="samples_per_axis"):
        render(plain_wall[0], camera, POSE, samples_per_axis=samples)


def test_a_surface_without_enough_texture_is_refused() -> None:
    surface = wall("long wall", (0, 0), (3, 0), (0, 1), 0)
    small = Texture(image=np.zeros((10, 10, 3), dtype=np.float32), px_per_m=10.0)
    with pytest.raises(InputError, match="long wall"):
        build_scene([surface], [small])
    with pytest.raises(InputError, match="no texture 0"):
        build_scene([surface], [])


def test_cast_depth_agrees_with_render(small_court: Place, camera: pycolmap.Camera) -> None:
    pose = look((8.0, 6.0, 1.6), 2.0)
    depth, surface_id = cast_depth(small_court.scene, camera, pose)
    got = render(small_court.scene, camera, pose, samples_per_axis=1)
    np.testing.assert_array_equal(depth, got.depth)
    np.testing.assert_array_equal(surface_id, got.surface_id)
