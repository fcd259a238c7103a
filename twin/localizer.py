"""Finding where a photo was taken: places that it resembles, pose hypotheses, refinement, or a refusal."""

import time
from collections.abc import Sequence

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray

from geometry import largest_sigma, pose_error, position_covariance, position_of, probability_within
from perception import Features
from retrieval import Vocabulary
from twin.candidates import Candidate, CandidateFinder
from twin.landmark_matching import Uprightness
from twin.landmarks import Landmarks
from twin.localization import Localization, localized, refusal
from twin.localizer_options import LocalizerOptions
from twin.map_uncertainty import MapUncertainty
from twin.place_finder import PlaceFinder
from twin.visibility import Viewpoints

Array = NDArray[np.float64]


class Localizer:
    """Localizes queries in one map. Loading is done once; ``localize`` is a pure function of its arguments."""

    def __init__(
        self,
        landmarks: Landmarks,
        vocabulary: Vocabulary,
        cams_from_site: Sequence[pycolmap.Rigid3d],
        *,
        down: ArrayLike | None = None,
        covariance_scale: float = 1.0,
        map_uncertainty: MapUncertainty | None = None,
        options: LocalizerOptions | None = None,
    ) -> None:
        """Take the parts of a twin; ``cams_from_site`` are the poses of the views of ``landmarks`` in order.

        ``down`` (3,) is a direction in site, None where it is unknown: then that of the photos. ``map_uncertainty`` is
        added to every answer's own covariance, which counts the map's poses as exact.
        """
        self.landmarks = landmarks
        self.options = options or LocalizerOptions()
        self._places = PlaceFinder(landmarks, vocabulary, cams_from_site, down)
        self._covariance_scale = covariance_scale
        self._map_uncertainty = map_uncertainty
        self._view_of_observation = landmarks.view_of_observation()
        positions = np.array([position_of(pose) for pose in cams_from_site]).reshape(-1, 3)
        self._candidates = CandidateFinder(landmarks, Viewpoints.of(landmarks, positions), self.options)

    def localize(self, image: str, features: Features, camera: pycolmap.Camera) -> Localization:
        """Return the pose of one photo, or a refusal with its reason. ``seconds`` counts from here."""
        return self.localize_with_support(image, features, camera)[0]

    def localize_with_support(
        self, image: str, features: Features, camera: pycolmap.Camera
    ) -> tuple[Localization, Candidate | None]:
        """As ``localize``, with the matches behind the answer (for pictures and reports), if there were any."""
        start = time.perf_counter()
        if len(features) < self.options.min_inliers:
            return refusal(image, f"only {len(features)} features: the photo is flat, dark or blurred"), None
        places = self._places.find(features)
        coarse = self._places.guesses(places)
        upright = None
        if places.roll is not None:
            upright = Uprightness(roll=places.roll, orientations=self._places.orientations)
        candidates = self._candidates.find(features, camera, places.groups, upright)
        if not candidates:
            seconds = time.perf_counter() - start
            return refusal(image, "nothing in the twin looks like this photo", coarse=coarse, seconds=seconds), None
        best = candidates[0]
        pose, covariance = best.estimate.cam_from_site, self._covariance(best)
        reason = self._reason_to_refuse(candidates, covariance)
        seconds = time.perf_counter() - start
        if reason:
            return refusal(image, reason, coarse=coarse, inliers=best.inliers, seconds=seconds), best
        answer = localized(
            image,
            pose,
            covariance,
            confidence=confidence(pose, covariance, best.log10_false_alarms),
            inliers=best.inliers,
            coarse=coarse,
            seconds=seconds,
        )
        return answer, best

    def _reason_to_refuse(self, candidates: list[Candidate], covariance: Array) -> str | None:
        options, best = self.options, candidates[0]
        support = f"{best.support} of {best.matches} matches agree on a pose"
        if (
            min(best.support, best.inliers) < options.min_inliers
            or best.log10_false_alarms > options.max_log10_false_alarms
        ):
            return f"{support}: no more than chance would give"
        if best.estimate.noise_scale > options.max_noise_scale:
            ratio = best.estimate.noise_scale / options.max_noise_scale
            return f"fits badly: residuals are {ratio:.1f} times larger than this map allows"
        if not self._candidates.explains(best):
            return (
                f"look-alike: only {best.explained} of {best.expected} landmarks that this pose should show are there"
            )
        for other in filter(self._candidates.explains, candidates[1:]):
            metres, degrees = pose_error(other.estimate.cam_from_site, best.estimate.cam_from_site)
            different = metres > options.distinct_m or degrees > options.distinct_deg
            if different and other.support > options.ambiguity_ratio * best.support:
                rival = f"a pose {metres:.1f} m away is supported by {other.support} matches"
                return f"ambiguous: {rival}, this one by {best.support}"
        sigma_m = largest_sigma(position_covariance(best.estimate.cam_from_site, covariance))
        sigma_deg = np.degrees(largest_sigma(covariance[:3, :3]))
        if sigma_m > options.max_sigma_m or sigma_deg > options.max_sigma_deg:
            return f"weakly determined: sigma {sigma_m:.2f} m and {sigma_deg:.1f} deg from {best.inliers} matches"
        return None

    def _covariance(self, candidate: Candidate) -> Array:
        """Return the covariance (6, 6) of a pose in site: its own, widened as the map's check asks, and the map's."""
        own = candidate.estimate.covariance * self._covariance_scale
        if self._map_uncertainty is None:
            return own
        used = np.zeros(len(self.landmarks), dtype=np.bool_)
        used[candidate.landmark[candidate.estimate.inliers]] = True
        views = self._view_of_observation[used[self.landmarks.landmark]]
        weights = np.bincount(views, minlength=len(self.landmarks.views))
        return own + self._map_uncertainty.pose_covariance(candidate.estimate.cam_from_site, weights)


def confidence(pose: pycolmap.Rigid3d, covariance: Array, log10_alarms: float) -> float:
    """Return the probability that the pose is within 0.25 m and 2 deg: right place, and close enough given sigma."""
    right_place = 1.0 / (1.0 + 10.0 ** min(log10_alarms, 300.0))
    near = probability_within(position_covariance(pose, covariance), 0.25)
    turned = probability_within(covariance[:3, :3], np.radians(2.0))
    return float(right_place * near * turned)
