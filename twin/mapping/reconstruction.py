"""From matches to a COLMAP reconstruction, with pycolmap: triangulate, adjust, or SfM from nothing."""

import itertools
import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import CAUCHY_WIDTH, MappingError
from perception import Features
from twin.mapping.capture import Capture
from twin.mapping.correspondence import PairMatches
from twin.progress import Progress

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

MAX_REPROJECTION_ERROR_PX = 4.0
MEDIAN_LENGTH = float(np.sqrt(2.0 * np.log(2.0)))
"""Of a 2D Gaussian with unit sigma."""
MIN_NOISE_PX, MAX_NOISE_PX = 0.1, 0.4
"""Bounds of the noise that the loss is made for; the upper one is a width of 1 px."""
NOISE_ROUNDS = 2
MIN_POINTS = 12
"""An image that sees fewer points of the map is not placed by them, wherever its prior says it is."""
MIN_MODEL_SIZE = 3
NOT_ENOUGH_MATCHES = "not enough matches with the rest"


def write_database(
    path: Path, capture: Capture, features: list[Features], matches: PairMatches, *, verified: bool
) -> None:
    """Write a COLMAP database with cameras, images, keypoints and matches; image ids are index + 1.

    Matches that are not yet ``verified`` are so by two-view geometry (RANSAC).
    """
    skeleton = empty_reconstruction(capture, features)
    with pycolmap.Database.open(path) as database, pycolmap.DatabaseTransaction(database):
        for camera_id, camera in skeleton.cameras.items():
            # Two views of lenses that are known tell more.
            camera.has_prior_focal_length |= camera_id in capture.given_cameras
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


def placed_images(reconstruction: pycolmap.Reconstruction) -> list[pycolmap.Image]:
    """Return the images that have a pose, by id."""
    return [reconstruction.images[i] for i in sorted(reconstruction.reg_image_ids())]


def adjust(reconstruction: pycolmap.Reconstruction, given_cameras: Iterable[int]) -> None:
    """Bundle-adjust with a robust loss as wide as the noise, in the reconstruction's own gauge."""
    for _ in range(NOISE_ROUNDS):
        config = adjustment_problem(reconstruction, given_cameras)
        config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
        options = adjustment_options(reconstruction)
        pycolmap.create_default_bundle_adjuster(options, config, reconstruction).solve()
        reconstruction.update_point_3d_errors()


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
