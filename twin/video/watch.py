"""One camera's frames looked at: what its detector finds, what changes, and which stalls that it sees are taken."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from geometry.errors import InputError
from geometry.track_records import DetectionRecord, FrameRecord
from perception.appearance.network import AppearanceNetwork, DescribingDetector
from perception.detection.floor_below import FloorBelow
from perception.detection.making import make_detector
from perception.detection.onnx_detector import OnnxOptions
from perception.detection.protocol import Detector
from perception.detection.tiles import TiledDetector, TileOptions
from perception.detection.vehicle_look import LookingDetector
from perception.detections import Detections
from perception.motion import MotionWatch
from perception.occupancy.network import StallNetwork, StallSight
from twin.video.sources import Frame, SourceOptions

logger = logging.getLogger(__name__)

MOST_FOOT_PX = 1e5


@dataclass(frozen=True, kw_only=True)
class DetectionOptions:
    """What looks at videos.

    detector: a name or the path of an .onnx file, see ``make_detector``; network: its options
    appearance: the network, an .onnx file of ``training.export``, by which vectors, kinds and colours are told
    stall_network: the network, such a file too, that looks at stalls; sights: which ones each camera looks at
    floors: what calibrated cameras look down at, by which vehicles that are looked at are measured
    look_every_s: how long after the last a camera's next look at its stalls comes
    must_look: whether it is an error that a camera's pictures have another size than it was calibrated at, by which no
    stall can be looked at; else it is logged once, and the camera only detects
    tiles: None for none; sources: how frames are timed and thinned
    workers: processes, 0 for none but this one, None for one a core, or a network camera
    """

    detector: str = "tiepoint"
    network: OnnxOptions = field(default_factory=OnnxOptions)
    appearance: Path | None = None
    stall_network: Path | None = None
    sights: Mapping[str, StallSight] = field(default_factory=dict)
    floors: Mapping[str, FloorBelow] = field(default_factory=dict)
    look_every_s: float = 1.0
    must_look: bool = True
    tiles: TileOptions | None = None
    sources: SourceOptions = field(default_factory=SourceOptions)
    workers: int | None = None

    def __post_init__(self) -> None:
        if not self.look_every_s >= 0:
            raise InputError(f"can't look at stalls every {self.look_every_s} s")
        if self.workers is not None and not 0 <= self.workers <= 256:
            raise InputError(f"can't work in {self.workers} processes")

    def make(self) -> Detector:
        """Return a detector for one camera."""
        detector = make_detector(self.detector, self.network)
        look = detector.look if isinstance(detector, LookingDetector) else None
        detector = detector.detector if isinstance(detector, LookingDetector) else detector
        if self.tiles:
            if self.detector == "background":
                raise InputError("background subtraction looks at whole pictures", remedy="Leave out the tiles.")
            detector = TiledDetector(detector, self.tiles)
        if look is not None:  # behind the tiles: a vehicle that they cut is looked at when it is whole again
            detector = LookingDetector(detector, look, self.floors)
        if self.appearance is not None:
            detector = DescribingDetector(detector, AppearanceNetwork(self.appearance, self.network.threads))
        return detector


class Watch:
    """One camera: its detector, what changes in its pictures, and its looks at stalls."""

    def __init__(self, camera: str, detector: Detector, options: DetectionOptions, stalls: StallNetwork | None) -> None:
        """Begin; ``stalls`` is the network that looks at them, None for no looks."""
        self.camera, self._detector, self._motion = camera, detector, MotionWatch()
        self._sight = options.sights.get(camera) if stalls is not None else None
        self._stalls, self._every_s, self._looked = stalls, options.look_every_s, -np.inf
        self._must_look, self._is_told = options.must_look, False

    def look(self, frame: Frame) -> FrameRecord:
        """Return what is seen in a frame."""
        found = self._detector.detect(frame.pixels, camera=self.camera, time=frame.time)
        changed = self._motion.changed(frame.pixels, found.boxes, frame.time)
        stalls = self._look_at_stalls(frame)
        return frame_record(replace(found, changed=changed, stalls=stalls))

    def _look_at_stalls(self, frame: Frame) -> dict[str, float] | None:
        """Return what a frame tells of stalls, nothing where no look is due, None where they can't be looked at."""
        if self._sight is None or self._stalls is None:
            return None
        if frame.pixels.shape[1::-1] != self._sight.crops.size:
            self._refuse(frame, self._sight.crops.size)
            return None
        if 0 <= frame.time - self._looked < self._every_s:
            return {}
        self._looked = frame.time
        return self._sight.look(frame.pixels, self._stalls)

    def _refuse(self, frame: Frame, size: tuple[int, int]) -> None:
        """Raise, or say once, that a frame has another size than the camera was calibrated at."""
        error = InputError(
            f"its pictures are {frame.pixels.shape[1]} x {frame.pixels.shape[0]}, not {size[0]} x {size[1]}",
            where=f"camera '{self.camera}'",
            remedy="Calibrate it at this size, or look at no stalls (--stalls none).",
        )
        if self._must_look:
            raise error
        if not self._is_told:
            logger.warning("%s Until then it looks at no stalls.", error)
            self._is_told = True


def frame_record(found: Detections) -> FrameRecord:
    """Return detections as a line of detections.jsonl; what kind and colour may be goes under ``meta``."""
    rows = []
    for i in range(len(found)):
        meta: dict[str, Any] = {}
        for name, shares in (("kinds", found.kind_shares), ("colours", found.colour_shares)):
            if shares is not None and (told := shares.named(i)):
                meta[name] = told
        vector = None if found.embeddings is None else found.embeddings[i]  # NaN where the object is too small
        embedding = None if vector is None or np.isnan(vector).any() else tuple(vector.round(5).tolist())
        foot = found.feet[i]
        changed = np.nan if found.changed is None else float(found.changed[i])
        whole = found.whole if found.whole is not None and found.whole.told[i] else None
        is_told = bool((np.abs(foot) < MOST_FOOT_PX).all())  # not NaN, and no stray of a network
        rows.append(
            DetectionRecord(
                foot=tuple(foot.round(2).tolist()) if is_told else None,
                bbox=tuple(found.boxes[i].round(2).tolist()),
                whole=None if whole is None else tuple(whole.boxes[i].round(2).tolist()),
                sigma=None if whole is None else tuple(np.maximum(whole.sigma[i].round(2), 0.01).tolist()),
                score=round(float(found.scores[i]), 4),
                kind=found.kinds[i],
                embedding=embedding,
                changed=None if np.isnan(changed) else round(changed, 4),
                meta=meta,
            )
        )
    stalls = None if found.stalls is None else dict(found.stalls)
    return FrameRecord(camera=found.camera, time=found.time, detections=tuple(rows), stalls=stalls)
