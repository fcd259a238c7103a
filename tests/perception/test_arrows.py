import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from perception import find_arrows
from tests.perception.painted_floors import M_PER_PX, PaintedFloor


@settings(max_examples=10, deadline=None)
@given(angle=st.floats(0, 360), length=st.floats(1.6, 4.0), seed=st.integers(0, 100))
def test_arrows_point_where_they_are_painted_to(angle: float, length: float, seed: int) -> None:
    floor = PaintedFloor(8, 8)
    floor.arrow((4, 4), angle, length=length)
    found = find_arrows(floor.gray(np.random.default_rng(seed), noise=3.0), floor.seen, M_PER_PX)
    assert len(found.positions) == 1
    way = found.directions[0] * (1, -1)
    turned = np.degrees(np.arctan2(way[1], way[0])) - angle
    assert abs((turned + 180) % 360 - 180) < 5  # measured at most 0.4
    assert np.linalg.norm(floor.points(found.positions[0]) - (4, 4)) < 0.3


def test_bars_squares_and_lines_are_no_arrows() -> None:
    floor = PaintedFloor(12, 8)
    floor.line((1, 1), (1, 6))
    floor.fill([(3, 2), (4.4, 2), (4.4, 3.4), (3, 3.4)])
    floor.line((6, 2), (6, 5), width=0.5)
    for x in (7.5, 8.5, 9.5):
        floor.fill([(x, 2), (x + 0.5, 2), (x + 0.5, 6), (x, 6)])
    assert len(find_arrows(floor.gray(np.random.default_rng(0)), floor.seen, M_PER_PX).positions) == 0


def test_no_floor_no_arrows() -> None:
    blank = np.full((100, 100), 90, np.uint8)
    found = find_arrows(blank, np.zeros(blank.shape, dtype=bool), M_PER_PX)
    assert found.positions.shape == found.directions.shape == (0, 2)
