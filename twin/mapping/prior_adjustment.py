"""A reconstruction from approximate full poses: adjusted at them, and at what is left of them once drift is known.

The positions of a walk drift together. An adjustment that takes them for independent is bent by their drift, by
decimetres and a percent of scale, where photos alone would not be. So it lets go of them once it stands: the map
shows the drift of each walk, and the last adjustments hold each photo only by its own noise.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import (
    DegenerateError,
    InputError,
    JointPoints,
    MappingError,
    align_points,
    correct_drift,
    is_adrift,
    pose_error,
    position_of,
    refine_alignment,
    walks_covariance,
    way_walked,
)
from perception import Features
from twin.mapping.capture import DEFAULT_PRIOR_SIGMA_DEG, DEFAULT_PRIOR_SIGMA_M, Capture, drifting_walks
from twin.mapping.reconstruction import (
    MIN_POINTS,
    NOT_ENOUGH_MATCHES,
    adjustment_options,
    adjustment_problem,
    empty_reconstruction,
    placed_images,
    triangulate,
)

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

APPROXIMATE_ROUNDS_PX = (64.0, 16.0, 4.0, 4.0)
"""Largest reprojection error while poses go from approximate to adjusted."""
LOOSE = 10.0
"""Sigmas of priors are so many times larger where the map shall show their drift."""
MIN_VIEWS, MIN_SURE_POINTS = 3, 20
"""Points that fewer images see hold none in place, and an image is not placed by fewer of the others."""
NORMAL_MEDIAN = 0.6745
"""Median of the absolute value of a normal variable."""
DISHONEST = 2.0
MAP_SIGMA_M = 0.05
"""By which neighbours of a walk may be off in such a map."""
MIN_PRIOR_SIGMA_M = 1e-4
MAX_PRIOR_SIGMAS = 5.0
MIN_STRAY_SIGMA_M, MIN_STRAY_SIGMA_DEG = 0.05, 1.0
"""Smaller sigmas of priors are no reason to leave an image out: lenses and clocks err too."""
CONTRADICTS_PRIOR = "its matches contradict its prior pose"


def adjust_at_priors(
    capture: Capture, features: list[Features], database: Path, output: Path
) -> tuple[pycolmap.Reconstruction, dict[str, str]]:
    """Start at approximate full poses: triangulate generously, adjust with the position priors, tighten, repeat.

    An image that matches pull far off its prior, as where the same wall stands elsewhere too, starts there again in the
    next round. Those that still go astray in the end, or hardly see the map, are left out, and the others adjusted
    without them. Returns the reasons by name too. Raises ``MappingError`` where most images contradict their priors.
    """
    priors = capture.prior_poses()
    reconstruction = empty_reconstruction(capture, features, priors)
    for max_error_px in APPROXIMATE_ROUNDS_PX:
        for image in strays(reconstruction, capture, priors):
            image.frame.rig_from_world = priors[image.image_id - 1]
        reconstruction = triangulate(reconstruction, database, capture.folder, output, max_error_px)
        adjust_with_priors(reconstruction, capture)
    free = _adrift(capture)
    if free:
        capture = let_go(reconstruction, capture)
        priors = capture.prior_poses()
        reconstruction = _tightened(reconstruction, capture, database, output, free)
    left_out: dict[str, str] = {}
    while misplaced := _misplaced(reconstruction, capture, priors, free):
        left_out |= {image.name: reason for image, reason in misplaced}
        if 2 * len(left_out) > len(capture.names):
            raise MappingError(
                f"{len(left_out)} of {len(capture.names)} images contradict their prior poses or the others",
                where=misplaced[0][0].name,
                remedy="Check that poses.csv belongs to these images and that its sigmas are not too small.",
            )
        for image, _ in misplaced:
            reconstruction.deregister_frame(image.frame_id)
        reconstruction = _tightened(reconstruction, capture, database, output, free)
    if free:
        reconstruction = triangulate(reconstruction, database, capture.folder, output, APPROXIMATE_ROUNDS_PX[-1])
    return reconstruction, left_out


def _adrift(capture: Capture) -> set[int]:
    """Return the ids of the images of walks that drift, and that no tags hold all along."""
    priors = capture.priors
    assert priors is not None
    walks = [walk for walk in drifting_walks(capture) if is_adrift(priors.sigma_m[walk])]
    return {int(row) + 1 for walk in walks for row in walk}


def _tightened(
    reconstruction: pycolmap.Reconstruction, capture: Capture, database: Path, output: Path, free: set[int]
) -> pycolmap.Reconstruction:
    """Return the reconstruction triangulated anew and adjusted; images that are ``free`` of their priors by what three
    see.

    Two images agree on almost any point along a line, so that matches with a look-alike hold an image anywhere.
    """
    reconstruction = triangulate(reconstruction, database, capture.folder, output, APPROXIMATE_ROUNDS_PX[-1])
    for row, point in list(reconstruction.points3D.items()):
        if point.track.length() < MIN_VIEWS and all(seen.image_id in free for seen in point.track.elements):
            reconstruction.delete_point3D(row)
    adjust_with_priors(reconstruction, capture)
    return reconstruction


def let_go(reconstruction: pycolmap.Reconstruction, capture: Capture) -> Capture:
    """Adjust with hardly any priors, move the reconstruction to where the walks as a whole have been, and return the
    capture with the drift that it shows taken out of their positions. All images are placed, and have prior poses.

    Sigmas are then those of each picture by itself: as large as the map shows, if a walk claims less.
    """
    priors = capture.priors
    assert priors is not None
    loose = replace(capture, priors=replace(priors, sigma_m=LOOSE * priors.sigma_m), height_sigmas=None)
    adjust_with_priors(reconstruction, loose)
    sigma = np.maximum(np.nan_to_num(priors.sigma_m, nan=DEFAULT_PRIOR_SIGMA_M), MIN_PRIOR_SIGMA_M)
    claimed = np.maximum(np.nan_to_num(capture.claimed_sigmas, nan=DEFAULT_PRIOR_SIGMA_M), MIN_PRIOR_SIGMA_M)
    walks = drifting_walks(capture)
    centres = np.array([image.projection_center() for image in placed_images(reconstruction)])
    try:
        reconstruction.transform(_align_to_walks(centres, priors.positions, claimed, walks))
    except (DegenerateError, InputError) as error:
        # The reconstruction began where the priors are, and stays there as a whole.
        logger.warning("the walks do not tell the map's scale by themselves: %s", error)
    centres = np.array([image.projection_center() for image in placed_images(reconstruction)])
    positions = priors.positions.copy()
    for walk in walks:
        off = positions[walk] - centres[walk]
        own = max(float(claimed[walk[0]]), _noise(off))
        if own > DISHONEST * claimed[walk[0]]:
            name, says = capture.names[walk[0]], claimed[walk[0]]
            logger.warning("positions of the walk of %s err by %.2f m each, and claim %.2f m", name, own, says)
        noisy = np.sqrt(claimed[walk] ** 2 - claimed[walk[0]] ** 2 + own**2)
        way, exact = way_walked(positions[walk]), np.full(len(walk), MAP_SIGMA_M**2)
        drift, variance, _ = correct_drift(noisy, way, np.arange(len(walk)), off, exact)
        positions[walk] -= drift
        sigma[walk] = np.hypot(own, np.sqrt(variance))
    return replace(capture, priors=replace(priors, positions=positions, sigma_m=sigma), height_sigmas=None)


def _noise(off: Array) -> float:
    """Return the robust sigma of each position by itself, a coordinate, of errors (N, 3) that drift along a walk."""
    return float(np.median(np.abs(np.diff(off, n=2, axis=0))) / NORMAL_MEDIAN / np.sqrt(6.0)) if len(off) > 2 else 0.0


def _align_to_walks(
    centres: Array, positions: Array, sigma: Array, walks: Sequence[NDArray[np.int64]]
) -> pycolmap.Sim3d:
    """Return the similarity that takes camera centres (N, 3) to where priors have been.

    By generalized least squares: drift is shared along each walk, so that the shape of a walk counts little, and its
    steps count for the scale.
    """
    joint = JointPoints(
        in_map=centres,
        in_site=positions,
        errors=walks_covariance(sigma, positions, walks),
        map_covariances=np.zeros((len(centres), 3, 3)),
    )
    start = align_points(joint.in_map, joint.in_site, sigma, rng=np.random.default_rng(0))
    return refine_alignment(start, joint)[0].site_from_map


def _misplaced(
    reconstruction: pycolmap.Reconstruction, capture: Capture, priors: dict[int, pycolmap.Rigid3d], free: set[int]
) -> list[tuple[pycolmap.Image, str]]:
    """Return the placed images that can't stay, with the reason; of images ``free`` of priors more points are asked."""
    found = [(image, CONTRADICTS_PRIOR) for image in strays(reconstruction, capture, priors)]
    astray = {image.image_id for image, _ in found}
    for image in placed_images(reconstruction):
        least = MIN_SURE_POINTS if image.image_id in free else MIN_POINTS
        if image.num_points3D < least and image.image_id not in astray:
            found.append((image, NOT_ENOUGH_MATCHES))
    return found


def strays(
    reconstruction: pycolmap.Reconstruction, capture: Capture, priors: dict[int, pycolmap.Rigid3d]
) -> list[pycolmap.Image]:
    """Return the images that are more than ``MAX_PRIOR_SIGMAS`` off their prior position or orientation."""
    assert capture.priors is not None
    sigmas = np.maximum(capture.prior_sigmas(), MIN_STRAY_SIGMA_M)
    found = []
    for image in placed_images(reconstruction):
        row = image.image_id - 1
        off = (position_of(image.cam_from_world()) - capture.priors.positions[row]) / sigmas[row]
        _, degrees = pose_error(image.cam_from_world(), priors[row])
        sigma_deg = capture.priors.sigma_deg[row]
        sigma_deg = DEFAULT_PRIOR_SIGMA_DEG if np.isnan(sigma_deg) else max(sigma_deg, MIN_STRAY_SIGMA_DEG)
        if np.linalg.norm(off) > MAX_PRIOR_SIGMAS or degrees > MAX_PRIOR_SIGMAS * sigma_deg:
            found.append(image)
    return found


def adjust_with_priors(reconstruction: pycolmap.Reconstruction, capture: Capture) -> None:
    """Bundle-adjust with the capture's position priors, each weighted by its sigmas."""
    priors = capture.priors
    assert priors is not None
    images = placed_images(reconstruction)
    rows = np.array([image.image_id - 1 for image in images])
    known = np.flatnonzero(np.isfinite(priors.positions[rows]).all(axis=1))
    sigmas = np.maximum(capture.prior_sigmas()[rows[known]], MIN_PRIOR_SIGMA_M)
    prior_options = pycolmap.PosePriorBundleAdjustmentOptions()
    prior_options.ceres.prior_position_loss_function_type = pycolmap.LossFunctionType.CAUCHY
    pycolmap.create_pose_prior_bundle_adjuster(
        adjustment_options(reconstruction),
        prior_options,
        adjustment_problem(reconstruction, capture.given_cameras),
        centre_priors([images[k] for k in known], priors.positions[rows[known]], sigmas),
        reconstruction,
    ).solve()
    reconstruction.update_point_3d_errors()


def centre_priors(images: Sequence[pycolmap.Image], positions: Array, sigmas: Array) -> list[pycolmap.PosePrior]:
    """Return priors of the camera centres of N images: positions (N, 3), sigmas (N, 3) along x, y and z."""
    return [
        pycolmap.PosePrior(
            pose_prior_id=image.image_id,
            corr_data_id=image.data_id,
            position=position,
            position_covariance=np.diag(s**2),
            coordinate_system=pycolmap.PosePriorCoordinateSystem.CARTESIAN,
        )
        for image, position, s in zip(images, positions, sigmas, strict=True)
    ]
