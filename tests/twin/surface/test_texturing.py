import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.exposure import solve_exposure
from twin.surface.blending import blend
from twin.surface.filling import fill
from twin.surface.texturing import trusted
from twin.weighted_median import weighted_median

PHOTOS, TEXELS = 12, 400


def exposures(noise: float, wrong: float) -> tuple[float, float]:
    """Return the largest error of a log gain and of a fall-off, two lenses, from views of ``TEXELS`` texels."""
    rng = np.random.default_rng(0)
    gains, lenses = rng.normal(0, 0.4, PHOTOS), np.arange(PHOTOS) % 2
    gains -= gains.mean()
    falloffs = np.array([0.3, 0.1])
    texel = np.repeat(np.arange(TEXELS), 5)
    photo = rng.integers(0, PHOTOS, len(texel))
    radius2 = rng.uniform(0, 1, len(texel))
    light = rng.normal(-1, 0.5, TEXELS)[texel] - gains[photo] - falloffs[lenses[photo]] * radius2
    light += noise * rng.standard_normal(len(texel)) + 1.5 * (rng.random(len(texel)) < wrong)
    found = solve_exposure(texel, photo, light, radius2, lenses)
    return float(np.abs(found.log_gains - gains).max()), float(np.abs(found.falloffs - falloffs[lenses]).max())


def test_exposure_is_exact_without_noise_and_bears_cars_and_noise() -> None:
    gain, falloff = exposures(0.0, 0.0)
    assert gain < 1e-3
    assert falloff < 1e-3
    gain, falloff = exposures(0.06, 0.15)
    assert 1e-4 < gain < 0.04
    assert falloff < 0.05


def test_exposure_without_measurements_is_none() -> None:
    nothing = np.zeros(0)
    found = solve_exposure(nothing.astype(int), nothing.astype(int), nothing, nothing, np.zeros(3, dtype=np.int64))
    assert (found.log_gains == 0).all()
    assert (found.falloffs == 0).all()
    assert found.residual == 0


@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_the_weighted_median_is_that_of_repeated_values(views: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, weights = rng.normal(size=(views, 5)), rng.integers(0, 4, (views, 5))
    weights[0] += 1
    found = weighted_median(values.astype(np.float32), weights.astype(np.float32))
    for t in range(5):
        repeated = np.sort(np.repeat(values[:, t], weights[:, t]))
        assert found[t] == np.float32(repeated[(len(repeated) - 1) // 2])


def test_what_a_minority_of_views_shows_falls_out() -> None:
    rng = np.random.default_rng(0)
    wall, car = np.array([0.3, 0.28, 0.25]), np.array([0.7, 0.05, 0.05])
    light = np.tile(wall, (7, 50, 1)) * rng.normal(1, 0.03, (7, 50, 1))
    light[:3] = car
    colour, agreement = blend(light.astype(np.float32), np.ones((7, 50), np.float32))
    assert colour == pytest.approx(np.tile(wall, (50, 1)), abs=0.02)  # measured 0.011
    assert agreement == pytest.approx(np.full(50, 4 / 7), abs=0.12)  # measured 0.073
    colour, agreement = blend(np.zeros((2, 3, 3), np.float32), np.zeros((2, 3), np.float32))
    assert (colour == 0).all()
    assert (agreement == 0).all()


def test_a_patch_on_which_views_disagree_is_not_trusted() -> None:
    agreement = np.full((80, 120), 0.95, np.float32)
    agreement[20:60, 40:80] = np.random.default_rng(0).uniform(0.1, 1.0, (40, 40))
    agreement[:, 100:] = 0
    found = trusted(agreement, 40.0)
    assert not found[28:52, 48:72].any()
    assert not found[:, 100:].any()
    assert found[:10, :90].all()
    assert found[70:, :90].all()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_fills_keep_what_was_seen_and_stay_within_its_range(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    colours = rng.uniform(0.2, 0.8, (rows, columns, 3)).astype(np.float32)
    seen = rng.random((rows, columns)) < 0.2
    filled = fill(colours, seen, np.full(3, 0.5, np.float32))
    assert filled[seen] == pytest.approx(colours[seen], abs=1e-6)
    assert filled.min() > 0.19
    assert filled.max() < 0.81
    if seen.any():
        constant = fill(np.full_like(colours, 0.3), seen, np.ones(3, np.float32))
        assert constant == pytest.approx(np.full_like(colours, 0.3), abs=1e-5)
    else:
        assert (filled == 0.5).all()
