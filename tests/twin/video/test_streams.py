"""Network cameras: the newest frame wins, times are those of arrival, and what breaks off is opened again."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from geometry.errors import InputError
from twin.video import streams
from twin.video.sources import Frame, SourceOptions
from twin.video.streams import Newest, StreamSource


def frame(time: float) -> Frame:
    return Frame(camera="c", time=time, pixels=np.zeros((2, 2, 3), dtype=np.uint8))


def test_a_new_frame_takes_the_place_of_one_that_nobody_took() -> None:
    newest = Newest()
    for time in (1.0, 2.0, 3.0):
        newest.put(frame(time))
    taken = newest.take()
    assert taken is not None
    assert taken.time == 3.0
    assert newest.dropped == 2
    newest.put(frame(4.0))
    newest.close()
    last = newest.take()
    assert last is not None
    assert last.time == 4.0
    assert newest.take() is None


class Camera:
    """Stands for a network camera: gives ``frames`` and then breaks off."""

    def __init__(self, frames: int, wait: Callable[[int], None] = lambda number: None) -> None:
        self.left, self.wait, self.released = frames, wait, False

    def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
        if self.left == 0:
            return False, None
        self.wait(self.left)
        self.left -= 1
        return True, np.full((4, 4, 3), self.left, dtype=np.uint8)

    def release(self) -> None:
        self.released = True


def test_frames_come_with_the_time_of_their_arrival_and_a_break_is_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "RETRY_S", 0.0)
    monkeypatch.setattr(streams, "MOST_RETRIES", 0)
    taken = threading.Event()

    def wait(number: int) -> None:
        """Let the consumer take each frame before the next one comes."""
        taken.wait(5.0)
        taken.clear()

    cameras = [Camera(3, wait), Camera(2, wait), Camera(0)]
    opened = iter(cameras)
    clock = iter(np.arange(100.0, 200.0).tolist())
    source = StreamSource(
        "c", "rtsp://camera", SourceOptions(), clock=lambda: next(clock), opener=lambda address: next(opened)
    )
    times: list[float] = []

    def take_all() -> None:
        for each in source.frames():
            times.append(each.time)
            taken.set()

    taken.set()
    with pytest.raises(InputError, match="can't be reached"):
        take_all()
    assert times == [100.0, 101.0, 102.0, 104.0, 105.0]  # 103 was the read that failed
    assert source.dropped == 0
    assert all(camera.released for camera in cameras)


def test_a_reader_that_is_slow_gets_the_newest_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST_RETRIES", 0)
    monkeypatch.setattr(streams, "RETRY_S", 0.0)
    all_read, first_taken = threading.Event(), threading.Event()

    def wait(left: int) -> None:
        assert left == 50 or first_taken.wait(10.0)

    cameras = iter([Camera(50, wait), Camera(0)])

    def open_next(address: str) -> Camera:
        camera = next(cameras)
        if camera.left == 0:
            all_read.set()
        return camera

    clock = iter(np.arange(0.0, 100.0).tolist())
    source = StreamSource("c", "rtsp://camera", SourceOptions(), clock=lambda: next(clock), opener=open_next)
    frames = source.frames()
    first = next(frames)
    first_taken.set()
    assert all_read.wait(10.0)
    second = next(frames)
    assert second.time == 49.0
    assert source.dropped == 50 - 2
    assert first.time == 0.0
    with pytest.raises(InputError, match="can't be reached"):
        next(frames)
