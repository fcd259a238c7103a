"""Painting in metres is exact: covered areas to a hundredth of a texel, stencils the right way up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes.materials.plots import Plot, paint_polygon, stamp, strip

PLOT = Plot(corner=(-3.0, 5.0), size=(12.0, 8.0), px_per_m=40.0)


@settings(max_examples=40, deadline=None)
@given(
    x=st.floats(0, 6), y=st.floats(-1, 3), angle=st.floats(0, 6.3), length=st.floats(0.5, 2.0), width=st.floats(0.1, 1)
)
def test_a_strip_covers_its_area_around_its_middle(
    x: float, y: float, angle: float, length: float, width: float
) -> None:
    start = np.array([x, y])
    end = start + length * np.array([np.cos(angle), np.sin(angle)])
    mask = PLOT.blank()
    corners = strip(start, end, width)
    paint_polygon(PLOT, mask, corners)
    weights = mask / 255.0
    assert weights.sum() / PLOT.px_per_m**2 == pytest.approx(length * width, rel=0.03)
    rows, columns = np.indices(mask.shape) + 0.5
    middle = np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()
    np.testing.assert_allclose(middle, PLOT.texels((start + end) / 2), atol=0.05)  # measured 0.02


def test_a_polygon_beyond_the_plot_is_cut_off() -> None:
    mask = PLOT.blank()
    paint_polygon(PLOT, mask, [(-9, 4), (-2, 4), (-2, 9), (-9, 9)])
    assert (mask[:40, :40] == 255).all()
    assert mask[41:].sum() + mask[:, 41:].sum() == 0
    paint_polygon(PLOT, mask, [(20, 20), (21, 20), (21, 21)])


@pytest.mark.parametrize(("up", "place"), [(0.0, (1.0, 0.0)), (np.pi / 2, (0.0, 1.0)), (2.5, None)])
def test_a_stencil_points_up(up: float, place: tuple[float, float] | None) -> None:
    stencil = np.zeros((64, 32), dtype=np.uint8)
    stencil[:32] = 255  # its upper half
    mask = PLOT.blank()
    middle = np.array([2.0, 1.0])
    stamp(PLOT, mask, stencil, middle, up, (0.8, 1.6))
    weights = mask / 255.0
    rows, columns = np.indices(mask.shape) + 0.5
    found = np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()
    expected = middle + 0.4 * np.array([np.cos(up), np.sin(up)])
    np.testing.assert_allclose(found, PLOT.texels(expected), atol=0.6)  # measured 0.3: the stencil's own edge
    assert weights.sum() / PLOT.px_per_m**2 == pytest.approx(0.64, rel=0.05)


def test_a_stencil_is_not_mirrored() -> None:
    stencil = np.zeros((64, 64), dtype=np.uint8)
    stencil[:32, 32:] = 255  # upper right
    mask = PLOT.blank()
    stamp(PLOT, mask, stencil, (2.0, 1.0), np.pi / 2, (2.0, 2.0))
    column, row = PLOT.texels((2.5, 1.5)).astype(int)
    assert mask[row, column] == 255
    column, row = PLOT.texels((1.5, 1.5)).astype(int)
    assert mask[row, column] == 0


def test_a_stencil_partly_beyond_the_plot_is_cut_off() -> None:
    mask = PLOT.blank()
    stamp(PLOT, mask, np.full((32, 32), 255, dtype=np.uint8), (-3.0, 5.0), 0.3, (1.0, 1.0))
    assert mask[0, 0] == 255
    stamp(PLOT, mask, np.full((32, 32), 255, dtype=np.uint8), (-30.0, 5.0), 0.3, (1.0, 1.0))
