"""Pictures of single stalls, upright and in one scale, with where in the stall's own frame each of their pixels looks.

A camera that turned towards the stall would take the same picture through a lens without distortion. What tells the
stall from its neighbours is not the picture but its geometry: each pixel's ray meets the stall's floor, and the plane
of a roof above it, at places that the network is given beside the colours.
"""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray

from geometry.cameras import project
from geometry.errors import InputError
from geometry.frames import position_of

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

WIDTH_PX, HEIGHT_PX = 128, 80
"""At 30 m a pixel of the crop is one of a picture 640 wide; a row of stalls is wider than it is high."""
CHANNELS = 7
"""Red, green, blue; across and along the stall on its floor; the same on the plane of roofs."""
ROOF_M, MIDDLE_M = 1.5, 0.75
REACH_M = 3.5
"""Half of the width that a crop shows, at the stall's distance: a stall and about half of each neighbour.

The height goes with it: a camera close over a stall doesn't see the ends of it."""
WIDEST = 1.2
"""Tangent of half the widest angle."""
FAR = 2.0
"""Places count in halves of the stall, from its middle, and end here."""
GREY = (114, 114, 114)
COARSEST = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class StallCrops:
    """How to cut S stalls out of one camera's pictures.

    maps: (S, H, W, 2) float32, the pixel of the picture for each of the crop, by OpenCV's convention
    places: (S, 4, H, W) float32, where each looks, in [-1, 1] from ``FAR`` before to ``FAR`` behind the middle
    coarse: (S,) how many times the picture is halved first, so that nothing is skipped
    """

    size: tuple[int, int]
    maps: NDArray[np.float32]
    places: NDArray[np.float32]
    coarse: NDArray[np.int64]

    @classmethod
    def of(cls, camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, corners: ArrayLike) -> Self:
        """Prepare for stalls with corners (S, 4, 3), site metres, in order around each.

        Raises ``InputError`` for corners of another shape.
        """
        corners = np.asarray(corners, dtype=np.float64)
        if corners.ndim != 3 or corners.shape[1:] != (4, 3):
            raise InputError(f"corners of stalls are (S, 4, 3), not {corners.shape}")
        eye = position_of(cam_from_site)
        rays = _rays(eye, corners.mean(axis=1) + np.array([0.0, 0.0, MIDDLE_M]))
        rotation = np.asarray(cam_from_site.rotation.matrix())
        pixels, known = project(camera, (rays @ rotation.T).reshape(-1, 3))
        pixels[~known] = -1e4
        maps = (pixels.reshape(*rays.shape[:3], 2) - 0.5).astype(np.float32)
        row, column = HEIGHT_PX // 2, WIDTH_PX // 2
        step = np.linalg.norm(maps[:, row, column + 1] - maps[:, row, column], axis=-1)
        coarse = np.clip(np.log2(np.maximum(step, 1.0)), 0, COARSEST).astype(np.int64)
        return cls(size=(camera.width, camera.height), maps=maps, places=_places(eye, rays, corners), coarse=coarse)

    def __len__(self) -> int:
        return len(self.maps)

    def cut(self, picture: Pixels) -> Pixels:
        """Return crops (S, ``HEIGHT_PX``, ``WIDTH_PX``, 3) of a picture uint8 (H, W, 3); grey where it shows nothing.

        Raises ``InputError`` for a picture of another size than the camera's.
        """
        if picture.shape != (self.size[1], self.size[0], 3):
            raise InputError(f"the picture has the shape {picture.shape}, the camera's size is {self.size}")
        crops = np.empty((len(self), HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
        for level in range(int(self.coarse.max(initial=0)) + 1):
            rows = np.flatnonzero(self.coarse == level)
            if len(rows):
                # All of a level in one strip; the middle of a halved pixel lies between two.
                maps = ((self.maps[rows] + 0.5) / 2**level - 0.5).reshape(-1, WIDTH_PX, 2)
                for first in range(0, len(maps), 100 * HEIGHT_PX):  # remap takes strips of up to 32767 rows
                    part = maps[first : first + 100 * HEIGHT_PX]
                    strip = cv2.remap(
                        picture, part, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=GREY
                    )
                    own = rows[first // HEIGHT_PX : (first + len(part)) // HEIGHT_PX]
                    crops[own] = strip.reshape(-1, HEIGHT_PX, WIDTH_PX, 3)
            picture = np.asarray(cv2.resize(picture, _halved(picture), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return crops


def network_input(crops: Pixels, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the network takes (S, 7, H, W) of crops (S, H, W, 3) uint8 and their places (S, 4, H, W)."""
    colours = crops.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    return np.concatenate([colours, places], axis=1)


MIRRORED = np.array([-1.0, 1.0, -1.0, 1.0], dtype=np.float32)[:, None, None]
"""Signs of places in a mirrored view: what lay along a stall still does, what lay to the left lies to the right."""


def mirrored(given: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the network takes (S, 7, H, W) as a mirror shows it: of the same stalls, as taken as they are."""
    flipped = given[..., ::-1].copy()
    flipped[:, -len(MIRRORED) :] *= MIRRORED
    return flipped


def _rays(eye: Array, targets: Array) -> Array:
    """Return the directions (S, H, W, 3), in site axes, of the pixels of upright views from an eye to targets."""
    ahead = targets - eye
    distance = np.linalg.norm(ahead, axis=1, keepdims=True)
    ahead = ahead / np.maximum(distance, 1e-6)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    length = np.linalg.norm(right, axis=1, keepdims=True)
    right = np.where(length > 1e-6, right / np.maximum(length, 1e-6), [1.0, 0.0, 0.0])  # straight down: any way is up
    down = np.cross(ahead, right)
    half = np.minimum(REACH_M / np.maximum(distance, 1e-6), WIDEST)
    x, y = np.meshgrid(*((np.arange(count) + 0.5 - count / 2) / (WIDTH_PX / 2) for count in (WIDTH_PX, HEIGHT_PX)))
    return np.asarray(
        ahead[:, None, None]
        + (half * right)[:, None, None] * x[None, ..., None]
        + (half * down)[:, None, None] * y[None, ..., None]
    )


def _places(eye: Array, rays: Array, corners: Array) -> NDArray[np.float32]:
    """Return where rays meet a stall's floor and the plane of roofs, in its own frame, clipped and scaled."""
    middle = corners.mean(axis=1)
    ways = np.stack(
        [(corners[:, 2:] - corners[:, :2][:, ::-1]).mean(axis=1), (corners[:, 1:3] - corners[:, [0, 3]]).mean(axis=1)]
    )
    longer = np.linalg.norm(ways[0], axis=1) >= np.linalg.norm(ways[1], axis=1)
    along = np.where(longer[:, None], ways[0], ways[1])
    across = np.where(longer[:, None], ways[1], ways[0])
    found = []
    for height in (0.0, ROOF_M):
        fall = (middle[:, 2] + height - eye[2])[:, None, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = fall / rays[..., 2]
        reach = np.where((reach > 0) & (reach < 1e3), reach, 1e3)  # a plane that a ray never meets is met far away
        offset = eye[:2] + reach[..., None] * rays[..., :2] - middle[:, None, None, :2]
        for way in (across, along):
            half = way[:, :2] / np.maximum((way[:, :2] ** 2).sum(axis=1, keepdims=True) / 2, 1e-9)
            found.append(np.clip(np.einsum("sijk,sk->sij", offset, half) / FAR, -1, 1))
    return np.stack(found, axis=1).astype(np.float32)


def _halved(picture: Pixels) -> tuple[int, int]:
    return max(picture.shape[1] // 2, 1), max(picture.shape[0] // 2, 1)
