"""Frames of recordings: video files by OpenCV's FFmpeg, and folders of pictures."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from geometry.errors import InputError
from geometry.tables import Column, read_table
from perception.images import list_images, read_image
from twin.video.sources import MAX_SIDE, Frame, SourceOptions, thinned

FRAMES = "frames.csv"
COLUMNS = (Column("camera", str), Column("frame", str), Column("time", float))
MAX_DAMAGED = 100
"""Frames in a row that can't be decoded, after which a file is given up."""


class VideoFileSource:
    """All frames of a video file; times are those in the file, on top of the start that is told."""

    def __init__(self, camera: str, path: Path, options: SourceOptions) -> None:
        """Open the file; ``InputError`` where it holds no video."""
        self.camera, self.path, self.options, self.dropped = camera, path, options, 0
        capture = cv2.VideoCapture(str(path))
        try:
            opened = capture.isOpened()
            width, height = (capture.get(key) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        finally:
            capture.release()
        if not opened or width < 1 or height < 1:
            raise InputError("holds no video that can be read", where=str(path), remedy="Convert it to H.264 in MP4.")
        if max(width, height) > MAX_SIDE:
            raise InputError(f"frames of {width:.0f}x{height:.0f} px, at most {MAX_SIDE}", where=str(path))

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in their order."""
        return thinned(self._all(), self.options)

    def _all(self) -> Iterator[Frame]:
        capture = cv2.VideoCapture(str(self.path))
        rate = capture.get(cv2.CAP_PROP_FPS)
        step = 1 / rate if 0 < rate <= 1000 else 0.04
        number, damaged, last = 0, 0, -np.inf
        try:
            while capture.grab():
                since = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                # Some containers hold no time stamps; then frames are equally far apart.
                since = since if since > last else max(number * step, last + step if np.isfinite(last) else 0.0)
                number, last = number + 1, since
                done, picture = capture.retrieve()
                if not done:
                    self.dropped, damaged = self.dropped + 1, damaged + 1
                    if damaged >= MAX_DAMAGED:
                        raise InputError(f"{damaged} frames in a row can't be decoded", where=str(self.path))
                    continue
                damaged = 0
                pixels = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)
                yield Frame(camera=self.camera, time=self.options.start + since, pixels=pixels)
        finally:
            capture.release()
        if number == 0:
            raise InputError("not one frame can be read", where=str(self.path))


class FolderSource:
    """The pictures of a folder, by their times where frames.csv tells them, else by their names."""

    def __init__(self, camera: str, path: Path, options: SourceOptions) -> None:
        """List the pictures; ``InputError`` where there are none, or nothing tells their times."""
        self.camera, self.path, self.options, self.dropped = camera, path, options, 0
        listed = _listed(camera, path)
        if listed is None:
            names = list_images(path)
            if options.fps is None:
                raise InputError(
                    "nothing tells when the pictures were taken", where=str(path),
                    remedy=f"Give frames a second, or {FRAMES} with the columns camera, frame, time.",
                )  # fmt: skip
            listed = [(options.start + i / options.fps, path / name) for i, name in enumerate(names)]
        if not listed:
            raise InputError("holds no pictures", where=str(path))
        self._listed = sorted(listed)

    def frames(self) -> Iterator[Frame]:
        """Yield the pictures in the order of their times."""
        return thinned(self._all(), self.options)

    def _all(self) -> Iterator[Frame]:
        for time, file in self._listed:
            yield Frame(camera=self.camera, time=time, pixels=read_image(file, max_pixels=MAX_SIDE**2).pixels)


def _listed(camera: str, folder: Path) -> list[tuple[float, Path]] | None:
    """Return times and files of a camera by the frames.csv in a folder or beside it, None without one.

    Names in it are relative to where it is; those that lead out of there are refused.
    """
    for base in (folder, folder.parent):
        path = base / FRAMES
        if path.is_file():
            table = read_table(path, COLUMNS)
            found = []
            for row, (whose, name) in enumerate(zip(table.text("camera"), table.text("frame"), strict=True)):
                if whose != camera:
                    continue
                file = base / name
                if not file.resolve().is_relative_to(base.resolve()):
                    raise InputError(f"'{name}' leads out of the folder", where=table.where(row, "frame"))
                found.append((float(table.numbers("time")[row]), file))
            if not found:
                raise InputError(f"lists no frame of camera '{camera}'", where=str(path))
            return found
    return None
