"""Poses that a fixed camera may have, adjusted to the evidence in its pictures and rated by how much of it agrees."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import DegenerateError
from geometry.camera_fit import CameraFit, LensFreedom, Seen, fit_camera, joined
from perception import Features
from perception.background import background
from perception.images import Pixels
from twin.calibration import coarse
from twin.calibration.evidence import (
    LANDMARKS,
    POINTS,
    SURFACE,
    TAGS,
    Matched,
    landmark_evidence,
    seen_tags,
    surface_evidence,
    tag_evidence,
)
from twin.calibration.lenses import freedom
from twin.calibration.options import CalibrationOptions
from twin.localizer import Localizer
from twin.model import Twin
from twin.visibility import Viewpoints

logger = logging.getLogger(__name__)

Indices = NDArray[np.int64]

RADII_PX, FREE_RADII_PX = (6.0, 3.0), (10.0, 6.0, 4.0)
"""Within which landmarks are looked for, one adjustment after the other; wider while the lens is unknown."""
LAST_RADIUS_PX = 2.5
FIRST_SEARCH_PX = 10
CONSISTENT_PX = 1.0
"""Evidence counts by how near it is: what is found around a look-alike is scattered over the radius."""
WORTH = 0.4
"""Of the best candidate's support; weaker ones are not looked at more closely."""
TAG_WEIGHT = 10
"""A tag's corner says more of where one is than a landmark that looks like many."""
PRIOR_SIGMA_M, PRIOR_SIGMA_RAD = 0.5, np.radians(3.0)
LENSES_KEPT = 4
STOREYS_TRIED = 2
PRIOR = "prior pose"
KEPT_METHODS = (PRIOR, coarse.CLICKED)
PRIOR_REACH_PX = ((24.0, 26), (12.0, 12))
"""Radius for landmarks and search for patches around a pose that was known before, and may be degrees off."""
QUICK_WORTH = 0.35
"""Of the best candidate's support by landmarks and tags alone."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Settled:
    """A candidate after adjustment.

    landmarks: indices of those in ``seen``; looked_for: by kind; support: weighted count of what agrees
    """

    fit: CameraFit
    seen: Seen
    landmarks: Indices
    looked_for: dict[int, int]
    method: str
    support: float
    matched: Matched | None = None


class Adjusting:
    """One camera's pictures, the evidence in them, and poses that are adjusted to it."""

    def __init__(
        self,
        twin: Twin,
        options: CalibrationOptions,
        viewpoints: Viewpoints,
        frames: Sequence[Pixels],
        points: Seen | None = None,
    ) -> None:
        """Look at RGB frames (H, W, 3) uint8 of one size, and at clicked points; viewpoints: of the twin's views."""
        self.twin, self.options, self._viewpoints = twin, options, viewpoints
        self.gray = np.asarray(cv2.cvtColor(background(frames), cv2.COLOR_RGB2GRAY), np.uint8)
        chosen = np.unique(np.linspace(0, len(frames) - 1, self.options.tag_frames).round().astype(int))
        grays = [np.asarray(cv2.cvtColor(frames[i], cv2.COLOR_RGB2GRAY), np.uint8) for i in chosen]
        self.tags = seen_tags(grays, self.twin.tags)
        self.points = points

    @cached_property
    def features(self) -> Features:
        """The features of what does not move in the frames."""
        return self.twin.extractor().extract(self.gray)

    def candidates(
        self,
        cameras: Sequence[pycolmap.Camera],
        prior: pycolmap.Rigid3d | None,
        localizer: Localizer,
        free: bool,
    ) -> list[coarse.Coarse]:
        """Return coarse poses; of many lenses those that explain most."""
        known = (
            []
            if prior is None
            else [coarse.Coarse(camera=camera, cam_from_site=prior, method=PRIOR, support=0) for camera in cameras]
        )
        many = len(cameras) > 1
        found = (
            coarse.by_lenses(localizer, self.twin.landmarks, self.features, cameras)
            if many
            else coarse.by_localizer(localizer, self.features, cameras)
        )
        clicked = coarse.by_clicks(self.points, cameras)
        tagged = coarse.by_tags(self.twin.tags, self.tags, cameras)
        limit = self.options.candidates
        above = coarse.on_other_storeys(found, self.twin.storeys, STOREYS_TRIED)
        if many:
            return [
                *coarse.distinct(clicked, LENSES_KEPT, by_lens=True),
                *coarse.distinct(tagged, LENSES_KEPT, by_lens=True),
                *coarse.distinct([*found[:limit], *above], limit, by_lens=True),
                *known,
            ]
        several = [*known, *clicked, *tagged[:2], *found[:2], *above, *found[2:]]
        return list(coarse.distinct(several, limit + len(known), by_lens=free))

    def gather(
        self,
        pose: pycolmap.Rigid3d,
        camera: pycolmap.Camera,
        radius_px: float,
        search_px: int,
        *,
        with_surface: bool = True,
        matched: Matched | None = None,
    ) -> tuple[Seen, Indices, dict[int, int]]:
        """Return all evidence around where a pose predicts it, which landmarks, and how much was looked for by kind."""
        twin = self.twin
        tags = tag_evidence(twin.tags, self.tags)
        landmarks, which = landmark_evidence(
            twin.landmarks,
            self._viewpoints,
            self.features,
            pose,
            camera,
            radius_px=radius_px,
            matched=matched,
        )
        parts, looked = [tags, landmarks], {TAGS: len(tags), LANDMARKS: len(landmarks)}
        if with_surface and twin.surface is not None:
            patches, tried = surface_evidence(
                twin.surface, self.gray, pose, camera, search_px=search_px, sigma_m=self.options.surface_sigma_m
            )
            parts.append(patches)
            looked[SURFACE] = tried
        if self.points is not None:
            parts.append(self.points)
            looked[POINTS] = len(self.points)
        return joined(parts), which, looked

    def promising(self, candidates: Sequence[coarse.Coarse], free: bool) -> list[coarse.Coarse]:
        """Adjust candidates to landmarks and tags alone, which is quick, and return those worth a closer look.

        A pose that was known or clicked stays: there may be few landmarks around.
        """
        rated: list[tuple[float, coarse.Coarse]] = []
        for candidate in candidates:
            settled = self._settle(candidate, (FREE_RADII_PX if free else RADII_PX)[:1], free, with_surface=False)
            if settled is not None:
                better = replace(candidate, camera=settled.fit.camera, cam_from_site=settled.fit.cam_from_site)
                rated.append((settled.support, better))
            if settled is None or candidate.method in KEPT_METHODS:
                rated.append((np.inf if candidate.method in KEPT_METHODS else -1.0, candidate))
        best = max((support for support, _ in rated if np.isfinite(support)), default=0.0)
        return [candidate for support, candidate in rated if support >= QUICK_WORTH * best]

    def settle(self, candidate: coarse.Coarse, free: bool) -> Settled | None:
        """Adjust a candidate to all that is around, nearer each time; None where that isn't possible."""
        return self._settle(candidate, FREE_RADII_PX[1:] if free else RADII_PX, free, with_surface=True)

    def _settle(
        self, candidate: coarse.Coarse, radii: Sequence[float], free: bool, *, with_surface: bool
    ) -> Settled | None:
        prior = (candidate.cam_from_site, np.diag(np.repeat([PRIOR_SIGMA_RAD**2, PRIOR_SIGMA_M**2], 3)))
        try:
            lens = freedom(candidate.camera, principal_point=False) if free else LensFreedom()
            pose, camera = candidate.cam_from_site, candidate.camera
            known = candidate.method == PRIOR
            for radius, search in [*(PRIOR_REACH_PX if known else ()), *((r, FIRST_SEARCH_PX) for r in radii)]:
                seen, which, looked = self.gather(
                    pose, camera, radius, search, with_surface=with_surface, matched=candidate.matched
                )
                fit = fit_camera(pose, camera, seen, lens=lens, prior=None if free else prior)
                pose, camera = fit.cam_from_site, fit.camera
            return _settled(fit, seen, which, looked, candidate.method, candidate.matched)
        except (DegenerateError, np.linalg.LinAlgError) as error:
            logger.info("a candidate by %s fails: %s", candidate.method, error)
            return None

    def again(self, settled: Settled, free: bool, radius_px: float) -> Settled:
        """Adjust once more, to evidence found nearer by."""
        fit = settled.fit
        seen, which, looked = self.gather(fit.cam_from_site, fit.camera, radius_px, 0, matched=settled.matched)
        lens = freedom(fit.camera) if free else LensFreedom()
        fit = fit_camera(fit.cam_from_site, fit.camera, seen, lens=lens)
        return _settled(fit, seen, which, looked, settled.method, settled.matched)


def _settled(
    fit: CameraFit, seen: Seen, which: Indices, looked: dict[int, int], method: str, matched: Matched | None
) -> Settled:
    squared = (np.nan_to_num(fit.residuals_px, nan=1e6) ** 2).sum(axis=1)
    weight = np.where(seen.kind == TAGS, TAG_WEIGHT, 1.0) / (1.0 + (squared / CONSISTENT_PX**2) ** 2)
    support = float(weight.sum())
    agreed = which[fit.inliers[seen.kind == LANDMARKS]]
    return Settled(
        fit=fit, seen=seen, landmarks=agreed, looked_for=looked, method=method, support=support, matched=matched
    )


def closer(job: Adjusting, settled: Sequence[Settled], free: bool) -> list[Settled]:
    """Return the candidates that are worth it after another adjustment each, the best supported first."""
    found = []
    for candidate in settled:
        if candidate.support > WORTH * settled[0].support:
            try:
                found.append(job.again(candidate, free, LAST_RADIUS_PX))
            except DegenerateError:
                continue
    return sorted(found or settled[:1], key=lambda each: -each.support)
