"""How well a map's shape is determined: the covariance of its camera poses, whatever then ties it to the site."""

from collections.abc import Iterable

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.linalg import block_diag

from geometry import MappingError, covariance_in_fitted_frame, tangent_from_pycolmap
from twin.mapping.reconstruction import adjustment_options, adjustment_problem

Array = NDArray[np.float64]


def pose_covariances(model: pycolmap.Reconstruction, given_cameras: Iterable[int]) -> dict[str, Array]:
    """Return by image name the covariance (6, 6) of its pose in the frame that fits all camera centres best.

    From the whole bundle adjustment's normal equations with all points, and lenses where they were refined,
    marginalized (Triggs et al. 2000, section 6), for a keypoint sigma of 1 px. That is several times the residuals of
    a map with few images a point: neighbouring keypoints err together, which no residual shows. Raises
    ``MappingError`` where the equations can't be solved.
    """
    ids = sorted(model.reg_image_ids())
    poses = [model.images[i].cam_from_world() for i in ids]
    config = adjustment_problem(model, given_cameras)
    config.fix_gauge(pycolmap.BundleAdjustmentGauge.THREE_POINTS)  # so that every pose stays free
    problem = pycolmap.create_default_ceres_bundle_adjuster(adjustment_options(model), config, model)
    options = pycolmap.BACovarianceOptions()
    options.params = pycolmap.BACovarianceOptionsParams.POSES
    found = pycolmap.estimate_ba_covariance(options, model, problem)
    blocks = found and [[found.get_cam_cross_cov_from_world(i, j) for j in ids] for i in ids]
    if blocks is None or any(block is None for row in blocks for block in row):
        raise MappingError(
            "the covariance of the map's poses can't be computed",
            remedy="Some images or lenses are not determined by the photos; take more, or give cameras.csv.",
        )
    to_ours = block_diag(*(tangent_from_pycolmap(pose) for pose in poses))
    joint = to_ours @ np.block(blocks) @ to_ours.T
    fitted = covariance_in_fitted_frame(joint, poses).reshape(len(ids), 6, len(ids), 6)
    return {model.images[i].name: fitted[n, :, n] for n, i in enumerate(ids)}
