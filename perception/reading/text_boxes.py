"""Where text is: rectangles around the connected parts of a detector's map of text.

The maps are those of differentiable binarization (Liao et al. 2020): a map marks the core of a line of text, which is
then grown by area x ratio / perimeter. Rectangles keep fractions of a pixel.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from geometry.frames import pixels_from_opencv

Array = NDArray[np.float64]

CORE_PROBABILITY, MIN_SCORE, GROWTH = 0.3, 0.5, 1.6
"""As PP-OCR is used by its authors."""
MIN_SIDE_PX = 3.0


def text_boxes(text_map: NDArray[np.float32]) -> tuple[Array, Array]:
    """Return rectangles (N, 4, 2) in pixels of a map (H, W) of text probability, and their mean probability (N,).

    Corners follow each other around the rectangle; which one is top-left as read is not known yet.
    """
    core = cv2.dilate((text_map > CORE_PROBABILITY).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(core, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = [_box(text_map, contour) for contour in contours]
    kept = [(box, score) for box, score in found if score >= MIN_SCORE]
    boxes = np.array([box for box, _ in kept], dtype=np.float64).reshape(-1, 4, 2)
    return pixels_from_opencv(boxes), np.array([score for _, score in kept])


def _box(text_map: NDArray[np.float32], contour: NDArray[np.int32]) -> tuple[Array, float]:
    """Return the grown rectangle of one contour, and its score, 0 where it is too small."""
    middle, size, angle = cv2.minAreaRect(contour)
    if min(size) < MIN_SIDE_PX:
        return np.zeros((4, 2)), 0.0
    corners = cv2.boxPoints((middle, size, angle))
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0).tolist()
    right, bottom = np.ceil(corners.max(axis=0)).astype(int).tolist()
    window = text_map[top : bottom + 1, left : right + 1]
    inside = np.zeros(window.shape, dtype=np.uint8)
    cv2.fillConvexPoly(inside, np.round(corners - [left, top]).astype(np.int32), 1)
    reach = size[0] * size[1] * GROWTH / (2 * (size[0] + size[1]))
    grown = cv2.boxPoints((middle, (size[0] + 2 * reach, size[1] + 2 * reach), angle))
    return np.asarray(grown, dtype=np.float64), float(cv2.mean(window, inside)[0])
