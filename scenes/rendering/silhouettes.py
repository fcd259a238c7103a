"""Where an object would be seen if nothing stood in front of it."""

from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry.frames import position_of, transform_points
from scenes.rendering.raycasting import cast_rays, raycaster
from scenes.rendering.rays import bounding_sphere, camera_rays, rays_in_site, within_cones
from scenes.rendering.shapes import Instance

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Silhouette:
    """An object alone in the picture: how many pixels have it at their centre, and the box around these.

    bbox: (x1, y1, x2, y2) px, edges of pixels, clipped to the picture; None where no pixel shows the object
    """

    pixels: int
    bbox: tuple[int, int, int, int] | None


def silhouette(instance: Instance, camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d) -> Silhouette:
    """Return the pixels that would show ``instance`` if it stood there alone; for its visible share divide by them."""
    vertices, triangles = placed_triangles(instance)
    grid = camera_rays(camera)
    eye, rays = position_of(cam_from_site), rays_in_site(grid.rays, cam_from_site).reshape(-1, 3)
    bearings = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    pixels = np.flatnonzero(within_cones(bearings, eye, [bounding_sphere(vertices)]) & grid.known.ravel())
    hits = cast_rays(raycaster(vertices, triangles), eye.astype(np.float32), rays[pixels])
    return of_pixels(pixels[np.isfinite(hits.distance)], camera.width)


def of_pixels(pixels: NDArray[np.integer], width: int) -> Silhouette:
    """Return the silhouette made of flat pixel indices of a picture ``width`` pixels wide."""
    if not len(pixels):
        return Silhouette(pixels=0, bbox=None)
    row, column = np.divmod(pixels, width)
    bbox = int(column.min()), int(row.min()), int(column.max()) + 1, int(row.max()) + 1
    return Silhouette(pixels=len(pixels), bbox=bbox)


def placed_triangles(instance: Instance) -> tuple[FloatArray, NDArray[np.uint32]]:
    """Return an instance's vertices (V, 3) in site and triangles (T, 3)."""
    shapes = instance.model.shapes
    starts = np.cumsum([0, *(len(shape.vertices) for shape in shapes)])
    triangles = [shape.triangles + np.uint32(start) for shape, start in zip(shapes, starts, strict=False)]
    vertices = transform_points(instance.site_from_model, np.concatenate([shape.vertices for shape in shapes]))
    return vertices.astype(np.float32), np.concatenate(triangles)
