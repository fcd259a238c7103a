"""Matching a photo's features against landmarks rather than images: with all that some views saw, or by projection."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geometry import InputError, project, transform_points
from perception import Features
from twin.landmarks import Landmarks

Indices = NDArray[np.int64]
Array = NDArray[np.float64]

TURN = 2**16
TOLERANCE = np.uint16(TURN * 30 // 360)
"""How far a feature may be turned from what the photo's roll says, in parts of a turn."""
CANDIDATES = 4


@dataclass(frozen=True, kw_only=True)
class Uprightness:
    """A photo's roll against upright views, and the orientations (O,) of observations as if they were upright."""

    roll: float
    orientations: Array


class ViewSearch:
    """Compares a photo's features with what a map's views saw: each view once, in however many places it is."""

    def __init__(self, features: Features, landmarks: Landmarks, upright: Uprightness | None = None) -> None:
        """Take a photo's features and a map.

        With ``upright``, what is turned otherwise than the photo is neither a match nor a rival. Raises ``InputError``
        for features of another kind than the map's.
        """
        if features.kind != landmarks.kind:
            raise InputError(f"features are {features.kind}, the twin's are {landmarks.kind}")
        self._features = features
        self._landmarks = landmarks
        self._upright = upright
        self._squares = np.einsum("nd,nd->n", features.descriptors, features.descriptors)
        one = np.ones((len(features), 1), np.float32)
        self._with_one = np.hstack([features.descriptors, one])
        self._of_view: dict[int, tuple[NDArray[np.float32], Indices]] = {}

    @cached_property
    def _turns(self) -> NDArray[np.uint16]:
        return _turns(self._features.orientations)

    def matches(self, views: Indices, ratio: float, budget: int | None = None) -> tuple[Indices, Indices]:
        """Return (feature (M,), landmark (M,)) pairs; neither a feature nor a landmark occurs twice.

        Lowe's ratio is taken between the nearest and the nearest *other* landmark that the views saw, as several views
        of one landmark are no contradiction; without another there is no match. Where several features want one
        landmark the nearest gets it. No further views are looked at once these have ``budget`` observations.
        """
        if budget is not None:
            seen = np.cumsum(np.diff(self._landmarks.view_offsets)[views])
            views = views[: int(np.searchsorted(seen, budget)) + 1]
        found = [self._nearest(view) for view in np.asarray(views).tolist()]
        if len(found) == 0 or len(self._features) == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        squared = np.concatenate([each for each, _ in found], axis=1)
        observed = np.concatenate([each for _, each in found], axis=1)
        seen_as = np.asarray(self._landmarks.landmark[observed], dtype=np.int64)
        feature, best = np.arange(len(squared)), squared.argmin(axis=1)
        nearest, landmark = squared[feature, best], seen_as[feature, best]
        other = np.where(seen_as == landmark[:, None], np.inf, squared).min(axis=1)
        distinct = np.flatnonzero((nearest < ratio**2 * other) & np.isfinite(other))
        by_distance = distinct[np.argsort(nearest[distinct], kind="stable")]
        matched, first = np.unique(landmark[by_distance], return_index=True)
        return by_distance[first].astype(np.int64), matched

    def _nearest(self, view: int) -> tuple[NDArray[np.float32], Indices]:
        """Return squared distances (N, K) to the nearest observations of a view, and these (N, K), of two landmarks.

        Infinite where the view has fewer, and for those that are turned otherwise than the photo.
        """
        if view not in self._of_view:
            first, beyond = self._landmarks.view_offsets[view : view + 2].tolist()
            _, again = np.unique(self._landmarks.landmark[first:beyond], return_counts=True)
            # A view sees a landmark once, but for a few that merged tracks have twice.
            count = 1 + int(again.max(initial=0))
            shape = (len(self._features), count)
            squared, nearest = np.full(shape, np.inf, np.float32), np.zeros(shape, np.int64)
            likeness = self._likeness(first, beyond)
            rows = np.arange(len(likeness))
            for rank in range(min(count, beyond - first)):
                at = likeness.argmax(axis=1)
                squared[:, rank] = np.maximum(self._squares - likeness[rows, at], 0.0)
                nearest[:, rank] = first + at
                likeness[rows, at] = -np.inf
            self._of_view[view] = squared, nearest
        return self._of_view[view]

    def _likeness(self, first: int, beyond: int) -> NDArray[np.float32]:
        """Return 2 a b - |b|^2 for features a and observations b, (N, O): |a|^2 less that is their squared distance."""
        described = self._landmarks.described(slice(first, beyond))
        # The square is one column more of the product: a pass of its own over (N, O) costs a fifth as much again.
        lengths = np.einsum("od,od->o", described, described)
        likeness = self._with_one @ np.column_stack([2.0 * described, -lengths]).T
        if self._upright is not None:
            turned = _turns(self._upright.orientations[first:beyond] + self._upright.roll)
            apart = self._turns[:, None] - (turned - TOLERANCE)  # modulo a turn, from the tolerance before
            np.putmask(likeness, apart > 2 * TOLERANCE, -np.inf)
        return np.asarray(likeness)


def _turns(angles: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Return angles in parts of a turn, so that differences of integers wrap around as angles do."""
    return np.round(angles * (TURN / (2 * np.pi))).astype(np.int64).astype(np.uint16)


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
    landmarks find their feature than by ``ViewSearch``.
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
