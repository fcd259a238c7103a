"""Boxes of a camera as planes through its centre that touch the object: what lifting and tracking measure.

Each side of a box spans a plane with the camera's centre, to which the object is tangent. With the plane's unit
normal n pointing out of the box, an object that stands at p and reaches h(n) along n has

    n . (p - c) + h(n) = 0,

linear in p and, for the point that touches, in the object's size. Near, wide and tall objects need no special case:
where the box's bottom touches follows from the solid instead of being the object's foot. A foot, where a detector gives
one, adds two planes that meet in its ray, with h = 0.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry.cameras import unproject
from geometry.frames import position_of
from geometry.records import FixedCamera

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SIDES = 4
"""Left, top, right, bottom, as in a bbox (x1, y1, x2, y2)."""
ROWS = 6
"""The sides and the two planes through the foot."""
BORDER_PX = 1.5
"""A side this near to the picture's border, and some standard deviations more, may have been cut off by it."""
RAYS = 16
BORDER_SIGMAS = 2.5
EDGE_OF_VIEW = 0.03
"""Rays of a fisheye lens nearly at right angles to its axis, in cosines: what is beyond isn't in the picture either."""
UNKNOWN_PX = 1000.0
"""Standard deviation of a row that says nothing."""
TOUCHING_SHARE = 0.3
"""How far from the middle of a side, as a share of it, the two points lie that span its plane."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraModel:
    """A calibrated camera, ready to look at boxes.

    centre: (3,) site metres; site_from_cam: (3, 3); level: the name of the level it hangs on
    """

    id: str
    lens: pycolmap.Camera
    centre: Array
    site_from_cam: Array
    cam_from_site: pycolmap.Rigid3d
    level: str = ""

    @classmethod
    def of(cls, camera: FixedCamera) -> Self:
        """Prepare a fixed camera."""
        return cls.at(camera.id, camera.camera(), camera.pose(), camera.level)

    @classmethod
    def at(cls, id: str, lens: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, level: str = "") -> Self:
        """Prepare a camera from pycolmap's types."""
        return cls(
            id=id,
            lens=lens,
            centre=position_of(cam_from_site),
            site_from_cam=np.asarray(cam_from_site.rotation.matrix()).T.copy(),
            cam_from_site=cam_from_site,
            level=level,
        )

    @property
    def size(self) -> Array:
        """Return (width, height) px."""
        return np.array([self.lens.width, self.lens.height], dtype=np.float64)

    def rays(self, pixels: Array) -> Array:
        """Return unit rays (N, 3) in site; NaN where the lens has none."""
        return np.asarray(unproject(self.lens, pixels) @ self.site_from_cam.T)


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxPlanes:
    """Planes of N boxes of one camera.

    normals: (N, ROWS, 3) unit, in site, out of the box
    rad_per_px: (N, ROWS) how far a plane turns when its side moves by a pixel
    sigma_px: (N, ROWS) standard deviations, ``UNKNOWN_PX`` for sides cut off by the border and for an absent foot
    room_px: (N, ROWS) from a side to the border of the picture; no object is seen beyond that
    middle: (N, 3) unit rays through the boxes' middles
    """

    centre: Array
    normals: Array
    rad_per_px: Array
    sigma_px: Array
    room_px: Array
    middle: Array

    def take(self, index: NDArray[np.int64] | Mask | slice) -> "BoxPlanes":
        """Return the planes of some boxes."""
        return BoxPlanes(
            centre=self.centre,
            normals=self.normals[index],
            rad_per_px=self.rad_per_px[index],
            sigma_px=self.sigma_px[index],
            room_px=self.room_px[index],
            middle=self.middle[index],
        )


def box_planes(camera: CameraModel, boxes: Array, feet: Array, sigma_px: Array) -> BoxPlanes:
    """Turn boxes (N, 4) and feet (N, 2) px, NaN for none, into planes; ``sigma_px`` (N, ROWS) are those of the rows.

    A box without rays, outside of what the lens sees, gets planes of which all rows are unknown.
    """
    n = len(boxes)
    x1, y1, x2, y2 = boxes.T
    middle = np.stack([(x1 + x2) / 2, (y1 + y2) / 2], axis=-1)
    half = np.stack([x2 - x1, y2 - y1], axis=-1) / 2
    horizontal, vertical = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    out = np.stack([-horizontal, -vertical, horizontal, vertical])
    along = np.stack([vertical, horizontal, vertical, horizontal])
    sides = middle[:, None] + half[:, None] * out
    spread = half[:, None] * along * (2 * TOUCHING_SHARE)
    known_foot = np.isfinite(feet).all(axis=1)
    foot = np.where(np.asarray(known_foot)[:, None], feet, middle)
    pixels = np.concatenate(
        [sides - spread, sides + spread, sides + out, foot[:, None] + np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])],
        axis=1,
    )
    rays = camera.rays(np.concatenate([pixels, middle[:, None]], axis=1).reshape(-1, 2)).reshape(n, RAYS, 3)
    middle_rays = rays[:, -1]
    first, second, moved, base = rays[:, :4], rays[:, 4:8], rays[:, 8:12], rays[:, 12:13]
    normals = np.concatenate([np.cross(first, second), np.cross(base, rays[:, [14, 13]])], axis=1)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    normals[:, :4] *= -np.sign(np.einsum("nmi,ni->nm", normals[:, :4], middle_rays))[..., None]
    outer = np.concatenate([moved, rays[:, 13:15]], axis=1)
    rad_per_px = np.abs(np.einsum("nmi,nmi->nm", normals, outer))
    sigma = np.array(sigma_px, dtype=np.float64)
    cut_off = _at_border(camera, boxes, sigma[:, :SIDES]) | (moved @ camera.site_from_cam[:, 2] < EDGE_OF_VIEW)
    sigma[:, :SIDES] = np.where(cut_off, UNKNOWN_PX, sigma[:, :SIDES])
    sigma[~known_foot, SIDES:] = UNKNOWN_PX
    usable = (
        np.isfinite(normals).all(axis=(1, 2)) & (rad_per_px > 1e-9).all(axis=1) & np.isfinite(rad_per_px).all(axis=1)
    )
    return BoxPlanes(
        centre=camera.centre,
        normals=np.where(usable[:, None, None], normals, np.array([0.0, 0.0, 1.0])),
        rad_per_px=np.where(usable[:, None], rad_per_px, 1.0),
        sigma_px=np.where(usable[:, None], sigma, UNKNOWN_PX),
        room_px=_room_px(camera, boxes),
        middle=np.where(usable[:, None], middle_rays, np.array([0.0, 0.0, 1.0])),
    )


def _room_px(camera: CameraModel, boxes: Array) -> Array:
    room = np.full((len(boxes), ROWS), np.inf)
    room[:, :2], room[:, 2:SIDES] = boxes[:, :2], camera.size - boxes[:, 2:]
    return np.maximum(room, 0.0)


def _at_border(camera: CameraModel, boxes: Array, sigma_px: Array) -> Mask:
    """Tell which sides (N, SIDES) may have been cut off by the picture's border, sides being as unsure as they are."""
    near = BORDER_PX + BORDER_SIGMAS * np.minimum(sigma_px, 0.1 * np.tile(boxes[:, 2:] - boxes[:, :2], 2))
    low, high = boxes <= near, boxes >= np.tile(camera.size, 2) - near
    return np.stack([low[:, 0], low[:, 1], high[:, 2], high[:, 3]], axis=-1)
