"""Background subtraction on drawn scenes: what moves is found, shadows, light and what stands are not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from geometry.errors import ImageError, InputError
from perception.detection.background import BackgroundDetector, BackgroundOptions

HEIGHT, WIDTH = 180, 320


def floor(rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.clip(120 + rng.normal(0, 3, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)


def warmed(rng: np.random.Generator, frames: int = 40) -> BackgroundDetector:
    detector = BackgroundDetector()
    for _ in range(frames):
        assert len(detector.detect(floor(rng))) == 0
    return detector


def test_what_moves_is_found_and_its_shadow_is_not() -> None:
    rng = np.random.default_rng(0)
    detector = warmed(rng)
    for step in range(5):
        picture = floor(rng)
        x = 60 + 12 * step
        picture[100:140, x + 60 : x + 110] = (picture[100:140, x + 60 : x + 110] * 0.75).astype(np.uint8)
        picture[100:140, x : x + 60] = (30, 40, 160)
        found = detector.detect(picture, camera="c", time=float(step))
        assert found.kinds == ("vehicle",)
        np.testing.assert_allclose(found.boxes, [[x, 100, x + 60, 140]], atol=4)


def test_what_is_upright_is_taken_for_a_person() -> None:
    rng = np.random.default_rng(1)
    detector = warmed(rng)
    picture = floor(rng)
    picture[60:120, 100:120] = (20, 20, 20)
    assert detector.detect(picture).kinds == ("person",)


def test_boxes_are_in_the_pixels_of_large_pictures() -> None:
    detector = BackgroundDetector()
    rng = np.random.default_rng(2)
    for _ in range(20):
        detector.detect(np.clip(120 + rng.normal(0, 3, (720, 1280, 3)), 0, 255).astype(np.uint8))
    picture = np.full((720, 1280, 3), 120, dtype=np.uint8)
    picture[400:500, 600:800] = 10
    np.testing.assert_allclose(detector.detect(picture).boxes, [[600, 400, 800, 500]], atol=8)


def test_a_change_of_light_is_no_object_and_what_stays_becomes_background() -> None:
    rng = np.random.default_rng(3)
    detector = BackgroundDetector(BackgroundOptions(history=30))
    for _ in range(30):
        detector.detect(floor(rng))
    assert len(detector.detect(np.clip(floor(rng) + 90.0, 0, 255).astype(np.uint8))) == 0
    counts = []
    for _ in range(80):
        picture = floor(rng)
        picture[60:120, 100:180] = (20, 20, 20)
        counts.append(len(detector.detect(picture)))
    assert 1 in counts
    assert counts[-1] == 0


def test_pictures_of_another_size_and_impossible_options_are_refused() -> None:
    detector = BackgroundDetector()
    detector.detect(np.zeros((90, 120, 3), dtype=np.uint8))
    with pytest.raises(ImageError, match="One detector a camera"):
        detector.detect(np.zeros((120, 90, 3), dtype=np.uint8))
    with pytest.raises(InputError, match="out of range"):
        BackgroundOptions(history=0)
