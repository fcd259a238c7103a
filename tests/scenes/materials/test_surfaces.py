"""Every material and picture: metric, seeded, in range, with detail at several scales."""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import pytest

from scenes.materials import floors, pictures, plants
from scenes.materials import surfaces as s
from scenes.materials.patterns import extent_of
from scenes.rendering.shapes import Texture

BLUE = ((24, 78, 160), (250, 250, 250))


def ground(kind: str, size: tuple[float, float], rng: np.random.Generator, px_per_m: float) -> Texture:
    return floors.floor(kind, extent_of(size, px_per_m), px_per_m, rng)


MATERIALS: dict[str, Callable[..., Texture]] = {
    "concrete": s.concrete,
    "concrete, dado": partial(s.concrete, dado=(0.2, 0.3, 0.5)),
    "plaster": partial(s.plaster, dado=(0.4, 0.2, 0.2)),
    "brick": s.brick,
    "metal": partial(s.metal, rib=0.1),
    "wood": s.wood,
    "leaves": plants.leaves,
    "grass": plants.grass,
    **{kind: partial(ground, kind) for kind in floors.FLOOR_COLOURS},
    "sign": partial(pictures.sign, text="EXIT →", colours=BLUE),
    "notice": partial(pictures.notice, title="RULES"),
    "poster": partial(pictures.poster, title="A\nTITLE"),
    "window": pictures.window,
    "door": partial(pictures.door, colour=(126, 44, 36), label="OFFICE"),
    "shutter": pictures.shutter,
    "cabinet": partial(pictures.cabinet, text="PAY"),
    "hydrant": pictures.hydrant,
    "facade": partial(pictures.facade, colour=(150, 140, 130)),
    "hazard": pictures.hazard,
}


@pytest.mark.parametrize("name", MATERIALS)
def test_material(name: str) -> None:
    make, size = MATERIALS[name], (3.0, 3.4) if name == "facade" else (1.5, 1.0)
    first, again, other = (make(size, np.random.default_rng(seed), 96.0).image for seed in (1, 1, 2))
    assert first.shape == (*extent_of(size, 96.0), 3)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 0.25  # the least is a hazard stripe's, 1.0
    for scale in (1, 4):
        small = cv2.resize(first, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA)
        assert np.abs(np.diff(small.astype(int), axis=1)).mean() > 0.25  # the least is a window's


@pytest.mark.parametrize("name", MATERIALS)
def test_tiny_surfaces_have_textures_too(name: str) -> None:
    assert MATERIALS[name]((0.05, 0.08), np.random.default_rng(0), 64.0).image.shape == (5, 3, 3)


def test_the_dado_is_the_lowest_part() -> None:
    image = s.plaster((2.0, 2.6), np.random.default_rng(0), 60.0, dado=(0.1, 0.2, 0.6)).image.astype(int)
    blue = image[..., 2] - image[..., 0]
    assert blue[-60:].mean() > 50
    assert abs(blue[:60].mean()) < 15
