"""From matches to a COLMAP reconstruction, with pycolmap: triangulate, adjust with priors, or SfM from nothing."""

import itertools
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import CAUCHY_WIDTH, MappingError, pose_error, position_of
from perception import Features
from twin.mapping.capture import DEFAULT_PRIOR_SIGMA_DEG, Capture
from twin.mapping.correspondence import PairMatches
from twin.progress import Progress

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

MAX_REPROJECTION_ERROR_PX = 4.0
APPROXIMATE_ROUNDS_PX = (64.0, 16.0, 4.0, 4.0)
"""Largest reprojection error while poses go from approximate to adjusted."""
MEDIAN_LENGTH = float(np.sqrt(2.0 * np.log(2.0)))
"""Of a 2D Gaussian with unit sigma."""
MIN_NOISE_PX, MAX_NOISE_PX = 0.1, 0.4
"""Bounds of the noise that the loss is made for; the upper one is a width of 1 px."""
NOISE_ROUNDS = 2
MIN_PRIOR_SIGMA_M = 1e-4
MAX_PRIOR_SIGMAS = 6.0
MIN_STRAY_SIGMA_M, MIN_STRAY_SIGMA_DEG = 0.05, 1.0
"""Smaller sigmas of priors are no reason to leave an image out: lenses and clocks err too."""
MIN_POINTS = 12
"""An image that sees fewer points of the map is not placed by them, wherever its prior says it is."""
MIN_MODEL_SIZE = 3
CONTRADICTS_PRIOR = "its matches contradict its prior pose"
NOT_ENOUGH_MATCHES = "not enough matches with the rest"


def write_database(
    path: Path, capture: Capture, features: list[Features], matches: PairMatches, *, verified: bool
) -> None:
    """Write a COLMAP database with cameras, images, keypoints and matches; image ids are index + 1.

    Matches that are not yet ``verified`` are so by two-view geometry (RANSAC).
    """
    skeleton = empty_reconstruction(capture, features)
    with pycolmap.Database.open(path) as database, pycolmap.DatabaseTransaction(database):
        for camera in skeleton.cameras.values():
            database.write_camera(camera, True)
        for rig in skeleton.rigs.values():
            database.write_rig(rig, True)
        for frame in skeleton.frames.values():
            database.write_frame(frame, True)
        for image_id, image in sorted(skeleton.images.items()):
            database.write_image(image, True)
            database.write_keypoints(image_id, features[image_id - 1].keypoints)
        for (a, b), indices in matches.items():
            database.write_matches(a + 1, b + 1, indices)
            if verified:
                geometry = pycolmap.TwoViewGeometry()
                geometry.config = int(pycolmap.TwoViewGeometryConfiguration.CALIBRATED)
                geometry.inlier_matches = indices
                database.write_two_view_geometry(a + 1, b + 1, geometry)
    if not verified:
        options = pycolmap.TwoViewGeometryOptions()
        options.ransac.random_seed = 0
        pycolmap.geometric_verification(path, two_view_geometry_options=options)


def empty_reconstruction(
    capture: Capture, features: list[Features], poses: dict[int, pycolmap.Rigid3d] | None = None
) -> pycolmap.Reconstruction:
    """Return a reconstruction without points; images whose index is in ``poses`` are registered there."""
    reconstruction = pycolmap.Reconstruction()
    for camera_id in sorted(set(capture.camera_of)):
        reconstruction.add_camera_with_trivial_rig(capture.cameras[camera_id])
    for index, name in enumerate(capture.names):
        image = pycolmap.Image(
            name=name,
            image_id=index + 1,
            camera_id=capture.camera_of[index],
            keypoints=features[index].keypoints.astype(np.float64),
        )
        pose = (poses or {}).get(index)
        if pose is None:
            reconstruction.add_image_with_trivial_frame(image)
        else:
            reconstruction.add_image_with_trivial_frame(image, pose)
    return reconstruction


def triangulate(
    start: pycolmap.Reconstruction,
    database: Path,
    folder: Path,
    output: Path,
    max_error_px: float = MAX_REPROJECTION_ERROR_PX,
) -> pycolmap.Reconstruction:
    """Triangulate the matches of a database at the poses of ``start``, which stay as they are."""
    options = pycolmap.IncrementalPipelineOptions()
    options.extract_colors = False
    options.mapper.filter_max_reproj_error = max_error_px
    triangulation = options.triangulation
    triangulation.ignore_two_view_tracks = False
    triangulation.complete_max_reproj_error = triangulation.merge_max_reproj_error = max_error_px
    triangulation.random_seed = 0
    output.mkdir(exist_ok=True)
    return pycolmap.triangulate_points(start, database, folder, output, True, options)


def structure_from_motion(
    capture: Capture, database: Path, output: Path, on_progress: Progress
) -> pycolmap.Reconstruction:
    """Run COLMAP's incremental SfM and return the largest model, in its own frame.

    Raises ``MappingError`` where no model forms.
    """
    options = pycolmap.IncrementalPipelineOptions()
    options.extract_colors = False
    options.min_model_size = MIN_MODEL_SIZE
    options.random_seed = 0
    options.constant_cameras = set(capture.given_cameras)
    options.triangulation.ignore_two_view_tracks = False
    output.mkdir(exist_ok=True)
    placed = itertools.count(2)

    def placed_another() -> None:
        # A model may be given up and begun anew, so that the count can exceed the images; cancelling raises from here.
        on_progress("reconstruction", min(next(placed), len(capture.names)), len(capture.names))

    models = pycolmap.incremental_mapping(database, capture.folder, output, options, next_image_callback=placed_another)
    if not models:
        raise MappingError(
            "no two images share enough structure to start a map",
            where=str(capture.folder),
            remedy="Take more photos with about 70 % overlap, moving sideways rather than turning on the spot.",
        )
    best = max(models.values(), key=lambda model: model.num_reg_images())
    if len(models) > 1:
        sizes = sorted((m.num_reg_images() for m in models.values()), reverse=True)
        logger.warning("the photos fall into %d parts of %s images; only the largest is kept", len(models), sizes)
    adjust(best, capture.given_cameras)
    return best


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
    left_out: dict[str, str] = {}
    while misplaced := _misplaced(reconstruction, capture, priors):
        left_out |= {image.name: reason for image, reason in misplaced}
        if 2 * len(left_out) > len(capture.names):
            raise MappingError(
                f"{len(left_out)} of {len(capture.names)} images contradict their prior poses or the others",
                where=misplaced[0][0].name,
                remedy="Check that poses.csv belongs to these images and that its sigmas are not too small.",
            )
        for image, _ in misplaced:
            reconstruction.deregister_frame(image.frame_id)
        reconstruction = triangulate(reconstruction, database, capture.folder, output, APPROXIMATE_ROUNDS_PX[-1])
        adjust_with_priors(reconstruction, capture)
    return reconstruction, left_out


def _misplaced(
    reconstruction: pycolmap.Reconstruction, capture: Capture, priors: dict[int, pycolmap.Rigid3d]
) -> list[tuple[pycolmap.Image, str]]:
    """Return the placed images that can't stay, with the reason."""
    found = [(image, CONTRADICTS_PRIOR) for image in strays(reconstruction, capture, priors)]
    astray = {image.image_id for image, _ in found}
    for image in _placed(reconstruction):
        if image.num_points3D < MIN_POINTS and image.image_id not in astray:
            found.append((image, NOT_ENOUGH_MATCHES))
    return found


def strays(
    reconstruction: pycolmap.Reconstruction, capture: Capture, priors: dict[int, pycolmap.Rigid3d]
) -> list[pycolmap.Image]:
    """Return the images that are more than ``MAX_PRIOR_SIGMAS`` off their prior position or orientation."""
    assert capture.priors is not None
    sigmas = np.maximum(capture.prior_sigmas(), MIN_STRAY_SIGMA_M)
    found = []
    for image in _placed(reconstruction):
        row = image.image_id - 1
        off = (position_of(image.cam_from_world()) - capture.priors.positions[row]) / sigmas[row]
        _, degrees = pose_error(image.cam_from_world(), priors[row])
        sigma_deg = capture.priors.sigma_deg[row]
        sigma_deg = DEFAULT_PRIOR_SIGMA_DEG if np.isnan(sigma_deg) else max(sigma_deg, MIN_STRAY_SIGMA_DEG)
        if np.linalg.norm(off) > MAX_PRIOR_SIGMAS or degrees > MAX_PRIOR_SIGMAS * sigma_deg:
            found.append(image)
    return found


def _placed(reconstruction: pycolmap.Reconstruction) -> list[pycolmap.Image]:
    return [reconstruction.images[i] for i in sorted(reconstruction.reg_image_ids())]


def adjust(reconstruction: pycolmap.Reconstruction, given_cameras: Iterable[int]) -> None:
    """Bundle-adjust with a robust loss as wide as the noise, in the reconstruction's own gauge."""
    for _ in range(NOISE_ROUNDS):
        config = adjustment_problem(reconstruction, given_cameras)
        config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
        options = adjustment_options(reconstruction)
        pycolmap.create_default_bundle_adjuster(options, config, reconstruction).solve()
        reconstruction.update_point_3d_errors()


def adjust_with_priors(reconstruction: pycolmap.Reconstruction, capture: Capture) -> None:
    """Bundle-adjust with the capture's position priors, each weighted by its sigmas."""
    priors = capture.priors
    assert priors is not None
    images = _placed(reconstruction)
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


def adjustment_options(reconstruction: pycolmap.Reconstruction) -> pycolmap.BundleAdjustmentOptions:
    """Return options with Cauchy's loss, as wide as suits the noise of the residuals.

    A fixed width of 1 px would let matches that are wrong by a pixel bend a map whose others agree to a tenth.
    """
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    options.ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
    sigma = residual_sigma_px(reconstruction)
    options.ceres.loss_function_scale = CAUCHY_WIDTH * float(np.clip(sigma, MIN_NOISE_PX, MAX_NOISE_PX))
    return options


def residual_sigma_px(reconstruction: pycolmap.Reconstruction) -> float:
    """Return the robust sigma of residuals, pixels a coordinate, as the last adjustment left them."""
    # Mean error of a point over its observations.
    errors = np.array([point.error for point in reconstruction.points3D.values() if point.error >= 0.0])
    return float(np.median(errors) / MEDIAN_LENGTH) if len(errors) else MAX_NOISE_PX


def adjustment_problem(
    reconstruction: pycolmap.Reconstruction, given_cameras: Iterable[int], known_points: Iterable[int] = ()
) -> pycolmap.BundleAdjustmentConfig:
    """Return what is adjusted: all placed images, the lenses that were not given, and all points but the known ones."""
    config = pycolmap.BundleAdjustmentConfig()
    for image_id in reconstruction.reg_image_ids():
        config.add_image(image_id)
    for camera_id in given_cameras:
        if reconstruction.exists_camera(camera_id):
            config.set_constant_cam_intrinsics(camera_id)
    for point in filter(reconstruction.exists_point3D, known_points):
        _allow_one_view(reconstruction.points3D[point].track)
        config.add_constant_point(point)
    return config


def _allow_one_view(track: pycolmap.Track) -> None:
    """Name the only view of a known point twice, as pycolmap asks for two; its residual still counts once."""
    if track.length() == 1:
        only = track.elements[0]
        track.add_element(only.image_id, only.point2D_idx)
