"""A fixed camera's pose, and its lens where that is unknown, from its own pictures: start reading here.

Coarse poses come from wherever there are any; each is adjusted to all evidence that the twin gives for it, and they are
compared by how much of that agrees. The best one is adjusted again and again, as evidence is found nearer by each time.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import (
    DegenerateError,
    InputError,
    check_size,
    largest_sigma,
    locate,
    pose_error,
    position_covariance,
    position_of,
)
from geometry.camera_fit import CameraFit, LensFreedom, Seen, fit_camera, joined
from perception import Features
from perception.background import background
from perception.images import Pixels
from twin.calibration import coarse
from twin.calibration.answer import CameraCalibration, EvidenceCount
from twin.calibration.evidence import (
    KINDS,
    LANDMARKS,
    POINTS,
    SURFACE,
    TAGS,
    Matched,
    consistent,
    landmark_evidence,
    seen_tags,
    surface_evidence,
    tag_evidence,
)
from twin.calibration.lenses import UNKNOWN, freedom, lenses_to_try
from twin.calibration.limits import limits_of
from twin.calibration.options import CalibrationOptions
from twin.localizer import Localizer
from twin.model import Twin
from twin.visibility import Viewpoints

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

CELLS = (6, 8)
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
AGREEMENT_PX = 1.5
MIN_PATCHES, MIN_SURFACE_SHARE = 40, 0.25
"""Landmarks are found around any pose by chance; rendered patches are not: right poses find half of them and more."""
PRIOR = "prior pose"
KEPT_METHODS = (PRIOR, "clicked points")
PRIOR_REACH_PX = ((24.0, 26), (12.0, 12))
"""Radius for landmarks and search for patches around a pose that was known before, and may be degrees off."""
QUICK_WORTH = 0.35
"""Of the best candidate's support by landmarks and tags alone."""
VIEW_CORRELATION = 0.3
"""Between the errors of the map's views around a camera, which looks at what many of them saw: measured on rendered
scenes, where counting them as one error claimed three times the variance that there was."""
SAME_M_FREE = 6.0


class Calibrator:
    """Calibrates cameras in one twin; what many cameras need is made once."""

    def __init__(self, twin: Twin, options: CalibrationOptions | None = None) -> None:
        """Take a twin that is in site. Raises ``InputError`` for one whose frame is open."""
        if not twin.is_in_site:
            raise InputError(
                "cameras can't be calibrated in a twin whose place and scale are open",
                where=str(twin.folder),
                remedy="Map again with --tags, --control or --poses.",
            )
        self.twin = twin
        self.options = options or CalibrationOptions()

    @cached_property
    def _localizer(self) -> Localizer:
        return self.twin.localizer()

    @cached_property
    def _viewpoints(self) -> Viewpoints:
        return Viewpoints.of(self.twin.landmarks, self.twin.view_positions)

    def calibrate(
        self,
        id: str,
        frames: Sequence[Pixels],
        camera: pycolmap.Camera | None = None,
        *,
        refine_lens: bool = False,
        lenses: Sequence[str] = UNKNOWN,
        prior: pycolmap.Rigid3d | None = None,
        points: Seen | None = None,
    ) -> CameraCalibration:
        """Calibrate one camera from RGB frames (H, W, 3) uint8 of one size.

        camera: its lens, None where it is unknown: then those of ``lenses`` are tried; refine_lens: adjust it too
        prior: where it may hang, as a start and no evidence; points: clicked ones, of kind ``POINTS``
        A camera that can't be calibrated is an answer with a reason; ``InputError`` is for wrong arguments.
        """
        start = time.perf_counter()
        if not len(frames):
            raise InputError(f"camera '{id}' has no pictures")
        height, width = frames[0].shape[:2]
        if camera is not None:
            check_size(camera, (width, height), where=f"camera '{id}'")
        job = _Job(self, frames, points)
        tried = [camera] if camera is not None else lenses_to_try(lenses, width, height)
        free = camera is None or refine_lens
        candidates = job.candidates(tried, prior, self._localizer, free)
        settled = [s for s in (job.settle(c, free) for c in job.promising(candidates, free)) if s is not None]
        if not settled:
            reason = "nothing in the twin looks like its picture" if not candidates else "no pose fits its picture"
            return CameraCalibration(
                id=id, status="refused", reason=reason, frames=len(frames), seconds=time.perf_counter() - start
            )
        settled.sort(key=lambda each: -each.support)
        answer = self._answer(id, job, _closer(job, settled, free), free)
        return replace(answer, seconds=time.perf_counter() - start, frames=len(frames))

    def agreement(self, frames: Sequence[Pixels], camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d) -> int:
        """Return how many pieces of evidence lie within a pixel and a half of where a pose predicts them."""
        job = _Job(self, frames, None)
        seen, _, _ = job.gather(cam_from_site, camera, LAST_RADIUS_PX, 0)
        return len(consistent(seen, cam_from_site, camera, AGREEMENT_PX))

    def _answer(self, id: str, job: "_Job", settled: Sequence["_Settled"], free: bool) -> CameraCalibration:
        best = settled[0]
        rivals = [s for s in settled[1:] if not _same_place(s.fit, best.fit, free)]
        try:
            for _ in range(self.options.rounds - 1):
                best = job.again(best, free, LAST_RADIUS_PX)
        except DegenerateError as error:
            return CameraCalibration(id=id, status="refused", reason=error.what)
        fit = best.fit
        covariance = self._with_map(fit, best)
        count, cells = _counts(best), _cells(best, job.gray.shape)
        agree = int(fit.inliers.sum())
        residual = float(np.median(np.linalg.norm(fit.residuals_px[fit.inliers], axis=1))) if agree else None
        reason = self._reason(best, rivals, covariance, agree, cells) or self._doubt(job, best)
        shown = tuple((tuple(position_of(r.fit.cam_from_site).tolist()), float(r.support)) for r in rivals[:3])
        return CameraCalibration(
            id=id,
            status="refused" if reason else "ok",
            reason=reason,
            camera=None if reason else fit.camera,
            cam_from_site=None if reason else fit.cam_from_site,
            covariance=None if reason else covariance[:6, :6],
            lens_covariance=covariance if free and not reason else None,
            lens_free=freedom(fit.camera).groups if free else (),
            evidence=count,
            coverage=float((cells > 0).mean()),
            cells=cells,
            method=best.method,
            limits=limits_of(fit, covariance, self._map_part(fit, best), cells, count),
            residual_px=residual,
            rivals=shown,
            level=self._level(fit.cam_from_site),
            noise={name: float(scale) for name, scale in zip(KINDS, fit.scales, strict=False)},
        )

    def _reason(
        self, best: "_Settled", rivals: Sequence["_Settled"], covariance: Array, agree: int, cells: Indices
    ) -> str | None:
        options = self.options
        if best.method == "clicked points" and agree >= 4:
            cells_needed = 2
        else:
            cells_needed = options.min_cells
            if agree < options.min_evidence:
                return f"only {agree} pieces of evidence agree with a pose"
        if (cells > 0).sum() < cells_needed:
            return f"the evidence lies in {int((cells > 0).sum())} of {cells.size} cells of the picture"
        shown = int(best.fit.inliers[best.seen.kind == SURFACE].sum())
        looked = best.looked_for.get(SURFACE, 0)
        if looked >= MIN_PATCHES and shown < MIN_SURFACE_SHARE * looked:
            return f"a look-alike: {shown} of {looked} patches of the twin's surface are where they belong"
        if rivals and rivals[0].support > options.max_rival * best.support:
            x, y, z = position_of(rivals[0].fit.cam_from_site)
            return f"ambiguous: it may as well hang at x {x:.1f} y {y:.1f} z {z:.1f} m"
        sigma_m = largest_sigma(position_covariance(best.fit.cam_from_site, covariance[:6, :6]))
        sigma_deg = float(np.degrees(largest_sigma(covariance[:3, :3])))
        if sigma_m > options.max_sigma_m or sigma_deg > options.max_sigma_deg:
            return f"weakly determined: sigma {sigma_m:.2f} m and {sigma_deg:.2f} deg"
        return None

    def _doubt(self, job: "_Job", best: "_Settled") -> str | None:
        """Return why the localizer would refuse the picture, where landmarks alone speak for the pose.

        Without patches of a surface, tags, clicks or a prior nothing else tells a look-alike.
        """
        kinds = best.seen.kind[best.fit.inliers]
        if best.method in KEPT_METHODS or np.isin(kinds, (TAGS, SURFACE, POINTS)).any():
            return None
        answer = self._localizer.localize("", job.features, best.fit.camera)
        return None if answer.status == "ok" else answer.reason

    def _with_map(self, fit: CameraFit, settled: "_Settled") -> Array:
        covariance = fit.covariance.copy()
        return covariance + self._map_part(fit, settled)

    def _map_part(self, fit: CameraFit, settled: "_Settled") -> Array:
        """Return what the map's own uncertainty adds: its evidence moves with it, and the camera by its share."""
        landmarks = self.twin.landmarks
        used = np.zeros(len(landmarks), dtype=bool)
        used[settled.landmarks] = True
        views = landmarks.view_of_observation()[used[landmarks.landmark]]
        weights: Array = np.bincount(views, minlength=len(landmarks.views)).astype(np.float64)
        if not weights.any():
            weights = _near_views(self.twin.view_positions, position_of(fit.cam_from_site))
        own = self.twin.uncertainty.pose_covariance(fit.cam_from_site, weights)
        effective = float(weights.sum()) ** 2 / float((weights**2).sum())
        own = own * (VIEW_CORRELATION + (1.0 - VIEW_CORRELATION) / effective)
        of_map = [k for k in (LANDMARKS, SURFACE) if k < len(fit.information)]
        bread = fit.covariance / fit.inflation
        share = bread @ fit.information[of_map].sum(axis=0)[:, :6]
        return np.asarray(share @ own @ share.T)

    def _level(self, cam_from_site: pycolmap.Rigid3d) -> str | None:
        plan = self.twin.plan
        if plan is None:
            return None
        index = int(locate(plan, position_of(cam_from_site)[None]).level[0])
        return plan.levels[index].id if index >= 0 else None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Settled:
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


class _Job:
    """One camera's pictures, and the evidence in them."""

    def __init__(self, calibrator: Calibrator, frames: Sequence[Pixels], points: Seen | None) -> None:
        self._calibrator = calibrator
        self.twin, self.options = calibrator.twin, calibrator.options
        self.gray = np.asarray(cv2.cvtColor(background(frames), cv2.COLOR_RGB2GRAY), np.uint8)
        chosen = np.unique(np.linspace(0, len(frames) - 1, self.options.tag_frames).round().astype(int))
        grays = [np.asarray(cv2.cvtColor(frames[i], cv2.COLOR_RGB2GRAY), np.uint8) for i in chosen]
        self.tags = seen_tags(grays, self.twin.tags)
        self.points = points

    @cached_property
    def features(self) -> Features:
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
            self._calibrator._viewpoints,
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

    def settle(self, candidate: coarse.Coarse, free: bool) -> _Settled | None:
        """Adjust a candidate to all that is around, nearer each time; None where that isn't possible."""
        return self._settle(candidate, FREE_RADII_PX[1:] if free else RADII_PX, free, with_surface=True)

    def _settle(
        self, candidate: coarse.Coarse, radii: Sequence[float], free: bool, *, with_surface: bool
    ) -> _Settled | None:
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

    def again(self, settled: _Settled, free: bool, radius_px: float) -> _Settled:
        """Adjust once more, to evidence found nearer by."""
        fit = settled.fit
        seen, which, looked = self.gather(fit.cam_from_site, fit.camera, radius_px, 0, matched=settled.matched)
        lens = freedom(fit.camera) if free else LensFreedom()
        fit = fit_camera(fit.cam_from_site, fit.camera, seen, lens=lens)
        return _settled(fit, seen, which, looked, settled.method, settled.matched)


def _settled(
    fit: CameraFit, seen: Seen, which: Indices, looked: dict[int, int], method: str, matched: Matched | None
) -> _Settled:
    squared = (np.nan_to_num(fit.residuals_px, nan=1e6) ** 2).sum(axis=1)
    weight = np.where(seen.kind == TAGS, TAG_WEIGHT, 1.0) / (1.0 + (squared / CONSISTENT_PX**2) ** 2)
    support = float(weight.sum())
    agreed = which[fit.inliers[seen.kind == LANDMARKS]]
    return _Settled(
        fit=fit, seen=seen, landmarks=agreed, looked_for=looked, method=method, support=support, matched=matched
    )


def _closer(job: _Job, settled: Sequence[_Settled], free: bool) -> list[_Settled]:
    """Return the candidates that are worth it after another adjustment each, the best supported first."""
    found = []
    for candidate in settled:
        if candidate.support > WORTH * settled[0].support:
            try:
                found.append(job.again(candidate, free, LAST_RADIUS_PX))
            except DegenerateError:
                continue
    return sorted(found or settled[:1], key=lambda each: -each.support)


def _same_place(a: CameraFit, b: CameraFit, free: bool) -> bool:
    """Tell whether two poses are of one place; under an unknown lens distance trades against focal length."""
    metres, degrees = pose_error(a.cam_from_site, b.cam_from_site)
    return metres < (SAME_M_FREE if free else coarse.SAME_M) and degrees < coarse.SAME_DEG


def _counts(settled: _Settled) -> dict[str, EvidenceCount]:
    fit, kinds = settled.fit, settled.seen.kind
    lengths = np.linalg.norm(np.nan_to_num(fit.residuals_px, nan=1e6), axis=1)
    result = {}
    for kind, tried in settled.looked_for.items():
        agree = fit.inliers & (kinds == kind)
        result[KINDS[kind]] = EvidenceCount(
            looked_for=tried,
            found=int((kinds == kind).sum()),
            agree=int(agree.sum()),
            residual_px=float(np.median(lengths[agree])) if agree.any() else None,
        )
    return result


def _cells(settled: _Settled, shape: tuple[int, ...]) -> Indices:
    """Return how much evidence agrees in each cell (6, 8) of the picture."""
    pixels = settled.seen.pixels[settled.fit.inliers]
    rows, columns = CELLS
    height, width = shape[:2]
    edges = [np.linspace(0, height, rows + 1), np.linspace(0, width, columns + 1)]
    return np.histogram2d(pixels[:, 1], pixels[:, 0], bins=edges)[0].astype(np.int64)


def _near_views(positions: Array, centre: Array, count: int = 10) -> Array:
    weights = np.zeros(len(positions))
    weights[np.argsort(np.linalg.norm(positions - centre, axis=1))[:count]] = 1.0
    return weights
