"""The map's photos as measurements of light: linear, in a pyramid, a bounded number of them in memory at a time."""

from collections import OrderedDict
from collections.abc import Sequence

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import InputError, check_size, position_of, scaled, unproject
from perception import read_image
from scenes.colour import linear_from_bytes
from scenes.rendering.atlas import WHITE, bilinear
from twin.photos import MapPhoto

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

LEVELS = 4
NEAREST_M = 0.05
BORDER_PX = 2.0
"""Pixels at the border of a picture are not used: lens models and resampling are at their worst there."""


class Photographs:
    """Photos of a map, decoded when first needed, reduced to ``max_side`` pixels; the least recently used ones go.

    cameras, poses: of the reduced photos; centres: (N, 3) site metres
    """

    def __init__(self, photos: Sequence[MapPhoto], *, max_side: int = 1600, in_memory: int = 200) -> None:
        if not photos:
            raise InputError("there are no photos to colour the surface with", remedy="Give those of the map.")
        self.photos, self._in_memory = tuple(photos), in_memory
        self.cameras = [_reduced(photo, max_side) for photo in photos]
        self.poses = [photo.cam_from_site for photo in photos]
        self.centres = np.array([position_of(pose) for pose in self.poses])
        self._tangents = [_largest_tangent(camera) for camera in self.cameras]
        self._rotations = [pose.rotation.matrix() for pose in self.poses]
        self._pyramids: OrderedDict[int, list[NDArray[np.uint16]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self.photos)

    def focal_px(self, photo: int) -> float:
        """Return the mean focal length of a reduced photo."""
        return float(self.cameras[photo].mean_focal_length())

    def lenses(self) -> NDArray[np.int64]:
        """Return a number (N,) for each photo that is the same for photos of one lens."""
        kinds = [(c.model_name, c.width, c.height, tuple(c.params)) for c in self.cameras]
        numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
        return np.array([numbers[kind] for kind in kinds], dtype=np.int64)

    def radius2(self, photo: int, pixels: Array) -> Array:
        """Return the squared distance (N,) of pixels from the middle of a photo; 1 in its corners."""
        width, height = self.cameras[photo].width, self.cameras[photo].height
        x, y = pixels[:, 0] - width / 2, pixels[:, 1] - height / 2
        return np.asarray((x * x + y * y) * (4.0 / (width**2 + height**2)))

    def see(self, photo: int, points: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Project points (N, 3) in site: pixels (N, 2), and which of them (N,) lie in the photo.

        Points outside of the picture's field of view, where distortion may fold rays back into it, are not projected.
        """
        camera = self.cameras[photo]
        x, y, z = self._rotations[photo] @ (points - self.centres[photo]).T
        inside = (z > NEAREST_M) & (x * x + y * y < self._tangents[photo] ** 2 * z * z)
        pixels = np.zeros((len(points), 2))
        rows = np.flatnonzero(inside)
        pixels[rows] = camera.img_from_cam(np.column_stack([x[rows], y[rows], z[rows]]))
        u, v = pixels.T
        inside &= (u > BORDER_PX) & (u < camera.width - BORDER_PX) & (v > BORDER_PX) & (v < camera.height - BORDER_PX)
        return pixels, inside

    def light(self, photo: int, pixels: Array, footprint_px: float) -> FloatArray:
        """Return linear RGB (N, 3), 1 being white, at pixels (N, 2), averaged over about ``footprint_px``."""
        level = int(np.clip(np.log2(max(footprint_px, 1.0)), 0, LEVELS - 1))
        page = self._pyramid(photo)[level]
        scale = np.array([page.shape[1], page.shape[0]]) / (self.cameras[photo].width, self.cameras[photo].height)
        return bilinear(page, (pixels * scale - 0.5).astype(np.float32)) / np.float32(WHITE)

    def _pyramid(self, photo: int) -> list[NDArray[np.uint16]]:
        if photo in self._pyramids:
            self._pyramids.move_to_end(photo)
            return self._pyramids[photo]
        while len(self._pyramids) >= self._in_memory:
            self._pyramids.popitem(last=False)
        found, camera = self.photos[photo], self.cameras[photo]
        picture = read_image(found.path, name=found.name)
        check_size(found.camera, picture.size, where=found.name)
        pixels = picture.pixels
        if picture.size != (camera.width, camera.height):
            pixels = cv2.resize(pixels, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
        page = np.rint(linear_from_bytes(pixels) * WHITE).astype(np.uint16)
        pages = [page]
        for _ in range(LEVELS - 1):
            page = cv2.resize(page, (-(-page.shape[1] // 2), -(-page.shape[0] // 2)), interpolation=cv2.INTER_AREA)
            pages.append(page)
        self._pyramids[photo] = pages
        return pages


def _largest_tangent(camera: pycolmap.Camera) -> float:
    """Return the tangent of the angle between the optical axis and the farthest ray in the picture, a little wider."""
    u, v = np.linspace(0, camera.width, 17), np.linspace(0, camera.height, 17)
    border = np.concatenate([[(a, b) for a in u for b in v[[0, -1]]], [(a, b) for a in u[[0, -1]] for b in v]])
    rays = unproject(camera, border)
    forward = rays[np.isfinite(rays).all(axis=1) & (rays[:, 2] > 0.05)]
    return 1.01 * float((np.hypot(forward[:, 0], forward[:, 1]) / forward[:, 2]).max(initial=0.0))


def _reduced(photo: MapPhoto, max_side: int) -> pycolmap.Camera:
    camera = photo.camera
    share = max_side / max(camera.width, camera.height)
    if share >= 1:
        return camera
    return scaled(camera, max(1, round(camera.width * share)), max(1, round(camera.height * share)))
