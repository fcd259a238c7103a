import numpy as np
import pytest

from geometry import camera_from_params, position_of, project, transform_points, unproject
from scenes.captures import look
from tests.twin.surface.rooms import DEPTH, HEIGHT, WIDTH, noise_surface, room
from twin.surface import Surface, depth_of, render_view

CAMERAS = (
    ("PINHOLE", [70.0, 70.0, 40.0, 30.0]),
    ("SIMPLE_RADIAL", [70.0, 40.0, 30.0, -0.1]),
    ("OPENCV_FISHEYE", [40.0, 40.0, 40.0, 30.0, 0.02, -0.01, 0.0, 0.0]),
)
POSE = look((3.0, 2.0, 1.5), 0.7, pitch=-0.2)


@pytest.mark.parametrize(("model", "params"), CAMERAS)
def test_depth_is_that_of_the_room_for_every_lens(model: str, params: list[float]) -> None:
    camera = camera_from_params(model, 80, 60, params)
    depth, seen = depth_of(noise_surface(room()), camera, POSE)
    pixels = np.stack(np.meshgrid(np.arange(80) + 0.5, np.arange(60) + 0.5), axis=-1).reshape(-1, 2)
    rays = unproject(camera, pixels)
    directions = rays @ POSE.rotation.matrix()
    centre, low, high = position_of(POSE), np.zeros(3), np.array([WIDTH, DEPTH, HEIGHT])
    with np.errstate(divide="ignore"):
        reach = np.maximum((low - centre) / directions, (high - centre) / directions).min(axis=1)
    assert depth.ravel() == pytest.approx(reach * rays[:, 2], abs=1e-4)
    assert seen.all()


def test_the_texture_appears_where_its_texels_are() -> None:
    plain = noise_surface(room(), texel_m=0.5)
    camera = camera_from_params("PINHOLE", 320, 240, [240.0, 240.0, 160.0, 120.0])
    view = render_view(plain, camera, POSE)
    floor = next(chart for chart in plain.charts if chart.kind == "floor")
    points = floor.points(slice(0, floor.shape[0]), slice(0, floor.shape[1])).reshape(-1, 3)
    pixels, valid = project(camera, transform_points(POSE, points))
    inside = valid & (pixels > 4).all(axis=1) & (pixels < (316, 236)).all(axis=1)
    inside &= plain.visible(points, position_of(POSE))
    column, row = pixels[inside].astype(int).T
    error = np.abs(view.colour[row, column].astype(int) - plain.texture[floor.place].reshape(-1, 3)[inside])
    assert inside.sum() > 20
    assert np.median(error) < 12


def test_nothing_is_seen_where_nothing_is() -> None:
    outdoors = room().model_copy(update={"walls": ()})
    level = outdoors.levels[0].model_copy(update={"ceiling": None})
    surface = noise_surface(outdoors.model_copy(update={"levels": (level,)}))
    camera = camera_from_params("PINHOLE", 64, 48, [60.0, 60.0, 32.0, 24.0])
    view = render_view(surface, camera, look((3.0, 2.0, 1.5), 0.7))
    sky = np.zeros((48, 64), dtype=bool)
    sky[:24] = True
    assert np.isinf(view.depth[sky]).all()
    assert not view.seen[sky].any()
    assert (view.colour[sky] == 0).all()
    assert np.isfinite(view.depth[-1]).all()


def test_fills_and_backs_do_not_count_as_seen() -> None:
    plain = noise_surface(room())
    hidden = Surface(
        mesh=plain.mesh, charts=plain.charts, texture=plain.texture, seen=np.zeros_like(plain.seen), evidence=()
    )
    camera = camera_from_params("PINHOLE", 64, 48, [60.0, 60.0, 32.0, 24.0])
    assert not render_view(hidden, camera, POSE).seen.any()
    outside = look((4.0, 3.0, 8.0), 0.0, pitch=-np.pi / 2)  # down on the ceiling's back
    depth, seen = depth_of(plain, camera, outside)
    assert np.isfinite(depth[24, 32])
    assert not seen[24, 32]


def test_visibility_is_open_within_a_room_and_blocked_by_its_walls() -> None:
    surface = noise_surface(room())
    rng = np.random.default_rng(0)
    inside = rng.uniform([0.1, 0.1, 0.1], [WIDTH - 0.1, DEPTH - 0.1, HEIGHT - 0.1], (200, 3))
    on_wall = np.column_stack([np.full(50, WIDTH), rng.uniform(0.5, 5.5, 50), rng.uniform(0.5, 2.5, 50)])
    centre = np.array([3.0, 2.0, 1.5])
    assert surface.visible(inside, centre).all()
    assert surface.visible(on_wall, centre).all()
    assert not surface.visible(inside + np.array([20.0, 0.0, 0.0]), centre).any()
    assert surface.visible(np.zeros((0, 3)), centre).shape == (0,)
    assert not surface.visible(np.full((1, 3), np.nan), centre).any()
