"""A map held by the surveyed tags that its photos show, not only moved to them: bends of the map straighten out.

A similarity can't take out that one end of a long walk is some centimetres off. The tags' corners enter the bundle
adjustment as points that are known, seen in the photos like any other: even one photo of a tag then holds its place.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import TagSpecs, tag_corners
from geometry.tag_alignment import DEFAULT_TAG_SIGMA_M
from twin.mapping.capture import Capture
from twin.mapping.reconstruction import MAX_REPROJECTION_ERROR_PX, adjustment_options, adjustment_problem
from twin.mapping.shape import anchored_covariances
from twin.mapping.tag_sightings import TagSighting

Array = NDArray[np.float64]

LOSS_ROUNDS_PX = (8.0, 2.0, None)
"""Widths of the loss: at first the tags are pixels off, at last it suits the map's noise."""
MIN_TAGS = 3
MAX_SIGMA_M = 0.01
"""Tags surveyed worse than this tie the map to the site, and do not bend it."""
MIN_ANGLE_DEG = 1.0


def adjust_with_tags(
    model: pycolmap.Reconstruction, capture: Capture, sightings: Sequence[TagSighting], tags: TagSpecs
) -> dict[str, Array] | None:
    """Bundle-adjust a map in site with the corners of well surveyed tags held fixed.

    Returns the covariances (6, 6) of the poses in site by image name. A map that fewer than three tags hold is left as
    it is, as they could not straighten it; then, and where the covariances can't be had, None.
    """
    placed = {image.name: image for image in model.images.values() if image.has_pose}
    sigma = np.where(np.isnan(tags.sigma_m), DEFAULT_TAG_SIGMA_M, tags.sigma_m)
    exact = np.isfinite(tags.positions).all(axis=1) & (sigma <= MAX_SIGMA_M)
    posed = set(np.flatnonzero(exact).tolist())
    seen = [s for s in sightings if s.tag in posed and capture.names[s.image] in placed]
    if len({s.tag for s in seen}) < MIN_TAGS:
        return None
    with _tag_points(model, [placed[capture.names[s.image]] for s in seen], seen, tags) as points:
        for width in LOSS_ROUNDS_PX:
            _adjust(model, capture.given_cameras, points, width)
        return _with_survey(anchored_covariances(model, capture.given_cameras, points), model, sigma[sorted(posed)])


def _with_survey(
    covariances: dict[str, Array] | None, model: pycolmap.Reconstruction, sigma_m: Array
) -> dict[str, Array] | None:
    """Add the tags' own uncertainty in site, which counts as exact so far: a photo is near one tag or two."""
    if covariances is None:
        return None
    survey = np.zeros((6, 6))
    survey[3:, 3:] = float(np.median(sigma_m)) ** 2 * np.eye(3)
    return {name: covariance + survey for name, covariance in covariances.items()}


def _adjust(
    model: pycolmap.Reconstruction, given_cameras: Iterable[int], constant: Iterable[int], width: float | None
) -> None:
    config = adjustment_problem(model, given_cameras, constant)
    options = adjustment_options(model)
    if width is not None:
        options.ceres.loss_function_scale = width
    pycolmap.create_default_bundle_adjuster(options, config, model).solve()
    pycolmap.ObservationManager(model).filter_all_points3D(MAX_REPROJECTION_ERROR_PX, MIN_ANGLE_DEG)
    model.update_point_3d_errors()


@contextmanager
def _tag_points(
    model: pycolmap.Reconstruction, images: Sequence[pycolmap.Image], sightings: Sequence[TagSighting], tags: TagSpecs
) -> Iterator[list[int]]:
    """Add the corners of tags as 3D points seen by the images, for a while; yield their ids."""
    rows = sorted({s.tag for s in sightings})
    corners = dict(zip(rows, tag_corners(tags.size_m[rows], tags.positions[rows], tags.quats_xyzw[rows]), strict=True))
    tracks: dict[tuple[int, int], pycolmap.Track] = {}
    before = {image.image_id: image.num_points2D() for image in images}
    for image, sighting in zip(images, sightings, strict=True):
        for corner, pixel in enumerate(sighting.corners):
            track = tracks.setdefault((sighting.tag, corner), pycolmap.Track())
            track.add_element(image.image_id, image.num_points2D())
            image.points2D.append(pycolmap.Point2D(pixel))
    ids = [model.add_point3D(corners[tag][corner], track) for (tag, corner), track in tracks.items()]
    try:
        yield ids
    finally:
        for point in ids:
            if model.exists_point3D(point):
                model.delete_point3D(point)
        for image_id, count in before.items():
            del model.images[image_id].points2D[count:]
