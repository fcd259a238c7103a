"""What photos measure of texels: which of them see it, its light there, and how well."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.rendering.raycasting import blocked
from twin.surface.charts import Chart
from twin.surface.photographs import Photographs
from twin.surface.tiles import Tile

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

LIFT_M = 0.02
"""Rays to the camera start this far before the panel, so that it does not hide itself."""
MIN_COSINE = 0.08
CLIPPED_BRIGHT = 0.97
MIN_LIGHT = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurements:
    """What K photos measure of T texels.

    photos: (K,); seen: (K, T) bool
    light: (K, T, 3) float32 linear RGB, 1 white, as the photos show it; 0 where not seen
    weights: (K, T) float32, square of the share of a pixel a texel has, at most 1, times the cosine; 0 where not seen
    radius2: (K, T) float32 squared distance from the photo's middle, 1 in its corners
    """

    photos: NDArray[np.int64]
    seen: NDArray[np.bool_]
    light: FloatArray
    weights: FloatArray
    radius2: FloatArray


def measure(points: Array, chart: Chart, tile: Tile, photographs: Photographs, occluders: Any) -> Measurements:
    """Measure texels at ``points`` (T, 3) of a tile in its photos.

    occluders: ray caster of all that hides: the surface itself, and what stands about
    """
    shape = len(tile.photos), len(points)
    seen, pixels = np.zeros(shape, dtype=bool), np.zeros((*shape, 2))
    weights, radius2, light = (
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
        np.zeros((*shape, 3), np.float32),
    )
    distances = np.zeros(shape)
    for k, photo in enumerate(tile.photos):
        pixels[k], seen[k] = photographs.see(photo, points)
        rays = photographs.centres[photo] - points
        distances[k] = np.sqrt(np.einsum("ti,ti->t", rays, rays))
        cosine = rays @ chart.normal / distances[k]
        seen[k] &= cosine > MIN_COSINE
        density = photographs.focal_px(photo) / (distances[k] * chart.px_per_m)
        weights[k] = np.minimum(density * density * cosine, 1.0) ** 2 * cosine
        radius2[k] = photographs.radius2(photo, pixels[k])
    _hide(seen, points + LIFT_M * chart.normal, photographs.centres[list(tile.photos)], occluders)
    weights[~seen] = 0.0
    for k, photo in enumerate(tile.photos):
        rows = np.flatnonzero(seen[k])
        if len(rows):
            footprint = photographs.focal_px(photo) / float(np.median(distances[k, rows])) / chart.px_per_m
            light[k, rows] = photographs.light(photo, pixels[k, rows], footprint)
    photos = np.array(tile.photos, dtype=np.int64)
    return Measurements(photos=photos, seen=seen, light=light, weights=weights, radius2=radius2)


def _hide(seen: NDArray[np.bool_], points: Array, centres: Array, occluders: Any) -> None:
    """Clear ``seen`` (K, T) where something is between points (T, 3) and centres (K, 3)."""
    candidate, texel = np.nonzero(seen)
    starts = points[texel]
    hidden = blocked(occluders, starts.astype(np.float32), (centres[candidate] - starts).astype(np.float32), 1.0)
    seen[candidate, texel] = ~hidden


def luminance(light: FloatArray) -> FloatArray:
    """Return the log of the mean (...,) of linear RGB (..., 3), from ``MIN_LIGHT`` up."""
    return np.log(np.maximum(light.mean(axis=-1), np.float32(MIN_LIGHT)))
