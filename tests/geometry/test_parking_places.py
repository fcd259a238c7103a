"""Stalls as places to stand in."""

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geometry import FloorPlan
from geometry.floorplan import Level, Stall
from geometry.parking_places import ParkingPlaces


def plan(stalls: int = 6) -> FloorPlan:
    """Return two levels with the same row of stalls, 2.5 m wide and 5 m deep, whose open edge is at y = 0."""
    outline = shapely.box(-10, -10, 40, 20)
    levels = (Level(id="P1", elevation=0.0, outline=outline), Level(id="P2", elevation=3.5, outline=outline))
    rings = [[(2.5 * k, 0.0), (2.5 * k + 2.5, 0.0), (2.5 * k + 2.5, 5.0), (2.5 * k, 5.0)] for k in range(stalls)]
    made = [
        Stall(id=f"{level.id}-{k}", level=level.id, polygon=shapely.Polygon(ring))
        for level in levels
        for k, ring in enumerate(rings)
    ]
    return FloorPlan(levels=levels, stalls=tuple(made))


def test_stalls_have_a_middle_and_a_direction() -> None:
    places = ParkingPlaces.of(plan())
    assert len(places) == 12
    np.testing.assert_allclose(places.middles[2], (6.25, 2.5))
    np.testing.assert_allclose(places.directions, np.tile([0.0, 1.0], (12, 1)), atol=1e-12)
    np.testing.assert_array_equal(places.levels, [0] * 6 + [1] * 6)
    np.testing.assert_allclose(places.sizes, np.tile([5.0, 2.5], (12, 1)))
    assert places.stalls == tuple(f"{level}-{k}" for level in ("P1", "P2") for k in range(6))


@given(seed=st.integers(0, 1000), count=st.integers(1, 5), within=st.floats(0.5, 9.0))
def test_the_nearest_are_those_of_the_level(seed: int, count: int, within: float) -> None:
    rng, places = np.random.default_rng(seed), ParkingPlaces.of(plan())
    points, level = rng.uniform(-3, 18, (20, 2)), rng.integers(0, 2, 20)
    found = places.nearest(level, points, count, within)
    assert found.shape == (20, count)
    for point, own, near in zip(points, level.tolist(), found.tolist(), strict=True):
        distance = np.where(places.levels == own, np.linalg.norm(places.middles - point, axis=1), np.inf)
        wanted = [k for k in np.argsort(distance).tolist()[:count] if distance[k] < within]
        assert [k for k in near if k >= 0] == wanted


def test_a_place_along_the_kerb_is_stood_in_along_its_longer_side() -> None:
    outline = shapely.box(-10, -10, 40, 20)
    kerb = Stall(id="K", level="P1", polygon=shapely.Polygon([(0, 0), (6, 0), (6, 2.2), (0, 2.2)]))
    odd = Stall(id="odd", level="P1", polygon=shapely.Polygon([(10, 0), (12, 0), (13, 3), (11, 5), (10, 4)]))
    level = Level(id="P1", elevation=0.0, outline=outline)
    places = ParkingPlaces.of(FloorPlan(levels=(level,), stalls=(kerb, odd)))
    np.testing.assert_allclose(np.abs(places.directions), [(1.0, 0.0)], atol=1e-12)
    np.testing.assert_allclose(places.sizes, [(6.0, 2.2)])
    assert places.stalls == ("K",), "what is no quadrilateral is left out"


@given(turn=st.floats(-3.2, 3.2), length=st.floats(1.5, 12.0), width=st.floats(0.8, 12.0), lean=st.floats(-0.7, 0.7))
def test_sizes_are_lengths_and_widths_however_a_stall_lies(
    turn: float, length: float, width: float, lean: float
) -> None:
    """Of a slanted stall, a parallelogram, they are those of its middle lines."""
    ring = np.array([(0, 0), (width, 0), (width + lean, length), (lean, length)])
    cos, sin = np.cos(turn), np.sin(turn)
    stall = Stall(id="S", level="P1", polygon=shapely.Polygon(ring @ np.array([[cos, sin], [-sin, cos]])))
    level = Level(id="P1", elevation=0.0, outline=shapely.box(-50, -50, 50, 50))
    places = ParkingPlaces.of(FloorPlan(levels=(level,), stalls=(stall,)))
    np.testing.assert_allclose(places.sizes, [sorted([np.hypot(length, lean), width], reverse=True)])
    np.testing.assert_allclose(np.linalg.norm(places.directions, axis=1), 1.0)


def test_without_stalls_none_is_near() -> None:
    for places in (ParkingPlaces.none(), ParkingPlaces.of(plan(0))):
        assert (places.nearest(np.zeros(3, dtype=np.int64), np.zeros((3, 2)), 4, 3.0) == -1).all()
        assert places.stalls == ()
        assert places.sizes.shape == places.middles.shape == (0, 2)
