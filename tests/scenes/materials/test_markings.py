"""Lines, numbers, symbols, arrows and stripes lie where the plan says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes.facility import StallRow
from scenes.materials import markings as m
from scenes.materials.plots import Plot
from scenes.materials.traces import oil_stains, skid_marks, tyre_tracks
from scenes.plan import row_polygons

PLOT = Plot(corner=(-2.0, 14.0), size=(20.0, 16.0), px_per_m=48.0)
ROW = row_polygons(StallRow(id="A", level="P1", start=(2, 5), along_deg=0, count=4))


@settings(max_examples=25, deadline=None)
@given(along=st.floats(0, 360), angle=st.floats(30, 150), count=st.integers(1, 6))
def test_lines_run_along_the_sides(along: float, angle: float, count: int) -> None:
    polygons = row_polygons(StallRow(id="A", level="P", start=(1, 2), along_deg=along, count=count, angle_deg=angle))
    lines = m.stall_lines(polygons)
    assert lines.shape == (count + 1, 4, 2)
    np.testing.assert_allclose(lines[:-1, :2].mean(axis=1), polygons[:, 0], atol=1e-9)
    np.testing.assert_allclose(lines[1:, 2:].mean(axis=1), polygons[:, 2], atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(lines[:, 1] - lines[:, 0], axis=1), m.LINE_WIDTH_M)


@pytest.mark.parametrize("kind", m.SYMBOLS)
def test_symbols_and_numbers_lie_in_their_stall(kind: str) -> None:
    mask = PLOT.blank()
    m.paint_symbol(PLOT, mask, ROW[1], kind)
    m.paint_number(PLOT, mask, ROW[1], "17")
    rows, columns = np.nonzero(mask)
    assert len(rows) > 300
    (left, bottom), (right, top) = PLOT.texels(ROW[1][0]), PLOT.texels(ROW[1][2])
    assert left < columns.min()
    assert columns.max() < right
    assert top < rows.min()
    assert rows.max() < bottom


def test_a_number_is_upright_for_who_drives_in() -> None:
    mask = PLOT.blank()
    m.paint_number(PLOT, mask, ROW[0], "7", height=2.0)  # into the stall is +y, up in the picture
    rows, columns = np.nonzero(mask > 127)
    high, low = rows < np.quantile(rows, 0.2), rows > np.quantile(rows, 0.8)
    assert np.ptp(columns[high]) > 2 * np.ptp(columns[low])  # a seven is wide at its top
    assert columns[low].mean() < columns[high].mean()  # and its foot is on the left


def test_an_arrow_points_along_the_lane() -> None:
    mask = PLOT.blank()
    m.paint_arrows(PLOT, mask, [(0, 10), (6, 10)])
    widths = (mask > 127).sum(axis=0)
    columns = np.flatnonzero(widths)
    front, back = widths[columns[len(columns) * 2 // 3 :]], widths[columns[: len(columns) // 2]]
    assert front.max() > 2 * back.max()  # the head is in front
    assert columns.mean() == pytest.approx(PLOT.texels((3, 10))[0], abs=PLOT.px_per_m * 0.1)


def test_zebra_stripes_cover_the_right_share() -> None:
    mask = PLOT.blank()
    m.paint_zebra(PLOT, mask, [(0, 0), (0, 6), (3.5, 6), (3.5, 0)])
    assert mask.sum() / 255 / PLOT.px_per_m**2 == pytest.approx(6 * 4 * 0.5, rel=0.01)  # four stripes along y
    assert (mask[PLOT.shape[0] - 200, :] > 0).any()


def test_traces_come_from_their_seed_and_bear_empty_levels() -> None:
    lanes = [np.array([[0.0, 3.0], [14.0, 3.0]])]
    for make in (
        lambda rng: tyre_tracks(PLOT, lanes, ROW, rng),
        lambda rng: skid_marks(PLOT, lanes, rng),
        lambda rng: oil_stains(PLOT, ROW, rng),
    ):
        first, again, other = (make(np.random.default_rng(seed))[0].mask for seed in (1, 1, 5))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()
    nothing = np.empty((0, 4, 2))
    assert tyre_tracks(PLOT, [], nothing, np.random.default_rng(0))[0].mask.sum() == 0
    assert oil_stains(PLOT, nothing, np.random.default_rng(0))[0].mask.sum() == 0
    assert skid_marks(PLOT, [], np.random.default_rng(0))[0].mask.sum() == 0
