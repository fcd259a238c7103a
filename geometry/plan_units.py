"""Units of length in which plans are drawn, and whether stalls of such a size can be."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry.errors import InputError, nearest_known

Array = NDArray[np.float64]

METRES = {"m": 1.0, "mm": 0.001, "cm": 0.01, "dm": 0.1, "in": 0.0254, "ft": 0.3048, "yd": 0.9144}
"""Metres of each unit of length."""
LENGTHS = ("elevation", "ceiling", "width", "height", "thickness", "profile")
"""The keys of a plan's elements that are lengths, beside the coordinates."""
USUAL_WIDTH_M = 1.8, 4.5
"""Between these lies the median width of the stalls of any site."""
TYPICAL_WIDTH_M = 2.6
PLAUSIBLE_WIDTH_M, PLAUSIBLE_LENGTH_M = (1.7, 6.0), (3.5, 25.0)
SMALL_KINDS = ("motorcycle", "motorbike", "bike", "bicycle", "scooter")


def metres_of(unit: str) -> float:
    """Return the metres of a unit of length; ``InputError`` names the nearest known one."""
    if unit not in METRES:
        raise InputError(f"there is no unit '{unit}'", remedy=nearest_known(unit, METRES))
    return METRES[unit]


def sides(polygons: Sequence[shapely.Polygon]) -> Array:
    """Return the width and the length (N, 2) of polygons: the sides of the smallest rectangle around each."""
    if not len(polygons):
        return np.zeros((0, 2))
    boxes = shapely.oriented_envelope(np.array(polygons, dtype=object))
    corners = np.array([np.array(box.exterior.coords)[:3] for box in boxes])
    return np.asarray(np.sort(np.linalg.norm(np.diff(corners, axis=1), axis=2), axis=1))


def looks_like(widths: Array, assumed: str) -> str | None:
    """Return the unit in which stalls of widths (N,) in ``assumed`` units make sense, None if they do as it is."""
    if not len(widths):
        return None
    median = float(np.median(widths))
    if USUAL_WIDTH_M[0] <= median * METRES[assumed] <= USUAL_WIDTH_M[1]:
        return None
    fitting = {unit: abs(np.log(median * metres / TYPICAL_WIDTH_M)) for unit, metres in METRES.items()}
    unit = min(fitting, key=fitting.__getitem__)
    return unit if USUAL_WIDTH_M[0] <= median * METRES[unit] <= USUAL_WIDTH_M[1] else None


def implausible_size(kind: str, width: float, length: float) -> bool:
    """Tell whether no stall of a kind is ``width`` x ``length`` metres; those of two-wheelers may be small."""
    small = any(word in kind.lower() for word in SMALL_KINDS)
    narrowest, shortest = (0.4, 1.2) if small else (PLAUSIBLE_WIDTH_M[0], PLAUSIBLE_LENGTH_M[0])
    return not (narrowest <= width <= PLAUSIBLE_WIDTH_M[1] and shortest <= length <= PLAUSIBLE_LENGTH_M[1])


def in_metres(content: dict[str, Any], unit: str) -> dict[str, Any]:
    """Return the content of a plan.json whose lengths are in ``unit`` in metres; what is no number stays as it is."""
    factor = metres_of(unit)
    kinds = {key: value for key, value in content.items() if isinstance(value, list)}
    scaled = {kind: [_scaled(element, factor) for element in elements] for kind, elements in kinds.items()}
    return content | scaled | {"units": "m"}


def _scaled(element: Any, factor: float) -> Any:
    if not isinstance(element, dict):
        return element
    return {
        key: {**value, "coordinates": _times(value.get("coordinates"), factor)}
        if isinstance(value, dict)
        else _times(value, factor)
        if key in LENGTHS
        else value
        for key, value in element.items()
    }


def _times(value: Any, factor: float) -> Any:
    if isinstance(value, list):
        return [_times(each, factor) for each in value]
    return value * factor if type(value) in (int, float) else value
