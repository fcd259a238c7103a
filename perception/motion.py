"""What changed in a fixed camera's pictures: whether anything in a box moves, without asking what it shows."""

from collections import deque

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

LONGEST_PX = 640
BEFORE_S = 0.7
"""How long ago the picture was taken that a new one is compared with: at walking pace things are elsewhere by then."""
OLDEST_S = 10.0
"""What is older is compared with no more: light and all else may have changed."""
SIGMAS = 5.0
LEAST = 4.0
"""Grey levels; JPEG alone makes differences of some."""
KEPT_EVERY_S = BEFORE_S / 16


class MotionWatch:
    """Compares each picture of a camera with one from a moment before."""

    def __init__(self) -> None:
        """Begin without a picture."""
        self._before: deque[tuple[float, NDArray[np.float32]]] = deque()

    def changed(self, picture: Pixels, boxes: ArrayLike, time: float) -> Array:
        """Return the share (N,) of the pixels of boxes (N, 4) px that changed since about ``BEFORE_S`` ago.

        NaN where there is no picture to compare with, only one older than ``OLDEST_S``, or one of another size. A
        picture that differs from the one before everywhere, as when lamps go on, only differs where it does so more
        than in its median.
        """
        gray, scale = _gray(picture)
        edges = np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * scale
        if self._before and time <= self._before[-1][0]:  # time runs backwards: begin anew
            self._before.clear()
        while len(self._before) > 1 and self._before[1][0] <= time - BEFORE_S:
            self._before.popleft()
        before = self._before[0] if self._before and self._before[0][0] <= time - BEFORE_S else None
        if not self._before or time - self._before[-1][0] >= KEPT_EVERY_S:
            self._before.append((time, gray))
        if before is None or time - before[0] > OLDEST_S or before[1].shape != gray.shape:
            return np.full(len(edges), np.nan)
        difference = gray - before[1]
        difference = np.abs(difference - np.median(difference))
        sums = cv2.integral((difference > max(LEAST, SIGMAS * 1.4826 * float(np.median(difference)))).astype(np.uint8))
        height, width = gray.shape
        x1, y1 = (np.clip(np.floor(edges[:, k]), 0, most - 1).astype(int) for k, most in ((0, width), (1, height)))
        x2 = np.clip(np.ceil(edges[:, 2]), x1 + 1, width).astype(int)
        y2 = np.clip(np.ceil(edges[:, 3]), y1 + 1, height).astype(int)
        count = sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1]
        return np.asarray(count / ((x2 - x1) * (y2 - y1)), dtype=np.float64)


def _gray(picture: Pixels) -> tuple[NDArray[np.float32], float]:
    """Return a picture's brightness, small and without the noise of single pixels, and its scale."""
    scale = min(1.0, LONGEST_PX / max(picture.shape[:2]))
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if scale < 1:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(gray, (5, 5), 0).astype(np.float32), scale
