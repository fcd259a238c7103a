"""How probably each landmark is still there, by the new photos that should show it.

A photo misses most landmarks that are there, so that a landmark counts by how often the photos of its own time missed
it: its rate of being found has a Beta distribution, and what the misses of the new photos say follows from it
(beta-binomial). What they say of its neighbours counts too, as things come and go as a whole. What stands in front of a
landmark now hides it and does not count against it.
"""

from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import betaln, expit

from geometry import position_of, project, transform_points
from twin.landmarks import Landmarks
from twin.surface import Surface
from twin.visibility import Viewpoints

Array = NDArray[np.float64]
Views = NDArray[np.bool_]

USUAL = 0.95
"""Probability before any new photo that a landmark is still there."""
STRENGTH = 2.0
"""Of the belief that a landmark is found as often as landmarks are on average, in photos."""
TOGETHER_M, NEIGHBOURS = 0.6, 0.5
"""Things come and go as a whole: what photos say of the landmarks so near counts for one too, by this share."""
FOUND = 3.0
"""Log-odds that a landmark which is found gives to those beside it."""
MOST = 4.0
"""Log-odds that one update may take: what hides a thing hides all of it, and from all photos of a day."""
CHOSEN = 1.0
"""Of the photos that found a landmark, so many had to for it to be one."""
OCCLUDERS, OCCLUDER_PX, NEARER = 3, 30.0, 0.9
"""A landmark is hidden where one of so many that the photo shows, within so many pixels, is nearer by this ratio."""


@dataclass(frozen=True, kw_only=True)
class Sightings:
    """How often photos should have shown each landmark (L,), and did."""

    expected: Array
    found: Array

    def of(self, chosen: NDArray[np.bool_]) -> "Sightings":
        """Return those of the chosen landmarks (L,)."""
        return Sightings(expected=self.expected[chosen], found=self.found[chosen])


def sightings(
    landmarks: Landmarks, model: pycolmap.Reconstruction, views: Views, surface: Surface | None = None
) -> Sightings:
    """Count over the chosen views (V,) of ``landmarks``, posed as in ``model``; ``surface`` hides what is behind it."""
    images = [model.find_image_with_name(name) for name in landmarks.views]
    positions = np.array([position_of(image.cam_from_world()) for image in images]).reshape(-1, 3)
    viewpoints = Viewpoints.of(landmarks, positions)
    expected, found = np.zeros(len(landmarks)), np.zeros(len(landmarks))
    for view in np.flatnonzero(views).tolist():
        own = slice(int(landmarks.view_offsets[view]), int(landmarks.view_offsets[view + 1]))
        seen = np.zeros(len(landmarks), dtype=bool)
        seen[landmarks.landmark[own]] = True
        pose, camera = images[view].cam_from_world(), images[view].camera
        shown = np.flatnonzero(viewpoints.expected(landmarks, pose, camera) & ~seen)
        if surface is not None:
            shown = shown[surface.visible(landmarks.points[shown], positions[view])]
        shown = shown[~_hidden(landmarks, own, shown, pose, camera)]
        expected[shown] += 1.0
        expected[seen] += 1.0
        found[seen] += 1.0
    return Sightings(expected=expected, found=found)


def dimming(own: Sightings, later: Sightings) -> float:
    """Return how often the later photos find landmarks, as a share of how often those of the landmarks' own time do.

    Another light, another phone: all are found less often, which says nothing of any one.
    """
    hits, misses = _rates(own)
    usual = float((later.expected * hits / (hits + misses)).sum())
    return float(np.clip(later.found.sum() / max(usual, 1e-9), 0.0, 1.0))


def presence(before: Array, points: Array, own: Sightings, later: Sightings, dimmed: float) -> Array:
    """Return the probability (L,) that landmarks are there after photos that were taken ``later``.

    before: (L,) the same without these; points: (L, 3) in site, metres; own: sightings by the photos that the landmarks
    come from; dimmed: see ``dimming``
    """
    if len(before) == 0:
        return before
    hits, misses = _rates(own)
    missed = betaln(hits, misses + dimmed * later.expected) - betaln(hits, misses)
    evidence = np.where(later.found > 0.0, FOUND, missed)
    near = cKDTree(points).query_pairs(TOGETHER_M, output_type="ndarray")
    beside = np.bincount(near[:, 0], evidence[near[:, 1]], len(points))
    beside += np.bincount(near[:, 1], evidence[near[:, 0]], len(points))
    prior = np.clip(before, 1e-6, USUAL)
    odds = np.log(prior / (1.0 - prior)) + np.clip(evidence + NEIGHBOURS * beside, -MOST, MOST)
    still = np.minimum(expit(odds), before)
    return np.where(later.found > 0.0, 1.0, np.where(later.expected > 0.0, still, before))


def _rates(own: Sightings) -> tuple[Array, Array]:
    """Return the parameters (L,) of the Beta distributions of how often landmarks are found: hits, misses."""
    rate = (own.found.sum() + 1.0) / (own.expected.sum() + 2.0)
    hits = STRENGTH * rate + np.maximum(own.found - CHOSEN, 0.0)
    return hits, STRENGTH * (1.0 - rate) + np.maximum(own.expected - own.found, 0.0)


def _hidden(
    landmarks: Landmarks, own: slice, shown: NDArray[np.int64], pose: pycolmap.Rigid3d, camera: pycolmap.Camera
) -> Views:
    """Tell which of the ``shown`` landmarks, by index, lie behind what a view sees beside them in the picture."""
    seen = np.asarray(landmarks.landmark[own])
    if len(seen) == 0 or len(shown) == 0:
        return np.zeros(len(shown), dtype=bool)
    depth = transform_points(pose, landmarks.points[seen])[:, 2]
    behind = transform_points(pose, landmarks.points[shown])
    pixels, _ = project(camera, behind)
    distance, near = cKDTree(landmarks.pixels[own]).query(pixels, k=OCCLUDERS, distance_upper_bound=OCCLUDER_PX)
    depths = np.where(np.isfinite(distance), np.append(depth, np.inf)[near], np.inf)
    return np.asarray((depths < NEARER * behind[:, 2:]).any(axis=1))
