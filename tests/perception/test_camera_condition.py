"""What is wrong with a picture by itself, at any light and with a sensor's noise."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from geometry import InputError
from perception.camera_condition import condition, detail, is_frozen

Gray = NDArray[np.uint8]


def scene(seed: int = 0, light: float = 1.0, noise: float = 3.0) -> Gray:
    """Return a picture of rectangles with fine texture, as noisy as a cheap camera's."""
    rng = np.random.default_rng(7)
    picture = np.full((480, 640), 120.0)
    for _ in range(90):
        x, y, w, h = rng.integers(0, [600, 440, 120, 90])
        picture[y : y + h, x : x + w] = rng.uniform(50, 200)
    picture += cv2.GaussianBlur(rng.normal(0, 25, picture.shape), (0, 0), 0.8)
    picture = light * picture + np.random.default_rng([8, seed]).normal(0, noise, picture.shape)
    return np.asarray(picture.clip(0, 255), dtype=np.uint8)


REFERENCE = detail(scene())


@pytest.mark.parametrize("light", [0.3, 0.6, 1.0, 1.2])
@pytest.mark.parametrize("noise", [1.0, 4.0])
def test_light_and_noise_are_no_faults(light: float, noise: float) -> None:
    assert condition(scene(1, light, noise), REFERENCE).fault is None


@pytest.mark.parametrize("level", [30.0, 120.0, 200.0])
@pytest.mark.parametrize("noise", [1.0, 3.0, 6.0])
def test_a_cover_has_noise_too(level: float, noise: float) -> None:
    cloth = np.random.default_rng(0).normal(level, noise, (480, 640)) + np.linspace(0, 30, 640)
    assert condition(cloth.clip(0, 255).astype(np.uint8), REFERENCE).fault == "covered"


@pytest.mark.parametrize("noise", [1.0, 3.0])
def test_a_defocused_lens_does_not_blur_the_noise(noise: float) -> None:
    blurred = cv2.GaussianBlur(scene(2, noise=0.0), (0, 0), 3.0)
    noisy = blurred + np.random.default_rng(1).normal(0, noise, blurred.shape)
    assert condition(noisy.clip(0, 255).astype(np.uint8), REFERENCE).fault == "defocused"


def test_a_smear_is_dirt_and_no_light_is_dark() -> None:
    smeared = scene(3)
    smeared[200:, :300] = cv2.GaussianBlur(smeared, (0, 0), 10.0)[200:, :300]
    found = condition(smeared, REFERENCE)
    assert found.fault == "dirty"
    assert 0.15 < found.spoilt < 0.5  # measured 0.19 of the cells; 27 % of the picture is smeared
    assert condition(np.full((480, 640), 2, np.uint8), REFERENCE).fault == "dark"


@pytest.mark.parametrize("noise", [0.0, 6.0])
def test_a_bare_wall_has_nothing_to_lose(noise: float) -> None:
    walls = [np.random.default_rng(k).normal(120, noise, (480, 640)).clip(0, 255).astype(np.uint8) for k in (0, 1)]
    found = condition(walls[1], detail(walls[0]))
    assert (found.fault, found.contrast, found.fineness, found.spoilt) == (None, 1.0, 1.0, 0.0)
    assert condition(np.full((480, 640), 1, np.uint8), detail(walls[0])).fault == "dark"


@pytest.mark.parametrize("noise", [6.0, 12.0])
def test_a_noisy_night_is_no_fault(noise: float) -> None:
    assert condition(scene(1, 0.5, noise), detail(scene(2, 0.5, noise))).fault is None


def test_the_same_picture_again_is_frozen() -> None:
    assert is_frozen(scene(4), scene(4))
    assert not is_frozen(scene(4), scene(5))


def test_pictures_too_small_to_judge_are_refused() -> None:
    with pytest.raises(InputError, match="too small"):
        detail(np.zeros((20, 20), np.uint8))
