"""Poses that may explain a photo: matches with what some views see, RANSAC, and refinement on all they predict."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import DegenerateError, PoseEstimate, log10_false_alarms, pose_error, pose_hypotheses, refine_pose
from perception import Features
from twin.landmark_matching import Uprightness, match_by_projection, match_landmarks
from twin.landmarks import Landmarks, keypoint_sigma_px
from twin.localizer_options import LocalizerOptions
from twin.visibility import Viewpoints

Indices = NDArray[np.int64]
Pairs = tuple[Indices, Indices]

HYPOTHESES = 2
"""Poses tried for each group of views; the second is a look-alike among them."""
MIN_SHARE = 0.35
"""A pose supported by less than this share of the best one's matches is not worth refining."""
MAX_REFINED = 4


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """A pose that RANSAC found, its inliers (feature, landmark), and how many matches there were."""

    cam_from_site: pycolmap.Rigid3d
    feature: Indices
    landmark: Indices
    matches: int

    @property
    def support(self) -> int:
        """Number of matches that agree with it."""
        return len(self.feature)


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
    feature: Indices
    landmark: Indices

    @property
    def inliers(self) -> int:
        """Number of matches that agree with the refined pose."""
        return int(self.estimate.inliers.sum())


class CandidateFinder:
    """Finds candidates among the landmarks of one map."""

    def __init__(self, landmarks: Landmarks, viewpoints: Viewpoints, options: LocalizerOptions) -> None:
        self._landmarks = landmarks
        self._viewpoints = viewpoints
        self._options = options
        self._view_of_observation = landmarks.view_of_observation()

    def find(
        self, features: Features, camera: pycolmap.Camera, groups: Sequence[Indices], upright: Uprightness | None
    ) -> list[Candidate]:
        """Return the poses that landmarks of some group of views support, those that explain the photo best first.

        Of poses that are about the same the best supported is taken, and of these few enough to be refined.
        """
        hypotheses = [h for views in groups for h in self._hypotheses(features, camera, views, upright)]
        hypotheses.sort(key=lambda hypothesis: -hypothesis.support)
        candidates: list[Candidate] = []
        for hypothesis in hypotheses:
            weak = hypothesis.support < MIN_SHARE * hypotheses[0].support
            if len(candidates) == MAX_REFINED or weak or self._is_known(hypothesis, candidates):
                continue
            try:
                candidates.append(self._candidate(features, camera, hypothesis))
            except DegenerateError:
                continue
        few = self._options.min_inliers
        return sorted(candidates, key=lambda c: (c.support < few or not self.explains(c), -c.support))

    def _is_known(self, hypothesis: Hypothesis, candidates: Sequence[Candidate]) -> bool:
        return not all(self.are_distinct(c.estimate.cam_from_site, hypothesis.cam_from_site) for c in candidates)

    def are_distinct(self, a: pycolmap.Rigid3d, b: pycolmap.Rigid3d) -> bool:
        """Tell whether two poses are of different places, not two estimates of one."""
        metres, degrees = pose_error(a, b)
        return metres > self._options.distinct_m or degrees > self._options.distinct_deg

    def _hypotheses(
        self, features: Features, camera: pycolmap.Camera, views: Indices, upright: Uprightness | None
    ) -> list[Hypothesis]:
        """Return up to ``HYPOTHESES`` poses that the landmarks of some views, best ranked first, support."""
        options = self._options
        strongest = features.take(slice(options.search_features))
        searched = self._landmarks.observations_of(views)[: options.observation_budget]
        feature, landmark = match_landmarks(strongest, self._landmarks, searched, options.ratio, upright)
        found: list[Hypothesis] = []
        for pose, inliers in pose_hypotheses(
            features.keypoints[feature].astype(np.float64),
            self._landmarks.points[landmark],
            camera,
            max_error_px=options.max_error_px,
            seed=options.seed,
            limit=HYPOTHESES,
        ):
            found.append(
                Hypothesis(
                    cam_from_site=pose, feature=feature[inliers], landmark=landmark[inliers], matches=len(feature)
                )
            )
            if len(feature) - found[0].support < options.ambiguity_ratio * found[0].support:
                break  # the matches left could not make a rival
        return found

    def explains(self, candidate: Candidate) -> bool:
        """Tell whether enough of what the pose should show is there; a fit to a look-alike finds little else."""
        if candidate.expected < self._options.min_expected:
            return True
        return candidate.explained >= self._options.min_explained * candidate.expected

    def _candidate(self, features: Features, camera: pycolmap.Camera, hypothesis: Hypothesis) -> Candidate:
        """Refine a pose on RANSAC's inliers, then once more on all matches that the refined pose predicts."""
        options, support, matches = self._options, hypothesis.support, hypothesis.matches
        pairs = hypothesis.feature, hypothesis.landmark
        estimate = self._refine(hypothesis.cam_from_site, features, camera, pairs)
        expected = self._viewpoints.expected(self._landmarks, estimate.cam_from_site, camera)
        if int(estimate.inliers.sum()) >= options.min_inliers:
            guided = match_by_projection(
                features,
                self._landmarks,
                self._observations_of(expected),
                estimate.cam_from_site,
                camera,
                radius_px=options.guided_radius_px,
                max_distance=options.guided_distance,
            )
            if len(guided[0]) > support:
                pairs = guided
                estimate = self._refine(estimate.cam_from_site, features, camera, pairs)
                expected = self._viewpoints.expected(self._landmarks, estimate.cam_from_site, camera)
        feature, landmark = pairs
        near = np.linalg.norm(estimate.residuals_px, axis=1) < options.explained_px
        return Candidate(
            estimate=estimate,
            matches=matches,
            support=support,
            log10_false_alarms=log10_false_alarms(matches, support, options.max_error_px, features.image_size),
            expected=int(expected.sum()),
            explained=int(expected[landmark[near]].sum()),
            feature=feature,
            landmark=landmark,
        )

    def _observations_of(self, expected: NDArray[np.bool_]) -> Indices:
        """Return the observations of expected landmarks by the views that see most of them, these first."""
        of_expected = expected[self._landmarks.landmark]
        counts = np.bincount(self._view_of_observation[of_expected], minlength=len(self._landmarks.views))
        views = np.argsort(-counts, kind="stable")[: self._options.guided_views]
        observations = self._landmarks.observations_of(views[counts[views] > 0])
        return observations[of_expected[observations]]

    def _refine(
        self, pose: pycolmap.Rigid3d, features: Features, camera: pycolmap.Camera, pairs: Pairs
    ) -> PoseEstimate:
        feature, landmark = pairs
        return refine_pose(
            pose,
            features.keypoints[feature].astype(np.float64),
            self._landmarks.points[landmark],
            camera,
            sigma_px=keypoint_sigma_px(features.scales[feature]),
            point_covariances=self._landmarks.covariances[landmark].astype(np.float64),
        )
