"""Texture from photos: tiles measured, exposure balanced, views blended, gaps filled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scenes.colour import bytes_from_linear
from twin.exposure import Exposure, solve_exposure
from twin.progress import Progress
from twin.surface.backdrop import KIND
from twin.surface.blending import blend
from twin.surface.charts import Chart
from twin.surface.filling import fill
from twin.surface.measurements import CLIPPED_BRIGHT, MIN_LIGHT, luminance, measure
from twin.surface.photographs import Photographs
from twin.surface.tiles import Tile

FloatArray = NDArray[np.float32]

WHITE_PERCENTILE = 99.5
"""So many per cent of the seen texels are darker than white."""
MIN_WEIGHT = 0.0005
"""Of all views of a texel together: below, it is as good as not seen."""
NEIGHBOURHOOD_M, MIN_AGREEMENT = 0.4, 0.7
"""Texels are taken for what stands in front of the panel if around them less than this share of the views agrees."""
SAMPLES_A_TILE = 6
"""Texels by which exposure is balanced."""
GREY = np.full(3, 0.2, dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Texturing:
    """The result: atlas (R, C, 3) uint8 sRGB; seen (R, C) bool; how the photos were made comparable."""

    atlas: NDArray[np.uint8]
    seen: NDArray[np.bool_]
    exposure: Exposure


def texture(
    charts: Sequence[Chart],
    shape: tuple[int, int],
    tiles: Sequence[Tile],
    photographs: Photographs,
    occluders: Any,
    rng: np.random.Generator,
    on_progress: Progress,
) -> Texturing:
    """Colour an atlas of ``shape`` (rows, columns). Besides it, memory holds a tile and some photos at a time."""
    exposure = _balance(tiles, charts, photographs, occluders, rng)
    light = np.zeros((*shape, 3), dtype=np.float16)
    agreement = np.zeros(shape, dtype=np.float16)
    for number, tile in enumerate(tiles):
        on_progress("texture", number, len(tiles))
        if tile.photos:
            rows, columns = _in_atlas(charts[tile.chart], tile)
            light[rows, columns], agreement[rows, columns] = _tile(
                charts[tile.chart], tile, photographs, occluders, exposure
            )
    on_progress("texture", len(tiles), len(tiles))
    seen = agreement > 0
    for chart in charts:
        if chart.kind != KIND:  # parallax makes all views of a backdrop disagree a little
            seen[chart.place] = trusted(agreement[chart.place].astype(np.float32), chart.px_per_m)
    white = _white(light, seen)
    atlas = np.zeros((*shape, 3), dtype=np.uint8)
    fallback = _fallbacks(charts, light, seen)
    for chart in charts:
        colours = light[chart.place].astype(np.float32)
        atlas[chart.place] = bytes_from_linear(fill(colours, seen[chart.place], fallback[chart.kind]) / white)
    return Texturing(atlas=atlas, seen=seen, exposure=exposure)


def _tile(
    chart: Chart, tile: Tile, photographs: Photographs, occluders: Any, exposure: Exposure
) -> tuple[FloatArray, FloatArray]:
    """Return linear RGB (R, C, 3) of a tile and what share (R, C) of its views agrees on it, 0 where none sees it."""
    points = chart.points(tile.rows, tile.columns)
    found = measure(points.reshape(-1, 3), chart, tile, photographs, occluders)
    factors = np.exp(exposure.correction(found.photos, found.radius2))
    colour, agreement = blend(found.light * factors[..., None], found.weights)
    seen = found.weights.sum(axis=0) > MIN_WEIGHT
    return colour.reshape(points.shape), np.where(seen, agreement, 0).reshape(points.shape[:2])


def trusted(agreement: FloatArray, px_per_m: float) -> NDArray[np.bool_]:
    """Tell which texels (R, C) show the panel itself, from the share of their views that agrees, 0 for not seen.

    Where something stands in front, each view shows another part of it: around such a texel the views disagree.
    """
    size = (max(1, round(NEIGHBOURHOOD_M * px_per_m)) | 1,) * 2
    seen = agreement > 0
    total = cv2.boxFilter(agreement, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
    count = cv2.boxFilter(seen.astype(np.float32), -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(seen & (total > MIN_AGREEMENT * count))


def _in_atlas(chart: Chart, tile: Tile) -> tuple[slice, slice]:
    column, row = chart.corner
    rows = slice(row + tile.rows.start, row + tile.rows.stop)
    return rows, slice(column + tile.columns.start, column + tile.columns.stop)


def _white(light: NDArray[np.float16], seen: NDArray[np.bool_]) -> float:
    if not seen.any():
        return 1.0
    return max(float(np.percentile(light[seen].max(axis=1).astype(np.float32), WHITE_PERCENTILE)), 1e-3)


def _fallbacks(charts: Sequence[Chart], light: NDArray[np.float16], seen: NDArray[np.bool_]) -> dict[str, FloatArray]:
    """Return the mean colour (3,) of what was seen of each kind of chart, of all charts for a kind never seen."""
    sums: dict[str, list[Any]] = {}
    for chart in charts:
        there = seen[chart.place]
        row = np.append(light[chart.place][there].astype(np.float64).sum(axis=0), there.sum())
        sums.setdefault(chart.kind, []).append(row)
    totals = {kind: np.sum(rows, axis=0) for kind, rows in sums.items()}
    everything = np.sum(list(totals.values()), axis=0)
    overall = (everything[:3] / everything[3]).astype(np.float32) if everything[3] else GREY
    return {kind: (t[:3] / t[3]).astype(np.float32) if t[3] else overall for kind, t in totals.items()}


def _balance(
    tiles: Sequence[Tile], charts: Sequence[Chart], photographs: Photographs, occluders: Any, rng: np.random.Generator
) -> Exposure:
    """Measure a few texels of every tile in its photos and solve for the exposure of these."""
    parts: list[tuple[NDArray[Any], ...]] = []
    for number, tile in enumerate(tiles):
        if len(tile.photos) < 2:
            continue
        chart = charts[tile.chart]
        grid = chart.points(tile.rows, tile.columns).reshape(-1, 3)
        found = measure(grid[rng.integers(0, len(grid), SAMPLES_A_TILE)], chart, tile, photographs, occluders)
        usable = found.seen & (found.light.max(axis=-1) < CLIPPED_BRIGHT) & (found.light.mean(axis=-1) > MIN_LIGHT)
        k, sample = np.nonzero(usable)
        texel = number * SAMPLES_A_TILE + sample
        parts.append((texel, found.photos[k], luminance(found.light)[k, sample], found.radius2[k, sample]))
    joined = [np.concatenate([np.zeros(0), *(part[i] for part in parts)]) for i in range(4)]
    return solve_exposure(joined[0].astype(int), joined[1].astype(int), joined[2], joined[3], photographs.lenses())
