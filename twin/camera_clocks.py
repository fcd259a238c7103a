"""Clocks of cameras from what each of them saw of common motion: of a whole recording, and while frames come in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from geometry.box_views import CameraModel
from geometry.ground_surface import GroundSurface
from perception.clocks import CameraTrack, ClockEstimate, ClockOptions, estimate_clocks
from perception.detections import Detections
from perception.tracking.options import TrackerOptions
from perception.tracking.smoothing import chain_of, smoothed
from perception.tracking.tracker import GroundTracker
from perception.tracking.tracks import Tracklet

MIN_STATES = 6
WINDOW_S, EVERY_S = 90.0, 15.0
"""Live, clocks are estimated so often, from so much of the past."""


def by_common_clock(frame: Detections, clocks: ClockEstimate | None) -> Detections:
    """Return a frame at the time that it was exposed, as far as it is known."""
    if clocks is None:
        return frame
    return replace(frame, time=clocks.utc(frame.camera, frame.time))


def clocks_of(
    frames: Sequence[Detections],
    models: Mapping[str, CameraModel],
    ground: GroundSurface,
    options: TrackerOptions,
    sigma_s: float,
) -> ClockEstimate:
    """Track each camera of a recording by itself, smooth what it saw, and compare it with what the others saw."""
    seen = []
    for camera in models.values():
        tracker = GroundTracker([camera], ground, options)
        for frame in frames:
            if frame.camera == camera.id:
                tracker.update([frame])
        pieces = [piece for piece in tracker.end() if len(piece.times) >= MIN_STATES]
        chains = [chain_of([piece], [(0, k) for k in range(len(piece.times))]) for piece in pieces]
        for piece, path in zip(pieces, smoothed(chains, ground, options), strict=True):
            z, _ = ground.height(path.levels, path.means[:, :2])
            seen.append(
                CameraTrack(
                    camera=camera.id,
                    family=piece.family,
                    times=path.times,
                    positions=np.column_stack([path.means[:, :2], z]),
                    sigma_m=np.sqrt(np.trace(path.covariances[:, :2, :2], axis1=1, axis2=2)),
                )
            )
    return estimate_clocks(seen, tuple(models), _known(sigma_s))


class ClockWatch:
    """Tracks each camera by itself while frames come in, and estimates clocks every ``EVERY_S`` seconds.

    estimate: the last one, None until there is one. Memory does not grow: older states than ``WINDOW_S`` are forgotten.
    """

    def __init__(
        self, models: Sequence[CameraModel], ground: GroundSurface, options: TrackerOptions, sigma_s: float
    ) -> None:
        self.estimate: ClockEstimate | None = None
        self._ground, self._sigma_s = ground, sigma_s
        self._trackers = {camera.id: GroundTracker([camera], ground, options, for_relinking=False) for camera in models}
        self._ended: list[tuple[str, Tracklet]] = []
        self._due = -np.inf

    def take(self, frame: Detections) -> None:
        """Take a frame, at the time that its camera's clock showed; one that comes out of order is left out."""
        tracker = self._trackers[frame.camera]
        if frame.time <= tracker.time:
            return
        tracker.update([frame])
        self._ended += [(frame.camera, piece) for piece in tracker.finished()]
        if not np.isfinite(self._due):
            self._due = frame.time + EVERY_S
        if frame.time >= self._due:
            self._due = frame.time + EVERY_S
            self._renew(frame.time - WINDOW_S)

    def _renew(self, since: float) -> None:
        self._ended = [(camera, piece) for camera, piece in self._ended if piece.times[-1] >= since]
        seen = list(self._ended)
        for camera, tracker in self._trackers.items():
            seen += [(camera, piece) for piece in tracker.tracklets.values() if piece.confirmed]
        for _, piece in seen:
            piece.keep_since(since)
        tracks = [self._track(camera, piece) for camera, piece in seen if len(piece.times) >= MIN_STATES]
        self.estimate = estimate_clocks(tracks, tuple(self._trackers), _known(self._sigma_s))

    def _track(self, camera: str, piece: Tracklet) -> CameraTrack:
        """Return filtered states, as smoothing would take boxes that may be forgotten."""
        mean, covariance = np.array(piece.means), np.array(piece.covariances)
        z, _ = self._ground.height(np.array(piece.levels), mean[:, :2])
        return CameraTrack(
            camera=camera,
            family=piece.family,
            times=np.array(piece.times),
            positions=np.column_stack([mean[:, :2], z]),
            sigma_m=np.sqrt(np.trace(covariance[:, :2, :2], axis1=1, axis2=2)),
        )


def _known(sigma_s: float) -> ClockOptions:
    return ClockOptions(offset_sigma_s=sigma_s, max_shift_s=max(1.0, 4 * sigma_s))
