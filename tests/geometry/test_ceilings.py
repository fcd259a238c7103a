"""Ceilings of a synthetic garage."""

import numpy as np
import pytest

from geometry import ceiling_heights, find_floors
from tests.geometry.garage_points import garage


@pytest.mark.parametrize("noise_m", [0.0, 0.02])
def test_both_levels_have_theirs(noise_m: float) -> None:
    place = garage(np.random.default_rng(0), noise_m=noise_m)
    floors = find_floors(place.cameras, place.landmarks, place.covariances, seen_from=place.seen_from)
    found = ceiling_heights(place.landmarks, floors)
    np.testing.assert_allclose(np.array(found, dtype=float), 2.9, atol=0.02)  # measured 2 mm and 4 mm off


def test_in_the_open_there_is_none() -> None:
    rng = np.random.default_rng(1)
    place = garage(rng)
    floors = find_floors(place.cameras, place.landmarks, place.covariances, seen_from=place.seen_from)
    top = place.landmarks[:, 2] > 3.2 + 2.0
    masts = np.column_stack([rng.uniform((0, 0), (40, 30), (800, 2)), rng.uniform(5.0, 10.0, 800)])
    lower, upper = ceiling_heights(np.concatenate([place.landmarks[~top], masts]), floors)
    assert lower == pytest.approx(2.9, abs=0.02)
    assert upper is None
    assert ceiling_heights(np.zeros((0, 3)), floors) == (None, None)
