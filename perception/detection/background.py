"""What moves before a fixed camera, without any network: a mixture of Gaussians a pixel, shadows left out.

It finds whatever differs from what a pixel usually shows (Zivkovic 2004, OpenCV's MOG2). What stands still becomes
background after about a tenth of ``history`` frames: parked vehicles are not seen. Kinds are guesses by shape.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from geometry.errors import ImageError, InputError
from perception.detection.protocol import Pixels, require_picture
from perception.detections import Detections

Array = NDArray[np.float64]

FOREGROUND = 255
"""MOG2's own number in its mask; shadows have another."""
FULL_FILL = 0.6
"""Share of a box's pixels that move where it tightly holds one object."""
FLASH_SHARE = 0.6
"""Where more of the picture changes at once the light or the camera did, not the scene."""


@dataclass(frozen=True, kw_only=True)
class BackgroundOptions:
    """How background is told from what moves.

    history: frames that a pixel remembers; warm_up: first frames in which nothing is found
    threshold: squared distance in standard deviations from which a pixel is not background
    longest_px: larger pictures are shrunk to this before anything else
    least_height, most_share: of what is found, as shares of the picture's height and area
    close_px, join_px: gaps in what moves that are filled, across and upright, in pixels of the shrunk picture
    upright: height over width from which something is taken for a person
    """

    history: int = 1000
    warm_up: int = 15
    threshold: float = 25.0
    longest_px: int = 640
    least_height: float = 0.025
    most_share: float = 0.4
    close_px: int = 3
    join_px: int = 7
    upright: float = 1.2

    def __post_init__(self) -> None:
        counts = (self.history, self.close_px, self.join_px)
        shares = (self.least_height, self.most_share)
        if not (min(counts) >= 1 and self.warm_up >= 0 and self.threshold > 0 and 64 <= self.longest_px <= 4096):
            raise InputError(f"background options out of range: {self}")
        if not (all(0 < share <= 1 for share in shares) and self.upright > 0):
            raise InputError(f"background options out of range: {self}")


class BackgroundDetector:
    """Finds what moves before one camera; frames must come in their order and keep their size."""

    name = "background"

    def __init__(self, options: BackgroundOptions | None = None) -> None:
        """Start without a memory."""
        self.options = options or BackgroundOptions()
        self._model = cv2.createBackgroundSubtractorMOG2(self.options.history, self.options.threshold, True)
        self._size: tuple[int, int] | None = None
        self._seen = 0

    def detect(self, picture: Pixels, *, camera: str = "", time: float = 0.0) -> Detections:
        """Find what moves in the next picture (H, W, 3) uint8; score is how well a box is filled, at most 1."""
        require_picture(picture)
        height, width = picture.shape[:2]
        if self._size not in (None, (height, width)):
            raise ImageError(
                f"a picture of {width}x{height} px after {self._size}", where=camera, remedy="One detector a camera."
            )
        self._size = height, width
        boxes, fill = self._boxes(self._mask(picture))
        self._seen += 1
        scale = np.array([width, height, width, height]) / np.tile(self._shrunk(height, width), 2)
        boxes = boxes * scale
        tall = (boxes[:, 3] - boxes[:, 1]) > self.options.upright * (boxes[:, 2] - boxes[:, 0])
        scores = np.clip(fill / FULL_FILL, 0.01, 1.0)
        order = np.argsort(-scores, kind="stable")
        kinds = ["person" if tall[i] else "vehicle" for i in order.tolist()]
        return Detections.of(camera, time, boxes[order], kinds, scores[order])

    def _shrunk(self, height: int, width: int) -> tuple[int, int]:
        """Return the (width, height) that is looked at."""
        factor = min(1.0, self.options.longest_px / max(height, width))
        return max(1, round(width * factor)), max(1, round(height * factor))

    def _mask(self, picture: Pixels) -> NDArray[np.uint8]:
        """Return where something moves (h, w), shadows left out and gaps closed."""
        height, width = picture.shape[:2]
        size = self._shrunk(height, width)
        small = picture if size == (width, height) else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        # Left to itself MOG2 learns so fast in its first frames that slow objects become background.
        rate = -1.0 if self._seen < self.options.warm_up else 1.0 / self.options.history
        mask = np.asarray(self._model.apply(small, None, rate), dtype=np.uint8)
        mask = np.asarray(cv2.medianBlur((mask == FOREGROUND).astype(np.uint8), 5), dtype=np.uint8)
        kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (self.options.close_px, self.options.join_px))
        return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel), dtype=np.uint8)

    def _boxes(self, mask: NDArray[np.uint8]) -> tuple[Array, Array]:
        """Return boxes (N, 4) around connected parts of a mask, and how much of each they fill (N,)."""
        nothing = np.zeros((0, 4)), np.zeros(0)
        if self._seen < self.options.warm_up or mask.mean() > FLASH_SHARE:
            return nothing
        _, _, parts, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        parts = parts[1:].astype(np.float64)
        left, top, wide, high, area = parts.T
        large = (high >= self.options.least_height * mask.shape[0]) & (high >= 3) & (wide >= 2)
        large &= wide * high <= self.options.most_share * mask.size
        boxes = np.column_stack([left, top, left + wide, top + high])[large]
        return boxes, (area / np.maximum(wide * high, 1))[large]
