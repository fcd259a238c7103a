"""Looks at stalls from videos: as often as they are asked for, of the cameras that see any, in all processes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geometry import camera_from_opencv
from geometry.errors import InputError
from geometry.track_records import FrameRecord
from perception.detections import Detections
from perception.occupancy.network import StallNetwork, StallSight
from scenes.captures.views import look
from tests.perception.occupancy.networks import write_network
from tests.twin.video.recordings import SIZE, picture, write_folder, write_video
from twin.video import DetectionOptions, SourceOptions, detect_videos
from twin.video.sources import Frame
from twin.video.watch import Watch

CORNERS = {
    name: np.array([(x - 1.2, y - 2, 0), (x + 1.2, y - 2, 0), (x + 1.2, y + 2, 0), (x - 1.2, y + 2, 0)])
    for name, x, y in (("near", 0.0, 0.0), ("far", 3.0, 9.0))
}


def sight() -> StallSight:
    lens = camera_from_opencv(np.array([[150.0, 0, 79.5], [0, 150, 59.5], [0, 0, 1]]), [], SIZE)
    return StallSight.of(lens, look((0.0, -9.0, 7.0), np.pi / 2, -np.radians(38.0)), CORNERS)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return write_network(tmp_path / "red.onnx", {"slope": 0.2})


@pytest.fixture
def options(network: Path) -> DetectionOptions:
    return DetectionOptions(
        detector="background",
        stall_network=network,
        sights={"cam": sight()},
        sources=SourceOptions(start=50.0),
        workers=0,
    )


class Sees:
    """A detector that always finds the same box."""

    name = "sees"

    def detect(self, picture: np.ndarray, *, camera: str = "", time: float = 0.0) -> Detections:
        return Detections.of(camera, time, [[40.0, 50, 70, 70]], "car", 0.9)


def watched(options: DetectionOptions, network: Path | None, times: list[float], camera: str = "cam"):
    watch = Watch(camera, Sees(), options, None if network is None else StallNetwork(network, 1))
    return [watch.look(Frame(camera=camera, time=t, pixels=picture(k))) for k, t in enumerate(times)]


def looked(frames: list[FrameRecord]) -> list[float]:
    return [frame.time for frame in frames if frame.stalls]


@pytest.mark.parametrize(
    ("every_s", "expected"),
    [(1.0, [0.0, 1.0, 2.0]), (0.5, [0.0, 0.6, 1.2, 1.8, 2.4]), (0.0, [k / 5 for k in range(13)]), (100.0, [0.0])],
)
def test_a_look_comes_when_it_is_due(
    options: DetectionOptions, network: Path, every_s: float, expected: list[float]
) -> None:
    frames = watched(replace(options, look_every_s=every_s), network, [k / 5 for k in range(13)])
    assert looked(frames) == pytest.approx(expected)
    assert {frozenset(frame.stalls or ()) for frame in frames if frame.stalls} == {frozenset(CORNERS)}
    assert all(frame.stalls is not None for frame in frames), "between looks there is nothing, and not no look"


def test_after_time_went_back_the_next_frame_is_looked_at(options: DetectionOptions, network: Path) -> None:
    assert looked(watched(options, network, [100.0, 100.4, 5.0, 5.2, 6.1])) == [100.0, 5.0, 6.1]


def test_cameras_without_sights_and_those_without_a_network_look_at_none(
    options: DetectionOptions, network: Path
) -> None:
    for frames in (
        watched(options, network, [0.0, 2.0], camera="other"),
        watched(options, None, [0.0, 2.0]),
        watched(replace(options, sights={}), network, [0.0, 2.0]),
    ):
        assert [frame.stalls for frame in frames] == [None, None]


def test_what_changes_is_told_of_every_box(options: DetectionOptions, network: Path) -> None:
    """The square passes the box at 40 to 70 px in the frames from 22 on, at 5 a second."""
    frames = watched(options, network, [k / 5 for k in range(42)])
    changed = [frame.detections[0].changed for frame in frames]
    assert changed[:4] == [None] * 4
    assert max(share or 0.0 for share in changed[4:20]) < 0.05  # measured 0
    assert max(share or 0.0 for share in changed[22:40]) > 0.5  # measured 0.59


def test_what_the_network_says_of_a_picture_is_in_the_record(options: DetectionOptions, network: Path) -> None:
    (frame,) = watched(options, network, [3.0])
    assert frame.stalls == sight().look(picture(0), StallNetwork(network, 1))
    assert all(0 < p < 1 for p in frame.stalls.values())
    assert FrameRecord.model_validate_json(frame.model_dump_json(by_alias=True, exclude_defaults=True)) == frame


def test_videos_are_looked_at(tmp_path: Path, options: DetectionOptions) -> None:
    frames = list(detect_videos({"cam": str(write_video(tmp_path / "a.avi"))}, options))
    assert looked(frames) == pytest.approx([50.0, 51.0, 52.0])
    assert sum(frame.stalls == {} for frame in frames) == 27
    assert any(each.changed is not None and each.changed > 0.3 for frame in frames for each in frame.detections)


def test_processes_look_as_one_does(tmp_path: Path, options: DetectionOptions) -> None:
    times = (np.arange(12) * 0.25).tolist()
    videos = {name: str(write_folder(tmp_path / name, name, times, frames=12)) for name in ("cam", "blind")}
    alone = list(detect_videos(videos, options))
    together = list(detect_videos(videos, replace(options, workers=2)))
    for name in videos:
        own = [frame for frame in together if frame.camera == name]
        assert own == [frame for frame in alone if frame.camera == name]
    assert looked([frame for frame in together if frame.camera == "cam"]) == [0.0, 1.0, 2.0]
    assert {frame.stalls is None for frame in together if frame.camera == "blind"} == {True}


@pytest.mark.parametrize("every_s", [-1.0, float("nan")])
def test_impossible_intervals_are_refused(every_s: float) -> None:
    with pytest.raises(InputError, match="look at stalls every"):
        DetectionOptions(look_every_s=every_s)


def test_a_network_that_is_none_is_told_before_any_frame(tmp_path: Path, options: DetectionOptions) -> None:
    (tmp_path / "no.onnx").write_bytes(b"no network")
    videos = {name: str(write_folder(tmp_path / name, name, [1.0, 2.0], frames=2)) for name in ("cam", "b")}
    for workers in (0, 2):
        with pytest.raises(InputError, match="can't load the network"):
            list(detect_videos(videos, replace(options, stall_network=tmp_path / "no.onnx", workers=workers)))


def test_a_sight_of_another_size_is_told(tmp_path: Path, options: DetectionOptions) -> None:
    lens = camera_from_opencv(np.array([[150.0, 0, 159.5], [0, 150, 119.5], [0, 0, 1]]), [], (320, 240))
    other = StallSight.of(lens, look((0.0, -9.0, 7.0), np.pi / 2, -0.6), CORNERS)
    videos = {"cam": str(write_video(tmp_path / "a.avi", frames=2))}
    with pytest.raises(InputError, match="its pictures are 160 x 120, not 320 x 240"):
        list(detect_videos(videos, replace(options, sights={"cam": other})))


def test_where_looks_may_fail_it_is_said_once_and_boxes_still_come(
    options: DetectionOptions, network: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch("cam", Sees(), replace(options, must_look=False), StallNetwork(network, 1))
    large = np.repeat(np.repeat(picture(0), 2, axis=0), 2, axis=1)
    shown = [picture(0), large, large, picture(0)]
    frames = [watch.look(Frame(camera="cam", time=2.0 * k, pixels=each)) for k, each in enumerate(shown)]
    assert [frame.stalls is None for frame in frames] == [False, True, True, False]
    assert [len(frame.detections) for frame in frames] == [1] * 4
    (said,) = caplog.records
    assert "camera 'cam': its pictures are 320 x 240, not 160 x 120" in said.getMessage()
