"""The board that a line of text stands on: the region of its ground colour, where that is a quadrilateral.

The middle of the board is what a plan lists, and arrows or pictograms beside a text put it elsewhere than the middle of
what was read.
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.frames import pixels_from_opencv, pixels_to_opencv

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

REACH_HEIGHTS = 2.5
"""How far around the text a board is looked for, in heights of the text beside and half of that above and below it."""
MAX_REACH_SHARE = 1.6
TOLERANCE = 14.0
"""How far a ground's colour may be from its median, in CIE Lab units of 8-bit pictures."""
BRIDGE_HEIGHTS = 0.22
"""Letters and border lines up to this share of the text's height don't part a ground."""
MIN_FILLED = 0.88
MIN_COVER = 0.9
MAX_BOARD_HEIGHTS = 6.0
MARGIN_PX = 2


def board_outline(pixels: Pixels, quad: ArrayLike) -> Array | None:
    """Return the corners (4, 2) px of the board around a text's ``quad`` (4, 2) in a photo (H, W, 3) uint8 RGB.

    In the quad's order, top-left first as it is read. None where the ground isn't a convex quadrilateral that
    contains the text, is cut off by the picture, or goes on as far as is looked.
    """
    text = pixels_to_opencv(quad)
    height = float(np.linalg.norm(text[[3, 2]] - text[[0, 1]], axis=1).mean())
    window, offset = _window(pixels, text, height)
    mask = _ground(window, text - offset, height)
    corners = None if mask is None else _quadrilateral(mask, text - offset)
    if corners is None:
        return None
    reaches_end = (corners < MARGIN_PX) | (corners > np.array(mask.shape[::-1]) - 1 - MARGIN_PX)  # type: ignore[union-attr]
    sides = np.linalg.norm(corners[[3, 2]] - corners[[0, 1]], axis=1).mean()
    if reaches_end.any() or sides > MAX_BOARD_HEIGHTS * height:
        return None
    return pixels_from_opencv(corners + offset)


def _window(pixels: Pixels, text: Array, height: float) -> tuple[Pixels, Array]:
    """Cut out what is around the text; return it and the OpenCV pixel (2,) of its corner."""
    right, down = text[1] - text[0], text[3] - text[0]
    middle = text.mean(axis=0)
    length = float(np.linalg.norm(right))
    along = (0.5 * length + REACH_HEIGHTS * height) * right / max(length, 1e-9)
    across = (0.5 + REACH_HEIGHTS / 2) * down
    corners = middle + np.array([along + across, along - across, -along + across, -along - across])
    limit = np.array(pixels.shape[1::-1]) - 1
    low = np.clip(np.floor(corners.min(axis=0)), 0, limit).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)), 0, limit).astype(int)
    return pixels[low[1] : high[1] + 1, low[0] : high[0] + 1], low.astype(np.float64)


def _ground(window: Pixels, text: Array, height: float) -> NDArray[np.uint8] | None:
    """Return the mask of what has the colour that most of the text's rim has and is connected with it."""
    if min(window.shape[:2]) < 4:
        return None
    lab = cv2.cvtColor(np.ascontiguousarray(window), cv2.COLOR_RGB2LAB).astype(np.float32)
    inside = np.zeros(window.shape[:2], dtype=np.uint8)
    cv2.polylines(inside, [np.round(text).astype(np.int32)], isClosed=True, color=1, thickness=1)
    rim = lab[inside > 0]
    if len(rim) < 8:
        return None
    colour = np.median(rim, axis=0)
    alike = (np.linalg.norm(lab - colour, axis=2) < TOLERANCE + 2 * np.abs(rim - colour).mean()).astype(np.uint8)
    bridge = 2 * max(1, round(BRIDGE_HEIGHTS * height / 2)) + 1
    closed = cv2.morphologyEx(alike, cv2.MORPH_CLOSE, np.ones((bridge, bridge), np.uint8))
    _, labels = cv2.connectedComponents(closed, connectivity=4)
    touched = np.bincount(labels[(inside > 0) & (closed > 0)].ravel(), minlength=1)
    if len(touched) < 2:
        return None
    return (labels == 1 + touched[1:].argmax()).astype(np.uint8)


def _quadrilateral(mask: NDArray[np.uint8], text: Array) -> Array | None:
    """Return the quadrilateral that a region fills, in the order of the text's corners."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    contour = max(contours, key=cv2.contourArea)
    hull = cv2.convexHull(contour)
    if len(hull) < 4:
        return None
    corners = cv2.approxPolyN(hull, 4, ensure_convex=True).reshape(-1, 2).astype(np.float32)
    area = float(cv2.contourArea(corners))
    if len(corners) != 4 or cv2.contourArea(contour) < MIN_FILLED * area:
        return None
    shared, _ = cv2.intersectConvexConvex(corners, text.astype(np.float32))
    size = float(cv2.contourArea(text.astype(np.float32)))
    if shared < MIN_COVER * size or area < 1.02 * size:
        return None
    ordered = corners if np.cross(corners[1] - corners[0], corners[2] - corners[1]) > 0 else corners[::-1]
    turns = np.stack([np.roll(ordered, -turn, axis=0) for turn in range(4)])
    return np.asarray(turns[np.linalg.norm(turns - text, axis=2).sum(axis=1).argmin()], dtype=np.float64)
