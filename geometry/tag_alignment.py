"""Tags of known size, and perhaps known pose, as a tie between the map and the site.

The frame of a tag: origin at its centre, x to the right and y up as it is read, z out of it towards the reader.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from geometry.alignment import Alignment, align_points
from geometry.errors import DegenerateError, InputError
from geometry.records import TagSpecs
from geometry.similarity import similarities

Array = NDArray[np.float64]

DEFAULT_TAG_SIGMA_M = 0.01
"""Standard deviation of a tag's corners along each axis where tags.csv gives none."""

MAX_SCALE_SIGMAS = 4.0
"""A tag whose scale is further from the median is left out."""

MIN_LOG_SCALE_SIGMA = 1e-9
"""Floor for corners that are claimed to be exact."""

CORNERS_IN_TAG = np.array([[-0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.5, -0.5, 0.0], [-0.5, -0.5, 0.0]])
"""Top left, top right, bottom right, bottom left, as OpenCV's detectors return them, for a tag of size 1."""


def tag_corners(size_m: ArrayLike, positions: ArrayLike, quats_xyzw: ArrayLike) -> Array:
    """Return the corners (T, 4, 3) in site metres of T tags: sizes (T,), centres (T, 3), ``site_from_tag`` (T, 4)."""
    site_from_tag = Rotation.from_quat(np.asarray(quats_xyzw, dtype=np.float64)).as_matrix()
    corners_in_tag = np.asarray(size_m, dtype=np.float64)[:, None, None] * CORNERS_IN_TAG
    return corners_in_tag @ np.swapaxes(site_from_tag, 1, 2) + np.asarray(positions, dtype=np.float64)[:, None]


def align_tags(
    corners_in_map: ArrayLike,
    tags: TagSpecs,
    *,
    rng: np.random.Generator,
    map_covariances: ArrayLike | None = None,
) -> Alignment:
    """Align a map by the corners (T, 4, 3) of ``tags``, row by row, triangulated in the map.

    ``map_covariances`` (T, 4, 3, 3) is their uncertainty. Tags without a pose are not used; residuals and inliers of
    the result are those of the corners of the others, four a tag. Raises as ``align_points``, and ``DegenerateError``
    where no tag has a pose: then only the scale is known, see ``scale_from_tags``.
    """
    corners = np.asarray(corners_in_map, dtype=np.float64)
    n = len(tags.ids)
    covariances = np.zeros((n, 4, 3, 3)) if map_covariances is None else np.asarray(map_covariances, dtype=np.float64)
    if corners.shape != (n, 4, 3) or covariances.shape != (n, 4, 3, 3):
        raise InputError(f"expected corners {(n, 4, 3)} and covariances {(n, 4, 3, 3)}, got {corners.shape}")
    posed = np.isfinite(tags.positions).all(axis=1)
    if not posed.any():
        what = "no tag has a known pose: only the scale is determined, not the position and the rotation"
        raise DegenerateError(what, remedy="Give tag poses, control points or position priors too.")
    corners_in_site = tag_corners(tags.size_m[posed], tags.positions[posed], tags.quats_xyzw[posed])
    sigma_m = np.where(np.isnan(tags.sigma_m), DEFAULT_TAG_SIGMA_M, tags.sigma_m)[posed]
    return align_points(
        corners[posed].reshape(-1, 3),
        corners_in_site.reshape(-1, 3),
        np.repeat(sigma_m, 4),
        rng=rng,
        map_covariances=covariances[posed].reshape(-1, 3, 3),
    )


def scale_from_tags(corners_in_map: ArrayLike, size_m: ArrayLike, map_covariances: ArrayLike) -> tuple[float, float]:
    """Return (metres a map unit, its standard deviation) from tag corners (T, 4, 3) and sizes (T,) in metres.

    ``map_covariances`` (T, 4, 3, 3) is the uncertainty of the corners in the map; the sizes count as exact. The
    scale of each tag comes from fitting its square, the mean over the tags is weighted, without those further than
    ``MAX_SCALE_SIGMAS`` from the median. Raises ``InputError`` for bad numbers or where no majority agrees, and
    ``DegenerateError`` without tags.
    """
    corners, sizes = np.asarray(corners_in_map, dtype=np.float64), np.asarray(size_m, dtype=np.float64)
    covariances = np.asarray(map_covariances, dtype=np.float64)
    n = len(sizes)
    if corners.shape != (n, 4, 3) or covariances.shape != (n, 4, 3, 3):
        raise InputError(f"expected corners {(n, 4, 3)} and covariances {(n, 4, 3, 3)}, got {corners.shape}")
    if not (np.isfinite(corners).all() and np.isfinite(covariances).all() and (sizes > 0).all()):
        raise InputError("corners and covariances must be finite and sizes positive")
    if n == 0:
        raise DegenerateError("without tags the scale is undetermined")
    log_scales, variances = _log_scales(corners, sizes, covariances)
    sigmas = np.abs(log_scales - np.median(log_scales)) / np.sqrt(variances)
    weights = np.where(sigmas < MAX_SCALE_SIGMAS, 1.0 / variances, 0.0)
    if 2 * np.count_nonzero(weights) <= n:
        remedy = "Check the sizes: they are the edges of the black squares."
        raise InputError(f"only {np.count_nonzero(weights)} of {n} tags agree on the scale", remedy=remedy)
    scale = float(np.exp(np.average(log_scales, weights=weights)))
    return scale, scale / float(np.sqrt(weights.sum()))


def _log_scales(corners: Array, sizes: Array, covariances: Array) -> tuple[Array, Array]:
    """Return log(metres a map unit) (T,) of each tag and its variance, to first order in the corners."""
    corners_in_tag = sizes[:, None, None] * CORNERS_IN_TAG
    units_a_metre, map_from_tag, _ = similarities(corners_in_tag, corners)
    if not np.isfinite(units_a_metre).all():
        raise DegenerateError("the corners of a tag coincide in the map")
    directions = corners_in_tag @ np.swapaxes(map_from_tag, 1, 2)
    spread = np.sum(corners_in_tag**2, axis=(1, 2))
    variances = np.einsum("tki,tkij,tkj->t", directions, covariances, directions) / spread**2
    return -np.log(units_a_metre), np.maximum(variances / units_a_metre**2, MIN_LOG_SCALE_SIGMA**2)
