"""What of a floor a camera shows, and how finely: pure projection over a grid of floor points."""

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray

from geometry.cameras import projection_jacobian
from geometry.frames import transform_points

Array = NDArray[np.float64]


def pixels_per_metre(camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, floor_points: ArrayLike) -> Array:
    """Return the resolution (N,) at points (N, 3) of a level floor: pixels a metre along its worst direction.

    0 where the point is not in the picture. A floor seen at a grazing angle is squeezed away from the camera, and that
    direction counts. Nothing is known here of what stands between.
    """
    points = np.asarray(floor_points, dtype=np.float64).reshape(-1, 3)
    pixels, by_point, valid = projection_jacobian(camera, transform_points(cam_from_site, points))
    inside = valid & (pixels > 0).all(axis=1) & (pixels < (camera.width, camera.height)).all(axis=1)
    found = np.zeros(len(points))
    along_floor = by_point[inside] @ cam_from_site.rotation.matrix()[:, :2]
    if len(along_floor):
        found[inside] = np.linalg.svd(along_floor, compute_uv=False)[:, 1]
    return found
