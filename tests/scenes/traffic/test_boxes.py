"""Footprints against shapely."""

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes.traffic.boxes import footprints, overlaps


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_overlaps_agrees_with_shapely(seed):
    rng = np.random.default_rng(seed)
    some, others = (footprints(rng.uniform(-5, 5, (n, 2)), rng.uniform(-4, 4, n), (4.5, 1.8)) for n in (6, 9))
    areas = shapely.area(shapely.intersection(shapely.polygons(some)[:, None], shapely.polygons(others)[None]))
    found = overlaps(some, others)
    assert np.all(found[areas > 1e-9])
    assert not np.any(found[shapely.distance(shapely.polygons(some)[:, None], shapely.polygons(others)[None]) > 1e-9])


def test_nothing_overlaps_nothing():
    some = footprints(np.zeros((2, 2)), np.zeros(2), (4, 2))
    assert overlaps(some, np.zeros((0, 4, 2))).shape == (2, 0)


def test_touching_is_not_overlapping():
    some, other = footprints([(0, 0), (4, 0)], [0, 0], (4, 2))[:, None]
    assert not overlaps(some, other).any()
