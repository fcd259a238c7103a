"""Rays through the pixels of any pycolmap camera."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry.errors import InputError

FloatArray = NDArray[np.float32]
Sphere = tuple[NDArray[np.float64], float]

MAX_REPROJECTION_PX = 0.1
CENTRE = (0.5, 0.5)


@dataclass(frozen=True, kw_only=True, eq=False)
class RayGrid:
    """One ray for each pixel of a camera.

    rays: (H, W, 3) float32 in the camera frame with z = 1, so that the length along a ray, in units of it, is depth
    pitch: (H, W) float32, angle to the neighbouring pixels in radians, the larger of the two image axes
    known: (H, W) bool, False where projecting the ray does not give the pixel back; the ray is then the optical axis
    """

    rays: FloatArray
    pitch: FloatArray
    known: NDArray[np.bool_]


def camera_rays(camera: pycolmap.Camera, place: tuple[float, float] = CENTRE) -> RayGrid:
    """Return a ray through the point ``place`` of every pixel, (0, 0) being its top-left corner and (1, 1) the other.

    Rays turn less than 90 degrees from the optical axis. Raises ``InputError`` for a camera of fewer than 2 x 2
    pixels.
    """
    if min(camera.width, camera.height) < 2:
        raise InputError(f"an image of {camera.width} x {camera.height} pixels is too small to render")
    return _camera_rays(camera.model_name, camera.width, camera.height, tuple(camera.params), place)


@lru_cache(maxsize=10)
def _camera_rays(model: str, width: int, height: int, params: tuple[float, ...], place: tuple[float, float]) -> RayGrid:
    camera = pycolmap.Camera(model=model, width=width, height=height, params=params)
    u, v = np.arange(width) + place[0], np.arange(height) + place[1]
    pixels = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    rays = np.column_stack([camera.cam_from_img(pixels), np.ones(len(pixels))])
    known = np.isfinite(rays).all(axis=1)
    rays[~known] = (0.0, 0.0, 1.0)
    known &= np.abs(np.asarray(camera.img_from_cam(rays)) - pixels).max(axis=1) < MAX_REPROJECTION_PX
    rays[~known] = (0.0, 0.0, 1.0)
    grid = rays.reshape(height, width, 3)
    bearings = grid / np.linalg.norm(grid, axis=-1, keepdims=True)
    pitch = np.maximum(*(np.linalg.norm(np.gradient(bearings, axis=axis), axis=-1) for axis in (0, 1)))
    return RayGrid(rays=grid.astype(np.float32), pitch=pitch.astype(np.float32), known=known.reshape(height, width))


def sample_places(samples_per_axis: int) -> list[tuple[float, float]]:
    """Return where in a pixel its samples lie: a regular grid, centred on the pixel's centre."""
    steps = [(i + 0.5) / samples_per_axis for i in range(samples_per_axis)]
    return [(x, y) for y in steps for x in steps]


def rays_in_site(rays: FloatArray, cam_from_site: pycolmap.Rigid3d) -> FloatArray:
    """Rotate rays (..., 3) from the camera frame to site."""
    return rays @ cam_from_site.rotation.matrix().astype(np.float32)


def slant(rays: FloatArray, normals: FloatArray, max_stretch: float) -> tuple[FloatArray, FloatArray]:
    """Return how rays (N, 3) meet planes with unit normals (N, 3): the way along (N, 3) and the sine of the angle (N,).

    The way is a unit vector on the plane, along which a ray's footprint is longer than wide by one over the sine, and
    by ``max_stretch`` at most; it is 0 where the ray is the normal.
    """
    along = np.einsum("nk,nk->n", rays, normals)
    length = np.sqrt(np.einsum("nk,nk->n", rays, rays))
    tangent = rays - along[:, None] * normals
    size = np.sqrt(np.einsum("nk,nk->n", tangent, tangent))
    tangent /= np.maximum(size, np.float32(1e-6) * length)[:, None]
    return tangent, np.maximum(np.abs(along) / length, np.float32(1 / max_stretch))


def within_cones(bearings: FloatArray, eye: NDArray[np.floating], spheres: Sequence[Sphere]) -> NDArray[np.bool_]:
    """Tell (N,) which unit vectors from ``eye`` (3,) lie in the cone around one of the spheres (centre, radius)."""
    x, y, z = np.ascontiguousarray(bearings.T)
    inside = np.zeros(len(bearings), dtype=bool)
    for centre, radius in spheres:
        offset = np.asarray(centre) - eye
        distance = float(np.linalg.norm(offset))
        if distance <= radius:
            return np.ones(len(bearings), dtype=bool)
        a, b, c = (offset / distance).astype(np.float32)
        # Sums of products, as BLAS takes a hundred times longer for a product that is 3 wide.
        inside |= x * a + y * b + z * c >= np.float32(np.sqrt(1.0 - (radius / distance) ** 2) - 1e-5)
    return inside


def bounding_sphere(vertices: FloatArray) -> Sphere:
    """Return the centre (3,) of the box around vertices (V, 3) and the distance to the farthest of them."""
    centre = (vertices.min(axis=0).astype(np.float64) + vertices.max(axis=0)) / 2
    return centre, float(np.linalg.norm(vertices - centre, axis=1).max()) + 1e-3
