"""How hard a photo is by the truth: what share of it the walk has seen, and how many pixels tell its level."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry.cameras import project
from geometry.frames import position_of
from scenes.captures.views import View
from scenes.facility import Facility
from scenes.rendering import Geometry
from scenes.rendering.raycasting import blocked, cast_rays
from scenes.rendering.rays import camera_rays, rays_in_site

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SAMPLES_PX = 64
"""Width of the grid of a photo's pixels that are looked up in the walk."""
MAX_ANGLE_COSINE = float(np.cos(np.radians(45.0)))
MAX_SCALE = 2.0
MIN_IMAGES = 2
SURFACE_M = 0.03
"""A surface was there during the walk if a ray meets one this near."""
CHUNK_POINTS = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class WalkVisibility:
    """What a walk has seen.

    raycaster: of what stood there that day; camera: of all its pictures
    positions: (W, 3) site metres; rotations: (W, 3, 3) cam_from_site
    """

    raycaster: Any
    camera: pycolmap.Camera
    positions: Array
    rotations: Array

    @classmethod
    def of(cls, walk: Sequence[View], raycaster: Any) -> "WalkVisibility":
        """Take the poses of a walk with one camera."""
        return cls(
            raycaster=raycaster,
            camera=walk[0].camera,
            positions=np.array([position_of(view.cam_from_site) for view in walk]),
            rotations=np.array([view.cam_from_site.rotation.matrix() for view in walk]),
        )


def seen_fraction(
    camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, raycaster: Any, walk: WalkVisibility
) -> float:
    """Return the share of a photo's pixels whose surface at least two walk images see from nearly there.

    That is from a direction within 45 degrees, at a distance that makes the scale differ by no more than a factor of
    2, with nothing in between. Sky, and what was not there during the walk, is not seen. ``raycaster`` is of the day of
    the photo. A grid of ``SAMPLES_PX`` columns is looked up.
    """
    small = pycolmap.Camera(camera.todict())
    small.rescale(SAMPLES_PX, max(2, round(SAMPLES_PX * small.height / small.width)))
    grid = camera_rays(small)
    rays = rays_in_site(grid.rays, cam_from_site).reshape(-1, 3)
    eye = position_of(cam_from_site)
    distance = cast_rays(raycaster, eye.astype(np.float32), rays).distance
    hit = np.isfinite(distance) & grid.known.ravel()
    points = eye + distance[hit, None].astype(np.float64) * rays[hit]
    points = points[_was_there(walk.raycaster, points, rays[hit])]
    parts = [points[start : start + CHUNK_POINTS] for start in range(0, len(points), CHUNK_POINTS)]
    focal = camera.mean_focal_length()
    return sum(int((images_seeing(part, eye, focal, walk) >= MIN_IMAGES).sum()) for part in parts) / len(rays)


def images_seeing(points: Array, eye: Array, focal_px: float, walk: WalkVisibility) -> NDArray[np.int64]:
    """Return how many walk images see each of the points (N, 3) much as a camera at ``eye`` (3,) does."""
    towards = walk.positions[None] - points[:, None]
    distance = np.linalg.norm(towards, axis=2)
    own = eye - points
    own_distance = np.linalg.norm(own, axis=1, keepdims=True)
    cosine = np.einsum("nwk,nk->nw", towards, own) / (distance * own_distance)
    scale = (walk.camera.mean_focal_length() / distance) / (focal_px / own_distance)
    point, image = np.nonzero((cosine > MAX_ANGLE_COSINE) & (scale <= MAX_SCALE) & (scale >= 1 / MAX_SCALE))
    inside = _in_picture(points[point], image, walk)
    point, image = point[inside], image[inside]
    ray = towards[point, image]
    start = points[point] + SURFACE_M * ray / distance[point, image, None]
    free = ~blocked(walk.raycaster, start.astype(np.float32), (walk.positions[image] - start).astype(np.float32), 1.0)
    return np.bincount(point[free], minlength=len(points))


def level_evidence_px(facility: Facility, level: str, geometry: Geometry) -> int:
    """Return how many pixels of a picture taken on ``level`` show what tells it: signs that name a level, listed wear.

    geometry: of the whole picture, as ``scenes.rendering.cast`` returns it.
    """
    telling = _of_objects(
        geometry, {f"{s.level}/sign {s.id}" for s in facility.signs if _names_level(s.text, facility)}
    )
    for wear in facility.wear:
        if wear.level == level:
            surface = _of_objects(geometry, {f"{level}/{wear.on}", f"{level}/{wear.on}/puddles"})
            offset = np.abs(geometry.points_in_site[..., :2] - np.array(wear.at))
            telling |= surface & (offset <= np.array(wear.size) / 2).all(axis=-1)
    return int(telling.sum())


def _names_level(text: str, facility: Facility) -> bool:
    names = [re.escape(name) for level in facility.levels for name in (level.id, level.name) if name]
    return re.search(rf"(?<!\w)(?:{'|'.join(names)})(?!\w)", text, re.IGNORECASE) is not None


def _of_objects(geometry: Geometry, names: set[str]) -> Mask:
    ids = [index for index, name in enumerate(geometry.objects) if name in names]
    return np.isin(geometry.instance_id, ids)


def _was_there(raycaster: Any, points: Array, rays: NDArray[np.float32]) -> Mask:
    unit = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    start = (points - SURFACE_M * unit).astype(np.float32)
    return np.asarray(cast_rays(raycaster, start, unit).distance < 2 * SURFACE_M)


def _in_picture(points: Array, image: NDArray[np.int64], walk: WalkVisibility) -> Mask:
    """Tell which points (M, 3) lie in the pictures ``image`` (M,) of the walk."""
    in_cam = np.einsum("mij,mj->mi", walk.rotations[image], points - walk.positions[image])
    inside = np.flatnonzero(in_cam[:, 2] > 0)
    pixels, valid = project(walk.camera, in_cam[inside])
    size = np.array([walk.camera.width, walk.camera.height])
    valid &= ((pixels >= 0) & (pixels < size)).all(axis=1)
    result = np.zeros(len(points), dtype=bool)
    result[inside] = valid
    return result
