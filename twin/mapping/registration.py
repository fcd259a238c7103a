"""Tying a map to the site: position priors, control points with marks and AprilTags, all in one alignment."""

import logging
from dataclasses import dataclass, field

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import (
    Alignment,
    ControlPoints,
    DegenerateError,
    InputError,
    Marks,
    TagSpecs,
    align_points,
    nearest_known,
    position_covariance,
    position_of,
    scale_from_tags,
    tag_corners,
    triangulate_marks,
    walks_covariance,
    with_correlated_errors,
)
from geometry.tag_alignment import DEFAULT_TAG_SIGMA_M
from twin.mapping.capture import DEFAULT_PRIOR_SIGMA_M, Capture, drifting_walks
from twin.mapping.tag_sightings import CORNER_SIGMA_PX, TagSighting

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

MIN_SIGMA_M = 1e-4
MARK_SIGMA_PX = 0.5


@dataclass
class TiePoints:
    """Points known in the map and in the site: names, positions in both, sigma in site, covariance in the map.

    ``priors`` are the indices of those that are position priors, whose errors have covariance ``prior_errors`` (P, P) a
    coordinate; ``drift`` tells whether they share a drift.
    """

    priors: list[int] = field(default_factory=list)
    prior_errors: Array = field(default_factory=lambda: np.zeros((0, 0)))
    drift: bool = False
    names: list[str] = field(default_factory=list)
    in_map: list[Array] = field(default_factory=list)
    in_site: list[Array] = field(default_factory=list)
    sigma_m: list[float] = field(default_factory=list)
    map_covariances: list[Array] = field(default_factory=list)

    def add(self, name: str, in_map: Array, in_site: Array, sigma_m: float, map_covariance: Array) -> None:
        """Append one point."""
        self.names.append(name)
        self.in_map.append(in_map)
        self.in_site.append(in_site)
        self.sigma_m.append(sigma_m)
        self.map_covariances.append(map_covariance)

    def align(self, rng: np.random.Generator) -> Alignment:
        """Return the alignment of all points. Raises as ``geometry.align_points``."""
        in_site, sigma_m = np.array(self.in_site).reshape(-1, 3), np.array(self.sigma_m)
        of_map = np.array(self.map_covariances).reshape(-1, 3, 3)
        alignment = align_points(
            np.array(self.in_map).reshape(-1, 3),
            in_site,
            sigma_m,
            rng=rng,
            map_covariances=of_map,
        )
        if not self.drift:
            return alignment
        return with_correlated_errors(alignment, in_site, sigma_m, self.errors(), of_map)

    def errors(self) -> Array:
        """Return the covariance (N, N), a coordinate, of the points' errors in site."""
        covariance = np.diag(np.square(self.sigma_m))
        covariance[np.ix_(self.priors, self.priors)] = self.prior_errors
        return covariance


def add_position_priors(points: TiePoints, reconstruction: pycolmap.Reconstruction, capture: Capture) -> None:
    """Add the camera centres whose images have a position prior."""
    if capture.priors is None:
        return
    rows = []
    for index, image in sorted(_registered(reconstruction, capture).items()):
        position, sigma = capture.priors.positions[index], capture.priors.sigma_m[index]
        if np.isfinite(position).all():
            sigma = DEFAULT_PRIOR_SIGMA_M if np.isnan(sigma) else float(sigma)
            rows.append(index)
            points.priors.append(len(points.names))
            points.add(
                image.name, position_of(image.cam_from_world()), position, max(sigma, MIN_SIGMA_M), np.zeros((3, 3))
            )
    # A walk drifted before its first photo that is placed, too.
    walks = drifting_walks(capture)
    sigma_m = np.maximum(np.nan_to_num(capture.priors.sigma_m, nan=DEFAULT_PRIOR_SIGMA_M), MIN_SIGMA_M)
    points.prior_errors = walks_covariance(sigma_m, capture.priors.positions, walks)[np.ix_(rows, rows)]
    points.drift = bool(walks)


def add_control(
    points: TiePoints,
    reconstruction: pycolmap.Reconstruction,
    capture: Capture,
    control: ControlPoints,
    marks: Marks,
    shape: dict[str, Array],
    rng: np.random.Generator,
) -> None:
    """Add the control points marked in two or more registered images; the others are logged by name.

    ``shape`` holds the covariances (6, 6) of the images' poses in the map, by name. Raises ``InputError`` for a mark
    of an unknown control point or image.
    """
    for name, known in ((n, control.names) for n in marks.names):
        if name not in known:
            raise InputError(f"mark of an unknown control point '{name}'", remedy=nearest_known(name, known))
    known_images = set(capture.names) | set(capture.refused)
    for name in marks.images:
        if name not in known_images:
            raise InputError(f"mark in an unknown image '{name}'", remedy=nearest_known(name, known_images))
    by_name = {image.name: image for image in _registered(reconstruction, capture).values()}
    for row, name in enumerate(control.names):
        seen = [
            m
            for m, (n, image) in enumerate(zip(marks.names, marks.images, strict=True))
            if n == name and image in by_name
        ]
        images = [by_name[marks.images[m]] for m in seen]
        try:
            in_map, covariance = _triangulate(marks.pixels[seen], images, MARK_SIGMA_PX, rng)
        except DegenerateError as error:
            logger.warning("control point %s is not used: %s", name, error)
            continue
        covariance = covariance + _shape_covariance(images, shape)
        points.add(name, in_map, control.positions[row], float(control.sigma_m[row]), covariance)


@dataclass(frozen=True, kw_only=True)
class TriangulatedTags:
    """The tags that were triangulated: ``rows`` of tags.csv.

    corners: (T, 4, 3) in the map; covariances: (T, 4, 3, 3) of the corners where the images are taken as exact
    image_covariances: (T, 3, 3) of the images' own places in the map, which a tag's corners share
    """

    rows: list[int]
    corners: Array
    covariances: Array
    image_covariances: Array


def triangulate_tags(
    reconstruction: pycolmap.Reconstruction,
    capture: Capture,
    tags: TagSpecs,
    sightings: list[TagSighting],
    shape: dict[str, Array],
    rng: np.random.Generator,
) -> TriangulatedTags:
    """Triangulate the corners of the tags that registered images show; ``shape`` as in add_control."""
    placed = _registered(reconstruction, capture)
    seen: dict[int, list[tuple[pycolmap.Image, Array]]] = {}
    for sighting in sightings:
        if sighting.image in placed:
            seen.setdefault(sighting.tag, []).append((placed[sighting.image], sighting.corners))
    rows, all_corners, all_covariances, of_images = [], [], [], []
    for row, key in enumerate(zip(tags.families, tags.ids.tolist(), strict=True)):
        views = seen.get(row, [])
        images = [image for image, _ in views]
        try:
            fits = [_triangulate(np.array([c[k] for _, c in views]), images, CORNER_SIGMA_PX, rng) for k in range(4)]
        except DegenerateError as error:
            logger.info("tag %s %d is not used: %s", *key, error)
            continue
        rows.append(row)
        all_corners.append(np.array([corner for corner, _ in fits]))
        all_covariances.append(np.array([covariance for _, covariance in fits]))
        of_images.append(_shape_covariance(images, shape))
    if len(rows) < len(tags.ids):
        logger.warning("%d of %d tags are seen well enough to be used", len(rows), len(tags.ids))
    return TriangulatedTags(
        rows=rows,
        corners=np.array(all_corners).reshape(-1, 4, 3),
        covariances=np.array(all_covariances).reshape(-1, 4, 3, 3),
        image_covariances=np.array(of_images).reshape(-1, 3, 3),
    )


def add_tags(points: TiePoints, sightings: TriangulatedTags, tags: TagSpecs) -> None:
    """Add the corners of the tags whose pose in site is known."""
    for k, row in enumerate(sightings.rows):
        if not np.isfinite(tags.positions[row]).all():
            continue
        corners = tag_corners(tags.size_m[[row]], tags.positions[[row]], tags.quats_xyzw[[row]])[0]
        # Four times what the corners share, so that their mean counts as no better than one of them.
        covariances = sightings.covariances[k] + 4.0 * sightings.image_covariances[k]
        sigma = DEFAULT_TAG_SIGMA_M if np.isnan(tags.sigma_m[row]) else float(tags.sigma_m[row])
        for corner in range(4):
            name = f"{tags.families[row]} {tags.ids[row]} corner {corner}"
            points.add(name, sightings.corners[k, corner], corners[corner], sigma, covariances[corner])


def scale_by_tags(sightings: TriangulatedTags, tags: TagSpecs) -> tuple[float, float]:
    """Return (metres a map unit, sigma) from tag sizes alone, for tags without a known pose."""
    return scale_from_tags(sightings.corners, tags.size_m[sightings.rows], sightings.covariances)


def _triangulate(
    pixels: Array, images: list[pycolmap.Image], sigma_px: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    if len(images) < 2:
        raise DegenerateError(f"seen in {len(images)} registered images, two are needed")
    poses, cameras = [image.cam_from_world() for image in images], [image.camera for image in images]
    return triangulate_marks(pixels, poses, cameras, sigma_px, rng=rng)


def _shape_covariance(images: list[pycolmap.Image], shape: dict[str, Array]) -> Array:
    """Return the mean covariance (3, 3) of the images' centres in the map, zero where their poses are exact."""
    known = [position_covariance(image.cam_from_world(), shape[image.name]) for image in images if image.name in shape]
    return np.asarray(np.mean(known or [np.zeros((3, 3))], axis=0))


def _registered(reconstruction: pycolmap.Reconstruction, capture: Capture) -> dict[int, pycolmap.Image]:
    """Return the registered images by their index in the capture."""
    index_of = {name: index for index, name in enumerate(capture.names)}
    return {index_of[image.name]: image for image in reconstruction.images.values() if image.has_pose}
