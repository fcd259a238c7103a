"""Whether an adjusted pose of a fixed camera may be claimed: how much agrees, where it lies, and what rivals it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geometry import largest_sigma, pose_error, position_covariance, position_of
from geometry.camera_fit import CameraFit
from twin.calibration import coarse
from twin.calibration.adjusting import Settled
from twin.calibration.answer import EvidenceCount
from twin.calibration.evidence import KINDS, SURFACE
from twin.calibration.options import CalibrationOptions

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

CELLS = (6, 8)
MIN_PATCHES, MIN_SURFACE_SHARE = 40, 0.25
"""Landmarks are found around any pose by chance; rendered patches are not: right poses find half of them and more."""
SAME_M_FREE = 6.0


def reason_to_refuse(
    best: Settled, rivals: Sequence[Settled], covariance: Array, cells: Indices, options: CalibrationOptions
) -> str | None:
    """Return why a pose is not claimed, None for one that is.

    rivals: those elsewhere, the best supported first; covariance: of the pose, (6, 6) or larger; cells: of ``cells_of``
    """
    agree = int(best.fit.inliers.sum())
    if best.method == coarse.CLICKED and agree >= 4:
        cells_needed = 2
    else:
        cells_needed = options.min_cells
        if agree < options.min_evidence:
            return f"only {agree} pieces of evidence agree with a pose"
    if (cells > 0).sum() < cells_needed:
        return f"the evidence lies in {int((cells > 0).sum())} of {cells.size} cells of the picture"
    shown = int(best.fit.inliers[best.seen.kind == SURFACE].sum())
    looked = best.looked_for.get(SURFACE, 0)
    if looked >= MIN_PATCHES and shown < MIN_SURFACE_SHARE * looked:
        return f"a look-alike: {shown} of {looked} patches of the twin's surface are where they belong"
    if rivals and rivals[0].support > options.max_rival * best.support:
        x, y, z = position_of(rivals[0].fit.cam_from_site)
        return f"ambiguous: it may as well hang at x {x:.1f} y {y:.1f} z {z:.1f} m"
    sigma_m = largest_sigma(position_covariance(best.fit.cam_from_site, covariance[:6, :6]))
    sigma_deg = float(np.degrees(largest_sigma(covariance[:3, :3])))
    if sigma_m > options.max_sigma_m or sigma_deg > options.max_sigma_deg:
        return f"weakly determined: sigma {sigma_m:.2f} m and {sigma_deg:.2f} deg"
    return None


def is_same_place(a: CameraFit, b: CameraFit, free: bool) -> bool:
    """Tell whether two poses are of one place; under an unknown lens distance trades against focal length."""
    metres, degrees = pose_error(a.cam_from_site, b.cam_from_site)
    return metres < (SAME_M_FREE if free else coarse.SAME_M) and degrees < coarse.SAME_DEG


def counts_of(settled: Settled) -> dict[str, EvidenceCount]:
    """Return how much evidence of each kind was looked for, found, and agrees."""
    fit, kinds = settled.fit, settled.seen.kind
    lengths = np.linalg.norm(np.nan_to_num(fit.residuals_px, nan=1e6), axis=1)
    result = {}
    for kind, tried in settled.looked_for.items():
        agree = fit.inliers & (kinds == kind)
        result[KINDS[kind]] = EvidenceCount(
            looked_for=tried,
            found=int((kinds == kind).sum()),
            agree=int(agree.sum()),
            residual_px=float(np.median(lengths[agree])) if agree.any() else None,
        )
    return result


def cells_of(settled: Settled, shape: tuple[int, ...]) -> Indices:
    """Return how much evidence agrees in each cell (6, 8) of the picture."""
    pixels = settled.seen.pixels[settled.fit.inliers]
    rows, columns = CELLS
    height, width = shape[:2]
    edges = [np.linspace(0, height, rows + 1), np.linspace(0, width, columns + 1)]
    return np.histogram2d(pixels[:, 1], pixels[:, 0], bins=edges)[0].astype(np.int64)
