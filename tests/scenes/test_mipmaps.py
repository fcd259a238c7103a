"""Prefiltered sampling against simple oracles."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from geometry.errors import InputError
from scenes.mipmaps import Texture, build_atlas, pyramid, sample


def texture(shape: tuple[int, int], px_per_m: float, seed: int = 0) -> Texture:
    rng = np.random.default_rng(seed)
    return Texture(image=rng.random((*shape, 3), dtype=np.float32), px_per_m=px_per_m)


def test_full_resolution_is_bilinear() -> None:
    textures = [texture((40, 70), 10.0), texture((33, 21), 25.0, seed=1)]
    atlas, rng = build_atlas(textures), np.random.default_rng(2)
    ids = rng.integers(0, 2, 500)
    sizes = np.array([(7.0, 4.0), (21 / 25, 33 / 25)])
    uv = (rng.random((500, 2)) * sizes[ids]).astype(np.float32)
    got = sample(atlas, ids, uv, np.zeros(500, dtype=np.float32))
    for n, each in enumerate(textures):
        rows = (uv[ids == n, ::-1] * each.px_per_m - 0.5).T
        expected = [map_coordinates(each.image[..., c], rows, order=1, mode="nearest") for c in range(3)]
        np.testing.assert_allclose(got[ids == n], np.stack(expected, axis=-1), atol=2e-5)


def test_a_wide_footprint_sees_the_mean() -> None:
    picture = texture((64, 64), 10.0)
    got = sample(build_atlas([picture]), np.array([0]), np.array([[3.2, 3.2]], np.float32), np.array([1e3], np.float32))
    np.testing.assert_allclose(got[0], picture.image.mean(axis=(0, 1)), atol=1e-4)


def test_footprints_blend_smoothly_between_levels() -> None:
    atlas, uv = build_atlas([texture((64, 64), 1.0)]), np.full((200, 2), 20.3, dtype=np.float32)
    got = sample(atlas, np.zeros(200, dtype=int), uv, np.geomspace(1, 80, 200, dtype=np.float32))
    assert np.abs(np.diff(got, axis=0)).max() < 0.03  # measured 0.016; a jump between levels would be about 0.2


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3), (7, 5)])
def test_odd_and_tiny_textures(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 0.5, dtype=np.float32)
    assert min(pyramid(image)[-1].shape[:2]) == 1
    atlas = build_atlas([Texture(image=image, px_per_m=3.0), texture((50, 50), 3.0)])
    uv = np.array([[-1, -1], [0, 0], [0.2, 0.1], [9, 9]], dtype=np.float32)
    for footprint in (0.0, 0.7, 100.0):
        got = sample(atlas, np.zeros(4, dtype=int), uv, np.full(4, footprint, dtype=np.float32))
        np.testing.assert_allclose(got, 0.5, atol=1e-6)


def test_no_samples_give_no_colours() -> None:
    empty = np.zeros((0, 2), dtype=np.float32)
    assert sample(build_atlas([texture((4, 4), 1.0)]), np.zeros(0, int), empty, empty[:, 0]).shape == (0, 3)


@pytest.mark.parametrize(
    ("image", "px_per_m"),
    [
        (np.zeros((4, 4, 3)), 1.0),
        (np.zeros((4, 4), np.float32), 1.0),
        (np.zeros((0, 4, 3), np.float32), 1.0),
        (np.zeros((4, 4, 3), np.float32), 0.0),
    ],
)
def test_bad_textures_are_refused(image: np.ndarray, px_per_m: float) -> None:
    with pytest.raises(InputError, match="texture"):
        Texture(image=image, px_per_m=px_per_m)
