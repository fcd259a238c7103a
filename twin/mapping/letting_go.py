"""A reconstruction that lets go of drifting priors, and shows their drift.

The positions of a walk drift together. An adjustment that takes them for independent is bent by their drift, by
decimetres and a percent of scale, where photos alone would not be. So it lets go of them once it stands: the map
shows the drift of each walk, and what is left of the priors is each photo's own noise.
"""

import logging
from dataclasses import replace

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from geometry import (
    Alignment,
    DegenerateError,
    InputError,
    JointPoints,
    align_points,
    correct_drift,
    refine_alignment,
    walks_covariance,
    way_walked,
)
from twin.mapping.capture import DEFAULT_PRIOR_SIGMA_M, Capture, drifting_walks
from twin.mapping.prior_adjustment import MIN_PRIOR_SIGMA_M, adjust_with_priors
from twin.mapping.reconstruction import placed_images

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

LOOSE = 10.0
"""Sigmas of priors are so many times larger where the map shall show their drift."""
NORMAL_MEDIAN = 0.6745
"""Median of the absolute value of a normal variable."""
DISHONEST = 2.0
JOINED = 20
"""Points that two images share, if one holds the other."""
MOST_SCALE_SIGMA = 0.01
"""A part of the map that shares too little with the others has a scale of its own, if its walk tells it so well."""
MAP_SIGMA_M = 0.05
"""By which neighbours of a walk may be off in such a map."""


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
    errors = walks_covariance(claimed, priors.positions, walks)
    whole = np.arange(len(claimed))
    for part in [whole, *(part for part in held_together(reconstruction) if len(part) < len(whole))]:
        centres = np.array([image.projection_center() for image in placed_images(reconstruction)])
        try:
            tie = _align_to_walks(centres[part], priors.positions[part], errors[np.ix_(part, part)])
        except (DegenerateError, InputError) as error:
            # The reconstruction began where the priors are, and stays there.
            if part is whole:
                logger.warning("the walks do not tell the map's scale by themselves: %s", error)
            continue
        if part is whole or tie.covariance[0, 0] < MOST_SCALE_SIGMA**2:
            _move(reconstruction, part, tie.site_from_map)
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


def _align_to_walks(centres: Array, positions: Array, errors: Array) -> Alignment:
    """Return the similarity that takes camera centres (N, 3) to where priors (N, 3) have been.

    By generalized least squares, with their errors' covariance (N, N) a coordinate: drift is shared along each walk, so
    that the shape of a walk counts little, and its steps count for the scale.
    """
    joint = JointPoints(
        in_map=centres, in_site=positions, errors=errors, map_covariances=np.zeros((len(centres), 3, 3))
    )
    start = align_points(centres, positions, np.sqrt(np.diag(errors)), rng=np.random.default_rng(0))
    return refine_alignment(start, joint)[0]


def held_together(reconstruction: pycolmap.Reconstruction) -> list[NDArray[np.int64]]:
    """Return the rows of images that points hold together: levels between which no photo was taken are apart."""
    count, label = connected_components(shared_points(reconstruction) >= JOINED, directed=False)
    return [np.flatnonzero(label == part) for part in range(count)]


def shared_points(reconstruction: pycolmap.Reconstruction) -> csr_array:
    """Return (N, N), how many points each two of the placed images see, by id; on the diagonal, how many one sees."""
    ids = np.array([image.image_id for image in placed_images(reconstruction)])
    seen = [
        (row, seen.image_id)
        for row, point in enumerate(reconstruction.points3D.values())
        for seen in point.track.elements
    ]
    point, image = np.array(seen, dtype=np.int64).reshape(-1, 2).T
    sees = csr_array(
        (np.ones(len(seen), np.int32), (np.searchsorted(ids, image), point)),
        shape=(len(ids), reconstruction.num_points3D()),
    )
    return csr_array(sees @ sees.T)


def _move(reconstruction: pycolmap.Reconstruction, rows: NDArray[np.int64], new_from_old: pycolmap.Sim3d) -> None:
    """Move some images, and the points that only these see."""
    images = placed_images(reconstruction)
    moved = {images[row].image_id for row in rows.tolist()}
    for image in (images[row] for row in rows.tolist()):
        image.frame.rig_from_world = new_from_old.transform_camera_world(image.cam_from_world())
    for point in reconstruction.points3D.values():
        if all(seen.image_id in moved for seen in point.track.elements):
            point.xyz = new_from_old * point.xyz
