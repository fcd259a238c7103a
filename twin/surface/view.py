"""New views of a surface: what a camera anywhere would see of it, with depth, and where that is known."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import position_of
from scenes.colour import bytes_from_linear
from scenes.rendering.atlas import sample
from scenes.rendering.raycasting import Hits, subset
from scenes.rendering.rays import camera_rays, rays_in_site, sample_places, slant
from scenes.rendering.render import in_chunks
from twin.surface.surface import Surface

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

MAX_STRETCH = 8.0
"""A footprint seen at a grazing angle is taken to be at most so many times longer than wide."""
SAMPLES_PER_AXIS = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A picture of a surface.

    colour: (H, W, 3) uint8 sRGB, that of the backdrop where no surface is seen, black where that is missing too
    depth: (H, W) float32, metres along the camera's z at the pixels' centres; inf where no surface is seen, NaN where
        the lens model has no ray
    seen: (H, W) bool, whether photos of the map saw what the pixel's centre shows from its front
    """

    colour: NDArray[np.uint8]
    depth: FloatArray
    seen: NDArray[np.bool_]


def render_view(
    surface: Surface, camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, samples_per_axis: int = SAMPLES_PER_AXIS
) -> View:
    """Render what ``camera`` sees of a surface from ``cam_from_site``.

    A pixel is the mean of ``samples_per_axis`` squared rays, each of which averages the texture over its footprint.
    Raises ``InputError`` for a camera of fewer than 2 x 2 pixels.
    """
    centre = position_of(cam_from_site)
    light = np.zeros((camera.height * camera.width, 3), dtype=np.float32)
    places = sample_places(samples_per_axis)
    for place in places:
        grid = camera_rays(camera, place)
        rays = rays_in_site(grid.rays, cam_from_site).reshape(-1, 3)
        pitch = grid.pitch.ravel() / np.float32(samples_per_axis)
        known = grid.known.ravel()
        light += in_chunks(partial(_shaded, surface, centre, rays, pitch, known), len(rays))
    depth, seen = depth_of(surface, camera, cam_from_site)
    colour = bytes_from_linear(light / np.float32(len(places)))
    return View(colour=colour.reshape(camera.height, camera.width, 3), depth=depth, seen=seen)


def depth_of(
    surface: Surface, camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return a view's ``depth`` and ``seen`` alone, which is quicker."""
    grid = camera_rays(camera)
    rays = rays_in_site(grid.rays, cam_from_site).reshape(-1, 3)
    hits = surface.cast(position_of(cam_from_site), rays)
    known = grid.known.ravel()
    solid = np.isfinite(hits.distance) & known
    solid[solid] = surface.is_solid[hits.triangle[solid]]
    rows = np.flatnonzero(solid)
    seen = np.zeros(len(rays), dtype=bool)
    seen[rows] = _is_seen(surface, subset(hits, rows), rays[rows])
    depth = np.where(known, np.where(solid, hits.distance, np.float32(np.inf)), np.float32(np.nan))
    return depth.reshape(grid.known.shape), seen.reshape(grid.known.shape)


def _shaded(
    surface: Surface, centre: Array, rays: FloatArray, pitch: FloatArray, known: NDArray[np.bool_], part: slice
) -> FloatArray:
    """Return linear RGB (P, 3) along a part of the rays (N, 3), black where they miss or are not ``known`` (N,)."""
    hits = surface.cast(centre, rays[part])
    rows = np.flatnonzero(np.isfinite(hits.distance) & known[part])
    light = np.zeros((len(hits.distance), 3), dtype=np.float32)
    light[rows] = light_of(surface, subset(hits, rows), rays[part][rows], pitch[part][rows])
    return light


def light_of(surface: Surface, hits: Hits, rays: FloatArray, pitch: FloatArray) -> FloatArray:
    """Return linear RGB (N, 3) along rays (N, 3) that all hit; ``pitch`` (N,) is the angle of a ray, radians."""
    chart = surface.mesh.panel[hits.triangle]
    tangent, facing = slant(rays, surface.triangle_normals[hits.triangle], MAX_STRETCH)
    width = hits.distance * np.sqrt(np.einsum("nk,nk->n", rays, rays)) * pitch
    stretch = np.einsum("nuk,nk->nu", surface.axes[chart], tangent) * (width / facing)[:, None]
    return sample(surface.atlas, chart, surface.uv_of(hits), width, stretch)


def _is_seen(surface: Surface, hits: Hits, rays: FloatArray) -> NDArray[np.bool_]:
    """Tell (N,) whether the texel that a ray hits was seen, and is looked at from its front."""
    chart = surface.mesh.panel[hits.triangle]
    front = np.einsum("nk,nk->n", rays, surface.triangle_normals[hits.triangle]) < 0
    corner, shape, density = surface.frames
    texel = np.floor(surface.uv_of(hits) * density[chart, None]).astype(np.int64)
    texel = corner[chart] + np.clip(texel, 0, shape[chart] - 1)
    return front & surface.seen[texel[:, 1], texel[:, 0]]
