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
from dataclasses import replace
from typing import Any

from geometry.errors import InputError, TiepointError
from geometry.track_records import FrameRecord
from perception.occupancy.network import StallNetwork
from twin.video.sources import Source, is_stream, open_source
from twin.video.watch import DetectionOptions, Watch

WAITING = 8
"""Frames of a process that wait to be taken."""
ASK_S = 0.5


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
