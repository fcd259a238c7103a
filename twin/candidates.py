"""Poses that may explain a photo: matches with what some views see, RANSAC, and refinement on all they predict.

A pose is verified where floors, ceilings and walls show the textures that it says they do: then no more are looked for.
Where storeys look alike, what fits one is tried on the others too, so that they compete on equal terms.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TypeVar

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import (
    DegenerateError,
    PoseEstimate,
    log10_false_alarms,
    pose_error,
    pose_from_position,
    pose_hypotheses,
    position_of,
    project,
    quat_xyzw_of,
    refine_pose,
    transform_points,
)
from twin.hypotheses import NOWHERE, Candidate, Hypothesis, Indices, Query
from twin.landmark_matching import match_by_projection
from twin.landmarks import Landmarks, keypoint_sigma_px
from twin.localizer_options import LocalizerOptions
from twin.lookahead import look_ahead
from twin.textures import Occluders, TextureMatches, Textures, TextureSupport, match_textures
from twin.textures.matching import SIGMA_PX, point_covariances
from twin.visibility import Viewpoints

Pairs = tuple[Indices, Indices]
Given = TypeVar("Given")
Found = TypeVar("Found")

HYPOTHESES, TEXTURED_HYPOTHESES = 2, 4
"""Poses tried for each group of views; the second is a look-alike among them. More where textures can tell which is
right, until one is verified."""
MIN_SHARE = 0.35
"""A pose supported by less than this share of the best one's matches is not worth refining."""
MAX_REFINED = 4
MAX_TRANSFERRED = 2
"""Best candidates that are tried on other storeys."""
SETTLING_VIEWS = 10
TEXTURES_TRIED, TEXTURES_SETTLED = 48, 80
"""Patches that a hypothesis and a candidate are compared with."""
REACH, SETTLED_REACH = 2, 1
"""Cells by which textures may lie off, of a hypothesis and of a refined pose."""
LEAST_PRESENCE = 0.5
"""Of a landmark that may stand before textures: others have vanished."""
MANY_TEXTURES = 24
"""Where so many should be seen and are not, a pose on another storey is not one."""
CELLS = (8, 6)
"""Across and down, of a photo, in which inliers are counted."""


class CandidateFinder:
    """Finds candidates among the landmarks of one map."""

    def __init__(
        self,
        landmarks: Landmarks,
        viewpoints: Viewpoints,
        storeys: Sequence[float],
        options: LocalizerOptions,
        textures: Textures | None = None,
    ) -> None:
        """Take a map's parts; ``storeys`` are the heights of its floors, ascending, none where they are unknown."""
        self._textures = textures
        there = landmarks.points[landmarks.presence > LEAST_PRESENCE]
        self._occluders = None if textures is None else Occluders.of(there, textures)
        self._landmarks = landmarks
        self._viewpoints = viewpoints
        self._storeys = np.asarray(storeys, dtype=np.float64)
        self._options = options
        self._view_of_observation = landmarks.view_of_observation()
        self._presence = landmarks.presence

    def find(self, query: Query, groups: Sequence[Indices]) -> list[Candidate]:
        """Return poses that landmarks of some group of views support, and what these are on other storeys.

        Of poses that are about the same the best supported is taken, and of these few enough to be refined.
        """
        hypotheses = self._worth_refining(self._first_enough(query, groups))
        enough = MIN_SHARE * max((hypothesis.support for hypothesis in hypotheses), default=0)
        promising = [each for each in hypotheses if self.is_likely(each) or each.support >= enough]
        candidates: list[Candidate] = []
        self._add(candidates, query, sorted(promising, key=self._rank), MAX_REFINED)
        best = sorted(candidates, key=self._rank)[:MAX_TRANSFERRED]
        copies = [pose for each in best for pose in self.on_other_storeys(each.estimate.cam_from_site)]
        copies = [pose for pose in copies if self._is_new(pose, candidates)]
        transferred = list(self._in_order(partial(self._transferred, query), copies))
        for pose, found in zip(copies, transferred, strict=True):
            if self._is_new(pose, candidates):
                self._add(candidates, query, found)
        return candidates

    def _first_enough(self, query: Query, groups: Sequence[Indices]) -> list[Hypothesis]:
        """Return poses that groups of views support, up to the first group that makes them enough.

        Mostly that is the very first; where it is not, the others are searched several at a time.
        """
        search, hypotheses = partial(self._hypotheses, query), list[Hypothesis]()
        for found in chain(map(search, groups[:1]), self._in_order(search, groups[1:])):
            hypotheses += found
            if self._is_enough(hypotheses):
                break
        return hypotheses

    def _in_order(self, work: Callable[[Given], Found], items: Sequence[Given]) -> Iterator[Found]:
        return look_ahead(work, items, self._options.threads)

    def _worth_refining(self, hypotheses: list[Hypothesis]) -> list[Hypothesis]:
        """Leave out poses that neither textures nor more matches than a verified one has speak for, if one is."""
        verified = [hypothesis.support for hypothesis in hypotheses if self.is_verified(hypothesis)]
        if not verified:
            return hypotheses
        return [each for each in hypotheses if self.is_likely(each) or each.support > max(verified)]

    def is_verified(self, pose: Hypothesis | Candidate) -> bool:
        """Tell whether so many textures are where they should be that hardly any wrong pose would do."""
        return self._is_sure(pose.textured)

    def is_likely(self, pose: Hypothesis | Candidate) -> bool:
        """Tell whether so many textures are where they should be that few wrong poses would do."""
        return self._is_likely(pose.textured)

    def _is_likely(self, support: TextureSupport) -> bool:
        return support.log10_false_alarms < self._options.likely_log10_false_alarms

    def _rank(self, pose: Hypothesis | Candidate) -> tuple[float, int]:
        """Return what poses are tried by, first the least: how hardly chance would find its textures, then support."""
        return (pose.textured.log10_false_alarms if self.is_likely(pose) else 0.0), -pose.support

    def _is_sure(self, support: TextureSupport) -> bool:
        return support.log10_false_alarms < self._options.verified_log10_false_alarms

    def _transferred(self, query: Query, pose: pycolmap.Rigid3d) -> list[Hypothesis]:
        """Return what the views there support near a pose that was found on another storey.

        Where the photo shows that storey's textures, that is the pose itself.
        """
        expected = self._viewpoints.expected(self._landmarks, pose, query.camera)
        views = self._views_of(expected, SETTLING_VIEWS)
        feature, landmark = self._matches(query, views)
        agree = self._agree(pose, query, feature, landmark)
        copy = self._hypothesis(query, pose, views, (feature, landmark), agree)
        if self.is_likely(copy):
            return [copy]
        if copy.textured.looked_for >= MANY_TEXTURES and self._is_unique():
            return []
        return [found for found in self._hypotheses(query, views) if not self.are_distinct(found.cam_from_site, pose)]

    def _is_enough(self, hypotheses: Sequence[Hypothesis]) -> bool:
        if any(self.is_verified(hypothesis) for hypothesis in hypotheses):
            return True
        best = max((hypothesis.support for hypothesis in hypotheses), default=0)
        return self._is_unique() and best >= self._options.enough_support

    def _is_unique(self) -> bool:
        """Tell whether places of the map hardly ever look alike."""
        return self._options.alike is not None and self._options.alike < self._options.often_alike

    def _is_new(self, pose: pycolmap.Rigid3d, candidates: Sequence[Candidate]) -> bool:
        return all(self.are_distinct(candidate.estimate.cam_from_site, pose) for candidate in candidates)

    def are_distinct(self, a: pycolmap.Rigid3d, b: pycolmap.Rigid3d) -> bool:
        """Tell whether two poses are of different places, not two estimates of one."""
        metres, degrees = pose_error(a, b)
        return metres > self._options.distinct_m or degrees > self._options.distinct_deg

    def _add(
        self, candidates: list[Candidate], query: Query, hypotheses: Sequence[Hypothesis], limit: int | None = None
    ) -> None:
        """Refine hypotheses and append them up to a limit, but for what is degenerate or a candidate already."""

        def is_full() -> bool:
            return limit is not None and len(candidates) >= limit

        def refined(hypothesis: Hypothesis) -> Candidate | None:
            if is_full() or not self._is_new(hypothesis.cam_from_site, candidates):
                return None
            try:
                return self._settled(query, hypothesis)
            except DegenerateError:
                return None

        for hypothesis, candidate in zip(hypotheses, self._in_order(refined, hypotheses), strict=True):
            if candidate is not None and not is_full():
                # Both are asked here again, as the one before it may have come in since.
                poses = (hypothesis.cam_from_site, candidate.estimate.cam_from_site)
                if all(self._is_new(pose, candidates) for pose in poses):
                    candidates.append(candidate)
            if is_full():
                break

    def on_other_storeys(self, pose: pycolmap.Rigid3d) -> list[pycolmap.Rigid3d]:
        """Return the pose as far above each other floor as it is above its own, none where floors are unknown."""
        below = np.flatnonzero(self._storeys < position_of(pose)[2])
        if len(below) == 0:
            return []
        rises = np.delete(self._storeys, below[-1]) - self._storeys[below[-1]]
        position, turned = position_of(pose), quat_xyzw_of(pose)
        return [pose_from_position(position + np.array([0.0, 0.0, rise]), turned) for rise in rises]

    def _hypotheses(self, query: Query, views: Indices) -> list[Hypothesis]:
        """Return the poses that the landmarks of some views, best ranked first, support: a few, or a verified one."""
        options = self._options
        feature, landmark = self._matches(query, views)
        textures = None if query.pyramid is None else self._textures
        found: list[Hypothesis] = []
        for pose, inliers in pose_hypotheses(
            query.features.keypoints[feature].astype(np.float64),
            self._landmarks.points[landmark],
            query.camera,
            max_error_px=options.max_error_px,
            seed=options.seed,
            limit=HYPOTHESES if textures is None else TEXTURED_HYPOTHESES,
        ):
            found.append(self._hypothesis(query, pose, views, (feature, landmark), inliers))
            if textures is not None:
                if self.is_verified(found[-1]):
                    break
                continue
            rivals = len(feature) - found[0].support
            if found[0].support < options.min_inliers or rivals < options.ambiguity_ratio * found[0].support:
                break  # the matches left could not make a rival, or one of nothing
        return found

    def _hypothesis(
        self, query: Query, pose: pycolmap.Rigid3d, views: Indices, matches: Pairs, inliers: NDArray[np.bool_]
    ) -> Hypothesis:
        """Return a pose with the matches that agree, (M,) bool, and the textures that the photo shows from there."""
        feature, landmark = matches
        return Hypothesis(
            cam_from_site=pose,
            views=views,
            feature=feature[inliers],
            landmark=landmark[inliers],
            matches=len(feature),
            textures=self._look_for_textures(query, pose, REACH, TEXTURES_TRIED),
        )

    def _matches(self, query: Query, views: Indices) -> Pairs:
        return query.search.matches(views, self._options.ratio, self._options.observation_budget)

    def _settled(self, query: Query, hypothesis: Hypothesis) -> Candidate:
        """Refine, match anew with views around there too, and again on all that the pose predicts.

        Support is counted alike for all poses so, whatever views led to them. Raises ``DegenerateError`` as
        ``refine_pose``.
        """
        options, pairs = self._options, (hypothesis.feature, hypothesis.landmark)
        pose = self._refine(hypothesis.cam_from_site, query, pairs, hypothesis.textures).cam_from_site
        expected = self._viewpoints.expected(self._landmarks, pose, query.camera)
        around = self._views_of(expected, SETTLING_VIEWS)
        feature, landmark = self._matches(
            query, np.concatenate([hypothesis.views, np.setdiff1d(around, hypothesis.views)])
        )
        agree = self._agree(pose, query, feature, landmark)
        matches, support = len(feature), int(agree.sum())
        if support >= len(pairs[0]):
            pairs = feature[agree], landmark[agree]
        textures = self._look_for_textures(query, pose, SETTLED_REACH, TEXTURES_SETTLED)
        estimate = self._refine(pose, query, pairs, textures)
        is_there = textures is not None and self._is_sure(textures.support)
        if is_there or int(estimate.inliers.sum()) >= options.min_inliers:
            guided = match_by_projection(
                query.features,
                self._landmarks,
                self._observations_of(expected),
                estimate.cam_from_site,
                query.camera,
                radius_px=options.guided_radius_px,
                max_distance=options.guided_distance,
            )
            if len(guided[0]) > len(pairs[0]):
                pairs = guided
                estimate = self._refine(estimate.cam_from_site, query, pairs, textures)
        expected = self._viewpoints.expected(self._landmarks, estimate.cam_from_site, query.camera)
        if textures is not None:
            textures = self._look_for_textures(query, estimate.cam_from_site, SETTLED_REACH, TEXTURES_SETTLED)
        near = np.linalg.norm(estimate.residuals_px, axis=1) < options.explained_px
        size = query.features.image_size
        return Candidate(
            estimate=estimate,
            matches=matches,
            support=support,
            log10_false_alarms=log10_false_alarms(matches, support, options.max_error_px, size),
            expected=round(float(self._presence[expected].sum())),
            explained=round(float((self._presence * expected)[pairs[1][near]].sum())),
            spread=_occupied_cells(query.features.keypoints[pairs[0][estimate.inliers]], size),
            textured=NOWHERE if textures is None else textures.support,
            feature=pairs[0],
            landmark=pairs[1],
        )

    def _look_for_textures(self, query: Query, pose: pycolmap.Rigid3d, reach: int, most: int) -> TextureMatches | None:
        """Return the textures that a photo shows from a pose, None where there are none to look for."""
        if self._textures is None or query.pyramid is None:
            return None
        return match_textures(
            self._textures, query.pyramid, query.camera, pose, reach=reach, most=most, occluders=self._occluders
        )

    def _agree(self, pose: pycolmap.Rigid3d, query: Query, feature: Indices, landmark: Indices) -> NDArray[np.bool_]:
        predicted, valid = project(query.camera, transform_points(pose, self._landmarks.points[landmark]))
        off = np.linalg.norm(predicted - query.features.keypoints[feature], axis=1)
        return valid & (off < self._options.max_error_px)

    def _views_of(self, expected: NDArray[np.bool_], limit: int) -> Indices:
        """Return the views that see most of the expected landmarks, these first."""
        seen = self._view_of_observation[expected[self._landmarks.landmark]]
        counts = np.bincount(seen, minlength=len(self._landmarks.views))
        views = np.argsort(-counts, kind="stable")[:limit]
        return views[counts[views] > 0]

    def _observations_of(self, expected: NDArray[np.bool_]) -> Indices:
        """Return the observations of expected landmarks by the views that see most of them, these first."""
        observations = self._landmarks.observations_of(self._views_of(expected, self._options.guided_views))
        return observations[expected[self._landmarks.landmark[observations]]]

    def _refine(
        self, pose: pycolmap.Rigid3d, query: Query, pairs: Pairs, textures: TextureMatches | None = None
    ) -> PoseEstimate:
        """Refine on matches of features and, where these make the pose likely, textures.

        Inliers and residuals are of features; the noise's scale is of both.
        """
        feature, landmark = pairs
        pixels = query.features.keypoints[feature].astype(np.float64)
        points = self._landmarks.points[landmark]
        sigma = keypoint_sigma_px(query.features.scales[feature])
        covariances = self._landmarks.covariances[landmark].astype(np.float64)
        used = textures is not None and self._textures is not None and self._is_likely(textures.support)
        if used:
            assert textures is not None
            assert self._textures is not None
            count = len(textures.patch)
            pixels = np.concatenate([pixels, textures.pixels])
            points = np.concatenate([points, self._textures.centres[textures.patch]])
            sigma = np.concatenate([sigma, np.full(count, SIGMA_PX)])
            covariances = np.concatenate([covariances, point_covariances(self._textures, textures.patch)])
        found = refine_pose(pose, pixels, points, query.camera, sigma_px=sigma, point_covariances=covariances)
        return replace(
            found,
            # Textures err together, so that what they leave says too little of how far they are off.
            covariance=found.covariance * (max(1.0, found.noise_scale**-2) if used else 1.0),
            inliers=found.inliers[: len(feature)],
            residuals_px=found.residuals_px[: len(feature)],
        )


def _occupied_cells(pixels: NDArray[np.floating], size: tuple[int, int]) -> int:
    """Return in how many of ``CELLS`` over a photo there are some of the pixels (N, 2)."""
    cell = np.clip(pixels / np.array(size) * CELLS, 0, np.array(CELLS) - 1).astype(np.int64)
    return len(np.unique(cell, axis=0))
