"""Places shared by the tests of scenes; building one takes seconds, so once a session."""

import numpy as np
import pycolmap
import pytest

from scenes import Lighting, Place, Scene, Surface, Texture, build_scene, court, wall


@pytest.fixture(scope="session")
def small_court() -> Place:
    return court(seed=3, px_per_m=96.0)


@pytest.fixture(scope="session")
def camera() -> pycolmap.Camera:
    return pycolmap.Camera(model="SIMPLE_RADIAL", width=480, height=360, params=[360.0, 240.0, 180.0, -0.05])


def flat_light() -> Lighting:
    """Light that leaves textures as they are."""
    sky = (1.0, 1.0, 1.0)
    return Lighting(sun_colour=(0, 0, 0), zenith_colour=sky, horizon_colour=sky, bounce_colour=sky)


@pytest.fixture(scope="session")
def plain_wall() -> tuple[Scene, Surface]:
    """A wall of 6 x 4 m in the plane y = 5, seen by a camera that looks along +y; red grows with x, green with -z."""
    surface = wall("wall", (-3.0, 5.0), (3.0, 5.0), (-2.0, 2.0), 0)
    v, u = np.indices((400, 600), dtype=np.float32) + 0.5
    image = np.stack([u / 600, v / 400, np.full_like(u, 0.25)], axis=-1)
    return build_scene([surface], [Texture(image=image, px_per_m=100.0)], flat_light()), surface
