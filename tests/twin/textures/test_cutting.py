"""Patches cut from rectified surfaces."""

from dataclasses import replace

import numpy as np
import pytest

from geometry import InputError, transform_points
from tests.twin.textures.grounds import SHAPE, UPRIGHT_FRAME, ground, surface_of
from twin.textures import cut_textures, without_paint
from twin.textures.cutting import CELL_M, STRIDE, isotropy
from twin.textures.textures import CELLS, LOG_STEP


def test_patches_lie_where_they_were_cut() -> None:
    grey = ground()
    found = cut_textures(surface_of(grey, height=2.0), from_below=True)
    rows, columns = (int((size // 2 - CELLS) // STRIDE + 1) for size in SHAPE)
    assert len(found) == rows * columns
    assert (found.facing == -1).all()
    np.testing.assert_array_equal(found.centres[:, 2], 2.0)
    np.testing.assert_allclose(found.centres[0, :2], [-8.0 + CELLS * CELL_M / 2, 6.0 - CELLS * CELL_M / 2])
    np.testing.assert_allclose(np.diff(found.centres[:columns, 0]), STRIDE * CELL_M)
    # A spot that is darkened lies in the patch and cell that its place says.
    spot = found.centres[40, :2] + [0.2, -0.1]
    row, column = int((6.0 - spot[1]) / 0.04), int((spot[0] + 8.0) / 0.04)
    grey[row - 2 : row + 2, column - 2 : column + 2] = 20.0
    darker = cut_textures(surface_of(grey, height=2.0), from_below=True)
    y, x = np.unravel_index(int((darker.looks[40].astype(int) - found.looks[40]).argmin()), (CELLS, CELLS))
    half = (CELLS - 1) / 2
    off = CELL_M * ((x - half) * found.right[40] + (y - half) * found.down[40])
    np.testing.assert_allclose(off, [0.2, -0.1, 0.0], atol=CELL_M)


def test_a_wall_is_a_floor_in_a_frame_of_its_own() -> None:
    floor, wall = (cut_textures(surface_of(ground()), site_from_surface=frame) for frame in (None, UPRIGHT_FRAME))
    np.testing.assert_array_equal(wall.looks, floor.looks)
    np.testing.assert_allclose(wall.centres, transform_points(UPRIGHT_FRAME, floor.centres))
    np.testing.assert_allclose(wall.down, np.tile([0.0, 0.0, -1.0], (len(wall), 1)), atol=1e-12)


def test_light_changes_no_look() -> None:
    grey = ground()
    y, x = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
    lit = cut_textures(surface_of(grey * np.exp(0.4 * x - 0.3 * y)))
    plain = cut_textures(surface_of(grey))
    assert len(lit) == len(plain)
    off = (lit.looks.astype(float) - plain.looks) * LOG_STEP
    assert np.abs(off).mean() < 0.01  # measured 0.002, of a contrast of 0.048
    assert plain.looks.std() * LOG_STEP > 0.03


def test_what_is_not_seen_flat_or_steep_is_left_out() -> None:
    whole = cut_textures(surface_of(ground()))
    part = cut_textures(surface_of(ground(), unseen=slice(0, 200)))
    assert 0 < len(part) < 0.6 * len(whole)
    assert part.centres[:, 0].min() > -0.3
    assert len(cut_textures(surface_of(np.full(SHAPE, 90.0)))) == 0
    assert len(cut_textures(surface_of(ground(), slope=0.12))) == 0
    assert len(cut_textures(surface_of(ground(), slope=0.02))) == len(whole)


def test_pixels_that_are_no_part_of_a_cell_are_refused() -> None:
    surface = surface_of(ground())
    with pytest.raises(InputError, match="whole fraction"):
        cut_textures(replace(surface, ortho=replace(surface.ortho, m_per_px=0.03)))


def test_lines_that_match_themselves_all_along_are_left_out() -> None:
    lines = np.full(SHAPE, 90.0)
    lines[:, 50::63] = 200.0
    assert len(cut_textures(surface_of(lines))) == 0
    crossed = lines.copy()
    crossed[20::60] = 200.0
    kept = cut_textures(surface_of(crossed))
    assert 0 < len(kept) < 200  # measured 96 of 432: those with a crossing


def test_isotropy_is_that_of_the_gradients() -> None:
    y, x = np.mgrid[:12, :12].astype(np.float32)
    slanted, round_, flat = 3 * x + 2 * y, (x - 5.5) ** 2 + (y - 5.5) ** 2, np.zeros((12, 12))
    found = isotropy(np.stack([slanted, round_, flat]).astype(np.float32))
    np.testing.assert_allclose(found, [0.0, 1.0, 0.0], atol=1e-5)
    assert isotropy(np.zeros((0, 12, 12), np.float32)).shape == (0,)


def test_paint_is_left_out() -> None:
    grey = ground(contrast=0.03)
    bare = cut_textures(surface_of(grey))
    rng = np.random.default_rng(0)
    painted = np.s_[100:160, 150:250]
    grey[painted] *= np.exp(0.4 * np.kron(rng.normal(size=(6, 10)), np.ones((10, 10))))
    whole = cut_textures(surface_of(grey))
    kept = without_paint(whole)
    x, y = np.abs(whole.centres[:, 0]), whole.centres[:, 1] - 0.8
    on_paint = (x < 2.0) & (np.abs(y) < 1.2)
    assert on_paint.sum() > 10
    assert len(without_paint(bare)) > 0.95 * len(bare)  # measured all
    assert len(kept) < len(whole) - 0.9 * on_paint.sum()
    assert not ((np.abs(kept.centres[:, 0]) < 1.5) & (np.abs(kept.centres[:, 1] - 0.8) < 0.7)).any()
