"""Frames of network cameras: a thread reads all of them, and whoever takes one gets the newest."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np

from geometry.errors import InputError
from twin.video.sources import MAX_SIDE, Frame, SourceOptions, thinned

OPEN_MS = 10_000
READ_MS = 10_000
RETRY_S = 2.0
MOST_RETRIES = 30

log = logging.getLogger(__name__)


class Newest:
    """A place for one frame: a new one takes the place of one that nobody took."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._over = False
        self.dropped = 0

    def put(self, frame: Frame) -> None:
        """Leave a frame; counts the one it replaces as dropped."""
        with self._changed:
            self.dropped += self._frame is not None
            self._frame = frame
            self._changed.notify()

    def close(self) -> None:
        """Tell that no more frames come; one that is left can still be taken."""
        with self._changed:
            self._over = True
            self._changed.notify()

    def take(self) -> Frame | None:
        """Wait for a frame and take it; None when there are no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._over)
            frame, self._frame = self._frame, None
            return frame


class StreamSource:
    """A network camera, opened again when it breaks off. Times are those of arrival, by this computer's clock."""

    def __init__(
        self,
        camera: str,
        address: str,
        options: SourceOptions,
        *,
        clock: Callable[[], float] = time.time,
        opener: Callable[[str], Any] | None = None,
    ) -> None:
        """Remember the address; ``clock`` tells epoch seconds, ``opener`` returns what reads frames."""
        self.camera, self._address, self.options = camera, address, options
        self._clock, self._open = clock, opener or _open
        self._newest, self._damaged = Newest(), 0
        self._stop = threading.Event()
        self._error: InputError | None = None

    @property
    def dropped(self) -> int:
        """How many frames nobody took in time."""
        return self._newest.dropped + self._damaged

    def frames(self) -> Iterator[Frame]:
        """Yield the newest frame whenever one is asked for; ``InputError`` where the camera can't be reached."""
        return thinned(self._taken(), self.options)

    def _taken(self) -> Iterator[Frame]:
        reader = threading.Thread(target=self._read, name=f"camera {self.camera}", daemon=True)
        reader.start()
        try:
            while (frame := self._newest.take()) is not None:
                yield frame
        finally:
            self._stop.set()
            reader.join(timeout=2 * READ_MS / 1000)
        if self._error is not None:
            raise self._error

    def _read(self) -> None:
        failures = 0
        try:
            while not self._stop.is_set():
                failures = 0 if self._read_once() else failures + 1
                if failures > MOST_RETRIES:
                    self._error = InputError("the camera can't be reached", where=f"camera '{self.camera}'")
                    return
                log.warning("camera %s broke off; trying again", self.camera)
                self._stop.wait(RETRY_S)
        except Exception as error:  # whatever ends the thread must end the iteration too, and not hang it
            self._error = InputError(f"reading failed ({error})", where=f"camera '{self.camera}'")
        finally:
            self._newest.close()

    def _read_once(self) -> bool:
        """Read until the camera breaks off; tell whether it gave a frame."""
        capture, any_frame = self._open(self._address), False
        try:
            while not self._stop.is_set():
                done, picture = capture.read()
                arrived = self._clock()
                if not done:
                    return any_frame
                if picture is None or max(picture.shape[:2]) > MAX_SIDE:
                    self._damaged += 1
                    continue
                any_frame = True
                pixels = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)
                self._newest.put(Frame(camera=self.camera, time=arrived, pixels=pixels))
        finally:
            capture.release()
        return any_frame


def _open(address: str) -> Any:
    """Open an address by FFmpeg, with bounds on how long it may take."""
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_MS]
    return cv2.VideoCapture(address, cv2.CAP_FFMPEG, limits)
