"""Every material: metric, seeded, finite, in range, with detail at several scales."""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import pytest

from geometry.errors import InputError
from scenes import textures as t
from scenes.mipmaps import Texture
from scenes.pictures import COARSE, FINE, door, facade, paste, poster, sign, van_side, wheel, window, windscreen

Make = Callable[..., Texture]
MATERIALS: dict[str, tuple[Make, float]] = {
    "concrete": (t.concrete, 1),
    "plaster": (partial(t.plaster, dado=(0.4, 0.2, 0.2)), 1),
    "brick": (t.brick, 1),
    "asphalt": (t.asphalt, t.ASPHALT_RESOLUTION),
    "wood": (t.wood, 1),
    "metal": (partial(t.metal, rib=0.1), 1),
    "leaves": (t.leaves, 1),
    "poster": (partial(poster, title="A\nTITLE"), FINE),
    "sign": (partial(sign, text="EXIT →"), FINE),
    "window": (window, 1),
    "door": (partial(door, label="OFFICE"), 1),
    "van": (partial(van_side, lettering=("A", "B")), FINE),
    "wheel": (wheel, FINE),
    "windscreen": (partial(windscreen, plate="TP 1"), FINE),
    "facade": (partial(facade, colour=(150, 140, 130)), COARSE),
}


@pytest.mark.parametrize("name", MATERIALS)
def test_material(name: str) -> None:
    make, factor = MATERIALS[name]
    size = (4.0, 3.0) if name == "facade" else (1.5, 1.0)
    first, again, other = (make(size, np.random.default_rng(seed), 128.0) for seed in (1, 1, 2))
    assert first.px_per_m == pytest.approx(128 * factor)
    assert first.image.shape[:2] == t.texture_shape(size, first.px_per_m)
    assert np.isfinite(first.image).all()
    assert first.image.min() >= 0
    assert first.image.max() <= 1
    np.testing.assert_array_equal(first.image, again.image)
    assert np.abs(first.image - other.image).mean() > 1e-3
    for scale in (1, 4):
        small = cv2.resize(first.image, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA)
        assert np.abs(np.diff(small, axis=1)).mean() > 1e-3  # the least is a wheel's, about 0.01


@pytest.mark.parametrize("name", MATERIALS)
def test_tiny_surfaces_have_textures_too(name: str) -> None:
    texture = MATERIALS[name][0]((0.05, 0.08), np.random.default_rng(0), 64.0)
    assert texture.image.size > 0


def test_paste_lies_where_it_is_told_and_nowhere_else() -> None:
    base = Texture(image=np.zeros((20, 30, 3), dtype=np.float32), px_per_m=10.0)
    decal = Texture(image=np.ones((5, 4, 3), dtype=np.float32), px_per_m=10.0)
    got = paste(base, decal, 1.0, 0.5, 0.5).image
    assert got.sum() == pytest.approx(5 * 4 * 3 * 0.5)
    assert got[5:10, 10:14].min() == 0.5
    for left, resolution in ((2.8, 10.0), (0.0, 20.0)):
        with pytest.raises(InputError, match="decal"):
            paste(base, Texture(image=decal.image, px_per_m=resolution), left, 0.0)
