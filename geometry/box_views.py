"""Boxes of a camera as planes through its centre that touch the object: what lifting and tracking measure.

Each side of a box spans a plane with the camera's centre, to which the object is tangent. With the plane's unit
normal n pointing out of the box, an object that stands at p and reaches h(n) along n has

    n . (p - c) + h(n) = 0,

linear in p and, for the point that touches, in the object's size. Near, wide and tall objects need no special case:
where the box's bottom touches follows from the solid instead of being the object's foot. A foot, where a detector gives
one, adds two planes that meet in its ray, with h = 0.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry.cameras import unproject
from geometry.frames import position_of
from geometry.records import FixedCamera

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

SIDES = 4
"""Left, top, right, bottom, as in a bbox (x1, y1, x2, y2)."""
ROWS = 6
"""The sides and the two planes through the foot."""
BORDER_PX = 1.5
"""A side this near to the picture's border, and some standard deviations more, may have been cut off by it."""
BORDER_SIGMAS = 2.5
EDGE_OF_VIEW = 0.05
"""Rays of a fisheye lens nearly at right angles to its axis, in cosines: what is beyond isn't in the picture either."""
LOST_PX = 1.0
"""A ray that images further from its pixel than this is none: the lens has no ray there."""
UNKNOWN_PX = 1000.0
"""Standard deviation of a row that says nothing."""
TOUCHING_SHARE = 0.3
"""How far from the middle of a side, as a share of it, the two points lie that span its plane."""
WIDE_SAMPLES = 5
"""Points along a side, end to end, that must all be in a wide lens's view, else its edge may be what ends the box."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraModel:
    """A calibrated camera, ready to look at boxes.

    centre: (3,) site metres; site_from_cam: (3, 3); level: the name of the level it hangs on
    is_wide: whether the picture shows, in its corners, what the lens has no rays for
    """

    id: str
    lens: pycolmap.Camera
    centre: Array
    site_from_cam: Array
    cam_from_site: pycolmap.Rigid3d
    level: str = ""
    is_wide: bool = False

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
            is_wide=not _in_view(lens, _corners(lens))[1].all(),
        )

    @property
    def size(self) -> Array:
        """Return (width, height) px."""
        return np.array([self.lens.width, self.lens.height], dtype=np.float64)

    def rays(self, pixels: Array) -> Array:
        """Return unit rays (N, 3) in site; NaN where the lens has none, or nearly none."""
        if not self.is_wide:
            return np.asarray(unproject(self.lens, pixels) @ self.site_from_cam.T)
        rays, seen = _in_view(self.lens, pixels)
        return np.where(seen[:, None], rays @ self.site_from_cam.T, np.nan)


def _corners(lens: pycolmap.Camera) -> Array:
    return np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]) * [lens.width, lens.height]


def _in_view(lens: pycolmap.Camera, pixels: Array) -> tuple[Array, Mask]:
    """Return rays (N, 3) in the camera frame and which of them image where they come from, before the edge of view.

    COLMAP's fisheye models answer for a pixel beyond a right angle with a ray that images elsewhere.
    """
    rays = unproject(lens, pixels)
    back = np.asarray(lens.img_from_cam(rays))
    with np.errstate(invalid="ignore"):
        seen = (np.linalg.norm(back - pixels, axis=1) < LOST_PX) & (rays[:, 2] > EDGE_OF_VIEW)
    return rays, np.asarray(seen)


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


class _Layout(NamedTuple):
    """Where in a box the rays are: pixel = (middle or foot) + half size * unit + shift.

    unit, shift: (K, 2); at_foot: (K,) from the foot instead of the middle; side: (SIDES, S) the rays along each side
    first, second, beside: (ROWS,) the rays that span each plane, and one a pixel beside it; the last is the middle's
    """

    unit: Array
    shift: Array
    at_foot: Mask
    side: Indices
    first: Indices
    second: Indices
    beside: Indices


def _layout(samples: Array) -> _Layout:
    """Return the layout with points along each side at ``samples`` (S,), from end (-1) to end (1)."""
    out = np.array([[-1.0, 0.0], [0.0, -1.0], [1.0, 0.0], [0.0, 1.0]])
    along = np.abs(out[:, ::-1])
    points = (out[:, None] + along[:, None] * samples[:, None]).reshape(-1, 2)
    n, rest = len(points), np.zeros((4, 2))
    side = np.arange(n).reshape(SIDES, -1)
    inner, foot = n + np.arange(SIDES), n + SIDES + np.arange(3)
    return _Layout(
        unit=np.concatenate([points, out, rest]),
        shift=np.concatenate([0 * points, -out, [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]]),
        at_foot=np.isin(np.arange(n + SIDES + 4), foot),
        side=side,
        first=np.concatenate([side[:, 0], foot[[0, 0]]]),
        second=np.concatenate([side[:, -1], foot[[2, 1]]]),
        beside=np.concatenate([inner, foot[1:]]),
    )


USUAL, WIDE = _layout(2 * TOUCHING_SHARE * np.array([-1.0, 1.0])), _layout(np.linspace(-1, 1, WIDE_SAMPLES))


def box_planes(camera: CameraModel, boxes: Array, feet: Array, sigma_px: Array) -> BoxPlanes:
    """Turn boxes (N, 4) and feet (N, 2) px, NaN for none, into planes; ``sigma_px`` (N, ROWS) are those of the rows.

    A box without rays, outside of what the lens sees, gets planes of which all rows are unknown.
    """
    layout = WIDE if camera.is_wide else USUAL
    middle, half = 0.5 * (boxes[:, :2] + boxes[:, 2:]), 0.5 * (boxes[:, 2:] - boxes[:, :2])
    known_foot = np.asarray(np.isfinite(feet).all(axis=1))
    pixels = middle[:, None] + half[:, None] * layout.unit + layout.shift
    pixels[:, layout.at_foot] += (np.where(known_foot[:, None], feet, middle) - middle)[:, None]
    rays = camera.rays(pixels.reshape(-1, 2)).reshape(*pixels.shape[:2], 3)
    sides, centre = rays[:, layout.side], rays[:, -1]
    if camera.is_wide:
        centre = _middle(sides, centre)
    normals = _cross(rays[:, layout.first], rays[:, layout.second])
    normals /= np.maximum(np.sqrt(np.einsum("nmi,nmi->nm", normals, normals)), 1e-12)[..., None]
    normals[:, :SIDES] *= -np.sign(np.einsum("nmi,ni->nm", normals[:, :SIDES], centre))[..., None]
    rad_per_px = np.abs(np.einsum("nmi,nmi->nm", normals, rays[:, layout.beside]))
    sigma = np.array(sigma_px, dtype=np.float64)
    seen = np.isfinite(sides).all(axis=(2, 3))
    sigma[:, :SIDES][_at_border(camera, boxes, sigma[:, :SIDES]) | ~seen] = UNKNOWN_PX
    sigma[~known_foot, SIDES:] = UNKNOWN_PX
    whole = np.asarray(np.isfinite(centre).all(axis=-1))
    known = np.isfinite(normals).all(axis=-1) & (rad_per_px > 1e-9) & whole[:, None]
    if not known.all():
        normals = np.where(known[..., None], normals, np.array([0.0, 0.0, 1.0]))
        rad_per_px, sigma = np.where(known, rad_per_px, 1.0), np.where(known, sigma, UNKNOWN_PX)
        centre = np.where(whole[:, None], centre, np.array([0.0, 0.0, 1.0]))
    return BoxPlanes(
        centre=camera.centre,
        normals=normals,
        rad_per_px=rad_per_px,
        sigma_px=sigma,
        room_px=_room_px(camera, boxes),
        middle=centre,
    )


def _cross(a: Array, b: Array) -> Array:
    """Return cross products (..., 3); numpy's own takes several times as long for a few vectors."""
    ahead, back = [1, 2, 0], [2, 0, 1]
    return np.asarray(a[..., ahead] * b[..., back] - a[..., back] * b[..., ahead])


def _middle(sides: Array, centre: Array) -> Array:
    """Return the rays (N, 3) through the boxes' middles or, beyond the edge of view, the mean of sides' that are not.

    sides: (N, SIDES, S, 3), NaN beyond; centre: (N, 3). NaN where all of a box is.
    """
    lost = ~np.isfinite(centre[:, 0])
    if not lost.any():
        return centre
    middle = centre.copy()
    inside = np.nan_to_num(sides[lost], nan=0.0).sum(axis=(1, 2))
    norm = np.linalg.norm(inside, axis=1, keepdims=True)
    middle[lost] = np.where(norm > 0, inside / np.maximum(norm, 1e-12), np.nan)
    return middle


def _room_px(camera: CameraModel, boxes: Array) -> Array:
    room = np.full((len(boxes), ROWS), np.inf)
    room[:, :2], room[:, 2:SIDES] = boxes[:, :2], camera.size - boxes[:, 2:]
    return np.maximum(room, 0.0)


def _at_border(camera: CameraModel, boxes: Array, sigma_px: Array) -> Mask:
    """Tell which sides (N, SIDES) may have been cut off by the picture's border, sides being as unsure as they are."""
    near = BORDER_PX + BORDER_SIGMAS * np.minimum(sigma_px, 0.1 * np.tile(boxes[:, 2:] - boxes[:, :2], 2))
    low, high = boxes <= near, boxes >= np.tile(camera.size, 2) - near
    return np.stack([low[:, 0], low[:, 1], high[:, 2], high[:, 3]], axis=-1)
