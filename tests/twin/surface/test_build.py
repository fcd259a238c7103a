"""A whole surface of the rendered room, at true poses, against photos that it was not made of."""

import cv2
import numpy as np
import pytest

from geometry import (
    InputError,
    camera_for,
    pose_from_position,
    position_of,
    read_cameras,
    read_true_poses,
)
from scenes.building import build_facility
from scenes.captures.render_scene import raycaster_of
from scenes.plan import floor_plan
from scenes.rendering.raycasting import cast_rays
from scenes.rendering.rays import camera_rays, rays_in_site
from tests.conftest import Rendered, small_room
from twin.photos import MapPhoto
from twin.surface import Surface, SurfaceOptions, build_surface, render_view

OPTIONS = SurfaceOptions(texel_m=0.05, fine_texel_m=0.05, views=6, photos_in_memory=5)


def photos(rendered: Rendered, kind: str) -> list[MapPhoto]:
    truth, rules = read_true_poses(rendered.folder / "truth" / f"{kind}.csv"), read_cameras(rendered.cameras)
    found = []
    for name, position, quat in zip(truth.images, truth.positions, truth.quats_xyzw, strict=True):
        camera = camera_for(name, rules)
        assert camera is not None
        path, pose = rendered.folder / kind / name, pose_from_position(position, quat)
        found.append(MapPhoto(name=name, path=path, camera=camera, cam_from_site=pose))
    return found


@pytest.fixture(scope="module")
def surface(rendered: Rendered) -> Surface:
    return build_surface(floor_plan(small_room()), None, photos(rendered, "walk"), OPTIONS)


def test_new_views_have_true_depth_and_look_like_photos(surface: Surface, rendered: Rendered) -> None:
    building = build_facility(small_room())
    scene = raycaster_of(building.shapes, ())
    right, alike = [], []
    for photo in photos(rendered, "queries"):
        view = render_view(surface, photo.camera, photo.cam_from_site)
        rays = rays_in_site(camera_rays(photo.camera).rays, photo.cam_from_site).reshape(-1, 3)
        truth = cast_rays(scene, position_of(photo.cam_from_site).astype(np.float32), rays).distance.reshape(
            view.depth.shape
        )
        both = np.isfinite(view.depth) & np.isfinite(truth)
        right.append(float((np.abs(view.depth[both] - truth[both]) < 0.2).sum() / both.size))
        real = cv2.cvtColor(cv2.imread(str(photo.path)), cv2.COLOR_BGR2GRAY)
        ours = cv2.cvtColor(view.colour, cv2.COLOR_RGB2GRAY)
        blurred = [
            cv2.resize(each, (96, 72), interpolation=cv2.INTER_AREA)[view_seen(view.seen)] for each in (real, ours)
        ]
        alike.append(float(np.corrcoef(*blurred)[0, 1]))
    assert np.median(right) > 0.9  # measured 0.95
    assert np.median(alike) > 0.6  # measured 0.76


def view_seen(seen: np.ndarray) -> np.ndarray:
    return cv2.resize(seen.astype(np.uint8), (96, 72), interpolation=cv2.INTER_AREA) > 0


def test_what_photos_see_is_marked_and_the_rest_is_not(surface: Surface) -> None:
    share = {
        kind: np.mean([surface.seen[c.place].mean() for c in surface.charts if c.kind == kind])
        for kind in ("floor", "ceiling")
    }
    assert 0.3 < share["floor"] < 1.0
    assert share["ceiling"] > 0.3
    outer = [c for c in surface.charts if c.px_per_m == 1 / OPTIONS.unseen_texel_m]
    assert outer
    assert not any(surface.seen[c.place].any() for c in outer)


def test_a_surface_is_the_same_however_few_photos_fit_into_memory(surface: Surface, rendered: Rendered) -> None:
    plan = floor_plan(small_room())
    few = SurfaceOptions(texel_m=0.2, fine_texel_m=0.2, views=3, photos_in_memory=1)
    many = SurfaceOptions(texel_m=0.2, fine_texel_m=0.2, views=3)
    made = [build_surface(plan, None, photos(rendered, "walk")[:6], options) for options in (few, many)]
    assert np.array_equal(made[0].texture, made[1].texture)


def test_without_photos_or_with_impossible_options_there_is_no_surface() -> None:
    with pytest.raises(InputError, match="no photos"):
        build_surface(floor_plan(small_room()), None, [])
    for wrong in ({"texel_m": 0.0}, {"views": 0}, {"photos_in_memory": 0}):
        with pytest.raises(InputError):
            SurfaceOptions(**wrong)
