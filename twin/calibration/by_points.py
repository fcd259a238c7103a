"""A camera's pose, and its lens, from clicked points of known place: no twin needed, and the residuals shown."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import DegenerateError, InputError
from geometry.camera_fit import CameraFit, Seen, fit_camera, seen_points
from twin.calibration import coarse
from twin.calibration.evidence import POINTS
from twin.calibration.lenses import freedom, lenses_to_try

Array = NDArray[np.float64]

MIN_POINTS_FREE = 7
CLICK_SIGMA_PX = 1.5
RANSAC_PX, RANSAC_FREE_PX = 12.0, 40.0


@dataclass(frozen=True, kw_only=True, eq=False)
class PointCalibration:
    """A camera fitted to points; ``residuals_px`` (N,) are lengths, in the order of the points, NaN behind."""

    fit: CameraFit
    residuals_px: Array


def clicked(pixels: Array, points_in_site: Array, *, sigma_px: float = CLICK_SIGMA_PX, sigma_m: float = 0.05) -> Seen:
    """Return clicked points as evidence: pixels (N, 2), positions (N, 3) metres."""
    return seen_points(pixels, points_in_site, sigma_px=sigma_px, sigma_m=sigma_m, kind=POINTS)


def calibrate_by_points(
    points: Seen,
    size: tuple[int, int],
    camera: pycolmap.Camera | None = None,
    *,
    lenses: Sequence[str] = ("radial",),
    min_points: int | None = None,
) -> PointCalibration:
    """Fit a camera to points, of which some may be wrong; without ``camera`` its lens is one of ``lenses``.

    Raises ``InputError`` for too few points, ``DegenerateError`` where no camera sees most of them so.
    """
    needed = min_points or (coarse.MIN_POINTS if camera is not None else MIN_POINTS_FREE)
    if len(points) < needed:
        remedy = "Click more, spread over the picture, or give the lens."
        raise InputError(f"{len(points)} points are too few: {needed} are needed", remedy=remedy)
    tried = [camera] if camera is not None else lenses_to_try(lenses, *size)
    limit = RANSAC_PX if camera is not None else RANSAC_FREE_PX
    fits = [_fit(start, points, camera is None) for start in coarse.by_clicks(points, tried, max_error_px=limit)]
    good = [fit for fit in fits if fit is not None]
    if not good:
        raise DegenerateError("no camera shows the points so", remedy="Check that names and clicks belong together.")
    best = min(good, key=_cost)
    return PointCalibration(fit=best, residuals_px=np.linalg.norm(best.residuals_px, axis=1))


def _fit(start: coarse.Coarse, points: Seen, free: bool) -> CameraFit | None:
    try:
        fit = fit_camera(start.cam_from_site, start.camera, points)
        if free:
            lens = freedom(start.camera, principal_point=False)
            fit = fit_camera(fit.cam_from_site, fit.camera, points, lens=lens)
            fit = fit_camera(fit.cam_from_site, fit.camera, points, lens=freedom(fit.camera))
    except (DegenerateError, np.linalg.LinAlgError):
        return None
    return fit


def _cost(fit: CameraFit) -> float:
    """Return a robust sum of residuals; a point behind the camera counts as far off."""
    squared = (np.nan_to_num(fit.residuals_px, nan=1e3) ** 2).sum(axis=1)
    return float(np.log1p(squared / CLICK_SIGMA_PX**2).sum())
