"""Registering a floor plan to the site by control points: the same places, named, in both."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.errors import DegenerateError, InputError
from geometry.plan_fit import SCALE_MATTERS, SCALE_SURE, UNITS, PlanFit
from geometry.plan_search import rotation
from geometry.plan_transform import rigid_from_plane
from geometry.plan_units import METRES

Array = NDArray[np.float64]


def fit_plan_to_control(points_in_plan: ArrayLike, points_in_site: ArrayLike, sigma_m: ArrayLike) -> PlanFit:
    """Fit a plan by the same points (K, 3) in plan and site with standard deviations (K,) in metres, two or more.

    Least squares in closed form (Umeyama 1991, in the plane). Raises ``DegenerateError`` for points in one place, and
    ``InputError`` where distances differ: other units, a mirrored plan, or wrong names.
    """
    p, q = np.asarray(points_in_plan, dtype=np.float64), np.asarray(points_in_site, dtype=np.float64)
    sigma = np.broadcast_to(np.asarray(sigma_m, dtype=np.float64), len(p))
    if p.ndim != 2 or p.shape[1:] != (3,) or p.shape != q.shape or not np.isfinite([p, q]).all():
        raise InputError(f"expected finite control points (K, 3) in plan and site, got {p.shape} and {q.shape}")
    if not (np.isfinite(sigma).all() and (sigma > 0).all()):
        raise InputError("the sigmas of control points must be positive")
    if len(p) < 2 or min(np.ptp(points[:, :2], axis=0).max() for points in (p, q)) < 10 * sigma.max():
        raise DegenerateError(
            f"{len(p)} control points in one place leave the plan's heading open", remedy="Give two far apart."
        )
    weight = sigma**-2 / np.sum(sigma**-2)
    centre_p, centre_q = weight @ p, weight @ q
    flat_p, flat_q = (p - centre_p)[:, :2] @ (1, 1j), (q - centre_q)[:, :2] @ (1, 1j)
    product = np.sum(weight * flat_q * np.conj(flat_p))
    yaw, spread = float(np.angle(product)), float(np.sum(weight * np.abs(flat_p) ** 2))
    scale = float(np.abs(product)) / spread
    scale_sigma = float(np.sqrt(1.0 / np.sum(sigma**-2) / spread))
    _require_unit_scale(scale, scale_sigma)
    site_from_plan = rigid_from_plane(
        yaw, centre_q[:2] - rotation(yaw) @ centre_p[:2], float(centre_q[2] - centre_p[2])
    )
    residuals = site_from_plan * p - q
    lengths = np.linalg.norm(residuals, axis=1)
    wrong = np.flatnonzero(lengths > 5 * sigma + 1e-9)
    if len(wrong):
        raise InputError(
            f"control points {wrong.tolist()} are off by {lengths[wrong].round(2).tolist()} m",
            remedy="Check that the names belong together, that the plan isn't mirrored, and the sigmas.",
        )
    variance = 1.0 / np.sum(sigma**-2)
    return PlanFit(
        site_from_plan=site_from_plan,
        covariance=np.diag([variance / spread, variance, variance, variance]),
        centroid=centre_q,
        levels=(),
        height_residuals_m=np.zeros(0),
        residuals_m=residuals,
        inliers=np.ones(len(p), dtype=bool),
        explained=1.0,
        runner_up=0.0,
        scale=scale,
        scale_sigma=scale_sigma,
    )


def _require_unit_scale(scale: float, sigma: float) -> None:
    if abs(scale - 1.0) <= max(SCALE_SURE * sigma, SCALE_MATTERS):
        return
    unit = next((name for name in UNITS if abs(scale / METRES[name] - 1.0) < 0.05), None)
    what = (
        f"the plan seems to be in {unit}" if unit else f"distances on the map are {scale:.4f} times those of the plan"
    )
    remedy = f"Multiply its coordinates by {METRES[unit]}." if unit else "Check its units and the control points."
    raise InputError(what, where="plan", remedy=remedy)
