"""What a photo should show: landmarks that map images saw from much the same side and distance.

A pose that is right finds most of what it should see; one that fits a look-alike finds little but the look-alike.
"""

from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import position_of, project, transform_points
from twin.landmarks import Landmarks

Array = NDArray[np.float64]

MAX_VIEW_ANGLE = np.radians(40.0)
MAX_DISTANCE_RATIO = 2.0


@dataclass(frozen=True)
class Viewpoints:
    """From where each landmark was seen: mean unit ray (L, 3) from camera to landmark, mean log distance (L,)."""

    rays: Array
    log_distances: Array

    @classmethod
    def of(cls, landmarks: Landmarks, view_positions: Array) -> "Viewpoints":
        """Gather them from all observations; ``view_positions`` (V, 3) in site, metres."""
        index, count = np.asarray(landmarks.landmark), len(landmarks)
        rays = landmarks.points[index] - view_positions[landmarks.view_of_observation()]
        distances = np.linalg.norm(rays, axis=1)
        directions = rays / distances[:, None]
        mean = np.stack([np.bincount(index, directions[:, k], minlength=count) for k in range(3)], axis=1)
        views = np.maximum(np.bincount(index, minlength=count), 1)
        log_distances = np.bincount(index, np.log(distances), minlength=count) / views
        return cls(mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12), log_distances)

    def expected(
        self, landmarks: Landmarks, cam_from_site: pycolmap.Rigid3d, camera: pycolmap.Camera
    ) -> NDArray[np.bool_]:
        """Tell which landmarks (L,) a photo from this pose should show.

        They project into the image and were seen from within ``MAX_VIEW_ANGLE`` and ``MAX_DISTANCE_RATIO``: what hid
        them would have hidden them there too.
        """
        rays = landmarks.points - position_of(cam_from_site)
        distances = np.maximum(np.linalg.norm(rays, axis=1), 1e-12)
        seen_so = np.einsum("li,li->l", rays, self.rays) > np.cos(MAX_VIEW_ANGLE) * distances
        seen_so &= np.abs(np.log(distances) - self.log_distances) < np.log(MAX_DISTANCE_RATIO)
        near = np.flatnonzero(seen_so)
        pixels, valid = project(camera, transform_points(cam_from_site, landmarks.points[near]))
        seen_so[near] = valid & (pixels > 0).all(axis=1) & (pixels < (camera.width, camera.height)).all(axis=1)
        return seen_so
