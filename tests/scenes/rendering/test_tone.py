"""Exposure and the film-like shoulder."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.colour import bytes_from_linear
from scenes.rendering import auto_exposure, develop
from scenes.rendering.tone import SHOULDER_START, shoulder


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_more_light_is_never_darker_and_never_clips(a: float, b: float) -> None:
    low, high = shoulder(np.array(sorted((a, b)), dtype=np.float32))
    assert low <= high <= 1.0


def test_up_to_the_shoulder_a_picture_is_plain_srgb() -> None:
    light = np.linspace(0, SHOULDER_START - 0.01, 500, dtype=np.float32)[:, None].repeat(3, axis=1)
    difference = develop(light, 1.0).astype(int) - bytes_from_linear(light)
    assert np.abs(difference).max() <= 1  # a table of 16384 steps
    assert abs(difference.mean()) < 0.05


@pytest.mark.parametrize("scale", [0.05, 1.0, 20.0])
def test_automatic_exposure_takes_out_the_brightness(scale: float) -> None:
    light = np.random.default_rng(0).lognormal(-1.5, 0.8, (40, 40, 3)).astype(np.float32)
    plain, scaled = (develop(r, auto_exposure(r)) for r in (light, light * np.float32(scale)))
    assert np.abs(plain.astype(int) - scaled).max() <= 1
    assert (plain == 255).mean() < 0.01


def test_a_black_picture_is_black() -> None:
    black = np.zeros((4, 4, 3), dtype=np.float32)
    assert auto_exposure(black) == 1.0
    assert not develop(black, 1.0).any()
