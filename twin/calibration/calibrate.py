"""A fixed camera's pose, and its lens where that is unknown, from its own pictures: start reading here.

Coarse poses come from wherever there are any; each is adjusted to all evidence that the twin gives for it, and they are
compared by how much of that agrees. The best one is adjusted again and again, as evidence is found nearer by each time.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import DegenerateError, InputError, check_size, locate, position_of
from geometry.camera_fit import CameraFit, Seen
from perception.images import Pixels
from twin.calibration.adjusting import KEPT_METHODS, LAST_RADIUS_PX, Adjusting, Settled, closer
from twin.calibration.answer import CameraCalibration
from twin.calibration.evidence import KINDS, LANDMARKS, POINTS, SURFACE, TAGS, consistent
from twin.calibration.judgement import cells_of, counts_of, is_same_place, reason_to_refuse
from twin.calibration.lenses import UNKNOWN, freedom, lenses_to_try
from twin.calibration.limits import limits_of
from twin.calibration.options import CalibrationOptions
from twin.calibration.vanishing import seen_alone
from twin.localizer import Localizer
from twin.model import Twin
from twin.visibility import Viewpoints

Array = NDArray[np.float64]

AGREEMENT_PX = 1.5
VIEW_CORRELATION = 0.3
"""Between the errors of the map's views around a camera, which looks at what many of them saw: measured on rendered
scenes, where counting them as one error claimed three times the variance that there was."""


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
        job = self._adjusting(frames, points)
        tried = [camera] if camera is not None else lenses_to_try(lenses, width, height)
        free = camera is None or refine_lens
        candidates = job.candidates(tried, prior, self._localizer, free)
        settled = [s for s in (job.settle(c, free) for c in job.promising(candidates, free)) if s is not None]
        if not settled:
            reason = "nothing in the twin looks like its picture" if not candidates else "no pose fits its picture"
            answer = CameraCalibration(id=id, status="refused", reason=reason)
        else:
            settled.sort(key=lambda each: -each.support)
            answer = self._answer(id, job, closer(job, settled, free), free)
        if answer.status == "refused" and camera is None:
            remark = seen_alone(job.gray)
            answer = replace(answer, limits=(*answer.limits, *([remark] if remark else [])))
        return replace(answer, seconds=time.perf_counter() - start, frames=len(frames))

    def agreement(self, frames: Sequence[Pixels], camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d) -> int:
        """Return how many pieces of evidence lie within a pixel and a half of where a pose predicts them."""
        job = self._adjusting(frames)
        seen, _, _ = job.gather(cam_from_site, camera, LAST_RADIUS_PX, 0)
        return len(consistent(seen, cam_from_site, camera, AGREEMENT_PX))

    def _adjusting(self, frames: Sequence[Pixels], points: Seen | None = None) -> Adjusting:
        return Adjusting(self.twin, self.options, self._viewpoints, frames, points)

    def _answer(self, id: str, job: Adjusting, settled: Sequence[Settled], free: bool) -> CameraCalibration:
        best = settled[0]
        rivals = [s for s in settled[1:] if not is_same_place(s.fit, best.fit, free)]
        try:
            for _ in range(self.options.rounds - 1):
                best = job.again(best, free, LAST_RADIUS_PX)
        except DegenerateError as error:
            return CameraCalibration(id=id, status="refused", reason=error.what)
        fit = best.fit
        covariance = self._with_map(fit, best)
        count, cells = counts_of(best), cells_of(best, job.gray.shape)
        agree = int(fit.inliers.sum())
        residual = float(np.median(np.linalg.norm(fit.residuals_px[fit.inliers], axis=1))) if agree else None
        reason = reason_to_refuse(best, rivals, covariance, cells, self.options) or self._doubt(job, best)
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

    def _doubt(self, job: Adjusting, best: Settled) -> str | None:
        """Return why the localizer would refuse the picture, where landmarks alone speak for the pose.

        Without patches of a surface, tags, clicks or a prior nothing else tells a look-alike.
        """
        kinds = best.seen.kind[best.fit.inliers]
        if best.method in KEPT_METHODS or np.isin(kinds, (TAGS, SURFACE, POINTS)).any():
            return None
        answer = self._localizer.localize("", job.features, best.fit.camera)
        return None if answer.status == "ok" else answer.reason

    def _with_map(self, fit: CameraFit, settled: Settled) -> Array:
        covariance = fit.covariance.copy()
        return covariance + self._map_part(fit, settled)

    def _map_part(self, fit: CameraFit, settled: Settled) -> Array:
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


def _near_views(positions: Array, centre: Array, count: int = 10) -> Array:
    weights = np.zeros(len(positions))
    weights[np.argsort(np.linalg.norm(positions - centre, axis=1))[:count]] = 1.0
    return weights
