"""How well a map's shape is determined: the covariance of its camera poses, whatever then ties it to the site."""

import logging
from collections.abc import Iterable

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.linalg import block_diag

from geometry import MappingError, covariances_in_fitted_frame, tangent_from_pycolmap
from twin.mapping.capture import DEFAULT_PRIOR_SIGMA_DEG, Capture
from twin.mapping.reconstruction import adjustment_options, adjustment_problem, residual_sigma_px

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

CORRELATED = 2.5
"""Neighbouring keypoints err together. Where tags hold the map, true errors are those of independent keypoints with
this many times the sigma that residuals have: measured 2.5 (docs/decisions/0010)."""
ANCHORED_SIGMA_PX = (0.25, 1.0)


def pose_covariances(model: pycolmap.Reconstruction, capture: Capture) -> dict[str, Array]:
    """Return by image name the covariance (6, 6) of its pose in the frame that fits the whole map best.

    Where every image has a prior pose, an image is never less sure than that, and a map that only its priors hold
    together is as sure as they are. Raises ``MappingError`` where neither images nor priors determine the poses.
    """
    ids = sorted(model.reg_image_ids())
    names = [model.images[i].name for i in ids]
    priors = _prior_covariances(capture, [i - 1 for i in ids])
    found = _free_network(model, ids, capture.given_cameras)
    if found is None and priors is None:
        raise MappingError(
            "the covariance of the map's poses can't be computed",
            remedy="Some images or lenses are not determined by the photos; take more, or give cameras.csv.",
        )
    if found is None:
        logger.warning("the images do not hold together by themselves: their poses are as sure as their priors")
        found = priors
    elif priors is not None:
        found = np.linalg.inv(np.linalg.inv(found) + np.linalg.inv(priors))
    return dict(zip(names, np.asarray(found), strict=True))


def _free_network(model: pycolmap.Reconstruction, ids: list[int], given_cameras: frozenset[int]) -> Array | None:
    """Return the covariances (N, 6, 6) that the images alone give the poses, None where they do not determine them.

    From the whole bundle adjustment's normal equations with all points, and lenses where they were refined,
    marginalized (Triggs et al. 2000, section 6), for a keypoint sigma of 1 px. That is several times the residuals of
    a map with few images a point: neighbouring keypoints err together, which no residual shows. Three points fix the
    gauge, so that every pose stays free; they count as exact, which takes two of the map's many freedoms.
    """
    config = adjustment_problem(model, given_cameras)
    config.fix_gauge(pycolmap.BundleAdjustmentGauge.THREE_POINTS)
    found = _covariance(model, config)
    blocks = found and [[found.get_cam_cross_cov_from_world(i, j) for j in ids] for i in ids]
    if blocks is None or any(block is None for row in blocks for block in row):
        return None
    poses = [model.images[i].cam_from_world() for i in ids]
    to_ours = block_diag(*(tangent_from_pycolmap(pose) for pose in poses))
    joint = np.block(blocks)
    # Parts that share no point, as storeys without a ramp between them, leave the normal equations singular.
    if not np.isfinite(joint).all():
        return None
    return covariances_in_fitted_frame(to_ours @ joint @ to_ours.T, poses, _depths(model, ids))


def anchored_covariances(
    model: pycolmap.Reconstruction, given_cameras: frozenset[int], anchors: Iterable[int]
) -> dict[str, Array] | None:
    """Return by image name the covariance (6, 6) of its pose in site, where known 3D points ``anchors`` hold the map.

    None where these do not determine it. The keypoints' noise is taken ``CORRELATED`` times as large as residuals show.
    """
    found = _covariance(model, adjustment_problem(model, given_cameras, anchors))
    if found is None:
        return None
    sigma_px = float(np.clip(CORRELATED * residual_sigma_px(model), *ANCHORED_SIGMA_PX))
    covariances = {}
    for image in (model.images[i] for i in model.reg_image_ids()):
        covariance = found.get_cam_cov_from_world(image.image_id)
        if covariance is None or not np.isfinite(covariance).all():
            return None
        to_ours = tangent_from_pycolmap(image.cam_from_world())
        covariances[image.name] = sigma_px**2 * to_ours @ covariance @ to_ours.T
    return covariances


def _covariance(
    model: pycolmap.Reconstruction, config: pycolmap.BundleAdjustmentConfig
) -> pycolmap.BACovariance | None:
    """Return the covariance of all poses for a keypoint sigma of 1 px, None where they are not determined."""
    problem = pycolmap.create_default_ceres_bundle_adjuster(adjustment_options(model), config, model)
    options = pycolmap.BACovarianceOptions()
    options.params = pycolmap.BACovarianceOptionsParams.POSES
    return pycolmap.estimate_ba_covariance(options, model, problem)


def _depths(model: pycolmap.Reconstruction, ids: list[int]) -> Array:
    """Return the median depth (N,) of what each image sees."""
    depths = []
    for image in (model.images[i] for i in ids):
        seen = [model.points3D[point.point3D_id].xyz for point in image.get_observation_points2D()]
        depths.append(np.median((image.cam_from_world() * np.array(seen))[:, 2]))
    return np.array(depths)


def _prior_covariances(capture: Capture, rows: list[int]) -> Array | None:
    """Return the covariances (N, 6, 6) of the prior poses, None unless every image has one."""
    priors = capture.priors
    if priors is None or len(capture.prior_poses()) < len(capture.names):
        return None
    sigma_deg = priors.sigma_deg[rows]
    metres = np.maximum(capture.prior_sigmas()[rows], 1e-4)
    poses = capture.prior_poses()
    turns = np.array([poses[row].rotation.matrix() for row in rows])
    radians = np.radians(np.where(np.isnan(sigma_deg), DEFAULT_PRIOR_SIGMA_DEG, np.maximum(sigma_deg, 1e-3)))
    covariances = np.zeros((len(rows), 6, 6))
    covariances[:, [0, 1, 2], [0, 1, 2]] = radians[:, None] ** 2
    # A shift of the camera is one along its own axes, the sigmas are along those of the site.
    covariances[:, 3:, 3:] = (turns * metres[:, None] ** 2) @ turns.transpose(0, 2, 1)
    return covariances
