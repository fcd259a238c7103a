"""Finding where a photo was taken: retrieval, matching against landmarks, pose hypotheses, refinement, or a refusal."""

import time
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import (
    DegenerateError,
    PoseEstimate,
    largest_sigma,
    log10_false_alarms,
    pose_error,
    pose_hypotheses,
    position_covariance,
    probability_within,
    refine_pose,
)
from perception import Features
from retrieval import PlaceIndex, Vocabulary
from twin.landmark_matching import match_by_projection, match_landmarks
from twin.landmarks import Landmarks, keypoint_sigma_px
from twin.localization import Localization, localized, refusal
from twin.map_uncertainty import MapUncertainty
from twin.place_finder import PlaceFinder
from twin.visibility import Viewpoints

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LocalizerOptions:
    """What the localizer tries and what it refuses.

    retrieved: map images considered
    search_features, observation_budget: how many of the strongest features are compared with how many landmark
        observations, best ranked views first, to find a first pose; all others join in by projection
    ratio: of descriptor distances to the nearest and the nearest other landmark
    max_error_px: RANSAC's inlier bound
    min_inliers, max_log10_false_alarms: weaker support is refused as chance
    min_expected, min_explained, explained_px: where a pose should show at least so many landmarks, this share of them
        must be found this near; a twin sets the last two as its own left-out photos ask, see twin.mapping.left_out
    max_noise_scale: poses whose residuals are so many times larger than keypoints' sigmas are refused; as above
    max_sigma_m, max_sigma_deg: weaker determined poses are refused
    guided_radius_px, guided_distance: bounds, in the image and between descriptors, for matches found by projection
    ambiguity_ratio: a second, different pose with more than this share of the best one's inliers means 'ambiguous'
    distinct_m, distinct_deg: how far apart two poses are different
    """

    retrieved: int = 20
    search_features: int = 1500
    observation_budget: int = 12_000
    ratio: float = 0.85
    max_error_px: float = 6.0
    min_inliers: int = 12
    max_log10_false_alarms: float = -20.0
    min_expected: int = 100
    min_explained: float = 0.07
    explained_px: float = 1.0
    max_noise_scale: float = 20.0
    max_sigma_m: float = 1.0
    max_sigma_deg: float = 5.0
    guided_radius_px: float = 2.0
    guided_distance: float = 0.75
    ambiguity_ratio: float = 0.6
    distinct_m: float = 1.0
    distinct_deg: float = 10.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A pose and what speaks for it.

    matches, support: matches by descriptor alone, and those of them that RANSAC found to agree
    log10_false_alarms: how often chance gives that support
    expected, explained: landmarks that a photo from this pose should show, and how many of them it does
    feature, landmark: (M,) the matches that the pose was refined on; ``estimate.inliers`` is among them
    """

    estimate: PoseEstimate
    matches: int
    support: int
    log10_false_alarms: float
    expected: int
    explained: int
    feature: NDArray[np.int64]
    landmark: NDArray[np.int64]

    @property
    def inliers(self) -> int:
        """Number of matches that agree with the refined pose."""
        return int(self.estimate.inliers.sum())


class Localizer:
    """Localizes queries in one map. Loading is done once; ``localize`` is a pure function of its arguments."""

    def __init__(
        self,
        landmarks: Landmarks,
        vocabulary: Vocabulary,
        places: PlaceIndex,
        view_positions: Array,
        *,
        covariance_scale: float = 1.0,
        map_uncertainty: MapUncertainty | None = None,
        options: LocalizerOptions | None = None,
    ) -> None:
        """Take the parts of a twin; ``places`` holds the views of ``landmarks`` in order, ``view_positions`` (V, 3).

        ``map_uncertainty`` is added to every answer's own covariance, which counts the map's poses as exact.
        """
        self.landmarks = landmarks
        self.options = options or LocalizerOptions()
        self._places = PlaceFinder(landmarks, vocabulary, places, view_positions)
        self._covariance_scale = covariance_scale
        self._map_uncertainty = map_uncertainty
        self._view_of_observation = landmarks.view_of_observation()
        self._viewpoints = Viewpoints.of(landmarks, view_positions)

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
        views, scores = self._places.rank(features, self.options.retrieved)
        coarse = self._places.guesses(views, scores)
        candidates = [c for group in self._places.groups(views) for c in self._candidates(features, camera, group)]
        candidates.sort(key=lambda c: (c.support < self.options.min_inliers or not self._explains(c), -c.support))
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

    def _candidates(self, features: Features, camera: pycolmap.Camera, views: NDArray[np.int64]) -> list[Candidate]:
        """Return up to two poses that the landmarks of some views support."""
        strongest = features.take(slice(self.options.search_features))
        searched = self.landmarks.observations_of(views)[: self.options.observation_budget]
        feature, landmark = match_landmarks(strongest, self.landmarks, searched, self.options.ratio)
        observations = self.landmarks.observations_of(views)
        hypotheses = pose_hypotheses(
            features.keypoints[feature].astype(np.float64),
            self.landmarks.points[landmark],
            camera,
            max_error_px=self.options.max_error_px,
            seed=self.options.seed,
            limit=2,
        )
        found = []
        for pose, inliers in hypotheses:
            try:
                estimate, agreeing = self._refine(
                    pose, features, camera, observations, feature[inliers], landmark[inliers]
                )
            except DegenerateError:
                continue
            support = int(inliers.sum())
            found.append(self._candidate(features, camera, estimate, agreeing, len(feature), support))
            if self._explains(found[-1]) and len(feature) - support < self.options.ambiguity_ratio * support:
                break  # the matches left could not make a rival
        return found

    def _candidate(
        self,
        features: Features,
        camera: pycolmap.Camera,
        estimate: PoseEstimate,
        agreeing: tuple[NDArray[np.int64], NDArray[np.int64]],
        matches: int,
        support: int,
    ) -> Candidate:
        feature, landmark = agreeing
        near = np.linalg.norm(estimate.residuals_px, axis=1) < self.options.explained_px
        expected = self._viewpoints.expected(self.landmarks, estimate.cam_from_site, camera)
        return Candidate(
            estimate=estimate,
            matches=matches,
            support=support,
            log10_false_alarms=log10_false_alarms(matches, support, self.options.max_error_px, features.image_size),
            expected=int(expected.sum()),
            explained=int(expected[landmark[near]].sum()),
            feature=feature,
            landmark=landmark,
        )

    def _refine(
        self,
        pose: pycolmap.Rigid3d,
        features: Features,
        camera: pycolmap.Camera,
        observations: NDArray[np.int64],
        feature: NDArray[np.int64],
        landmark: NDArray[np.int64],
    ) -> tuple[PoseEstimate, tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Refine on RANSAC's inliers, then once more on all matches that the refined pose predicts."""
        estimate = self._refine_on(pose, features, camera, feature, landmark)
        if int(estimate.inliers.sum()) < self.options.min_inliers:
            return estimate, (feature, landmark)
        guided = match_by_projection(
            features,
            self.landmarks,
            observations,
            estimate.cam_from_site,
            camera,
            radius_px=self.options.guided_radius_px,
            max_distance=self.options.guided_distance,
        )
        if len(guided[0]) <= len(feature):
            return estimate, (feature, landmark)
        return self._refine_on(estimate.cam_from_site, features, camera, *guided), guided

    def _refine_on(
        self,
        pose: pycolmap.Rigid3d,
        features: Features,
        camera: pycolmap.Camera,
        feature: NDArray[np.int64],
        landmark: NDArray[np.int64],
    ) -> PoseEstimate:
        return refine_pose(
            pose,
            features.keypoints[feature].astype(np.float64),
            self.landmarks.points[landmark],
            camera,
            sigma_px=keypoint_sigma_px(features.scales[feature]),
            point_covariances=self.landmarks.covariances[landmark].astype(np.float64),
        )

    def _explains(self, candidate: Candidate) -> bool:
        """Tell whether enough of what the pose should show is there; a fit to a look-alike finds little else."""
        if candidate.expected < self.options.min_expected:
            return True
        return candidate.explained >= self.options.min_explained * candidate.expected

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
        if not self._explains(best):
            return (
                f"look-alike: only {best.explained} of {best.expected} landmarks that this pose should show are there"
            )
        for other in filter(self._explains, candidates[1:]):
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
