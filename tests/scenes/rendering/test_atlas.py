"""Prefiltered textures against closed forms: packing, levels, and what sampling conserves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.errors import InputError
from scenes.colour import linear_from_bytes
from scenes.rendering import Texture
from scenes.rendering.atlas import build_atlas, pack, sample


def picture(rng: np.random.Generator, height: int, width: int) -> Texture:
    return Texture(image=rng.integers(0, 256, (height, width, 3), dtype=np.uint8), px_per_m=10.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=1, max_size=40))
def test_packed_rectangles_do_not_overlap(sizes: list[tuple[int, int]]) -> None:
    packing = pack(np.array(sizes, dtype=np.int64))
    taken = np.zeros(packing.size[::-1], dtype=int)
    for (column, row), (columns, rows) in zip(packing.corners, sizes, strict=True):
        taken[row : row + rows, column : column + columns] += 1
    assert taken.max() == 1
    assert taken.sum() == sum(c * r for c, r in sizes)


def test_a_picture_too_large_to_address_is_refused() -> None:
    with pytest.raises(InputError, match="texels a metre"):
        pack(np.array([[40_000, 10]]))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**31))
def test_sampling_texel_centres_gives_the_texels(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    textures = [picture(rng, 7, 5), picture(rng, height, width)]
    rows, columns = np.indices((height, width)).reshape(2, -1)
    uv = (np.column_stack([columns, rows]).astype(np.float32) + 0.5) / 10
    ids, none = np.ones(len(uv), dtype=np.int32), np.zeros(len(uv), dtype=np.float32)
    colour = sample(build_atlas(textures), ids, uv, none, np.zeros((len(uv), 2), dtype=np.float32))
    expected = linear_from_bytes(textures[1].image).reshape(-1, 3)
    np.testing.assert_allclose(colour, expected, atol=2e-5)  # 16 bits


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(0, 2**31))
def test_levels_neither_lose_nor_add_light(log2_width: int, seed: int) -> None:
    texture = picture(np.random.default_rng(seed), 64, 64)
    side = 64 >> log2_width
    centres = (np.arange(side, dtype=np.float32) + 0.5) * (6.4 / side)
    uv = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
    ids, width = np.zeros(len(uv), dtype=np.int32), np.full(len(uv), 6.4 / side, dtype=np.float32)
    colour = sample(build_atlas([texture]), ids, uv, width, np.zeros_like(uv))
    blocks = linear_from_bytes(texture.image).reshape(side, 64 // side, side, 64 // side, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(colour, blocks.reshape(-1, 3), atol=2e-4)


def test_an_oblique_footprint_is_blurred_along_and_sharp_across() -> None:
    stripes = np.repeat((np.arange(256) // 4 % 2 * 255).astype(np.uint8)[None, :, None], 256, axis=0).repeat(3, axis=2)
    atlas = build_atlas([Texture(image=stripes, px_per_m=100.0), Texture(image=stripes.swapaxes(0, 1), px_per_m=100.0)])
    uv = np.stack([np.linspace(0.5, 2.0, 300), np.linspace(0.5, 2.0, 300)], axis=-1).astype(np.float32)
    stretch = np.tile(np.array([[0.0, 0.08]], dtype=np.float32), (300, 1))
    width = np.full(300, 0.01, dtype=np.float32)
    across, along = (sample(atlas, np.full(300, i, dtype=np.int32), uv, width, stretch).std() for i in (0, 1))
    assert across > 0.35  # measured 0.43; full contrast is 0.5
    assert along < 0.1


def test_memory_is_about_eight_bytes_a_texel() -> None:
    rng = np.random.default_rng(0)
    sizes = [(700, 900), (700, 900), *rng.integers(50, 300, (40, 2)).tolist()]
    textures = [picture(rng, *size) for size in sizes]
    size = sum(page.nbytes for page in build_atlas(textures).pages)
    assert size < 9.2 * sum(t.image.shape[0] * t.image.shape[1] for t in textures)
