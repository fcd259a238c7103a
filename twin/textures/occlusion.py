"""Which patches a photo can't show, as something that the map has landmarks on stands before them.

Pillars, walls and what is fixed to them: landmarks nearer than a patch and in the same direction hide it. They are
counted in cells over the photo and steps of distance, for all patches at once.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geometry import position_of, project, transform_points, unproject
from twin.textures.textures import Textures

Array = NDArray[np.float64]

OFF_SURFACE_M, SURFACE_WITHIN_M = 0.15, 1.0
"""A landmark farther off the plane of the nearest patch, or from any patch, stands before surfaces."""
CELLS_ACROSS = 40
"""Of a photo's width; neighbouring cells count too, as what lies between two landmarks hides as they do. So they reach
one to two fortieths of it."""
LEAST_NEARER = 2
"""Landmarks that hide a patch: one may be a wrong one."""
NEARER = 0.8
"""Of a patch's distance, within which landmarks hide it, to a step: up to 0.88."""
NEAREST_M, FARTHEST_M, STEP = 0.3, 20.0, 1.1
"""Distances that are told apart, by a factor."""
SAME_PIXEL = 1.0
STEPS = int(np.log(FARTHEST_M / NEAREST_M) / np.log(STEP)) + 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Occluders:
    """points: (N, 3) site metres, of what stands before floors, ceilings and walls, lowest first."""

    points: Array

    @classmethod
    def of(cls, points: Array, textures: Textures) -> "Occluders":
        """Take those of a map's landmarks (L, 3) that lie on no textured surface."""
        distance, nearest = cKDTree(textures.centres).query(points, distance_upper_bound=SURFACE_WITHIN_M)
        on = np.flatnonzero(np.isfinite(distance))
        off = points[on] - textures.centres[nearest[on]]
        free = np.ones(len(points), dtype=np.bool_)
        free[on] = np.abs(np.einsum("pk,pk->p", off, textures.normals[nearest[on]])) > OFF_SURFACE_M
        standing = points[free]
        return cls(points=standing[np.argsort(standing[:, 2])])

    def hide(
        self, camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, points: Array, pixels: Array
    ) -> NDArray[np.bool_]:
        """Tell which points (P, 3) of surfaces, that are at pixels (P, 2) in the photo, are hidden."""
        at = position_of(cam_from_site)
        steps = _steps(NEARER * np.linalg.norm(points - at, axis=1))
        column, row = np.moveaxis(_cells(camera, pixels), 1, 0)
        return np.asarray(self._nearer(camera, cam_from_site, at[2])[row, column, steps] >= LEAST_NEARER)

    def _nearer(self, camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, height: float) -> NDArray[np.float32]:
        """Return how many landmarks are nearer than each step of distance in each cell and around it (H, W, S)."""
        first, last = np.searchsorted(self.points[:, 2], [height - FARTHEST_M, height + FARTHEST_M])
        in_cam = transform_points(cam_from_site, self.points[first:last])
        distances = np.sqrt(np.einsum("pk,pk->p", in_cam, in_cam))
        within = (distances > NEAREST_M) & (distances < FARTHEST_M)
        pixels, distances = _shown(camera, in_cam[within], distances[within])
        column, row = np.moveaxis(_cells(camera, pixels), 1, 0)
        shape = (*(_cells(camera, np.array([[camera.width, camera.height]]))[0, ::-1] + 1), STEPS)
        at = np.ravel_multi_index((row, column, _steps(distances)), shape)
        up_to = np.bincount(at, minlength=int(np.prod(shape))).reshape(shape).cumsum(axis=2).astype(np.float32)
        return np.asarray(cv2.boxFilter(up_to, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT))


def _shown(camera: pycolmap.Camera, in_cam: Array, distances: Array) -> tuple[Array, Array]:
    """Return the pixels (M, 2) of points (N, 3), distances (N,), that lie in the photo, and their distances (M,).

    Few of a map's points lie in the cone around the photo's corners, and within it no lens that knows these folds.
    """
    corners = np.array([[x, y] for x in (0.0, camera.width) for y in (0.0, camera.height)])
    rays = unproject(camera, corners)
    back, known = project(camera, np.nan_to_num(rays))
    if known.all() and np.abs(back - corners).max() < SAME_PIXEL:
        ahead = in_cam[:, 2] > rays[:, 2].min() * distances
        in_cam, distances = in_cam[ahead], distances[ahead]
        pixels, valid = np.asarray(camera.img_from_cam(in_cam)).reshape(-1, 2), np.ones(len(in_cam), dtype=np.bool_)
    else:
        pixels, valid = project(camera, in_cam)
    with np.errstate(invalid="ignore"):
        inside = valid & (pixels >= 0).all(axis=1) & (pixels < (camera.width, camera.height)).all(axis=1)
    return pixels[inside], distances[inside]


def _cells(camera: pycolmap.Camera, pixels: Array) -> NDArray[np.int64]:
    """Return the column and row (N, 2) of pixels (N, 2)."""
    return np.asarray(pixels * (CELLS_ACROSS / camera.width)).astype(np.int64)


def _steps(distances: Array) -> NDArray[np.int64]:
    """Return how many factors of ``STEP`` distances (N,) are beyond the nearest that is told apart, rounded down."""
    steps = np.log(np.maximum(distances, NEAREST_M) / NEAREST_M) / np.log(STEP)
    return np.minimum(steps.astype(np.int64), STEPS - 1)
