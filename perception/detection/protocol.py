"""The seam between detectors and everything behind them."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from geometry.errors import ImageError
from perception.detections import Detections

Pixels = NDArray[np.uint8]


class Detector(Protocol):
    """Finds objects in pictures. One that keeps a state, as background subtraction does, serves one camera."""

    @property
    def name(self) -> str:
        """What tells its detections from another's: a word, or a file's name with a hash of its content."""

    def detect(self, picture: Pixels, *, camera: str = "", time: float = 0.0) -> Detections:
        """Find objects in a picture (H, W, 3) uint8, RGB. Boxes in its pixels, best first."""


def require_picture(picture: Pixels) -> None:
    """Raise ``ImageError`` unless ``picture`` is (H, W, 3) uint8 with a pixel at least."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or 0 in picture.shape:
        raise ImageError(f"a picture is (H, W, 3) uint8, got {picture.shape} {picture.dtype}")
