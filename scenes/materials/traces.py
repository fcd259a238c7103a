"""What traffic leaves on a floor: tyre tracks along lanes and into stalls, skid marks, oil under engines."""

import cv2
import numpy as np
from numpy.typing import NDArray

from scenes.materials.layers import Layer, shade
from scenes.materials.patterns import Mask, draw_line, fractal_noise, mask_of, smudges
from scenes.materials.plots import Plot
from scenes.polylines import resampled

Array = NDArray[np.float64]

TRACK_M, TYRE_M = 1.5, 0.2
"""Between the wheels of an axle, and how wide a tyre rolls."""
ENGINE_DEPTH = 0.72
"""Where along a stall the engine of most cars is, from its open end."""


def tyre_tracks(plot: Plot, lanes: list[Array], stalls: Array, rng: np.random.Generator) -> list[Layer]:
    """Return dark bands where wheels roll: along ``lanes`` (each (N, 2)) and from the nearest lane into ``stalls``."""
    coarse = Plot(corner=plot.corner, size=plot.size, px_per_m=plot.px_per_m / 3)
    mask = np.zeros(coarse.shape, dtype=np.float32)
    paths = [(lane, 44.0) for lane in lanes for _ in range(3)] + [(path, 34.0) for path in _into_stalls(stalls, lanes)]
    for path, strength in paths:
        _roll(coarse, mask, path + rng.normal(0, 0.18, 2), strength * rng.uniform(0.4, 1.6))
    rubbed = cv2.GaussianBlur(mask, (0, 0), 0.03 * plot.px_per_m)
    rubbed *= np.clip(1 + 0.45 * fractal_noise(coarse.shape, 0.6 * plot.px_per_m, 2, rng), 0, 2)
    full = cv2.resize(np.clip(rubbed / 255, 0, 1), plot.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return [shade(mask_of(full), 0.45)]


def skid_marks(plot: Plot, lanes: list[Array], rng: np.random.Generator) -> list[Layer]:
    """Return short sharp marks of rubber where someone turned or braked hard."""
    mask = plot.blank()
    for lane in lanes:
        length = np.linalg.norm(np.diff(lane, axis=0), axis=1).sum()
        for _ in range(int(length / 9 + rng.uniform())):
            start = lane[int(rng.integers(len(lane) - 1))] + rng.normal(0, 1.0, 2)
            heading = rng.uniform(0, 2 * np.pi) + np.linspace(0, rng.normal(0, 0.9), 14)
            arc = start + np.cumsum(rng.uniform(0.08, 0.2) * np.column_stack([np.cos(heading), np.sin(heading)]), 0)
            for tread in np.linspace(-0.06, 0.06, 4):
                draw_line(
                    mask, plot.texels(arc + tread), max(1, round(0.02 * plot.px_per_m)), int(rng.integers(60, 190))
                )
    return [shade(mask, 0.4)]


def oil_stains(plot: Plot, stalls: Array, rng: np.random.Generator) -> list[Layer]:
    """Return oil under the engines of leaking cars: a soft pool and drops about it, in about half of the stalls."""
    mask = plot.blank()
    reach = max(2, round(0.45 * plot.px_per_m))
    for polygon in stalls[rng.random(len(stalls)) < 0.55] if len(stalls) else []:
        middle = polygon[:2].mean(0) + ENGINE_DEPTH * (polygon[2:].mean(0) - polygon[:2].mean(0))
        column, row = (plot.texels(middle + rng.normal(0, 0.25, 2)) - reach).astype(int)
        window = mask[max(row, 0) : row + 2 * reach, max(column, 0) : column + 2 * reach]
        if min(window.shape, default=0) > 2:
            pool = smudges(window.shape, int(rng.integers(3, 14)), (0.01 * plot.px_per_m, 0.09 * plot.px_per_m), rng)
            np.maximum(window, _faded_to_rim(pool), out=window)
    return [shade(mask, 0.3)]


def _into_stalls(stalls: Array, lanes: list[Array]) -> list[Array]:
    """Return a curve, a quadratic Bezier, from the nearest lane into every stall."""
    if not lanes or not len(stalls):
        return []
    dense = np.vstack([resampled(lane, 0.5) for lane in lanes])
    paths = []
    for polygon in stalls:
        front, back = polygon[:2].mean(0), polygon[2:].mean(0)
        nearest = dense[np.argmin(np.linalg.norm(dense - front, axis=1))]
        into = (back - front) / np.linalg.norm(back - front)
        along = np.array([-into[1], into[0]]) * (1 if (int(front @ (131, 71)) & 1) else -1)
        t = np.linspace(0, 1, 12)[:, None]
        start = nearest + 3.0 * along
        paths.append(np.vstack([(1 - t) ** 2 * start + 2 * t * (1 - t) * nearest + t**2 * front, back - 0.8 * into]))
    return paths


def _roll(plot: Plot, mask: NDArray[np.float32], path: Array, strength: float) -> None:
    """Add the bands of both wheels along ``path`` (N, 2) to ``mask``."""
    points = resampled(path, 0.25)
    ahead = np.gradient(points, axis=0)
    across = np.column_stack([-ahead[:, 1], ahead[:, 0]]) / np.linalg.norm(ahead, axis=1, keepdims=True).clip(1e-9)
    texels = plot.texels(points)
    low, high = texels.min(0).astype(int) - 2 * int(plot.px_per_m), texels.max(0).astype(int) + 2 * int(plot.px_per_m)
    left, top = low.clip(0).tolist()
    window = mask[top : max(high[1], 0), left : max(high[0], 0)]
    if not window.size:
        return
    band: Mask = np.zeros(window.shape, dtype=np.uint8)
    for side in (-TRACK_M / 2, TRACK_M / 2):
        draw_line(band, plot.texels(points + side * across) - (left, top), max(1, round(TYRE_M * plot.px_per_m)))
    window += band * np.float32(strength / 255)


def _faded_to_rim(mask: Mask) -> Mask:
    """Fade a mask out towards its border, so that nothing is cut off there."""
    rows, columns = (np.sin(np.pi * (np.arange(n) + 0.5) / n) for n in mask.shape)
    return (mask * np.minimum(1, 1.6 * rows[:, None] * columns)).astype(np.uint8)
