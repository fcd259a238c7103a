import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.errors import InputError
from perception import dominant_directions, find_stripes, stripe_support
from tests.perception.painted_floors import M_PER_PX, PaintedFloor


def _nearest_errors(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return for each true line the distance of the farther end from the best found one, either way round."""
    ends = np.concatenate([found, found[:, ::-1]])
    return np.linalg.norm(ends[:, None] - truth, axis=3).max(axis=2).min(axis=0)


def _row(floor: PaintedFloor, angle_deg: float) -> np.ndarray:
    along = np.array([np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))])
    starts = np.array([(5.0 + 2.5 * i, 2.0) for i in range(4)])
    lines = np.stack([starts, starts + 4.0 * along], axis=1)
    for start, end in lines:
        floor.line(start, end)
    return lines


@pytest.mark.parametrize(("noise", "worn", "bound"), [(0.5, 0.0, 0.03), (4.0, 0.1, 0.12)])
def test_ends_of_stripes_are_found(noise: float, worn: float, bound: float) -> None:
    floor = PaintedFloor(17, 8)
    truth = _row(floor, 90)
    gray = floor.gray(np.random.default_rng(1), noise=noise, worn=worn)
    found = find_stripes(gray, floor.seen, M_PER_PX, [np.pi / 2])
    errors = _nearest_errors(floor.points(found.ends), truth)
    assert errors.max() < bound  # measured 0.020, and 0.020 with noise and a tenth worn off
    assert len(found.ends) <= 6
    assert found.open[: len(truth)].all()


@settings(max_examples=8, deadline=None)
@given(angle=st.floats(40, 140), seed=st.integers(0, 100))
def test_directions_and_stripes_follow_the_paint(angle: float, seed: int) -> None:
    floor = PaintedFloor(17, 8)
    truth = _row(floor, angle)
    gray = floor.gray(np.random.default_rng(seed))
    directions = dominant_directions(gray, floor.seen, M_PER_PX)
    # y is up in the floor and down in the picture.
    off = np.abs(np.angle(np.exp(2j * (directions + np.radians(angle))))) / 2
    assert np.degrees(off.min()) < 2.0
    found = find_stripes(gray, floor.seen, M_PER_PX, directions)
    assert _nearest_errors(floor.points(found.ends), truth).max() < 0.06  # measured at most 0.03


def test_what_hides_paint_leaves_an_end_that_is_not_open() -> None:
    floor = PaintedFloor(17, 8)
    truth = _row(floor, 90)
    floor.fill([(4, 4), (6, 4), (6, 7), (4, 7)], hide=True)
    found = find_stripes(floor.gray(np.random.default_rng(2)), floor.seen, M_PER_PX, [np.pi / 2])
    points = floor.points(found.ends)
    first = np.abs(points[:, :, 0] - truth[0, 0, 0]).max(axis=1) < 0.1
    assert first.sum() == 1
    ends, is_open = points[first][0], found.open[first][0]
    low = int(ends[:, 1].argmin())
    assert ends[low, 1] == pytest.approx(2.0, abs=0.05)
    assert ends[1 - low, 1] == pytest.approx(4.0, abs=0.25)
    assert bool(is_open[low])
    assert not bool(is_open[1 - low])


def test_edges_of_shadows_and_broad_paint_are_no_stripes() -> None:
    gray = np.full((400, 600), 140, np.uint8)
    gray[:, 300:] = 80
    gray[100:150, 50:250] = 220
    seen = np.ones(gray.shape, dtype=bool)
    assert len(find_stripes(gray, seen, M_PER_PX, [0.0, np.pi / 2]).ends) == 0


def test_support_tells_painted_from_bare_and_hidden() -> None:
    floor = PaintedFloor(17, 8)
    truth = _row(floor, 90)
    floor.fill([(7, 2), (8, 2), (8, 7), (7, 7)], hide=True)
    gray = floor.gray(np.random.default_rng(3))
    lines = np.array([truth[0], truth[0] + (1.2, 0.0), truth[1]])
    seen, painted = stripe_support(gray, floor.seen, M_PER_PX, floor.pixels(lines))
    assert seen[0] > 0.95
    assert painted[0] > 0.95
    assert seen[1] > 0.95
    assert painted[1] < 0.1
    assert seen[2] < 0.05


def test_nothing_comes_of_nothing() -> None:
    flat, seen = np.full((200, 300), 100, np.uint8), np.ones((200, 300), dtype=bool)
    assert len(dominant_directions(flat, seen, M_PER_PX)) == 0
    assert find_stripes(flat, seen, M_PER_PX, []).ends.shape == (0, 2, 2)
    assert find_stripes(flat, ~seen, M_PER_PX, [0.0]).ends.shape == (0, 2, 2)
    assert [len(part) for part in stripe_support(flat, seen, M_PER_PX, np.empty((0, 2, 2)))] == [0, 0]


def test_malformed_input_is_refused() -> None:
    seen = np.ones((20, 30), dtype=bool)
    with pytest.raises(InputError, match="one \\(H, W\\)"):
        find_stripes(np.zeros((20, 31)), seen, M_PER_PX, [0.0])
    with pytest.raises(InputError, match="finite"):
        find_stripes(np.full((20, 30), np.nan), seen, M_PER_PX, [0.0])
