"""Drifting priors of a walk corrected before any photo is matched with another: it was level but on ramps, and passed
surveyed tags.

Late in a long walk a phone may be a storey off. Levels that look alike are then folded into one, unless the walk is put
right first: the tags are what is sure.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares

from geometry import (
    TagSpecs,
    correct_drift,
    is_drift,
    perturb,
    pose_difference,
    pose_from_position,
    position_of,
    project,
    tag_corners,
    transform_points,
    way_walked,
)
from geometry.drift_correction import GATE_SIGMAS
from geometry.level_walking import climbed_by_drift
from twin.mapping.capture import DEFAULT_PRIOR_SIGMA_DEG, Capture, walks
from twin.mapping.tag_sightings import CORNER_SIGMA_PX, TagSighting

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

MAX_FIX_SIGMA_M = 1.0
"""A tag that is seen from so far that it tells less is no fix."""
START_DEPTHS_M = (1.0, 3.0, 8.0)
RISEN_M = 20.0
"""Further than one tag is seen from."""
MAX_MEAN_SQUARE = 10.0
"""Of whitened residuals; more is not the tag that it claims to be."""


def correct_priors(capture: Capture, sightings: list[TagSighting], tags: TagSpecs | None) -> Capture:
    """Return the capture with the drift taken out of its priors that level floors and tags with a surveyed pose show.

    Sigmas are smaller where tags fixed it, and those of heights where the walk was level.

    Each sequence is a walk of its own, which began without drift. Priors whose sigmas don't grow stay as they are.
    """
    priors = capture.priors
    if priors is None:
        return capture
    fixes = {} if tags is None else dict(_fixes(capture, sightings, tags))
    positions, sigma_m, height_sigmas = priors.positions.copy(), priors.sigma_m.copy(), priors.sigma_m.copy()
    for rows in walks(priors):
        if not is_drift(sigma_m[rows]):
            continue
        fixed = [k for k, row in enumerate(rows) if row in fixes]
        errors = np.array([positions[rows[k]] - fixes[rows[k]][0] for k in fixed]).reshape(-1, 3)
        variances = np.array([fixes[rows[k]][1] for k in fixed])
        drift, own_sigma, agreed = _drift(positions[rows], sigma_m[rows], fixed, errors, variances)
        for k in np.flatnonzero(~agreed):
            logger.warning("%s: its tag contradicts the others along the walk", capture.names[rows[fixed[k]]])
        positions[rows] -= drift
        sigma_m[rows], height_sigmas[rows] = own_sigma.T
    corrected = replace(priors, positions=positions, sigma_m=sigma_m)
    return replace(capture, priors=corrected, height_sigmas=height_sigmas, sigmas_before=priors.sigma_m)


def _drift(
    path: Array, sigma_m: Array, fixed: list[int], errors: Array, variances: Array
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return the drift (N, 3) of a walk, the sigmas (N, 2) along and across the floor, and which fixes (F,) agreed.

    The walk was level but for ramps, unless fixes one after the other say otherwise over more than ``RISEN_M`` of the
    way: then it drifted in height as it did along the floor. A tag that was moved says so at one place.
    """
    climbed, height_sigma = climbed_by_drift(path, sigma_m)
    way = way_walked(path)
    along, variance, agreed = correct_drift(sigma_m, way, fixed, errors[:, :2], variances)
    off = errors[:, 2:] - climbed[fixed, None]
    rest, of_height, level = correct_drift(height_sigma, way, fixed, off, variances)
    left = (off - rest[fixed])[:, 0] / np.sqrt(variances + height_sigma[0] ** 2 + of_height[fixed])
    level &= np.abs(left) <= GATE_SIGMAS
    if _longest_way(path, np.array(fixed, dtype=np.int64), ~level) > RISEN_M:
        drift, variance, agreed = correct_drift(sigma_m, way, fixed, errors, variances)
        sigma = np.sqrt(sigma_m[0] ** 2 + variance)
        return drift, np.column_stack([sigma, sigma]), agreed
    sigmas = np.sqrt(np.column_stack([sigma_m[0] ** 2 + variance, height_sigma[0] ** 2 + of_height]))
    return np.column_stack([along, climbed + rest[:, 0]]), sigmas, agreed & level


def _longest_way(path: Array, fixed: NDArray[np.int64], wrong: NDArray[np.bool_]) -> float:
    """Return how far a walk (N, 3) goes at most from one wrong fix to another with no right one between, metres."""
    along = way_walked(path[:, :2])[fixed]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wrong, [False]]))).reshape(-1, 2)
    return max((float(along[stop - 1] - along[start]) for start, stop in edges.tolist()), default=0.0)


def _fixes(capture: Capture, sightings: list[TagSighting], tags: TagSpecs) -> Iterator[tuple[int, tuple[Array, float]]]:
    """Yield for each image that sees surveyed tags its row, and its position (3,) with variance a coordinate."""
    assert capture.priors is not None
    posed = np.asarray(np.isfinite(tags.positions).all(axis=1))
    corners = np.full((len(posed), 4, 3), np.nan)
    corners[posed] = tag_corners(tags.size_m[posed], tags.positions[posed], tags.quats_xyzw[posed])
    by_image: dict[int, list[TagSighting]] = {}
    for sighting in sightings:
        if posed[sighting.tag]:
            by_image.setdefault(sighting.image, []).append(sighting)
    for image, seen in sorted(by_image.items()):
        quat = capture.priors.quats_xyzw[image]
        if not np.isfinite(quat).all():
            continue
        sigma_deg = capture.priors.sigma_deg[image]
        sigma = np.radians(DEFAULT_PRIOR_SIGMA_DEG if np.isnan(sigma_deg) else max(float(sigma_deg), 0.1))
        fix = locate_by_corners(
            capture.camera(image),
            np.concatenate([s.corners for s in seen]),
            np.concatenate([corners[s.tag] for s in seen]),
            pose_from_position(capture.priors.positions[image], quat),
            sigma,
        )
        if fix is not None and fix[1] < MAX_FIX_SIGMA_M**2:
            yield image, fix


def locate_by_corners(
    camera: pycolmap.Camera, pixels: Array, points_in_site: Array, prior: pycolmap.Rigid3d, sigma_rad: float
) -> tuple[Array, float] | None:
    """Return a camera's position (3,) and its variance a coordinate from surveyed points, turned about as a prior says.

    pixels (N, 2) of points (N, 3) in site metres; of ``prior`` only the rotation counts, with ``sigma_rad`` an axis. It
    settles which way a small tag is tilted. None where no pose fits the pixels.
    """
    rays = np.column_stack([np.asarray(camera.cam_from_img(pixels.mean(axis=0)[None])), [1.0]])[0]
    middle = points_in_site.mean(axis=0)

    def residuals(xi: Array, start: pycolmap.Rigid3d) -> Array:
        pose = perturb(start, xi)
        shown, valid = project(camera, transform_points(pose, points_in_site))
        off = np.where(valid[:, None], (shown - pixels) / CORNER_SIGMA_PX, 1e3)
        turned = pose_difference(pose, prior)[:3] / sigma_rad
        return np.concatenate([off.ravel(), turned])

    def solve(start: pycolmap.Rigid3d) -> OptimizeResult:
        return least_squares(residuals, np.zeros(6), args=(start,), x_scale="jac", max_nfev=60)

    starts = [pycolmap.Rigid3d(prior.rotation, d * rays - prior.rotation.matrix() @ middle) for d in START_DEPTHS_M]
    found, start = min(((solve(start), start) for start in starts), key=lambda pair: float(pair[0].cost))
    # The covariance is that of a perturbation of the result, hence once more from there.
    pose = perturb(start, found.x)
    found = solve(pose)
    if 2 * found.cost > MAX_MEAN_SQUARE * len(found.fun):
        return None
    pose = perturb(pose, found.x)
    covariance = np.linalg.pinv(found.jac.T @ found.jac)
    return position_of(pose), float(np.linalg.eigvalsh(covariance[3:, 3:])[-1])
