"""Camera noise: every dial does what its unit says, and nothing else."""

import io

import numpy as np
import pytest
from PIL import Image

from geometry.errors import InputError
from scenes.colour import bytes_from_linear, linear_from_bytes, linear_from_srgb, srgb_from_linear
from scenes.noise import CLEAN, NoiseOptions, add_noise, encode_jpeg

OFF = {"exposure_sigma": 0.0, "vignetting": 0.0, "blur_px": 0.0, "full_well": 1e12, "read_noise": 0.0}


def flat(level: float, side: int = 200) -> np.ndarray:
    return np.full((side, side, 3), bytes_from_linear(level), dtype=np.uint8)


def test_srgb_round_trips() -> None:
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(bytes_from_linear(linear_from_bytes(every)), every)
    values = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(linear_from_srgb(srgb_from_linear(values)), values, atol=1e-6)


def test_a_clean_camera_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    np.testing.assert_array_equal(add_noise(image, CLEAN, np.random.default_rng(1)), image)


def test_shot_noise_grows_with_light_and_read_noise_does_not() -> None:
    rng = np.random.default_rng(0)
    shot, read = (
        NoiseOptions(**OFF | {"full_well": 2000.0}),
        NoiseOptions(**OFF | {"full_well": 2000.0, "read_noise": 40.0}),
    )
    for level in (0.1, 0.4):
        for options, variance in ((shot, level / 2000), (read, level / 2000 + 0.02**2)):
            sigma = linear_from_bytes(add_noise(flat(level), options, rng)).std()
            assert sigma == pytest.approx(np.sqrt(variance), rel=0.08)  # measured within 0.03


def test_vignetting_darkens_corners_only() -> None:
    light = linear_from_bytes(add_noise(flat(0.5), NoiseOptions(**OFF | {"vignetting": 0.4}), np.random.default_rng(0)))
    assert light[100, 100] == pytest.approx(0.5, abs=0.01)
    assert light[0, 0] == pytest.approx(0.3, abs=0.01)


def test_blur_does_not_shift() -> None:
    image = np.zeros((41, 41, 3), dtype=np.uint8)
    image[20, 20] = 255
    light = linear_from_bytes(add_noise(image, NoiseOptions(**OFF | {"blur_px": 1.0}), np.random.default_rng(0)))[
        ..., 0
    ]
    rows, columns = np.indices(light.shape)
    assert (light * rows).sum() / light.sum() == pytest.approx(20, abs=1e-6)
    assert (light * columns).sum() / light.sum() == pytest.approx(20, abs=1e-6)
    assert 0.1 < light[20, 20] < 0.2  # 1 / (2 pi)


def test_exposure_varies_from_picture_to_picture() -> None:
    rng, options = np.random.default_rng(0), NoiseOptions(**OFF | {"exposure_sigma": 0.3})
    stops = [np.log2(linear_from_bytes(add_noise(flat(0.2, 4), options, rng)).mean() / 0.2) for _ in range(200)]
    assert np.std(stops) == pytest.approx(0.3, rel=0.15)


def test_jpeg_keeps_size_and_quality_costs_bytes() -> None:
    image = add_noise(flat(0.3), NoiseOptions(), np.random.default_rng(0))
    low, high = (encode_jpeg(image, NoiseOptions(jpeg_quality=q)) for q in (40, 95))
    assert len(low) < len(high)
    assert np.asarray(Image.open(io.BytesIO(high))).shape == image.shape


@pytest.mark.parametrize(
    "bad", [{"read_noise": -1.0}, {"vignetting": 1.0}, {"full_well": 0.0}, {"jpeg_quality": 0}, {"blur_px": -0.1}]
)
def test_impossible_cameras_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InputError):
        NoiseOptions(**bad)  # type: ignore[arg-type]
