"""Pairs of photos of a walk: their two-view geometry, and what is built of neighbours alone."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from perception import Features
from twin.mapping.by_order.legs import MAX_GAP
from twin.mapping.by_order.links import MIN_SAME_VIEW, Photos
from twin.mapping.capture import Capture
from twin.mapping.correspondence import PairMatches
from twin.mapping.pairing import Pair
from twin.mapping.reconstruction import write_database

Array = NDArray[np.float64]

MIN_NEXT = 15
"""Matches of a photo and the next one, and of others that count;"""
MIN_NEAR = 30
"""of neighbours beyond the next."""


def two_views(
    database: Path, capture: Capture, features: Sequence[Features], matches: PairMatches
) -> dict[Pair, pycolmap.TwoViewGeometry]:
    """Return the two-view geometry of each pair that has one with enough inliers, by rows."""
    write_database(database, capture, list(features), matches, verified=False)
    with pycolmap.Database.open(database) as opened:
        numbers, geometries = opened.read_two_view_geometries()
    pairs = [pycolmap.pair_id_to_image_pair(number) for number in numbers]
    return {
        (a - 1, b - 1): geometry
        for (a, b), geometry in zip(pairs, geometries, strict=True)
        if len(geometry.inlier_matches) >= MIN_NEXT
    }


def neighbours_alone(
    folder: Path, capture: Capture, views: Mapping[Pair, pycolmap.TwoViewGeometry]
) -> list[pycolmap.Reconstruction]:
    """Return what global SfM makes of photos and their neighbours, largest part first; a copy of alike.db is read."""
    database = folder / "neighbours.db"
    shutil.copyfile(folder / "alike.db", database)
    with pycolmap.Database.open(database) as opened, pycolmap.DatabaseTransaction(opened):
        opened.clear_matches()
        opened.clear_two_view_geometries()
        for (a, b), geometry in views.items():
            if b - a == 1 or (b - a <= MAX_GAP and len(geometry.inlier_matches) >= MIN_NEAR):
                opened.write_matches(a + 1, b + 1, geometry.inlier_matches)
                opened.write_two_view_geometry(a + 1, b + 1, geometry)
    options = pycolmap.GlobalPipelineOptions()
    options.random_seed = options.mapper.random_seed = 0
    mapper = options.mapper
    mapper.rotation_averaging.random_seed = mapper.global_positioning.random_seed = 0
    mapper.global_positioning.use_gpu = mapper.bundle_adjustment.ceres.use_gpu = False
    mapper.bundle_adjustment.refine_focal_length = not capture.given_cameras
    mapper.bundle_adjustment.refine_extra_params = not capture.given_cameras
    output = folder / "neighbours"
    output.mkdir()
    models = pycolmap.global_mapping(database, capture.folder, output, options)
    return sorted(models.values(), key=lambda model: -model.num_reg_images())


def moves_of(photos: Photos, views: Mapping[Pair, pycolmap.TwoViewGeometry]) -> dict[Pair, pycolmap.Rigid3d]:
    """Return second_from_first by two views, translations 1 long: of photos in a row, and of those of one place."""
    found = {}
    for (a, b), geometry in views.items():
        # Of a plane alone two motions fit.
        is_plane = geometry.config == int(pycolmap.TwoViewGeometryConfiguration.PLANAR)
        if not is_plane and (b - a == 1 or len(geometry.inlier_matches) >= MIN_SAME_VIEW):
            given = photos.cameras[a], photos.keypoints[a], photos.cameras[b], photos.keypoints[b]
            if pycolmap.estimate_two_view_geometry_pose(*given, geometry):
                found[a, b] = geometry.cam2_from_cam1
    return found


def inliers(views: Mapping[Pair, pycolmap.TwoViewGeometry]) -> PairMatches:
    """Return the matches that two-view geometry keeps."""
    return {pair: geometry.inlier_matches for pair, geometry in views.items()}
