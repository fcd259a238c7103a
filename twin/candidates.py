"""Poses that may explain a photo: matches with what some views see, RANSAC, and refinement on all they predict."""

from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import DegenerateError, PoseEstimate, log10_false_alarms, pose_hypotheses, refine_pose
from perception import Features
from twin.landmark_matching import Uprightness, match_by_projection, match_landmarks
from twin.landmarks import Landmarks, keypoint_sigma_px
from twin.localizer_options import LocalizerOptions
from twin.visibility import Viewpoints

Indices = NDArray[np.int64]
Pairs = tuple[Indices, Indices]

HYPOTHESES = 2
"""Poses tried for each group of views; the second is a look-alike among them."""


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
        self, features: Features, camera: pycolmap.Camera, views: Indices, upright: Uprightness | None
    ) -> list[Candidate]:
        """Return up to ``HYPOTHESES`` poses that the landmarks of some views, best ranked first, support."""
        options = self._options
        strongest = features.take(slice(options.search_features))
        searched = self._landmarks.observations_of(views)[: options.observation_budget]
        feature, landmark = match_landmarks(strongest, self._landmarks, searched, options.ratio, upright)
        hypotheses = pose_hypotheses(
            features.keypoints[feature].astype(np.float64),
            self._landmarks.points[landmark],
            camera,
            max_error_px=options.max_error_px,
            seed=options.seed,
            limit=HYPOTHESES,
        )
        found: list[Candidate] = []
        for pose, inliers in hypotheses:
            try:
                found.append(
                    self._candidate(features, camera, pose, (feature[inliers], landmark[inliers]), len(feature))
                )
            except DegenerateError:
                continue
            support = int(inliers.sum())
            if self.explains(found[-1]) and len(feature) - support < options.ambiguity_ratio * support:
                break  # the matches left could not make a rival
        return found

    def explains(self, candidate: Candidate) -> bool:
        """Tell whether enough of what the pose should show is there; a fit to a look-alike finds little else."""
        if candidate.expected < self._options.min_expected:
            return True
        return candidate.explained >= self._options.min_explained * candidate.expected

    def _candidate(
        self, features: Features, camera: pycolmap.Camera, pose: pycolmap.Rigid3d, pairs: Pairs, matches: int
    ) -> Candidate:
        """Refine a pose on RANSAC's inliers, then once more on all matches that the refined pose predicts."""
        options, support = self._options, len(pairs[0])
        estimate = self._refine(pose, features, camera, pairs)
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
