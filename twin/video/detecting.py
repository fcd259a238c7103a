"""Videos of several cameras to detections, each camera in one process of a pool.

A camera's frames all go through one process, since background subtraction keeps what it saw. Frames come out as they
are done; those of files can wait, so that nothing is lost, and those of network cameras are the newest ones.
"""

import multiprocessing
import os
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from geometry.errors import InputError, TiepointError
from geometry.track_records import DetectionRecord, FrameRecord
from perception.appearance.network import AppearanceNetwork, DescribingDetector
from perception.detection.making import make_detector
from perception.detection.onnx_detector import OnnxOptions
from perception.detection.protocol import Detector
from perception.detection.tiles import TiledDetector, TileOptions
from perception.detections import Detections
from perception.motion import MotionWatch
from perception.occupancy.network import StallNetwork, StallSight
from twin.video.sources import Frame, Source, SourceOptions, is_stream, open_source

MOST_FOOT_PX = 1e5
WAITING = 8
"""Frames of a process that wait to be taken."""
ASK_S = 0.5


@dataclass(frozen=True, kw_only=True)
class DetectionOptions:
    """What looks at videos.

    detector: a name or the path of an .onnx file, see ``make_detector``; network: its options
    appearance: the network, an .onnx file of ``training.export``, by which vectors, kinds and colours are told
    stall_network: the network, such a file too, that looks at stalls; sights: which ones each camera looks at
    look_every_s: how long after the last a camera's next look at its stalls comes
    tiles: None for none; sources: how frames are timed and thinned
    workers: processes, 0 for none but this one, None for one a core, or a network camera
    """

    detector: str = "tiepoint"
    network: OnnxOptions = field(default_factory=OnnxOptions)
    appearance: Path | None = None
    stall_network: Path | None = None
    sights: Mapping[str, StallSight] = field(default_factory=dict)
    look_every_s: float = 1.0
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
        if self.tiles:
            if self.detector == "background":
                raise InputError("background subtraction looks at whole pictures", remedy="Leave out the tiles.")
            detector = TiledDetector(detector, self.tiles)
        if self.appearance is not None:
            detector = DescribingDetector(detector, AppearanceNetwork(self.appearance, self.network.threads))
        return detector


def detect_videos(
    videos: Mapping[str, str], options: DetectionOptions | None = None, dropped: dict[str, int] | None = None
) -> Iterator[FrameRecord]:
    """Yield the frames of all cameras with what is seen in them, one camera's in order, as they are done.

    videos: where each camera's frames are, see ``open_source``; dropped: gets the number of frames left out, by camera
    Raises ``InputError`` where a video or the detector can't be used; then nothing of the others is left running.
    """
    options = options or DetectionOptions()
    sources = [open_source(camera, where, options.sources) for camera, where in videos.items()]
    # A network camera that is slow must not keep others waiting.
    usual = len(sources) if any(map(is_stream, videos.values())) else min(len(sources), os.cpu_count() or 1)
    workers = usual if options.workers is None else options.workers
    counts = dropped if dropped is not None else {}
    if workers == 0 or len(sources) == 1:
        yield from _here(sources, options, counts)
    else:
        yield from _in_pool(list(videos.items()), options, min(workers, len(sources)), counts)


class Watch:
    """One camera: its detector, what changes in its pictures, and its looks at stalls."""

    def __init__(self, camera: str, detector: Detector, options: DetectionOptions, stalls: StallNetwork | None) -> None:
        """Begin; ``stalls`` is the network that looks at them, None for no looks."""
        self.camera, self._detector, self._motion = camera, detector, MotionWatch()
        self._sight = options.sights.get(camera) if stalls is not None else None
        self._stalls, self._every_s, self._looked = stalls, options.look_every_s, -np.inf

    def look(self, frame: Frame) -> FrameRecord:
        """Return what is seen in a frame."""
        found = self._detector.detect(frame.pixels, camera=self.camera, time=frame.time)
        changed = self._motion.changed(frame.pixels, found.boxes, frame.time)
        stalls: dict[str, float] | None = None
        if self._sight is not None and self._stalls is not None:
            if frame.pixels.shape[1::-1] != self._sight.crops.size:
                width, height = self._sight.crops.size
                raise InputError(
                    f"its pictures are {frame.pixels.shape[1]} x {frame.pixels.shape[0]}, not {width} x {height}",
                    where=f"camera '{self.camera}'",
                    remedy="Calibrate it at this size, or look at no stalls (--stalls none).",
                )
            is_due = not 0 <= frame.time - self._looked < self._every_s
            stalls = self._sight.look(frame.pixels, self._stalls) if is_due else {}
            self._looked = frame.time if is_due else self._looked
        return frame_record(replace(found, changed=changed, stalls=stalls))


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
        is_told = bool((np.abs(foot) < MOST_FOOT_PX).all())  # not NaN, and no stray of a network
        rows.append(
            DetectionRecord(
                foot=tuple(foot.round(2).tolist()) if is_told else None,
                bbox=tuple(found.boxes[i].round(2).tolist()),
                score=round(float(found.scores[i]), 4),
                kind=found.kinds[i],
                embedding=embedding,
                changed=None if np.isnan(changed) else round(changed, 4),
                meta=meta,
            )
        )
    stalls = None if found.stalls is None else dict(found.stalls)
    return FrameRecord(camera=found.camera, time=found.time, detections=tuple(rows), stalls=stalls)


def _here(sources: Sequence[Source], options: DetectionOptions, dropped: dict[str, int]) -> Iterator[FrameRecord]:
    """Work in this process, a frame of each camera in turn."""
    shared = None if options.detector == "background" else options.make()
    stalls = None if options.stall_network is None else StallNetwork(options.stall_network, options.network.threads)
    running = {
        source.camera: (source, source.frames(), Watch(source.camera, shared or options.make(), options, stalls))
        for source in sources
    }
    try:
        while running:
            for camera, (source, frames, watch) in list(running.items()):
                frame = next(frames, None)
                dropped[camera] = source.dropped
                if frame is None:
                    del running[camera]
                    continue
                yield watch.look(frame)
    finally:
        for _, frames, _ in running.values():
            if hasattr(frames, "close"):
                frames.close()


def _in_pool(
    videos: Sequence[tuple[str, str]], options: DetectionOptions, workers: int, dropped: dict[str, int]
) -> Iterator[FrameRecord]:
    """Give the cameras to processes in turn and yield what these send."""
    context = multiprocessing.get_context("spawn")

    def part_of(part: dict[str, str]) -> DetectionOptions:
        return replace(options, sights={camera: options.sights[camera] for camera in part if camera in options.sights})

    answers: Any = context.Queue(WAITING * workers)
    parts = [dict(videos[i::workers]) for i in range(workers)]
    processes = [context.Process(target=_work, args=(part, part_of(part), answers), daemon=True) for part in parts]
    for process in processes:
        process.start()
    try:
        left = len(processes)
        while left:
            if any(process.exitcode not in (None, 0) for process in processes):  # its cameras would be missed silently
                raise InputError("a process that detects was killed", remedy="It may need more memory.")
            try:
                kind, content = answers.get(timeout=ASK_S)
            except queue.Empty:
                if not any(process.is_alive() for process in processes) and answers.empty():
                    raise InputError("a process that detects has ended unasked") from None
                continue
            if kind == "frame":
                yield FrameRecord.model_validate_json(content)
            elif kind == "done":
                dropped.update(content)
                left -= 1
            else:
                raise InputError(content)
    finally:
        for process in processes:
            process.kill()  # nothing of it is kept, and of SIGTERM pycolmap would print a stack
            process.join()
        answers.close()


def _work(videos: dict[str, str], options: DetectionOptions, answers: Any) -> None:
    """Be one process of the pool: send frames, then how many were dropped, or what went wrong."""
    import cv2

    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    with suppress(BrokenPipeError, KeyboardInterrupt):
        try:
            sources = [open_source(camera, where, options.sources) for camera, where in videos.items()]
            dropped: dict[str, int] = {}
            for frame in _here(sources, options, dropped):
                answers.put(("frame", frame.model_dump_json(by_alias=True, exclude_defaults=True)))
            answers.put(("done", dropped))
        except TiepointError as error:
            answers.put(("error", str(error)))


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, which could not say so if it was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
