"""Patches of the site as a photo shows them."""

from dataclasses import dataclass

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import pixels_to_opencv, position_of, project, transform_points

Array = NDArray[np.float64]

LEAST_COSINE = 0.15
"""Between a patch's normal and the direction to the camera."""
LEAST_GREY = 4.0
"""Darker is counted as this, lest noise in the dark seem contrast."""

MOST_SKEW = 0.2
"""Of an affine map that a look is seen through beside its pose's."""
ECC_CRITERIA, ECC_SMOOTHING = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4), 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """Where a photo shows the cells (h, w) of a patch.

    pixels: (h, w, 2); area_px: of the whole patch; px_per_cell: (down, right)
    """

    pixels: Array
    area_px: float
    px_per_cell: tuple[float, float]


def inside(
    camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, cells: Array, normal: Array
) -> tuple[NDArray[np.bool_], Array]:
    """Tell which cells (h, w, 3) a photo shows from their front, and where: (h, w) and (h, w, 2) px."""
    height, width = cells.shape[:2]
    offset = position_of(cam_from_site) - cells[height // 2, width // 2]
    if offset @ normal < LEAST_COSINE * np.linalg.norm(offset):
        return np.zeros((height, width), dtype=np.bool_), np.zeros((height, width, 2))
    flat, valid = project(camera, transform_points(cam_from_site, cells.reshape(-1, 3)))
    with np.errstate(invalid="ignore"):
        there = valid & (flat >= 1).all(axis=1) & (flat <= np.array([camera.width, camera.height]) - 1).all(axis=1)
    return there.reshape(height, width), flat.reshape(height, width, 2)


def px_per_cell(there: NDArray[np.bool_], pixels: Array) -> tuple[float, float] | None:
    """Return the pixels from a cell to the next (down, right) in the middle of those that are there, None for none.

    there: (h, w) and pixels: (h, w, 2), as of ``inside``
    """
    down = np.linalg.norm(np.diff(pixels, axis=0), axis=2)[there[1:] & there[:-1]]
    right = np.linalg.norm(np.diff(pixels, axis=1), axis=2)[there[:, 1:] & there[:, :-1]]
    return (float(np.median(down)), float(np.median(right))) if len(down) and len(right) else None


def shown(camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, cells: Array, normal: Array) -> Shown | None:
    """Return where a photo shows cells (h, w, 3), None where it shows them not from their front, or not all."""
    height, width = cells.shape[:2]
    there, pixels = inside(camera, cam_from_site, cells, normal)
    if not there.all():
        return None
    corners = pixels[[0, 0, -1, -1], [0, -1, -1, 0]].astype(np.float32)
    tall = np.linalg.norm(pixels[-1, width // 2] - pixels[0, width // 2]) / max(height - 1, 1)
    wide = np.linalg.norm(pixels[height // 2, -1] - pixels[height // 2, 0]) / max(width - 1, 1)
    return Shown(pixels=pixels, area_px=float(cv2.contourArea(corners)), px_per_cell=(float(tall), float(wide)))


def log_grey(gray: NDArray[np.uint8] | NDArray[np.float32], pixels: Array) -> NDArray[np.float32]:
    """Return the natural logarithm (h, w) of what a grey picture shows at pixels (h, w, 2), interpolated."""
    at = pixels_to_opencv(pixels).astype(np.float32)
    found = cv2.remap(
        gray.astype(np.float32), at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(np.log(np.maximum(found, LEAST_GREY)), dtype=np.float32)


def affine_over(
    look: NDArray[np.float32], patch: NDArray[np.float32], start: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the affine map (2, 3) from cells of a look (h, w) to those of a patch (H, W) that fits best near ``start``
    (enhanced correlation coefficient, Evangelidis and Psarakis 2008).

    ``start`` is returned where none is found, where it skews by more than ``MOST_SKEW``, or leaves the patch.
    """
    height, width = look.shape
    try:
        _, found = cv2.findTransformECC(look, patch, start.copy(), cv2.MOTION_AFFINE, ECC_CRITERIA, None, ECC_SMOOTHING)
    except cv2.error as error:
        if error.code != cv2.Error.StsNoConv:
            raise
        return start
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [width - 1, height - 1, 1]]) @ found.T
    leaves = (corners < 0).any() or (corners > np.array(patch.shape[::-1]) - 1).any()
    return start if leaves or np.abs(found - start)[:, :2].max() > MOST_SKEW else np.asarray(found, dtype=np.float32)


def best_shift(look: NDArray[np.float32], patch: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
    """Return where a look (h, w) fits best in a patch (H, W): the correlation, and the map (2, 3) from its cells."""
    _, score, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(patch, look, cv2.TM_CCOEFF_NORMED))
    return float(score), np.array([[1.0, 0.0, x], [0.0, 1.0, y]], dtype=np.float32)


def seen_through(warp: NDArray[np.float32], patch: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return what a patch (H, W) shows at the cells of a look, ``shape`` (h, w), that a map (2, 3) puts there."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(patch, warp, shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE))


def without_slope(looks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (K, h * w) of patches (K, h, w) without their mean and slope, which are the light's."""
    count, height, width = looks.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    basis, _ = np.linalg.qr(np.column_stack([np.ones(height * width), x.ravel(), y.ravel()]))
    flat = looks.reshape(count, -1).astype(np.float64)
    return np.asarray(flat - (flat @ basis) @ basis.T)
