"""Where frames come from, and when they were exposed.

- a video file: the start that is told, and the time stamps in the file, also where their distances vary
- a folder of pictures: ``frames.csv`` (camera, frame, time) in it or beside it, else the start and ``fps``
- a network camera (rtsp://, http://): the computer's clock when a frame arrives, late by the way it took

Files and folders give every frame; a network camera gives the newest one and drops those that nobody took in time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError

Pixels = NDArray[np.uint8]

STREAMS = ("rtsp", "rtsps", "http", "https", "udp")
MAX_SIDE = 8192


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """A picture (H, W, 3) uint8, RGB, and when it was exposed, epoch seconds by the camera's own clock."""

    camera: str
    time: float
    pixels: Pixels


class Source(Protocol):
    """Frames of one camera in the order of their exposure."""

    camera: str

    @property
    def dropped(self) -> int:
        """How many frames were left out since nobody took them in time, or couldn't be decoded."""

    def frames(self) -> Iterator[Frame]:
        """Yield frames until there are no more; closes what it opened."""


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """How frames are timed and thinned.

    start: epoch seconds of the first frame of a file or folder without times; fps: of a folder without times
    every_s: frames that come sooner after the last one are left out, 0 for all; limit: frames at most, None for all
    """

    start: float = 0.0
    fps: float | None = None
    every_s: float = 0.0
    limit: int | None = None

    def __post_init__(self) -> None:
        fine = np.isfinite(self.start) and (self.fps is None or 0 < self.fps <= 1000) and 0 <= self.every_s < 1e6
        if not fine or (self.limit is not None and self.limit < 1):
            raise InputError(f"video options out of range: {self}")


def open_source(camera: str, where: str, options: SourceOptions | None = None) -> Source:
    """Return the source for a file, a folder or an address; ``InputError`` names what is wrong with it."""
    from twin.video.files import FolderSource, VideoFileSource
    from twin.video.streams import StreamSource

    options = options or SourceOptions()
    if is_stream(where):
        return StreamSource(camera, where, options)
    path = Path(where)
    if path.is_dir():
        return FolderSource(camera, path, options)
    if path.is_file():
        return VideoFileSource(camera, path, options)
    raise InputError(
        "there is no such file or folder", where=f"video of camera '{camera}': {where}",
        remedy=f"Give a video, a folder of pictures, or an address of {', '.join(STREAMS)}.",
    )  # fmt: skip


def is_stream(where: str) -> bool:
    """Tell whether frames come from the network, and so can't wait."""
    return urlsplit(where).scheme.lower() in STREAMS and "://" in where


def parse_videos(given: Sequence[str], cameras: Sequence[str]) -> dict[str, str]:
    """Return where each camera's video is, of words ID=PATH; ``InputError`` for an unknown or repeated camera."""
    from geometry.errors import nearest_known

    found: dict[str, str] = {}
    for word in given:
        camera, equals, where = word.partition("=")
        if not equals or not camera or not where:
            raise InputError(f"'{word}' is not ID=PATH", remedy="For example: --video cam1=recordings/cam1.mp4")
        if camera not in cameras:
            raise InputError(f"there is no camera '{camera}'", where=word, remedy=nearest_known(camera, cameras))
        if camera in found:
            raise InputError(f"camera '{camera}' has two videos", where=word)
        found[camera] = where
    return found


def thinned(frames: Iterator[Frame], options: SourceOptions) -> Iterator[Frame]:
    """Leave out frames that come sooner than ``every_s`` after the last one that was kept, and those beyond
    ``limit``."""
    last, count = -np.inf, 0
    for frame in frames:
        if frame.time - last < options.every_s * (1 - 1e-6):
            continue
        last = frame.time
        yield frame
        count += 1
        if options.limit is not None and count >= options.limit:
            return
