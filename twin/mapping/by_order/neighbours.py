"""Pairs of photos of a walk: their two-view geometry, and what is built of neighbours alone."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from perception import Features
from twin.mapping.by_order.legs import MAX_GAP
from twin.mapping.by_order.links import MIN_SAME_VIEW, Photos
from twin.mapping.by_order.turns import turn_on_the_spot
from twin.mapping.capture import Capture
from twin.mapping.correspondence import PairMatches
from twin.mapping.pairing import Pair
from twin.mapping.reconstruction import placed_images, write_database

Array = NDArray[np.float64]

MIN_NEXT = 15
"""Matches of a photo and the next one, and of others that count;"""
MIN_NEAR = 30
"""of neighbours beyond the next."""
MIN_PART, MOST_RUNS = 3, 20
"""Photos that hang together and may be mapped; runs of global SfM."""
PLANES = (
    int(pycolmap.TwoViewGeometryConfiguration.PLANAR),
    int(pycolmap.TwoViewGeometryConfiguration.PLANAR_OR_PANORAMIC),
)


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
    """Return what global SfM makes of photos and their neighbours, largest part first; copies of alike.db are read.

    Of photos that two places hold together weakly it keeps the larger half: it is asked for the others again, until it
    makes nothing of those that are left.
    """
    near = {
        (a, b): geometry
        for (a, b), geometry in views.items()
        if b - a == 1 or (b - a <= MAX_GAP and len(geometry.inlier_matches) >= MIN_NEAR)
    }
    models: list[pycolmap.Reconstruction] = []
    for number in range(MOST_RUNS):
        near = _of_large_parts(near)
        if not near:
            break
        new = _global_sfm(folder, number, capture, near)
        models += new
        held = {image.image_id - 1 for model in new for image in placed_images(model)}
        # Photos that a run of nothing but themselves leaves out again are beyond it.
        near = {pair: geometry for pair, geometry in near.items() if held and held.isdisjoint(pair)}
    return sorted(models, key=lambda model: -model.num_reg_images())


def _of_large_parts(views: Mapping[Pair, pycolmap.TwoViewGeometry]) -> dict[Pair, pycolmap.TwoViewGeometry]:
    """Return the pairs of photos that hang together with ``MIN_PART`` others or more."""
    if not views:
        return {}
    first, second = np.array(list(views)).T
    count = int(second.max()) + 1
    graph = coo_matrix((np.ones(len(first)), (first, second)), shape=(count, count))
    part = connected_components(graph, directed=False)[1]
    large = np.bincount(part)[part[first]] >= MIN_PART
    return {pair: geometry for (pair, geometry), is_large in zip(views.items(), large, strict=True) if is_large}


def _global_sfm(
    folder: Path, number: int, capture: Capture, views: Mapping[Pair, pycolmap.TwoViewGeometry]
) -> list[pycolmap.Reconstruction]:
    """Return the reconstructions of some pairs of photos."""
    database = folder / f"neighbours-{number}.db"
    shutil.copyfile(folder / "alike.db", database)
    with pycolmap.Database.open(database) as opened, pycolmap.DatabaseTransaction(opened):
        opened.clear_matches()
        opened.clear_two_view_geometries()
        for (a, b), geometry in views.items():
            opened.write_matches(a + 1, b + 1, geometry.inlier_matches)
            opened.write_two_view_geometry(a + 1, b + 1, geometry)
    options = pycolmap.GlobalPipelineOptions()
    options.random_seed = options.mapper.random_seed = 0
    mapper = options.mapper
    mapper.rotation_averaging.random_seed = mapper.global_positioning.random_seed = 0
    mapper.global_positioning.use_gpu = mapper.bundle_adjustment.ceres.use_gpu = False
    mapper.bundle_adjustment.refine_focal_length = not capture.given_cameras
    mapper.bundle_adjustment.refine_extra_params = not capture.given_cameras
    output = folder / f"neighbours-{number}"
    output.mkdir()
    models = list(pycolmap.global_mapping(database, capture.folder, output, options).values())
    database.unlink()
    return models


def moves_of(photos: Photos, views: Mapping[Pair, pycolmap.TwoViewGeometry]) -> dict[Pair, pycolmap.Rigid3d]:
    """Return second_from_first by two views, of photos in a row and of those of one place.

    Translations are 1 long, or 0 where the walker turned on the spot, as far as the photos tell.
    """
    found = {}
    for (a, b), geometry in views.items():
        is_sure = len(geometry.inlier_matches) >= MIN_SAME_VIEW
        if b - a > 1 and not is_sure:
            continue
        # Of a plane alone two motions fit, and few matches, mostly in a strip that both photos show, leave many.
        is_plane = geometry.config in PLANES
        turn = None
        if is_plane or not is_sure:
            turn = turn_on_the_spot(*(_directions(photos, row, geometry, side) for side, row in enumerate((a, b))))
        given = photos.cameras[a], photos.keypoints[a], photos.cameras[b], photos.keypoints[b]
        if turn is not None:
            found[a, b] = pycolmap.Rigid3d(turn, np.zeros(3))
        elif not is_plane and pycolmap.estimate_two_view_geometry_pose(*given, geometry):
            found[a, b] = geometry.cam2_from_cam1
    return found


def _directions(photos: Photos, row: int, geometry: pycolmap.TwoViewGeometry, side: int) -> Array:
    """Return the directions (M, 3) in the camera, 1 long, of what one of two photos shows of their matches."""
    pixels = photos.keypoints[row][geometry.inlier_matches[:, side]]
    rays = np.column_stack([photos.cameras[row].cam_from_img(pixels), np.ones(len(pixels))])
    return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))


def inliers(views: Mapping[Pair, pycolmap.TwoViewGeometry]) -> PairMatches:
    """Return the matches that two-view geometry keeps."""
    return {pair: geometry.inlier_matches for pair, geometry in views.items()}
