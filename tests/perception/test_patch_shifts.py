"""Patches of a picture found again, shifted by parts of a pixel and in another light."""

import cv2
import numpy as np
import pytest
from scipy import ndimage

from geometry import InputError
from perception.background import background
from perception.patch_shifts import patch_shifts, smoothed, spread_patches, structure

SIZE = (160, 200)


def texture(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(0, 1, SIZE).astype(np.float32), (0, 0), 2.0)
    return np.asarray(120 + 30 * noise / noise.std(), np.float32)


def shifted(image: np.ndarray, by: tuple[float, float]) -> np.ndarray:
    return np.asarray(ndimage.shift(image, by[::-1], order=5, mode="reflect"), np.float32)


@pytest.mark.parametrize("by", [(0.0, 0.0), (0.4, -0.3), (1.7, 2.2)])
def test_shifts_are_found_whatever_the_light(by: tuple[float, float]) -> None:
    image = texture(0)
    strong, _ = structure(image)
    centres = spread_patches(strong, np.ones(SIZE, bool), cell=32)
    centres = centres[((centres > 16) & (centres < np.array(SIZE[::-1]) - 16)).all(axis=1)]
    found = patch_shifts(image, 0.5 * shifted(image, by) + 40, centres)
    good = found.scores > 0.9
    assert good.mean() > 0.9
    np.testing.assert_allclose(np.median(found.shifts[good], axis=0), by, atol=0.03)


def test_far_shifts_need_a_search() -> None:
    image, by = texture(1), (9.3, -7.6)
    centres = np.array([[60.0, 80.0], [100.0, 70.0], [120.0, 90.0]])
    assert patch_shifts(image, shifted(image, by), centres).scores.max() < 0.9
    found = patch_shifts(image, shifted(image, by), centres, search=14)
    np.testing.assert_allclose(found.shifts, np.tile(by, (3, 1)), atol=0.1)


def test_the_covariance_is_that_of_repeated_trials() -> None:
    image, rng, errors, claimed = texture(2), np.random.default_rng(0), [], []
    centres = np.array([[40.0, 40.0], [90.0, 60.0], [150.0, 110.0], [60.0, 120.0]])
    reference = smoothed(image)
    for _ in range(60):
        found = patch_shifts(reference, smoothed(image + rng.normal(0, 6, SIZE).astype(np.float32)), centres)
        errors.append(found.shifts)
        claimed.append(found.covariances)
    actual = np.var(np.concatenate(errors), axis=0).mean()
    said = np.trace(np.concatenate(claimed), axis1=1, axis2=2).mean() / 2
    assert 0.3 < said / actual < 3.0  # measured 1.6


def test_a_line_tells_of_shifts_across_it_only() -> None:
    image = np.full(SIZE, 80, np.float32)
    image[:, 96:102] = 200
    image = smoothed(image)
    found = patch_shifts(image, shifted(image, (1.3, 0.0)), np.array([[99.0, 80.0]]))
    assert abs(found.shifts[0, 0] - 1.3) < 0.05
    variance, axes = np.linalg.eigh(found.covariances[0])
    assert variance[1] > 100 * variance[0]
    assert abs(axes[1, 1]) > 0.99


def test_patches_that_leave_the_picture_or_show_nothing_do_not_count() -> None:
    image = texture(3)
    assert patch_shifts(image, shifted(image, (30.0, 0.0)), np.array([[185.0, 80.0]]), search=31).scores[0] < 0.9
    flat = np.full(SIZE, 100, np.float32)
    assert patch_shifts(image, flat, np.array([[80.0, 80.0]])).scores[0] < 0.5
    assert len(patch_shifts(image, image, np.empty((0, 2))).scores) == 0
    with pytest.raises(InputError, match="one size"):
        patch_shifts(image, image[1:], np.zeros((1, 2)))


def test_the_background_is_what_stands_still() -> None:
    rng = np.random.default_rng(4)
    scene = rng.integers(60, 200, (40, 50, 3)).astype(np.uint8)
    frames = []
    for number in range(7):
        frame = (scene * (0.6 if number % 2 else 1.0)).astype(np.uint8)
        frame[5 : 5 + 10, 6 * number : 6 * number + 9] = 255
        frames.append(frame)
    found = background(frames).astype(float)
    ratio = np.median(found) / np.median(scene)
    assert np.abs(found / ratio - scene).max() < 6
    with pytest.raises(InputError, match="one size"):
        background([])
