"""New photos in a map that stays where it is: matched with what they may see, triangulated, and adjusted alone.

The poses and lenses of the photos that were there are held, so that the frame of the site can't drift, however often a
map is updated. What the new photos see is adjusted with all photos that see it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import position_of, tangent_from_pycolmap
from perception import Features
from twin.mapping.capture import Capture
from twin.mapping.correspondence import PairMatches, Recipe, match_pairs, verify_with_poses
from twin.mapping.pairing import MAX_RISE_M, MIN_OVERLAP, VIEW_NEIGHBOURS, view_overlap
from twin.mapping.reconstruction import MAX_REPROJECTION_ERROR_PX, adjustment_options, residual_sigma_px
from twin.mapping.shape import ANCHORED_SIGMA_PX, CORRELATED
from twin.mapping.workspace import Workspace
from twin.progress import Progress

Array = NDArray[np.float64]

MAX_EPIPOLAR_PX = 4.0
"""Of matches before the new photos' poses are adjusted."""
MIN_ANGLE_DEG = 1.0
ADJUSTMENTS = 2


@dataclass(frozen=True, kw_only=True)
class Material:
    """What photos are matched with: the usable photos of a folder, their features by name, and how to match them.

    upright: whether z is up, so that photos of other storeys are not worth matching
    """

    capture: Capture
    features: Mapping[str, Features]
    recipe: Recipe
    upright: bool
    workspace: Workspace
    on_progress: Progress


@dataclass(frozen=True, kw_only=True)
class Freedom:
    """What of a map may move: photos by name, lenses by camera id. All else is held."""

    photos: Collection[str]
    lenses: Collection[int] = ()


def grow(model: pycolmap.Reconstruction, new: Sequence[str], free: Freedom, material: Material) -> None:
    """Triangulate what ``new`` photos see, which have a pose in the model, and adjust what is free."""
    names = sorted(image.name for image in model.images.values() if image.has_pose)
    images = [model.find_image_with_name(name) for name in names]
    matches = _matches(images, np.isin(names, list(new)), material)
    _triangulate(model, images, matches, [image.image_id for image in images if image.name in new])
    for _ in range(ADJUSTMENTS):
        points = _points_of(model, new)
        if not points:
            return
        config = _problem(model, new, free, points)
        pycolmap.create_default_bundle_adjuster(adjustment_options(model), config, model).solve()
        pycolmap.ObservationManager(model).filter_points3D(MAX_REPROJECTION_ERROR_PX, MIN_ANGLE_DEG, points)
        model.update_point_3d_errors()


def covariances_of_new(model: pycolmap.Reconstruction, free: Freedom) -> dict[str, Array]:
    """Return the covariances (6, 6) of the free photos' poses where all others count as exact; what is unsure lacks.

    The keypoints' noise is taken ``CORRELATED`` times as large as residuals show, as for a map that tags hold.
    """
    points = _points_of(model, list(free.photos))
    if not points:
        return {}
    problem = pycolmap.create_default_ceres_bundle_adjuster(
        adjustment_options(model), _problem(model, sorted(free.photos), free, points), model
    )
    options = pycolmap.BACovarianceOptions()
    options.params = pycolmap.BACovarianceOptionsParams.POSES
    found = pycolmap.estimate_ba_covariance(options, model, problem)
    if found is None:
        return {}
    sigma_px = float(np.clip(CORRELATED * residual_sigma_px(model), *ANCHORED_SIGMA_PX))
    covariances = {}
    for image in map(model.find_image_with_name, free.photos):
        covariance = found.get_cam_cov_from_world(image.image_id)
        if covariance is not None:
            to_ours = tangent_from_pycolmap(image.cam_from_world())
            covariances[image.name] = sigma_px**2 * to_ours @ covariance @ to_ours.T
    return covariances


def _matches(images: Sequence[pycolmap.Image], is_new: NDArray[np.bool_], material: Material) -> PairMatches:
    """Return the matches, by pairs of ``images``, of each new photo with the photos that see most of the same."""
    capture = material.capture
    cameras, poses = [image.camera for image in images], [image.cam_from_world() for image in images]
    row_of = {name: row for row, name in enumerate(capture.names)}
    rows = [row_of[image.name] for image in images]
    overlap = view_overlap(cameras, poses)
    overlap = 0.5 * (overlap + overlap.T)
    if material.upright:
        heights = np.array([position_of(pose)[2] for pose in poses])
        overlap[np.abs(heights[:, None] - heights) > MAX_RISE_M] = 0.0
    np.fill_diagonal(overlap, 0.0)
    pairs = set()
    for a in np.flatnonzero(is_new).tolist():
        best = np.argsort(-overlap[a], kind="stable")[:VIEW_NEIGHBOURS]
        pairs |= {(min(a, b), max(a, b)) for b in best[overlap[a, best] >= MIN_OVERLAP].tolist()}
    # Names of images and of the capture are both sorted, so that a pair's order is the same in both.
    asked = [(rows[a], rows[b]) for a, b in sorted(pairs)]
    features = [material.features[name] for name in capture.names]
    matches = match_pairs(capture, features, asked, material.recipe, material.workspace, material.on_progress)
    here = {row: k for k, row in enumerate(rows)}
    return verify_with_poses(
        {(here[a], here[b]): found for (a, b), found in matches.items()},
        [material.features[image.name] for image in images],
        cameras,
        poses,
        MAX_EPIPOLAR_PX,
    )


def _triangulate(
    model: pycolmap.Reconstruction, images: Sequence[pycolmap.Image], matches: PairMatches, new: Sequence[int]
) -> None:
    """Continue the model's points into new images, by id, and make points of what none of them has."""
    graph = pycolmap.CorrespondenceGraph()
    for image in images:
        graph.add_image(image.image_id, image.num_points2D())
    for (a, b), indices in matches.items():
        pair = pycolmap.TwoViewGeometry()
        pair.config = int(pycolmap.TwoViewGeometryConfiguration.CALIBRATED)
        pair.inlier_matches = indices
        graph.add_two_view_geometry(images[a].image_id, images[b].image_id, pair)
    graph.finalize()
    options = pycolmap.IncrementalTriangulatorOptions()
    options.ignore_two_view_tracks = False
    options.random_seed = 0
    triangulator = pycolmap.IncrementalTriangulator(graph, model, pycolmap.ObservationManager(model, graph))
    for image_id in new:
        triangulator.triangulate_image(options, image_id)
    changed = set(triangulator.get_modified_points3D())
    triangulator.complete_tracks(options, changed)
    triangulator.merge_tracks(options, {point for point in changed if model.exists_point3D(point)})


def _points_of(model: pycolmap.Reconstruction, names: Sequence[str]) -> set[int]:
    """Return the ids of the 3D points that images see, by their names."""
    images = map(model.find_image_with_name, names)
    return {point.point3D_id for image in images for point in image.get_observation_points2D()}


def _problem(
    model: pycolmap.Reconstruction, new: Sequence[str], free: Freedom, points: Collection[int]
) -> pycolmap.BundleAdjustmentConfig:
    """Return what is adjusted: free photos among the new ones, free lenses, and points, with all that see these."""
    config = pycolmap.BundleAdjustmentConfig()
    for image in map(model.find_image_with_name, new):
        config.add_image(image.image_id)
        if image.name not in free.photos:
            config.set_constant_rig_from_world_pose(image.frame_id)
    for camera_id in model.cameras:
        if camera_id not in free.lenses:
            config.set_constant_cam_intrinsics(camera_id)
    for point in points:
        config.add_variable_point(point)
    return config
