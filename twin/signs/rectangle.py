"""A rectangle in the site from its corners in several photos: middle, direction, width and height, with covariance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from geometry.errors import DegenerateError, InputError
from geometry.robust import CAUCHY_WIDTH

Array = NDArray[np.float64]

LEVEL_SIGMA = 0.03
"""Radians by which the upper edge of a text isn't horizontal: true for walls, ceilings and floors alike."""
TURN_SIGMA = 1.0
"""Radians by which a text isn't turned to where it is read from; so weak that any real parallax decides."""
MAX_RELATIVE_SIGMA = 0.2
_UNIT_CORNERS = np.array([[-0.5, 0.5], [0.5, 0.5], [0.5, -0.5], [-0.5, -0.5]])


@dataclass(frozen=True, kw_only=True, eq=False)
class Rectangle:
    """A rectangle in site.

    centre: (3,) metres; axes: (3, 3), columns to the right and up as it is read, and the normal towards the reader
    width, height: metres
    covariance: (8, 8) over centre, a rotation vector in its own axes, log width and log height
    rms: of the residuals, in the sigmas that corners were given
    """

    centre: Array
    axes: Array
    width: float
    height: float
    covariance: Array
    rms: float

    @property
    def normal(self) -> Array:
        """The unit vector (3,) out of its face."""
        return self.axes[:, 2]

    @property
    def normal_sigma(self) -> float:
        """Radians, of the turn about its upright axis, which is the less certain of the two."""
        return float(np.sqrt(self.covariance[4, 4]))

    def corners(self) -> Array:
        """Return top-left, top-right, bottom-right, bottom-left (4, 3) in site."""
        return _corners(self.centre, self.axes, self.width, self.height)


def fit_rectangle(corners: ArrayLike, cams_from_site: ArrayLike, sigmas: ArrayLike, start: ArrayLike) -> Rectangle:
    """Fit a rectangle to its corners in V photos, with Cauchy's loss per coordinate.

    corners: (V, 4, 2) as x/z and y/z in each camera's frame, undistorted, top-left first and clockwise as read
    cams_from_site: (V, 3, 4), taken as exact; sigmas: (V,) of a corner's coordinate, in the same unit
    start: (3,) a middle in site
    Its upper edge is expected to be level. The covariance grows with residuals larger than the sigmas. Raises
    ``DegenerateError`` where the middle stays undetermined, and ``InputError`` for shapes that don't fit.
    """
    seen, poses = np.asarray(corners, dtype=np.float64), np.asarray(cams_from_site, dtype=np.float64)
    noise, middle = np.asarray(sigmas, dtype=np.float64), np.asarray(start, dtype=np.float64)
    views = len(seen)
    if seen.shape != (views, 4, 2) or poses.shape != (views, 3, 4) or noise.shape != (views,) or middle.shape != (3,):
        raise InputError(f"expected (V, 4, 2) corners, (V, 3, 4) poses, (V,) sigmas: {seen.shape}, {poses.shape}")
    if views < 2 or not (np.isfinite(seen).all() and np.isfinite(middle).all() and (noise > 0).all()):
        raise InputError(f"a rectangle needs finite corners of two views or more, got {views}")
    eyes = -np.einsum("vji,vj->vi", poses[:, :, :3], poses[:, :, 3])
    axes = _facing(eyes.mean(axis=0) - middle)
    distance = np.linalg.norm(eyes - middle, axis=1)
    sides = np.linalg.norm(seen[:, [1, 3]] - seen[:, [0, 0]], axis=2) * distance[:, None]
    size = np.log(np.median(sides, axis=0))

    def residuals(x: Array) -> Array:
        turned = axes @ Rotation.from_rotvec(x[3:6]).as_matrix()
        in_cam = _corners(x[:3], turned, *np.exp(x[6:])) @ np.swapaxes(poses[:, :, :3], 1, 2) + poses[:, None, :, 3]
        depth = np.maximum(in_cam[..., 2:], 1e-3)
        missed = (in_cam[..., :2] / depth - seen) / noise[:, None, None]
        priors = [turned[2, 0] / LEVEL_SIGMA, *(x[3:5] / TURN_SIGMA)]
        return np.concatenate([missed.ravel(), priors])

    solved = least_squares(residuals, np.concatenate([middle, np.zeros(3), size]), loss="cauchy", f_scale=CAUCHY_WIDTH)
    missed = residuals(solved.x)[:-3]
    rms = float(np.sqrt((missed**2 / (1 + (missed / CAUCHY_WIDTH) ** 2)).mean()))
    covariance = _covariance(solved.jac) * max(1.0, rms) ** 2
    if np.linalg.eigvalsh(covariance[:3, :3])[-1] > (MAX_RELATIVE_SIGMA * distance.min()) ** 2:
        raise DegenerateError("the views are so near each other that the place of the text is undetermined")
    width, height = np.exp(solved.x[6:]).tolist()
    turned = axes @ Rotation.from_rotvec(solved.x[3:6]).as_matrix()
    return Rectangle(centre=solved.x[:3], axes=turned, width=width, height=height, covariance=covariance, rms=rms)


def _covariance(jacobian: Array) -> Array:
    """Invert J^T J; the weights of the loss are in the Jacobian that scipy returns."""
    information, axes = np.linalg.eigh(jacobian.T @ jacobian)
    return (axes / np.maximum(information, 1e-12)) @ axes.T


def _facing(towards: Array) -> Array:
    """Return axes (3, 3) of an upright rectangle that faces a direction: right, up, normal."""
    normal = np.array([towards[0], towards[1], 0.0])
    length = float(np.linalg.norm(normal))
    normal = normal / length if length > 1e-6 else np.array([1.0, 0.0, 0.0])
    up = np.array([0.0, 0.0, 1.0])
    return np.column_stack([np.cross(up, normal), up, normal])


def _corners(centre: Array, axes: Array, width: float, height: float) -> Array:
    return np.asarray(centre + (_UNIT_CORNERS * [width, height]) @ axes[:, :2].T)
