"""The renderer against ray-plane intersection by hand, a direct ray cast, and corners whose places are known."""

from dataclasses import replace

import cv2
import numpy as np
import open3d as o3d
import pycolmap
import pytest

from geometry.errors import InputError
from geometry.frames import pixels_from_opencv, pixels_to_opencv, transform_points
from scenes.captures.views import look
from scenes.rendering import (
    DRAFT,
    NO_OBJECT,
    Finish,
    Lamp,
    LightOptions,
    RenderOptions,
    World,
    build_world,
    cast,
    render,
)
from tests.scenes.rendering.worlds import (
    DARK,
    WHITE_SKY,
    camera,
    cart,
    checks,
    floor,
    plain,
    quad,
    room,
    standing,
)

CAMERAS = {
    "PINHOLE": [210.0, 212.0, 160.3, 119.1],
    "SIMPLE_RADIAL": [210.0, 160.3, 119.1, -0.08],
    "OPENCV": [210.0, 212.0, 160.3, 119.1, -0.1, 0.02, 0.002, -0.001],
    "OPENCV_FISHEYE": [150.0, 151.0, 160.3, 119.1, 0.02, -0.003, 0.0, 0.0],
}
POSE = look((0.3, -0.4, 0.2), np.radians(97.0), np.radians(4.0), np.radians(-6.0))
FIXED = RenderOptions(exposure=0.5)


@pytest.fixture(scope="module")
def checked_wall() -> World:
    """Checks of half a metre on the plane y = 5, x from -6 to 6, z from -4 to 4; the sky behind the camera is white."""
    wall = quad("wall", (-6, 5, 4), (12, 0, 0), (0, 0, -8), checks((12, 8), 0.5))
    return build_world([wall], lighting=WHITE_SKY)


@pytest.fixture(scope="module")
def parked() -> World:
    lamps = tuple(Lamp(id=f"{x}", position=(x, 0.0, 2.6), flux=3.0) for x in (-2.0, 2.0))
    carts = [standing("first", cart(), 1.0, 1.0, 0.4), standing("second", cart(), 2.5, -1.5, 2.0)]
    return build_world(room(texture=checks((8, 8), 0.4)), carts, replace(DARK, lamps=lamps))


@pytest.mark.parametrize("model", CAMERAS)
def test_known_corners_are_where_the_true_camera_projects_them(checked_wall: World, model: str) -> None:
    lens = pycolmap.Camera(model=model, width=320, height=240, params=CAMERAS[model])
    rendering = render(checked_wall, lens, POSE)
    x, z = np.meshgrid(np.arange(-3.0, 3.01, 0.5), np.arange(-2.0, 2.01, 0.5))
    corners = np.column_stack([x.ravel(), np.full(x.size, 5.0), z.ravel()])
    true = np.asarray(lens.img_from_cam(transform_points(POSE, corners)))
    true = true[((true > 12) & (true < np.array([308, 228]))).all(axis=1)]
    grey = cv2.cvtColor(rendering.image, cv2.COLOR_RGB2GRAY)
    start = pixels_to_opencv(true).astype(np.float32)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 50, 1e-3)
    offset = pixels_from_opencv(cv2.cornerSubPix(grey, start, (4, 4), (-1, -1), stop)) - true
    assert len(true) > 50
    assert np.linalg.norm(offset, axis=1).mean() < 0.1  # measured 0.07 px; accurate truth needs under 0.3
    assert np.abs(offset.mean(axis=0)).max() < 0.03  # measured 0.015 px


@pytest.mark.parametrize("model", CAMERAS)
def test_depth_is_that_of_ray_plane_intersection(checked_wall: World, model: str) -> None:
    lens = pycolmap.Camera(model=model, width=320, height=240, params=CAMERAS[model])
    seen = cast(checked_wall, lens, POSE)
    pixels = np.stack(np.meshgrid(np.arange(320) + 0.5, np.arange(240) + 0.5), axis=-1).reshape(-1, 2)
    rays = np.column_stack([lens.cam_from_img(pixels), np.ones(len(pixels))])
    site_from_cam = POSE.inverse()
    directions, centre = rays @ site_from_cam.rotation.matrix().T, site_from_cam.translation
    depth = (5.0 - centre[1]) / directions[:, 1]
    points = centre + depth[:, None] * directions
    on_wall = (depth > 0) & (np.abs(points[:, 0]) < 6) & (np.abs(points[:, 2]) < 4)
    np.testing.assert_array_equal(seen.instance_id.ravel() == 0, on_wall)
    np.testing.assert_allclose(seen.depth.ravel()[on_wall], depth[on_wall], rtol=1e-5)  # measured 1e-6
    assert np.isinf(seen.depth.ravel()[~on_wall]).all()
    np.testing.assert_allclose(seen.points_in_site.reshape(-1, 3)[on_wall], points[on_wall], atol=2e-5)
    np.testing.assert_allclose(seen.normals.reshape(-1, 3)[on_wall], [[0, -1, 0]] * on_wall.sum(), atol=1e-6)


def test_depth_and_ids_equal_a_direct_ray_cast(parked: World) -> None:
    pose = look((-3, -2, 1.6), 0.5, -0.2)
    rendering = render(parked, camera(), pose, DRAFT)
    scene = o3d.t.geometry.RaycastingScene()
    for name in parked.objects:
        chosen = parked.mesh.triangles[parked.mesh.object_ids == parked.objects.index(name)]
        scene.add_triangles(o3d.core.Tensor(parked.mesh.vertices), o3d.core.Tensor(chosen))
    pixels = np.stack(np.meshgrid(np.arange(160) + 0.5, np.arange(120) + 0.5), axis=-1).reshape(-1, 2)
    rays = np.column_stack([camera().cam_from_img(pixels), np.ones(len(pixels))]).astype(np.float32)
    directions = rays @ pose.rotation.matrix().astype(np.float32)
    starts = np.broadcast_to(pose.inverse().translation.astype(np.float32), directions.shape)
    hits = scene.cast_rays(o3d.core.Tensor(np.hstack([starts, directions])))
    np.testing.assert_array_equal(rendering.instance_id.ravel(), hits["geometry_ids"].numpy().astype(np.int32))
    np.testing.assert_array_equal(rendering.depth.ravel(), hits["t_hit"].numpy())
    assert {"first", "second"} <= {parked.objects[i] for i in np.unique(rendering.instance_id)}


def test_cast_equals_the_truth_of_render(parked: World) -> None:
    pose = look((-3, -2, 1.6), 0.5, -0.2)
    seen, rendering = cast(parked, camera(), pose), render(parked, camera(), pose, DRAFT)
    for field, value in vars(seen).items():
        np.testing.assert_array_equal(value, getattr(rendering, field))


def test_the_same_bytes_twice(parked: World) -> None:
    pose = look((-3, -2, 1.6), 0.5, -0.2)
    first, second = (render(parked, camera(), pose) for _ in range(2))
    assert first.radiance.tobytes() == second.radiance.tobytes()
    assert first.image.tobytes() == second.image.tobytes()


def test_supersampling_is_centred_on_the_pixel(checked_wall: World) -> None:
    single, fine = (render(checked_wall, camera(), POSE, RenderOptions(samples_per_axis=n)) for n in (1, 4))
    inner = cv2.erode((single.instance_id == 0).astype(np.uint8), np.ones((9, 9))) > 0
    difference = (fine.radiance - single.radiance)[inner]
    gradient = np.stack([np.gradient(fine.radiance, axis=axis)[inner] for axis in (0, 1)])
    shift = (gradient * difference).sum(axis=(1, 2)) / (gradient**2).sum(axis=(1, 2))
    assert np.abs(shift).max() < 0.02  # measured 0.001 px
    assert abs(difference.mean()) < 0.003 * fine.radiance[inner].mean()


@pytest.mark.parametrize("distance", [3.0, 30.0, 300.0])
def test_mean_light_does_not_depend_on_the_distance(distance: float) -> None:
    """Mip levels neither lose nor add light; a fine pattern far away turns grey instead of aliasing."""
    half = 0.6 * distance
    pattern = checks((40, 40), 0.1, 50)
    wall = quad("wall", (-half, distance, half), (2 * half, 0, 0), (0, 0, -2 * half), pattern)
    wall = replace(wall, uv=wall.uv * np.float32(40 / (2 * half)), finish=Finish(emission=1.0))
    world = build_world([wall], lighting=DARK, options=LightOptions(lumels_per_m=0.5, rays=4))
    pinhole = pycolmap.Camera(model="PINHOLE", width=64, height=64, params=[60.0, 60.0, 32.0, 32.0])
    radiance = render(world, pinhole, look((0, 0, 0), np.pi / 2), DRAFT).radiance
    expected = np.mean([((level / 255 + 0.055) / 1.055) ** 2.4 for level in (60, 200)])
    assert radiance.mean() == pytest.approx(expected, rel=0.01)  # measured within 0.3 %
    assert radiance.std() < 0.06  # measured 0.04; 0.26 if the pattern were point sampled


def test_pixels_beyond_the_lens_model_are_black_and_unknown(checked_wall: World) -> None:
    lens = pycolmap.Camera(model="OPENCV_FISHEYE", width=160, height=120, params=[30, 30, 80, 60, 0, 0, 0, 0])
    rendering = render(checked_wall, lens, POSE, DRAFT)
    unknown = np.isnan(rendering.depth)
    assert unknown.mean() == pytest.approx(0.64, abs=0.01)  # all but a disc of radius 30 * pi / 2 px
    assert (rendering.instance_id[unknown] == NO_OBJECT).all()
    assert not rendering.radiance[unknown].any()


def test_motion_blur_spreads_what_moves_across_the_axis(checked_wall: World) -> None:
    sharp = render(checked_wall, camera(), look((0, 0, 0), np.pi / 2), FIXED)
    poses = [look((dx, 0, 0), np.pi / 2) for dx in np.linspace(-0.1, 0.1, 4)]
    blurred = render(checked_wall, camera(), look((0, 0, 0), np.pi / 2), FIXED, poses)
    across, along = ([np.abs(np.diff(r.radiance, axis=axis)).max() for r in (sharp, blurred)] for axis in (1, 0))
    assert across[1] < 0.7 * across[0]
    assert along[1] > 0.9 * along[0]
    np.testing.assert_array_equal(sharp.depth, blurred.depth)


def test_a_mirror_shows_what_is_behind_the_camera() -> None:
    glass = quad("glass", (-1, 3, 1), (2, 0, 0), (0, 0, -2), plain(0), Finish(mirror=0.5))
    behind = quad("lit sign", (3, -3, 3), (-6, 0, 0), (0, 0, -6), plain(255), Finish(emission=1.0))
    seen = render(build_world([glass, behind], lighting=DARK), camera(), look((0, 0, 0), np.pi / 2), DRAFT)
    assert seen.radiance[60, 80] == pytest.approx(0.5, rel=0.01)  # Schlick at normal incidence is the finish's share
    assert seen.objects[seen.instance_id[60, 80]] == "glass"


@pytest.mark.parametrize("samples", [0, 9])
def test_senseless_options_are_refused(samples: int) -> None:
    with pytest.raises(InputError, match="samples_per_axis"):
        RenderOptions(samples_per_axis=samples)
    with pytest.raises(InputError, match="exposure"):
        RenderOptions(exposure=-1.0)


def test_names_used_twice_and_empty_worlds_are_refused() -> None:
    with pytest.raises(InputError, match="floor"):
        build_world([floor(), floor()])
    with pytest.raises(InputError, match="nothing"):
        build_world([])
