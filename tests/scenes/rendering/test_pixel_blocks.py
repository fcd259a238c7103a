"""Blocks of pixels leave nothing out: what may be seen or shaded is in a block that says so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry import position_of
from scenes.captures.views import look
from scenes.rendering import build_world, cast
from scenes.rendering.pixel_blocks import PixelBlocks, pixel_blocks
from scenes.rendering.rays import camera_rays, rays_in_site
from tests.scenes.rendering.worlds import camera, floor, room

POSE = look((-2.0, -1.5, 1.6), 0.7, -0.3)
LENS = camera(90, 70)  # no whole number of blocks
EYE = position_of(POSE)
SUN = np.array([0.4, -0.3, 0.87], dtype=np.float32)

PLACES = st.tuples(*(st.floats(-6, 6, width=32) for _ in range(3))).map(np.array)
SIZES = st.floats(0.05, 2.0)


def rays() -> np.ndarray:
    found = rays_in_site(camera_rays(LENS).rays, POSE).reshape(-1, 3)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture(scope="module", params=["indoors", "outdoors"])
def seen(request: pytest.FixtureRequest) -> tuple[PixelBlocks, np.ndarray]:
    """Blocks of a picture with their surfaces (P, 3), NaN for the sky."""
    shapes = room() if request.param == "indoors" else [floor(8.0)]
    geometry = cast(build_world(shapes), LENS, POSE)
    points = geometry.points_in_site.reshape(-1, 3)
    return pixel_blocks(EYE, rays(), points, geometry.depth.ravel(), geometry.depth.shape), points


@given(centre=PLACES, radius=SIZES)
@settings(max_examples=60, deadline=None)
def test_a_ray_that_meets_a_sphere_before_its_surface_is_in_a_block_that_may_show_it(
    seen: tuple[PixelBlocks, np.ndarray], centre: np.ndarray, radius: float
) -> None:
    blocks, points = seen
    along = rays() @ (centre - EYE)
    aside2 = ((centre - EYE) ** 2).sum() - along**2
    enters = along - np.sqrt(np.maximum(radius**2 - aside2, 0))
    inside = np.linalg.norm(centre - EYE) < radius
    surface = np.where(np.isnan(points[:, 0]), np.inf, np.linalg.norm(points - EYE, axis=1))
    meets = inside | ((aside2 < radius**2) & (enters > 0) & (enters < surface))
    assert blocks.may_show((centre, radius))[blocks.block_of][meets].all()


@given(centre=PLACES, radius=SIZES, reach=st.floats(0, 2))
@settings(max_examples=60, deadline=None)
def test_surfaces_near_a_sphere_or_in_its_shadow_are_in_blocks_that_say_so(
    seen: tuple[PixelBlocks, np.ndarray], centre: np.ndarray, radius: float, reach: float
) -> None:
    blocks, points = seen
    sun = SUN / np.linalg.norm(SUN)
    offset = points - centre
    near = np.linalg.norm(offset, axis=1) < radius + reach
    aside = np.linalg.norm(offset - (offset @ sun)[:, None] * sun, axis=1)
    dark = (aside < radius) & (offset @ sun < 0)
    assert blocks.near((centre, radius), reach)[blocks.block_of][near].all()
    assert blocks.behind((centre, radius), sun)[blocks.block_of][dark].all()


def test_bounds_are_tight_enough_to_be_of_use(seen: tuple[PixelBlocks, np.ndarray]) -> None:
    blocks, _ = seen
    ball = (EYE + 3.0 * rays()[LENS.height // 2 * LENS.width + LENS.width // 2], 0.3)
    assert 0.0 < blocks.may_show(ball).mean() < 0.25  # measured 0.09 and 0.1
    behind_the_wall = (ball[0] + 10.0 * (ball[0] - EYE), 0.3)
    if np.isfinite(blocks.farthest).all():
        assert not blocks.may_show(behind_the_wall).any()
