"""Paint in linear light: opaque coats, glazes, strips that don't show, texels that stay as they are."""

import numpy as np
import pytest

from geometry.errors import InputError
from scenes.colour import bytes_from_linear, linear_from_srgb
from scenes.materials import layers
from scenes.materials.layers import coat, compose, encode, paint_over, shade


def mask(value: int, shape: tuple[int, int] = (4, 6)) -> np.ndarray:
    return np.full(shape, value, dtype=np.uint8)


def test_encoding_by_table_is_within_a_step_of_the_formula() -> None:
    linear = np.linspace(0, 1, 5001, dtype=np.float32)
    assert np.abs(encode(linear).astype(int) - bytes_from_linear(linear)).max() <= 1
    np.testing.assert_array_equal(encode(np.array([-1.0, 2.0], dtype=np.float32)), [0, 255])


def test_a_full_coat_hides_what_is_below_and_half_a_glaze_halves_the_effect() -> None:
    ground = np.ones((4, 6), dtype=np.float32)
    painted = compose(ground, (0.3, 0.3, 0.3), [coat(mask(255), (1.0, 0.5, 0.0))], 10.0).image
    np.testing.assert_allclose(painted[0, 0], [255, 128, 0], atol=1)
    glazed = compose(ground, (1.0, 1.0, 1.0), [shade(mask(255), 0.5, 0.5)], 10.0).image
    np.testing.assert_allclose(glazed, 255 * np.array(encode(np.float32([0.75]))[0] / 255), atol=1)


def test_strips_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    ground = rng.uniform(0.5, 1.0, (37, 23)).astype(np.float32)
    coats = [coat(rng.integers(0, 256, ground.shape).astype(np.uint8), (0.2, 0.6, 0.4), 0.7)]
    whole = compose(ground, (0.7, 0.6, 0.5), coats, 10.0, np.linspace(0.5, 1, 37)[:, None])
    monkeypatch.setattr(layers, "STRIP_TEXELS", 50)
    np.testing.assert_array_equal(
        compose(ground, (0.7, 0.6, 0.5), coats, 10.0, np.linspace(0.5, 1, 37)[:, None]).image, whole.image
    )


def test_painting_over_leaves_other_texels_and_the_argument_alone() -> None:
    base = compose(np.ones((8, 9), dtype=np.float32), (0.4, 0.5, 0.6), [], 10.0)
    before = base.image.copy()
    spot = np.zeros((8, 9), dtype=np.uint8)
    spot[2:4, 3:5] = 255
    painted = paint_over(base, [coat(spot, (1, 1, 1))])
    np.testing.assert_array_equal(base.image, before)
    np.testing.assert_array_equal((painted.image != before).any(axis=2), spot > 0)


def test_masks_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match="shape"):
        compose(np.ones((4, 6), dtype=np.float32), linear_from_srgb((1, 1, 1)), [coat(mask(255, (4, 5)), (1, 1, 1))], 1)
