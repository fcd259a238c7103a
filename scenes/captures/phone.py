"""A phone's pictures of a place on a day: rendered, blurred by the hand, exposed, noisy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry.frames import perturb
from scenes.captures.views import View
from scenes.noise import NoiseOptions, add_noise, encode_jpeg
from scenes.rendering import RenderOptions, World, render

SENSOR = NoiseOptions(exposure_sigma=0.0, vignetting=0.15, blur_px=0.45, full_well=3000.0, read_noise=7.0)
"""A phone indoors."""
RENDERING, NOISE = 0, 1


@dataclass(frozen=True, kw_only=True)
class Phone:
    """How pictures come about; each one's chances depend on ``seed`` and its index only.

    stops: standard deviation of the exposure, in doublings, around what the automatic gives
    blur: standard deviation of the rotation during the exposure, radians about each axis; blur_m: of the motion
    """

    seed: tuple[int, ...]
    rendering: RenderOptions
    stops: float = 0.15
    blur: float = 0.0012
    blur_m: float = 0.002
    noise: NoiseOptions = SENSOR

    def picture(self, world: World, views: Sequence[View], index: int) -> NDArray[np.uint8]:
        """Return the picture of a view as the lens shows it: uint8 sRGB (H, W, 3)."""
        rng = np.random.default_rng([*self.seed, index, RENDERING])
        view, options = views[index], replace(self.rendering, stops=self.stops * rng.standard_normal())
        motion = rng.normal(0.0, np.repeat([self.blur, self.blur_m], 3))
        blur = _during_exposure(view.cam_from_site, motion, options.samples_per_axis**2)
        return render(world, view.camera, view.cam_from_site, options, blur).image

    def file(self, index: int, picture: NDArray[np.uint8]) -> bytes:
        """Return the JPEG file, with the noise of the sensor."""
        rng = np.random.default_rng([*self.seed, index, NOISE])
        return encode_jpeg(add_noise(picture, self.noise, rng), self.noise)


def _during_exposure(
    cam_from_site: pycolmap.Rigid3d, motion: NDArray[np.float64], count: int
) -> tuple[pycolmap.Rigid3d, ...]:
    """Return ``count`` poses through a motion (6,) that has ``cam_from_site`` in its middle."""
    return tuple(perturb(cam_from_site, share * motion) for share in (np.arange(count) + 0.5) / count - 0.5)
