"""Matching a photo's features against landmarks rather than images: one search over all candidate observations."""

from dataclasses import dataclass

import faiss
import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geometry import InputError, project, transform_points
from perception import Features
from retrieval import angle_between
from twin.landmarks import Landmarks

Indices = NDArray[np.int64]
Array = NDArray[np.float64]

NEIGHBOURS = 8
"""A landmark is usually seen by fewer views than this, so that the nearest other landmark is among them."""
ROLL_TOLERANCE = np.radians(30.0)

CANDIDATES = 4


@dataclass(frozen=True, kw_only=True)
class Uprightness:
    """A photo's roll against upright views, and the orientations (O,) of observations as if they were upright."""

    roll: float
    orientations: Array


def match_landmarks(
    features: Features, landmarks: Landmarks, observations: Indices, ratio: float, upright: Uprightness | None = None
) -> tuple[Indices, Indices]:
    """Return (feature (M,), landmark (M,)) pairs; neither a feature nor a landmark occurs twice.

    Lowe's ratio is taken between the nearest and the nearest *other* landmark among ``observations``, as several
    views of one landmark are no contradiction. With ``upright``, what is turned otherwise than the photo is neither a
    match nor a rival. Where several features want one landmark the nearest gets it.
    """
    if features.kind != landmarks.kind:
        raise InputError(f"features are {features.kind}, the twin's are {landmarks.kind}")
    if len(features) == 0 or len(observations) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    k = min(NEIGHBOURS, len(observations))
    descriptors = landmarks.described(observations)
    squared, nearest = faiss.knn(features.descriptors, descriptors, k)
    furthest = squared[:, -1]  # what is not among the neighbours is no nearer than this
    if upright is not None:
        turns = features.orientations[:, None] - upright.orientations[observations][nearest]
        squared = np.where(np.abs(angle_between(turns, upright.roll)) < ROLL_TOLERANCE, squared, np.inf)
        order = np.argsort(squared, axis=1, kind="stable")
        squared = np.take_along_axis(squared, order, axis=1)
        nearest = np.take_along_axis(nearest, order, axis=1)
    seen = np.asarray(landmarks.landmark[observations], dtype=np.int64)[nearest]
    other = np.where(seen != seen[:, :1], squared, np.inf).min(axis=1)
    distinct = np.flatnonzero(squared[:, 0] < ratio**2 * np.minimum(other, furthest))
    by_distance = distinct[np.argsort(squared[distinct, 0], kind="stable")]
    landmark, first = np.unique(seen[by_distance, 0], return_index=True)
    return by_distance[first].astype(np.int64), landmark


def match_by_projection(
    features: Features,
    landmarks: Landmarks,
    observations: Indices,
    cam_from_site: pycolmap.Rigid3d,
    camera: pycolmap.Camera,
    *,
    radius_px: float,
    max_distance: float,
) -> tuple[Indices, Indices]:
    """Return (feature (M,), landmark (M,)) pairs that a good pose predicts: near in the image and alike.

    Every landmark of ``observations`` that projects into the image is compared with the ``CANDIDATES`` features nearest
    to its projection and within ``radius_px``; the most alike with a descriptor distance (unit vectors) of at most
    ``max_distance`` is taken. Repeated texture elsewhere in the image is no contradiction here, so that many more
    landmarks find their feature than by ``match_landmarks``.
    """
    seen = np.asarray(landmarks.landmark[observations], dtype=np.int64)
    order = np.argsort(seen, kind="stable")
    candidates, starts = np.unique(seen[order], return_index=True)
    predicted, valid = project(camera, transform_points(cam_from_site, landmarks.points[candidates]))
    inside = valid & (predicted > 0).all(axis=1) & (predicted < features.image_size).all(axis=1)
    rows = np.flatnonzero(inside)
    if len(rows) == 0 or len(features) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    _, near = cKDTree(features.keypoints).query(predicted[rows], k=CANDIDATES, distance_upper_bound=radius_px)
    found = near < len(features)
    near = np.where(found, near, 0)
    # One observation stands for the landmark: that of the best ranked view, since ``observations`` follow the ranking.
    representative = observations[order[starts[rows]]]
    described = landmarks.described(representative)
    alike = np.einsum("rd,rcd->rc", described, features.descriptors[near])
    alike[~found] = -1.0
    best = alike.argmax(axis=1)
    similarity = alike[np.arange(len(rows)), best]
    accepted = np.flatnonzero(similarity >= 1.0 - max_distance**2 / 2.0)
    by_similarity = accepted[np.argsort(-similarity[accepted], kind="stable")]
    feature, first = np.unique(near[by_similarity, best[by_similarity]], return_index=True)
    return feature.astype(np.int64), candidates[rows[by_similarity[first]]]
