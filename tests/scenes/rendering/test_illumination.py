"""Lamps against the closed form, shadows that are there and not there, and no light through walls."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.errors import InputError
from scenes.captures.views import look
from scenes.rendering import DRAFT, DRAFT_LIGHT, Lamp, LightOptions, SunLight, World, build_world, render
from scenes.rendering.illumination import around, cosine_hemisphere, lamp_light
from scenes.rendering.lighting import emitters
from scenes.rendering.raycasting import raycaster
from tests.scenes.rendering.worlds import DARK, WHITE_SKY, box, camera, floor, plain, quad, room

EMPTY = raycaster(np.zeros((3, 3), dtype=np.float32), np.array([[0, 1, 2]], dtype=np.uint32))
UP = np.array([[0.0, 0.0, 1.0]], dtype=np.float32)


def looking_down(world: World, height: float = 6.0) -> np.ndarray:
    """The light on the floor: red of what a camera above sees, over the floor's reflectance."""
    seen = render(world, camera(), look((0, 0, height), np.pi / 2, -np.pi / 2), DRAFT)
    return seen.radiance[..., 0] / ((128 / 255 + 0.055) / 1.055) ** 2.4


@settings(max_examples=40, deadline=None)
@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(0.5, 8), st.sampled_from(["tube", "spot", "pole"]))
def test_inverse_square_law_with_both_cosines(x: float, y: float, height: float, kind: str) -> None:
    lamp = Lamp(id="lamp", position=(x, y, height), kind=kind, length=0.0, flux=3.0, colour=(1.0, 0.5, 0.25))
    light = lamp_light(EMPTY, np.zeros((1, 3), dtype=np.float32), UP, emitters((lamp,)), 1)[0]
    distance2 = x * x + y * y + height * height
    cosine = height / np.sqrt(distance2)
    expected = 3.0 * cosine ** (1 + {"tube": 1, "spot": 8, "pole": 0}[kind]) / distance2
    np.testing.assert_allclose(light, expected * np.array([1.0, 0.5, 0.25]), rtol=2e-4, atol=1e-9)


def test_a_rendered_floor_shows_the_closed_form() -> None:
    lamp = Lamp(id="lamp", position=(0.0, 0.0, 2.0), length=0.0, flux=4.0, colour=(1, 1, 1))
    light = looking_down(build_world([floor()], lighting=replace(DARK, lamps=(lamp,))))
    assert light[60, 80] == pytest.approx(1.0, rel=0.02)  # 4 / 2^2; measured 0.99, lumels are 0.17 m apart
    offset_m = 30.5 / (0.7 * 160) * 6.0  # 30.5 px off the axis from 6 m above; 60, 80 is half a pixel off
    expected = 4.0 * 2.0**2 / (2.0**2 + offset_m**2) ** 2
    assert light[60, 110] == pytest.approx(expected, rel=0.04)


def test_a_lamp_that_is_off_gives_no_light() -> None:
    lamp = Lamp(id="lamp", position=(0.0, 0.0, 2.0), on=False)
    assert not looking_down(build_world([floor()], lighting=replace(DARK, lamps=(lamp,)))).any()


def test_a_table_shades_the_floor_under_it_and_nothing_else() -> None:
    lamp = Lamp(id="lamp", position=(0.0, 0.0, 2.5), length=0.0)
    lighting = replace(DARK, lamps=(lamp,))
    table = box("table", (-1, -1, 0.8), (1, 1, 0.9), plain(0))
    shaded, free = (build_world(shapes, lighting=lighting).light for shapes in ([floor(), table], [floor()]))
    shaded, free = (light.page[:49, :49, 0] for light in (shaded, free))  # the floor is packed first
    place = np.linspace(-4, 4, len(free))
    x, y = np.meshgrid(place, place)
    reach = 2.5 / 1.6  # the shadow of the table's lower face, seen from the lamp: 1 m at 0.9 m below it is less
    inside, outside = np.maximum(np.abs(x), np.abs(y)) < reach - 0.2, np.maximum(np.abs(x), np.abs(y)) > reach + 0.2
    assert shaded[inside].max() < 0.02 * free.max()
    np.testing.assert_allclose(shaded[outside], free[outside], rtol=0.05)


def test_the_sun_throws_a_shadow_where_geometry_says() -> None:
    sun = SunLight(direction=(1.0, 0.0, 1.0), colour=(1, 1, 1), spread=0.0)
    post = box("post", (-0.2, -0.2, 0), (0.2, 0.2, 2.0), plain(0))
    world = build_world([floor(), post], lighting=replace(DARK, sun=sun))
    light = looking_down(world)
    row, columns = 60, np.arange(160)
    x = (columns + 0.5 - 80) / (0.7 * 160) * 6.0  # on the floor; the post itself hides what is near the middle
    # The camera's right is site -x or +x by its yaw; the shadow is 2 m long on one side only.
    dark = light[row] < 0.1
    far, lit = (np.abs(x) > 0.6) & (np.abs(x) < 1.9), np.abs(x) > 2.4
    assert dark[far & (x < 0)].mean() + dark[far & (x > 0)].mean() == pytest.approx(1.0, abs=0.1)
    assert light[row][lit & (np.abs(x) < 3.5)].min() > 0.6  # cos 45 deg is 0.71


def test_no_light_leaks_through_a_wall_or_under_it() -> None:
    """Two rooms side by side on one floor, a lamp in one of them."""
    shapes = [floor(), *room(8.0)[1:], box("wall between", (-0.1, -4, 0), (0.1, 4, 2.8), plain())]
    lamp = Lamp(id="lamp", position=(-0.6, 0.0, 2.5), flux=8.0, length=0.0)
    world = build_world(shapes, lighting=replace(DARK, lamps=(lamp,)))
    dark_room = world.illuminator.direct(
        np.array([[x, y, 0.0] for x in (0.12, 0.5, 2) for y in (-3, 0, 3)], dtype=np.float32), UP.repeat(9, axis=0)
    )[0]
    assert not dark_room.any()
    seen = render(world, camera(), look((3.5, -3.5, 1.5), np.radians(130), -0.1), DRAFT)
    lit = render(world, camera(), look((-3.5, 3.5, 1.5), np.radians(-50), -0.1), DRAFT)
    assert seen.radiance.max() < 1e-3 * lit.radiance.max()  # measured 0: nothing bounces into the dark room


def test_a_floor_that_goes_on_under_a_pillar_has_no_dark_rim() -> None:
    lamp = Lamp(id="lamp", position=(1.5, 0.0, 2.6), flux=5.0, length=0.0)
    shapes = [floor(), box("pillar", (-0.3, -0.3, 0), (0.3, 0.3, 2.8), plain(255))]
    light = build_world(shapes, lighting=replace(DARK, lamps=(lamp,)))
    seen = render(light, camera(), look((1.5, 0, 4), np.pi / 2, -np.pi / 2), DRAFT)
    on_floor = seen.instance_id[60] == 0
    x = seen.points_in_site[60, :, 0]
    foot, further = (seen.radiance[60, on_floor & (x > a) & (x < b), 0] for a, b in ((0.31, 0.4), (0.5, 0.7)))
    assert foot.min() > 0.6 * further.min()


def test_a_white_sky_lights_an_open_floor_with_one_and_a_corner_with_half() -> None:
    open_floor = build_world([floor(40.0)], lighting=WHITE_SKY, options=DRAFT_LIGHT)
    assert open_floor.light.page[:121, :121].mean() == pytest.approx(1.0, abs=1e-3)
    wall = quad("wall", (-20, 0, 30), (40, 0, 0), (0, 0, -30), plain(0))
    half = build_world([floor(40.0), wall], lighting=WHITE_SKY)
    light, _ = half.illuminator.indirect(np.array([[0, -0.05, 0]], dtype=np.float32), UP, half.source)
    assert light[0] == pytest.approx([0.5] * 3, abs=0.05)  # measured 0.49


def test_a_coloured_wall_bounces_its_colour() -> None:
    red = plain(0).image.copy()
    red[..., 0] = 200
    shapes = room()
    shapes[2] = replace(shapes[2], texture=replace(plain(), image=red))
    lamp = Lamp(id="lamp", position=(0.0, 0.0, 2.5), colour=(1, 1, 1))
    world = build_world(shapes, lighting=replace(DARK, lamps=(lamp,)))
    near, far = (
        world.illuminator.indirect(np.array([[0, y, 0]], dtype=np.float32), UP, world.source)[0][0] for y in (3.8, -3.8)
    )
    assert near[0] / near[2] > 1.3 * far[0] / far[2]


def test_directions_about_normals() -> None:
    normals = around(np.array([[0, 0, 1.0]], dtype=np.float32), cosine_hemisphere(50))[0]
    directions = around(normals, cosine_hemisphere(64))
    np.testing.assert_allclose(np.linalg.norm(directions, axis=2), 1, atol=1e-5)
    along = np.einsum("nkc,nc->nk", directions, normals)
    assert (along >= 0).all()
    np.testing.assert_allclose(along.mean(axis=1), 2 / 3, atol=0.02)  # mean cosine under a cosine density


@pytest.mark.parametrize(
    "make",
    [
        lambda: Lamp(id="l", position=(0, 0, float("nan"))),
        lambda: Lamp(id="l", position=(0, 0, 1), kind="torch"),
        lambda: Lamp(id="l", position=(0, 0, 1), flux=-1),
        lambda: SunLight(direction=(0, 0, 0)),
        lambda: LightOptions(rays=0),
    ],
)
def test_senseless_light_is_refused(make: object) -> None:
    with pytest.raises(InputError):
        make()  # type: ignore[operator]
