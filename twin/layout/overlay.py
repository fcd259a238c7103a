"""A floor plan drawn over the orthophoto of its floor: where the two disagree, one sees it."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from geometry import FloorPlan, pixels_to_opencv
from twin.layout.ortho import Ortho

Picture = NDArray[np.uint8]

COLOURS = {
    "stalls": (60, 190, 255),
    "lanes": (255, 170, 40),
    "walls": (230, 60, 60),
    "pillars": (230, 60, 60),
    "ramps": (190, 110, 255),
    "exclusions": (150, 150, 150),
}
SUBPIXEL_BITS = 4
HEAD_PX = 14.0


def draw_plan(ortho: Ortho, plan: FloorPlan, level: str, max_side_px: int = 1600) -> Picture:
    """Return the orthophoto (H, W, 3) uint8 RGB, reduced to ``max_side_px``, with a level's elements drawn over it.

    Stalls are blue with their open edge left out, lanes orange with the driving direction, walls and pillars red,
    ramps that begin or end on the level violet. Floor that no photo shows is black.
    """
    scale = min(1.0, max_side_px / max(ortho.pixels.shape[:2]))
    size = (round(ortho.pixels.shape[1] * scale), round(ortho.pixels.shape[0] * scale))
    canvas = cv2.resize(ortho.pixels, size, interpolation=cv2.INTER_AREA)
    for kind, colour in COLOURS.items():
        mine = [element for element in getattr(plan, kind) if level in _levels_of(element)]
        lines = [_outline(kind, element) for element in mine]
        pixels = [pixels_to_opencv(ortho.pixels_from_site(line) * scale) for line in lines]
        fixed = [np.round(line * (1 << SUBPIXEL_BITS)).astype(np.int32) for line in pixels]
        cv2.polylines(canvas, fixed, False, colour, 2, cv2.LINE_AA, SUBPIXEL_BITS)
        if kind == "lanes":
            _draw_heads(canvas, pixels, colour)
    return np.asarray(canvas, dtype=np.uint8)


def _levels_of(element: Any) -> tuple[str, ...]:
    return (element.level,) if hasattr(element, "level") else (element.from_level, element.to_level)


def _outline(kind: str, element: Any) -> NDArray[np.float64]:
    if hasattr(element, "line"):
        return shapely.get_coordinates(element.line)
    ring = shapely.get_coordinates(element.polygon.exterior)
    return ring[1:] if kind == "stalls" else ring


def _draw_heads(canvas: Picture, lines: Sequence[NDArray[np.float64]], colour: tuple[int, int, int]) -> None:
    for line in lines:
        start, end = np.round(line[-2:]).astype(int)
        tip = min(0.5, HEAD_PX / max(1.0, float(np.linalg.norm(end - start))))
        cv2.arrowedLine(canvas, tuple(start.tolist()), tuple(end.tolist()), colour, 2, cv2.LINE_AA, 0, tip)
