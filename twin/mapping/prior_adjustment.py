"""Bundle adjustment with priors of camera centres."""

from collections.abc import Sequence

import numpy as np
import pycolmap
from numpy.typing import NDArray

from twin.mapping.capture import Capture
from twin.mapping.reconstruction import adjustment_options, adjustment_problem, placed_images

Array = NDArray[np.float64]

MIN_PRIOR_SIGMA_M = 1e-4


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
