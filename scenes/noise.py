"""What a real camera does to a picture: exposure, vignetting, blur, shot and read noise, JPEG."""

import io
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geometry.errors import InputError
from scenes.colour import bytes_from_linear, linear_from_bytes

Picture = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class NoiseOptions:
    """Imperfections of a camera; the defaults are those of a phone by day.

    exposure_sigma: standard deviation of the exposure error from picture to picture, in stops
    vignetting: share of the light lost in the corners
    blur_px: sigma of the point-spread function
    full_well: electrons that make white; shot noise has variance white level / full_well
    read_noise: electrons, standard deviation
    jpeg_quality: 1 to 100
    """

    exposure_sigma: float = 0.15
    vignetting: float = 0.15
    blur_px: float = 0.5
    full_well: float = 4000.0
    read_noise: float = 6.0
    jpeg_quality: int = 92

    def __post_init__(self) -> None:
        if min(self.exposure_sigma, self.vignetting, self.blur_px, self.read_noise) < 0 or self.vignetting >= 1:
            raise InputError("noise can't be negative, and vignetting leaves some light")
        if not self.full_well > 0 or not 1 <= self.jpeg_quality <= 100:
            raise InputError("full_well is positive and jpeg_quality 1 to 100")


CLEAN = NoiseOptions(
    exposure_sigma=0.0, vignetting=0.0, blur_px=0.0, full_well=float("inf"), read_noise=0.0, jpeg_quality=98
)
"""A perfect camera that still writes JPEG."""


def add_noise(image: Picture, options: NoiseOptions, rng: np.random.Generator) -> Picture:
    """Return an sRGB picture (H, W, 3) uint8 as a camera would have taken it, all but JPEG.

    Light is blurred, dimmed towards the corners and exposed before electrons are counted, so dark parts come out
    noisier. Three numbers a pixel and one a picture are drawn from ``rng``, whatever the options.
    """
    gain = 2.0 ** (options.exposure_sigma * rng.standard_normal())
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    light = linear_from_bytes(image)
    if options.blur_px > 0:
        light = cv2.GaussianBlur(light, (0, 0), options.blur_px)
    light *= np.float32(gain) * _falloff(image.shape[0], image.shape[1], options.vignetting)[..., None]
    variance = light / options.full_well + (options.read_noise / options.full_well) ** 2
    return bytes_from_linear(light + grain * np.sqrt(variance).astype(np.float32))


def encode_jpeg(image: Picture, options: NoiseOptions) -> bytes:
    """Return the JPEG file of an sRGB picture (H, W, 3), without chroma subsampling."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=options.jpeg_quality, subsampling=0)
    return stream.getvalue()


def _falloff(height: int, width: int, vignetting: float) -> NDArray[np.float32]:
    """Return the share of light (H, W) that arrives: 1 in the middle, 1 - vignetting in the corners."""
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in (height, width))
    return 1 - np.float32(vignetting / 2) * (x[None] ** 2 + y[:, None] ** 2)
