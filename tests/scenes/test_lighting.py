"""Light against what can be worked out by hand."""

import numpy as np
import pytest

from scenes import Lamp, Lighting, build_scene, wall
from scenes.lighting import irradiance
from scenes.meshes import Surface, box
from scenes.mipmaps import Texture
from scenes.renderer import Scene

GREY = Texture(image=np.full((200, 200, 3), 0.5, dtype=np.float32), px_per_m=10.0)
DARK = {"sun_colour": (0, 0, 0), "zenith_colour": (0, 0, 0), "horizon_colour": (0, 0, 0), "bounce_colour": (0, 0, 0)}


def floor() -> Surface:
    return Surface(
        name="floor",
        corner=np.array([-5.0, 5.0, 0.0]),
        right=np.array([1.0, 0, 0]),
        down=np.array([0, -1.0, 0]),
        size=(10.0, 10.0),
        texture=0,
    )


def scene(*others: Surface) -> Scene:
    return build_scene([floor(), *others], [GREY])


def test_open_floor_under_a_uniform_sky_is_fully_lit() -> None:
    sky = Lighting(**DARK | {"zenith_colour": (1, 1, 1), "horizon_colour": (1, 1, 1)})
    np.testing.assert_allclose(irradiance(floor(), scene().raycaster, sky), 1.0, atol=1e-6)


def test_a_wall_hides_half_the_sky_from_its_foot() -> None:
    sky = Lighting(**DARK | {"zenith_colour": (1, 1, 1), "horizon_colour": (1, 1, 1), "rays": 256})
    coarse = Lighting(lumels_per_m=0.1, rays=4)
    beside = wall("wall", (-50, 5), (50, 5), (0, 100), 0)
    light = irradiance(floor(), build_scene([floor(), beside], [big()], coarse).raycaster, sky)
    assert light[0].mean() == pytest.approx(0.5, abs=0.06)  # at the foot; measured 0.52
    assert light[-1].mean() > light[0].mean()


def big() -> Texture:
    return Texture(image=np.zeros((100, 100, 3), dtype=np.float32), px_per_m=1.0)


def test_sun_obeys_lambert_and_a_box_casts_a_shadow() -> None:
    sun = Lighting(**DARK | {"sun_colour": (1, 1, 1), "sun_direction": (1, 0, 1), "sun_spread": 0.001})
    light = irradiance(
        floor(),
        scene(
            *box("box", (0, 0, 0), (1, 1, 2), 0.0, dict.fromkeys(("front", "back", "top", "left", "right"), 0))
        ).raycaster,
        sun,
    )
    column, row = ((np.array([-1.5, 0.0]) * (1, -1) + 5) * sun.lumels_per_m).astype(int)
    assert light[row, column].max() == 0  # the shadow of 2 m height reaches 2 m beyond the box
    assert light[row, -1] == pytest.approx(np.cos(np.pi / 4), abs=2e-3)


def test_a_lamp_falls_off_with_the_square_of_distance() -> None:
    lamp = Lighting(**DARK | {"lamps": (Lamp(position=(0, 0, 2.0), colour=(1, 1, 1), radius_m=0.001),)})
    light = irradiance(floor(), scene().raycaster, lamp)[..., 0]
    x = (np.arange(light.shape[1]) + 0.5) / lamp.lumels_per_m - 5
    middle = light[light.shape[0] // 2]
    np.testing.assert_allclose(middle, 2.0 / (x**2 + 4) ** 1.5, rtol=0.01)
