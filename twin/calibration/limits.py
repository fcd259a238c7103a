"""What limits a calibration, in words: where evidence is missing, what contributes most to the covariance."""

import numpy as np
from numpy.typing import NDArray

from geometry import largest_sigma, position_covariance
from geometry.camera_fit import CameraFit
from twin.calibration.answer import EvidenceCount

Array = NDArray[np.float64]

GOOD_SIGMA_M = 0.01
FEW_CELLS = 0.4
NOISY = 2.0


def limits_of(
    fit: CameraFit,
    covariance: Array,
    of_map: Array,
    cells: NDArray[np.int64],
    counts: dict[str, EvidenceCount],
) -> tuple[str, ...]:
    """Return remarks, the weightiest first; none where a camera is known to a centimetre.

    covariance, of_map: (6 + K, 6 + K), all of it and the map's part; cells: (R, C) how much evidence each has
    """
    pose = fit.cam_from_site
    total = largest_sigma(position_covariance(pose, covariance[:6, :6]))
    if total < GOOD_SIGMA_M:
        return ()
    remarks = []
    part = largest_sigma(position_covariance(pose, of_map[:6, :6]))
    if part > 0.7 * total:
        remarks.append(f"the map itself is only sure to {part * 100:.1f} cm around here: map it denser, or add tags")
    if (cells > 0).mean() < FEW_CELLS:
        remarks.append(f"evidence in {(cells > 0).mean():.0%} of the picture only: {_missing(cells)}")
    if fit.inflation > NOISY:
        remarks.append(
            f"residuals go together over parts of the picture (variances times {fit.inflation:.1f}): the lens model or "
            "the twin's surface is off there"
        )
    if "tags" not in counts or counts["tags"].agree == 0:
        remarks.append("no surveyed tag is in view")
    if len(covariance) > 6:
        remarks.append("the lens is unknown: focal length and distance trade against each other")
    return tuple(remarks)


def _missing(cells: NDArray[np.int64]) -> str:
    """Return which part of the picture lacks most."""
    rows, columns = cells.shape
    parts = {
        "the left": cells[:, : columns // 2],
        "the right": cells[:, columns // 2 :],
        "the top": cells[: rows // 2],
        "the bottom": cells[rows // 2 :],
    }
    worst = min(parts, key=lambda name: float((parts[name] > 0).mean()))
    return f"{worst} lacks most"
