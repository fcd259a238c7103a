"""The ground that a camera looks at: the outline of its image on a level floor."""

import numpy as np
import pycolmap
import shapely
from numpy.typing import NDArray

from geometry.frames import position_of

Array = NDArray[np.float64]

STEPS = 24
"""Points along each edge of the image."""


def ground_footprint(
    camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, floor_z: float, *, reach_m: float = 40.0
) -> shapely.Polygon | None:
    """Return what of the floor at ``floor_z`` (site metres) an image shows, cut off ``reach_m`` from the camera.

    Rays at or above the horizon meet the floor at the reach. What stands in the way is not looked at. None where the
    camera is below the floor or its border has no rays.
    """
    centre = position_of(cam_from_site)
    height = centre[2] - floor_z
    rays = border_rays(camera) @ cam_from_site.rotation.matrix()
    rays = rays[np.isfinite(rays).all(axis=1)]
    if height <= 0.0 or len(rays) < 3:
        return None
    flat = np.linalg.norm(rays[:, :2], axis=1)
    with np.errstate(divide="ignore"):
        away = np.where(rays[:, 2] < 0.0, height * flat / -rays[:, 2], np.inf)
    direction = rays[:, :2] / np.maximum(flat, 1e-12)[:, None]
    corners = centre[:2] + direction * np.minimum(away, reach_m)[:, None]
    outline = shapely.make_valid(shapely.Polygon(corners))
    parts = [part for part in shapely.get_parts(outline) if part.geom_type == "Polygon"]
    largest: shapely.Polygon | None = max(parts, key=lambda part: part.area, default=None)
    return largest


def border_rays(camera: pycolmap.Camera) -> Array:
    """Return rays (N, 3) in the camera's frame, z 1, of pixels around the image; NaN where the lens has none."""
    wide, high, along = camera.width, camera.height, np.linspace(0.0, 1.0, STEPS, endpoint=False)
    zero = np.zeros(STEPS)
    edges = [
        np.column_stack([along * wide, zero]),
        np.column_stack([zero + wide, along * high]),
        np.column_stack([(1 - along) * wide, zero + high]),
        np.column_stack([zero, (1 - along) * high]),
    ]
    rays = np.asarray(camera.cam_from_img(np.concatenate(edges)), dtype=np.float64).reshape(-1, 2)
    return np.column_stack([rays, np.ones(len(rays))])
