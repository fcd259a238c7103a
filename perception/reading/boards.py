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
TOLERANCE, NEARER = 20.0, 0.45
"""How far a ground's colour may be from its mean, in CIE Lab units of 8-bit pictures, and as a share of the way to the
letters' colour."""
INNER = 0.85
"""Share of a text's quad in which ground and letters are looked at: its rim may be on the wall already."""
BRIDGE_HEIGHTS, SPUR_HEIGHTS = 0.12, 0.25
"""In heights of the text: border lines up to this don't part a ground, and what is thinner than this isn't one."""
MIN_FILLED = 0.8
MIN_COVER, MIN_SIZE = 0.75, 0.7
"""A text's quad has some room around the letters, and may be larger than the ground inside a board's border line."""
MAX_BOARD_HEIGHTS = 6.0
MARGIN_HEIGHTS = 0.25
"""A board this near to the end of what is seen may go on beyond it."""


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
    margin = MARGIN_HEIGHTS * height
    reaches_end = (corners < margin) | (corners > np.array(window.shape[1::-1]) - 1 - margin)
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
    """Return the mask of what has the ground's colour and is connected around the text, letters filled in."""
    if min(window.shape[:2]) < 4:
        return None
    lab = cv2.cvtColor(np.ascontiguousarray(window), cv2.COLOR_RGB2LAB).astype(np.float32)
    inside = np.zeros(window.shape[:2], dtype=np.uint8)
    middle = text.mean(axis=0)
    cv2.fillConvexPoly(inside, np.round(middle + INNER * (text - middle)).astype(np.int32), 1)
    colours = _two_colours(lab[inside > 0])
    if colours is None:
        return None
    ground, letters = colours
    tolerance = min(TOLERANCE, NEARER * float(np.linalg.norm(letters - ground)))
    alike = (np.linalg.norm(lab - ground, axis=2) < tolerance).astype(np.uint8)
    alike = cv2.morphologyEx(alike, cv2.MORPH_CLOSE, _square(BRIDGE_HEIGHTS * height))
    _, labels = cv2.connectedComponents(alike, connectivity=4)
    around = np.bincount(labels[(inside > 0) & (alike > 0)].ravel(), minlength=2)
    if not around[1:].any():
        return None
    contours, _ = cv2.findContours(
        (labels == 1 + around[1:].argmax()).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    filled = np.zeros(window.shape[:2], dtype=np.uint8)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    return np.asarray(cv2.morphologyEx(filled, cv2.MORPH_OPEN, _square(SPUR_HEIGHTS * height)))


def _two_colours(lab: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Return the colours (3,) of ground and letters among pixels (P, 3) of a text: of two, the ground has more."""
    if len(lab) < 8:
        return None
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 20, 0.5)
    light = (lab[:, 0] > np.median(lab[:, 0])).astype(np.int32)[:, None]
    _, labels, centres = cv2.kmeans(lab, 2, light, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    more = int(2 * np.count_nonzero(labels) > len(labels))
    return centres[more], centres[1 - more]


def _square(side: float) -> Pixels:
    """Return a structuring element of an odd side, three pixels at least."""
    odd = 2 * max(1, round(side / 2)) + 1
    return np.ones((odd, odd), dtype=np.uint8)


def _quadrilateral(mask: NDArray[np.uint8], text: Array) -> Array | None:
    """Return the quadrilateral that a region fills, in the order of the text's corners."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return None
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
    if shared < MIN_COVER * size or area < MIN_SIZE * size:
        return None
    ordered = corners if cv2.contourArea(corners, oriented=True) > 0 else corners[::-1]
    turns = np.stack([np.roll(ordered, -turn, axis=0) for turn in range(4)])
    return np.asarray(turns[np.linalg.norm(turns - text, axis=2).sum(axis=1).argmin()], dtype=np.float64)
