"""Spots that one of several like floors has: orthophotos that are drawn here, with a truth."""

from collections.abc import Callable

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from twin.layout import Ortho, RectifiedSurface
from twin.telltales import surfaces as found_in
from twin.telltales import telltale_spots

SHAPE, M_PER_PX = (300, 400), 0.04
STAIN = (slice(140, 165), slice(200, 230))
"""1.0 by 1.2 m around (8.6, 5.9)."""

Values = NDArray[np.float32]


def alike(levels: int, noise: float = 1.0) -> Values:
    """Return grey levels (K, H, W) of floors with the same grain and lines, and noise and light of their own."""
    rng = np.random.default_rng(0)
    floor = 110 + 8 * gaussian_filter(rng.normal(size=SHAPE), 3) / 0.09
    floor[100:103] = 200
    y, x = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
    own = [rng.normal(size=3) for _ in range(levels)]
    return np.stack(
        [floor * np.exp(0.2 * a * x + 0.2 * b * y) + noise * rng.normal(size=SHAPE) for a, b, _ in own]
    ).astype(np.float32)


def surfaces(grey: Values, spread: Values | None = None) -> list[RectifiedSurface]:
    pixels = np.clip(np.round(grey), 0, 255).astype(np.uint8)
    loose = np.full(grey.shape, 2.0, np.float32) if spread is None else spread
    orthos = [
        Ortho(
            pixels=np.repeat(own[..., None], 3, axis=2), views=np.full(SHAPE, 8, np.uint8), spread=off,
            top_left=(0.0, 12.0), m_per_px=M_PER_PX,
        )
        for own, off in zip(pixels, loose, strict=True)
    ]  # fmt: skip
    return [
        RectifiedSurface(ortho=ortho, height=lambda xy, z=3.5 * k: np.full(len(xy), z))  # type: ignore[misc]
        for k, ortho in enumerate(orthos)
    ]


@pytest.mark.parametrize(("noise", "levels"), [(0.0, 3), (3.0, 3), (1.0, 2), (1.0, 5)])
def test_a_stain_on_one_level_is_found_where_it_is(noise: float, levels: int) -> None:
    grey = alike(levels, noise)
    grey[1][STAIN] *= 0.75
    (found,) = telltale_spots("floor", surfaces(grey))
    cells = found.cells(1)
    assert cells[..., 0].min() < 8.0 < 9.2 < cells[..., 0].max()
    assert cells[..., 1].min() < 5.4 < 6.4 < cells[..., 1].max()
    np.testing.assert_allclose(found.origin[:, 2], 3.5 * np.arange(levels))
    np.testing.assert_allclose(found.normal(0), [0, 0, 1])
    inside = (np.abs(cells[..., 0] - 8.6) < 0.4) & (np.abs(cells[..., 1] - 5.9) < 0.3)
    looks = found.looks[:, inside].mean(axis=1)
    assert looks[1] < np.delete(looks, 1).min() - 0.15


def test_a_leak_in_a_ceiling_is_looked_at_from_below() -> None:
    grey = alike(3)
    grey[2][STAIN] *= 0.75
    (found,) = telltale_spots("ceiling", surfaces(grey))
    np.testing.assert_allclose(found.normal(0), [0, 0, -1])
    cells = found.cells(2)
    dark = cells[found.looks[2] < np.median(found.looks[2]) - 0.15]
    np.testing.assert_allclose(dark[:, :2].mean(axis=0), [8.6, 5.9], atol=0.05)


def test_like_floors_have_none() -> None:
    for levels in (2, 3):
        assert telltale_spots("floor", surfaces(alike(levels, noise=3.0))) == []


def test_what_stands_there_is_no_spot() -> None:
    grey = alike(3)
    grey[1][STAIN] *= 0.5
    spread = np.full(grey.shape, 2.0, np.float32)
    spread[1][STAIN] = 60.0
    assert telltale_spots("floor", surfaces(grey, spread)) == []


def test_what_may_be_parked_is_left_out() -> None:
    grey = alike(3)
    grey[1][STAIN] *= 0.5
    stall = shapely.box(7.5, 4.5, 10.0, 7.0)
    assert telltale_spots("floor", surfaces(grey), [stall]) == []
    assert len(telltale_spots("floor", surfaces(grey), [shapely.box(1, 1, 3, 3)])) == 1


def test_edges_that_lie_a_little_off_are_no_spot() -> None:
    grey = alike(3)
    grey[1] = np.roll(grey[1], 2, axis=0)
    assert telltale_spots("floor", surfaces(grey)) == []


def test_nothing_seen_on_all_levels_gives_none() -> None:
    grey = alike(3)
    assert telltale_spots("floor", surfaces(grey, np.full(grey.shape, np.nan, np.float32))) == []


def test_what_is_longer_than_a_file_takes_is_no_spot(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = alike(3)
    grey[1][STAIN] *= 0.75
    assert len(telltale_spots("floor", surfaces(grey))) == 1
    monkeypatch.setattr(found_in, "MOST_CELLS", 50)
    assert telltale_spots("floor", surfaces(grey)) == []


def long_strip(grey: Values) -> None:
    grey[1][140:150, 60:300] *= 0.75


def corner(grey: Values) -> None:
    grey[1][140:148, 200:240] *= 0.75
    grey[1][140:180, 200:208] *= 0.75


def small(grey: Values) -> None:
    grey[1][140:148, 200:208] *= 0.75


def others_differ_too(grey: Values) -> None:
    grey[1][STAIN] *= 0.75
    grey[0][STAIN] *= 1.12
    grey[2][STAIN] *= 0.95


def on_a_mottled_floor(grey: Values) -> None:
    grey[:, 130:180, 190:240] *= np.exp(0.25 * np.kron(np.random.default_rng(1).normal(size=(5, 5)), np.ones((10, 10))))
    grey[1][STAIN] *= 0.88


@pytest.mark.parametrize("draw", [long_strip, corner, small, others_differ_too, on_a_mottled_floor])
def test_what_is_no_spot(draw: Callable[[Values], None]) -> None:
    grey = alike(3)
    draw(grey)
    assert telltale_spots("floor", surfaces(grey)) == []


def test_levels_without_the_spot_look_alike() -> None:
    grey = alike(3)
    grey[1][STAIN] *= 0.75
    (found,) = telltale_spots("floor", surfaces(grey))
    np.testing.assert_array_equal(found.looks[0], found.looks[2])
    assert np.abs(found.looks[1] - found.looks[0]).max() > 0.2
