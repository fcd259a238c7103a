"""A picture as a network wants it, and its boxes back in the picture's pixels."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.detection.protocol import Pixels

Array = NDArray[np.float64]
Fit = Literal["corner", "centre", "stretch"]


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How pictures are brought into a network's input.

    order: of the channels; fit: the picture keeps its shape in the input's upper left corner or its centre, the rest is
    ``fill``, or it is stretched; mean, deviation: of each channel, on the scale 0 to 255
    """

    order: Literal["rgb", "bgr"] = "rgb"
    fit: Fit = "centre"
    fill: int = 114
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (255.0, 255.0, 255.0)


class Placed(NamedTuple):
    """A picture in a network's input (1, 3, H, W) float32; pixel (x, y) of it is at x * scale + offset there."""

    values: NDArray[np.float32]
    scale: tuple[float, float]
    offset: tuple[float, float]

    def boxes_in_picture(self, boxes: Array) -> Array:
        """Return boxes (N, 4) of the input in the picture's pixels."""
        return self.points_in_picture(boxes.reshape(-1, 2)).reshape(-1, 4)

    def points_in_picture(self, points: Array) -> Array:
        """Return points (N, 2) of the input in the picture's pixels."""
        return np.asarray((points - self.offset) / self.scale)


def place(picture: Pixels, size: tuple[int, int], how: Preparation) -> Placed:
    """Bring a picture (h, w, 3) uint8, RGB, into an input of ``size`` (height, width)."""
    height, width = size
    own_height, own_width = picture.shape[:2]
    if how.fit == "stretch":
        new_width, new_height = width, height
    else:
        factor = min(width / own_width, height / own_height)
        new_width, new_height = max(1, round(own_width * factor)), max(1, round(own_height * factor))
    smaller = new_width < own_width
    if (new_width, new_height) != (own_width, own_height):
        # Averaging over what a pixel covers keeps thin things when shrinking far; it blurs when it enlarges.
        method = cv2.INTER_AREA if smaller and own_width >= 2 * new_width else cv2.INTER_LINEAR
        picture = np.asarray(cv2.resize(picture, (new_width, new_height), interpolation=method), dtype=np.uint8)
    left, top = ((width - new_width) // 2, (height - new_height) // 2) if how.fit == "centre" else (0, 0)
    if (new_width, new_height) != (width, height):
        canvas = np.full((height, width, 3), how.fill, dtype=np.uint8)
        canvas[top : top + new_height, left : left + new_width] = picture
        picture = canvas
    if how.order == "bgr":
        picture = picture[:, :, ::-1]
    values = np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32)
    if any(how.mean):
        values -= np.array(how.mean, dtype=np.float32)[:, None, None]
    if how.deviation != (1.0, 1.0, 1.0):
        values *= (1.0 / np.array(how.deviation, dtype=np.float32))[:, None, None]
    scale = new_width / own_width, new_height / own_height
    return Placed(values[None], scale, (float(left), float(top)))
