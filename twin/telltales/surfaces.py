"""Spots of floors and ceilings that one level has and the others, alike elsewhere, have not: stains, repairs, leaks."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from twin.layout import Ortho, RectifiedSurface
from twin.telltales.patches import LEAST_GREY, without_slope
from twin.telltales.telltale import MOST_CELLS, Telltale

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Values = NDArray[np.float32]

LEAST_VIEWS, LEAST_VIEWS_AROUND = 3, 6
"""Photos that agree on a pixel of a surface, and on a spot in their median."""
MOST_SPREAD, SPREAD_SHARE = 12.0, 0.1
"""Grey levels by which photos may differ on a pixel, and more by this share of its own."""
CLEAR_M = 0.4
"""What stands on a floor, of which photos disagree, darkens it this far around."""
LIGHT_M, GRAIN_M = 1.0, 0.08
"""Wider changes are the light's, and smaller ones noise."""
ALIKE_SIGMAS, SPOT_SIGMAS = 3.0, 4.0
ALIKE_SHARE, ALIKE_MEDIAN = 0.5, 0.25
"""Of what one level differs by, that the others may differ by among themselves: in a pixel, and in half of a spot."""
LEAST_CONTRAST = 0.08
LEAST_AREA_M2, MOST_AREA_M2 = 0.35, 6.0
LEAST_WIDTH_M, LEAST_FILL, MOST_ASPECT = 0.28, 0.55, 5.0
"""Narrower or longer differences, and those that fill less of their window, come from edges that lie not quite in one
place."""
OUTSTANDING, OUTSTANDING_OF_TWO = 2.0, 1.4
"""What a spot differs by, against the contrast of other levels in it; of two levels, that of one against the other."""
AROUND_M = 0.48


def telltale_spots(
    kind: str, surfaces: Sequence[RectifiedSurface], stalls: Sequence[shapely.Polygon] = ()
) -> list[Telltale]:
    """Return the spots of ``kind`` (floor or ceiling) of K levels, in order, whose orthophotos share one grid.

    stalls: what may be parked upon and is therefore left out. Of two levels nothing tells which has the spot, and any
    difference counts; of more, the others must agree.
    """
    orthos = [surface.ortho for surface in surfaces]
    reliefs, valid = (np.stack(parts) for parts in zip(*(_relief(ortho) for ortho in orthos), strict=True))
    usable = valid.all(axis=0) & ~_covered(stalls, orthos[0])
    if not usable.any():
        return []
    sigma = 1.4826 * float(np.median(np.abs(reliefs - np.median(reliefs, axis=0))[:, usable])) * np.sqrt(1.5)
    found = []
    for k in range(len(orthos) if len(orthos) > 2 else 1):
        others = np.delete(reliefs, k, axis=0)
        apart = np.where(usable, reliefs[k] - others.mean(axis=0), 0.0)
        unlike = np.ptp(others, axis=0)
        alike = unlike < np.maximum(ALIKE_SIGMAS * sigma, ALIKE_SHARE * np.abs(apart))
        differs = alike & (np.abs(apart) > max(SPOT_SIGMAS * sigma, 0.5 * LEAST_CONTRAST))
        for window, inside in _spots(differs, apart, orthos[0].m_per_px):
            if max(part.stop - part.start for part in _around(window, orthos[0])) > MOST_CELLS:
                continue  # a duct or a joint, no spot
            if min(float(np.median(ortho.views[window])) for ortho in orthos) < LEAST_VIEWS_AROUND:
                continue
            spot = _telltale(kind, surfaces, window)
            by = abs(float(apart[window][inside].mean()))
            least = max(float(other[window][inside].std()) for other in others)
            if len(orthos) == 2 and _is_on_one(spot):
                found.append(spot)
            elif len(orthos) > 2 and by > OUTSTANDING * least and np.median(unlike[window][inside]) < ALIKE_MEDIAN * by:
                found.append(_alone(spot, k))
    return found


def _relief(ortho: Ortho) -> tuple[Values, Mask]:
    """Return log grey levels against their surroundings (H, W), and where photos agree on them, clear of what stands
    there."""
    grey = ortho.pixels.mean(axis=2, dtype=np.float32)
    spread = np.nan_to_num(ortho.spread, nan=np.inf)
    agreed = (ortho.views >= LEAST_VIEWS) & (spread <= MOST_SPREAD + SPREAD_SHARE * grey)
    small = cv2.getStructuringElement(cv2.MORPH_RECT, (7, 7))
    stands = cv2.morphologyEx((~agreed).astype(np.uint8), cv2.MORPH_OPEN, small)
    valid = cv2.dilate(stands, _disc(2 * CLEAR_M / ortho.m_per_px)) == 0
    light = _mean_around(grey, valid, LIGHT_M / ortho.m_per_px)
    relief = np.log(np.maximum(grey, LEAST_GREY) / np.maximum(light, LEAST_GREY))
    return _mean_around(relief, valid, GRAIN_M / ortho.m_per_px), valid


def _mean_around(values: Values, valid: Mask, sigma: float) -> Values:
    weight = cv2.GaussianBlur(valid.astype(np.float32), (0, 0), sigma)
    total = cv2.GaussianBlur(np.where(valid, values, 0).astype(np.float32), (0, 0), sigma)
    return np.asarray(total / np.maximum(weight, 1e-3), dtype=np.float32)


def _disc(diameter: float) -> NDArray[np.uint8]:
    side = int(diameter) | 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), dtype=np.uint8)


def _covered(polygons: Sequence[shapely.Polygon], ortho: Ortho) -> Mask:
    """Tell which pixels (H, W) lie in a polygon."""
    mask = np.zeros(ortho.views.shape, dtype=np.uint8)
    rings = [ortho.pixels_from_site(shapely.get_coordinates(polygon.exterior)) for polygon in polygons]
    cv2.fillPoly(mask, [np.round(ring).astype(np.int32) for ring in rings], 1)
    return np.asarray(mask > 0)


def _spots(differs: Mask, apart: Values, m_per_px: float) -> list[tuple[tuple[slice, slice], Mask]]:
    """Return the windows of spots, of a size and shape that is no edge and no other floor, and their pixels therein."""
    whole = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_OPEN, _disc(LEAST_WIDTH_M / m_per_px))
    labels, _ = ndimage.label(whole)
    found = []
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[window] == index
        area = float(inside.sum()) * m_per_px**2
        good = LEAST_AREA_M2 <= area <= MOST_AREA_M2 and inside.mean() >= LEAST_FILL
        good = good and max(inside.shape) <= MOST_ASPECT * min(inside.shape)
        if good and abs(apart[window][inside].mean()) >= LEAST_CONTRAST:
            found.append((window, inside))
    return found


def _around(window: tuple[slice, slice], ortho: Ortho) -> tuple[slice, slice]:
    margin = round(AROUND_M / ortho.m_per_px)
    rows, columns = (
        slice(max(0, part.start - margin), min(size, part.stop + margin))
        for part, size in zip(window, ortho.views.shape, strict=True)
    )
    return rows, columns


def _telltale(kind: str, surfaces: Sequence[RectifiedSurface], window: tuple[slice, slice]) -> Telltale:
    """Return the spot with some of its surroundings, as every level shows it."""
    ortho = surfaces[0].ortho
    rows, columns = _around(window, ortho)
    grey = np.stack([surface.ortho.pixels[rows, columns].mean(axis=2, dtype=np.float32) for surface in surfaces])
    looks = np.log(np.maximum(grey, LEAST_GREY))
    x, y = ortho.site_from_pixels((columns.start + 0.5, rows.start + 0.5)).tolist()
    # A ceiling is looked at from below: rows go the other way, so that the normal points down.
    down = ortho.m_per_px * (1.0 if kind == "ceiling" else -1.0)
    if kind == "ceiling":
        looks, y = looks[:, ::-1], y - ortho.m_per_px * (looks.shape[1] - 1)
    middle = ortho.site_from_pixels(((columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2))
    count = len(surfaces)
    return Telltale(
        name=f"{kind} at {middle[0]:.1f}, {middle[1]:.1f}",
        origin=np.array([[x, y, surface.height(np.array([middle]))[0]] for surface in surfaces]),
        right=np.tile([ortho.m_per_px, 0.0, 0.0], (count, 1)),
        down=np.tile([0.0, down, 0.0], (count, 1)),
        looks=np.ascontiguousarray(looks - looks.mean(axis=(1, 2), keepdims=True), dtype=np.float32),
    )


def _alone(spot: Telltale, level: int) -> Telltale:
    """Return a spot of which all levels but its own look alike, as they do but for what photos saw of each."""
    looks = np.repeat(np.delete(spot.looks, level, axis=0).mean(axis=0)[None], len(spot.looks), axis=0)
    looks[level] = spot.looks[level]
    return replace(spot, looks=looks)


def _is_on_one(spot: Telltale) -> bool:
    """Tell whether a spot has more contrast on one of two levels than on the other."""
    grain = [cv2.GaussianBlur(look, (0, 0), 1.5) for look in spot.looks]
    contrast = without_slope(np.stack(grain)).std(axis=1)
    return bool(contrast.max() > OUTSTANDING_OF_TWO * contrast.min())
