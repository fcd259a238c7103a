"""What a localizing process does: keep twins open, and answer for photo files."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import pycolmap

from geometry import CameraRule, TwinError, camera_from_params
from geometry.track_records import FrameRecord
from perception import Detector, Extractor, make_detector, read_image
from twin.hints import Hint
from twin.localization import Localization
from twin.localizer import Localizer
from twin.model import Twin
from twin.queries import localize_file_with_matches
from twin.service.workers import serve_calls

logger = logging.getLogger(__name__)

KEPT = 4
"""Twins that a process keeps open."""


@dataclass(frozen=True, kw_only=True)
class Intrinsics:
    """A lens in COLMAP's terms."""

    model: str
    width: int
    height: int
    params: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class LocalizeCall:
    """Photos to localize: (name, file) each; ``twin`` is the folder of the version to use.

    matches: answer with the matches (N, 5) too, as ``localize_file_with_matches``
    """

    twin: Path
    photos: tuple[tuple[str, Path], ...]
    lens: Intrinsics | None = None
    hint: Hint | None = None
    matches: bool = False


@dataclass(frozen=True, kw_only=True)
class OpenCall:
    """Try whether a twin opens, as before it is published."""

    twin: Path


@dataclass(frozen=True, kw_only=True)
class DetectCall:
    """Look at one picture of a fixed camera."""

    camera: str
    time: float
    file: Path


@dataclass(frozen=True, eq=False)
class _Opened:
    twin: Twin
    localizer: Localizer
    extractor: Extractor

    @classmethod
    def at(cls, folder: Path) -> "_Opened":
        twin = Twin.open(folder)
        return cls(twin, twin.localizer(), twin.extractor())


class Localizing:
    """Answers calls; twins are opened once and the least lately used one is closed."""

    def __init__(self, first: tuple[Path, ...] = (), detector: str | None = None) -> None:
        self._detector_name = detector
        self._detector: Detector | None = None
        self._opened: dict[Path, _Opened] = {}
        for folder in first:
            try:
                self._open(folder)
            except TwinError as error:  # whoever asks for it is told
                logger.error("a twin does not open: %s", error)

    def handle(self, call: LocalizeCall | OpenCall | DetectCall) -> Any:
        """Answer one call. Raises as ``localize_file`` and ``Twin.open``."""
        if isinstance(call, OpenCall):
            opened = _Opened.at(call.twin).twin
            return {"views": len(opened.landmarks.views), "landmarks": len(opened.landmarks)}
        if isinstance(call, DetectCall):
            return self._detect(call)
        return [self._localize(call, name, file) for name, file in call.photos]

    def _detect(self, call: DetectCall) -> FrameRecord:
        from twin.video.watch import frame_record

        if self._detector is None:
            self._detector = make_detector(self._detector_name or "none")
        picture = read_image(call.file, name=call.camera)
        return frame_record(self._detector.detect(picture.pixels, camera=call.camera, time=call.time))

    def _localize(self, call: LocalizeCall, name: str, file: Path) -> tuple[Localization, Any]:
        opened = self._open(call.twin)
        rules = [] if call.lens is None else [CameraRule("*", _camera(call.lens))]
        answer, matches = localize_file_with_matches(
            opened.twin, opened.localizer, opened.extractor, name, file, rules, call.hint
        )
        return answer, matches if call.matches else None

    def _open(self, folder: Path) -> _Opened:
        opened = self._opened.pop(folder, None) or _Opened.at(folder)
        self._opened[folder] = opened
        while len(self._opened) > KEPT:
            del self._opened[next(iter(self._opened))]
        return opened


def _camera(lens: Intrinsics) -> pycolmap.Camera:
    return camera_from_params(lens.model, lens.width, lens.height, list(lens.params))


def serve(connection: Any, twins: tuple[Path, ...], detector: str | None) -> None:
    """Be a process of the pool."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    pycolmap.logging.minloglevel = pycolmap.logging.Level.ERROR.value
    serve_calls(connection, Localizing(twins, detector).handle)
