"""A reconstruction from approximate full poses: adjusted at them, and at what is left of them once drift is known."""

from pathlib import Path

import numpy as np
import pycolmap

from geometry import MappingError, is_adrift, pose_error, position_of
from perception import Features
from twin.mapping.capture import DEFAULT_PRIOR_SIGMA_DEG, Capture, drifting_walks
from twin.mapping.letting_go import let_go
from twin.mapping.prior_adjustment import adjust_with_priors
from twin.mapping.reconstruction import (
    MIN_POINTS,
    NOT_ENOUGH_MATCHES,
    empty_reconstruction,
    placed_images,
    triangulate,
)

APPROXIMATE_ROUNDS_PX = (64.0, 16.0, 4.0, 4.0)
"""Largest reprojection error while poses go from approximate to adjusted."""
MIN_VIEWS, MIN_SURE_POINTS = 3, 20
"""Points that fewer images see hold none in place, and an image is not placed by fewer of the others."""
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
