"""Tiles of charts, a texel block each, and which photos see which of them best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import scaled
from scenes.rendering.raycasting import cast_rays
from scenes.rendering.rays import camera_rays, rays_in_site
from twin.surface.charts import Chart
from twin.surface.panels import PanelMesh
from twin.surface.photographs import Photographs

Array = NDArray[np.float64]

TILE_TEXELS = 64
PROBE_PX = 96
"""Width of the grid of rays that finds what a photo sees."""
MIN_COSINE = 0.08


@dataclass(frozen=True, kw_only=True)
class Tile:
    """Rows and columns of a chart; ``photos`` see it, the best one first."""

    chart: int
    rows: slice
    columns: slice
    photos: tuple[int, ...]


def tiles_of(charts: Sequence[Chart], mesh: PanelMesh, scene: Any, photographs: Photographs, best: int) -> list[Tile]:
    """Return all tiles with their ``best`` photos; tiles without any photo as well.

    scene: ray caster of ``mesh``. A photo is better the more pixels it has on a texel, up to one, and the less
    obliquely it looks.
    """
    grids = np.array([-(-np.array(chart.shape) // TILE_TEXELS) for chart in charts]).reshape(-1, 2)
    firsts = np.concatenate([[0], np.cumsum(grids.prod(axis=1))])
    found = [_seen_by(photo, photographs, charts, mesh, scene, grids, firsts) for photo in range(len(photographs))]
    tile = np.concatenate([each[0] for each in found])
    score = np.concatenate([each[1] for each in found])
    photo = np.repeat(np.arange(len(found)), [len(each[0]) for each in found])
    order = np.lexsort((-score, tile))
    tile, photo = tile[order], photo[order]
    starts = np.searchsorted(tile, np.arange(firsts[-1] + 1))
    tiles = []
    for index, chart in enumerate(charts):
        for number in range(firsts[index], firsts[index + 1]):
            row, column = divmod(number - firsts[index], grids[index, 1])
            stop = min(starts[number + 1], starts[number] + best)
            tiles.append(
                Tile(
                    chart=index,
                    rows=_block(row, chart.shape[0]),
                    columns=_block(column, chart.shape[1]),
                    photos=tuple(photo[starts[number] : stop].tolist()),
                )
            )
    return tiles


def _block(number: int, length: int) -> slice:
    return slice(int(number) * TILE_TEXELS, min((int(number) + 1) * TILE_TEXELS, length))


def _seen_by(
    photo: int,
    photographs: Photographs,
    charts: Sequence[Chart],
    mesh: PanelMesh,
    scene: Any,
    grids: NDArray[np.int64],
    firsts: NDArray[np.int64],
) -> tuple[NDArray[np.int64], Array]:
    """Return the tiles (M,) that a photo sees and how well (M,) it does."""
    grid = camera_rays(_probe(photographs.cameras[photo]))
    rays = rays_in_site(grid.rays, photographs.poses[photo])[grid.known]
    hits = cast_rays(scene, photographs.centres[photo].astype(np.float32), rays)
    rows = np.flatnonzero(np.isfinite(hits.distance))
    triangle = hits.triangle[rows]
    uv = np.einsum("nc,nck->nk", hits.barycentric[rows], mesh.uv[mesh.triangles[triangle]])
    chart = mesh.panel[triangle]
    density = np.array([each.px_per_m for each in charts])[chart]
    block = np.minimum((uv * density[:, None] / TILE_TEXELS).astype(np.int64), grids[chart][:, ::-1] - 1)
    tile = firsts[chart] + block[:, 1] * grids[chart, 1] + block[:, 0]
    length = np.linalg.norm(rays[rows], axis=1)
    facing = -np.einsum("nk,nk->n", rays[rows], np.array([each.normal for each in charts])[chart]) / length
    px_per_m = photographs.focal_px(photo) / (hits.distance[rows] * length)
    good = np.minimum(px_per_m * np.sqrt(np.maximum(facing, 0)) / density, 1.0) * np.maximum(facing, 0)
    front = facing > MIN_COSINE
    seen, index = np.unique(tile[front], return_inverse=True)
    return seen, np.bincount(index, good[front], minlength=len(seen)) / np.maximum(np.bincount(index), 1)


def _probe(camera: pycolmap.Camera) -> pycolmap.Camera:
    """Return the camera of the picture reduced to ``PROBE_PX`` columns."""
    if camera.width <= PROBE_PX:
        return camera
    return scaled(camera, PROBE_PX, max(2, round(PROBE_PX * camera.height / camera.width)))
