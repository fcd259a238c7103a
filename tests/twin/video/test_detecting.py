"""Videos to detections, in this process and in several, and on to tracks by the command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from geometry import FixedCamera, camera_from_opencv, write_cameras_json
from geometry.errors import InputError
from geometry.track_records import FrameRecord, read_detections, read_tracks
from perception.detections import Detections
from perception.shares import Shares
from perception.whole_boxes import WholeBoxes
from scenes.captures.views import look
from tests.twin.video.recordings import SIZE, write_folder, write_video
from twin.commands.track import command
from twin.tracking import detections_of
from twin.video import DetectionOptions, SourceOptions, detect_videos
from twin.video.watch import frame_record

BACKGROUND = DetectionOptions(detector="background", sources=SourceOptions(start=50.0), workers=0)


def test_a_moving_square_is_found_where_it_is(tmp_path: Path) -> None:
    frames = list(detect_videos({"cam": str(write_video(tmp_path / "a.avi"))}, BACKGROUND))
    np.testing.assert_allclose([frame.time for frame in frames], 50 + np.arange(30) / 10, atol=1e-6)
    assert all(frame.detections == () for frame in frames[:20])
    for number, frame in enumerate(frames[22:], start=22):
        assert len(frame.detections) == 1
        x = 4 * (number - 20)
        np.testing.assert_allclose(frame.detections[0].bbox, [x, 50, x + 30, 70], atol=5)


def test_processes_find_what_one_finds(tmp_path: Path) -> None:
    times = {"a": np.arange(30) * 0.2, "b": 3 + np.arange(30) * 0.1}
    videos = {name: str(write_folder(tmp_path / name, name, each.tolist())) for name, each in times.items()}
    alone = list(detect_videos(videos, BACKGROUND))
    dropped: dict[str, int] = {}
    options = DetectionOptions(detector="background", workers=2)
    together = list(detect_videos(videos, options, dropped))
    assert dropped == {"a": 0, "b": 0}
    for name in videos:
        own = [frame for frame in together if frame.camera == name]
        assert own == [frame for frame in alone if frame.camera == name], "in order, and the same"
        assert [frame.time for frame in own] == pytest.approx(times[name].tolist())


def test_what_goes_wrong_in_a_process_is_told(tmp_path: Path) -> None:
    videos = {name: str(write_folder(tmp_path / name, name, [1.0, 2.0], frames=2)) for name in ("a", "b")}
    (tmp_path / "b" / "b" / "000001.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match="000001"):
        list(detect_videos(videos, DetectionOptions(detector="background", workers=2)))


def test_detectors_by_name(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, "a", [1.0], frames=1)
    with pytest.raises(InputError, match=r"there is no detector 'backgroundd'\. Did you mean 'background'"):
        list(detect_videos({"a": str(folder)}, DetectionOptions(detector="backgroundd")))


def test_probabilities_go_under_meta() -> None:
    plain = Detections.of("c", 1.0, [[0, 0, 5, 5], [1, 1, 4, 8]], ["van", "person"], [0.9, 0.8])
    shares = Shares(names=("car", "van"), values=np.array([[0.25, 0.75], [np.nan, np.nan]]))
    record = frame_record(Detections(**vars(plain) | {"kind_shares": shares}))
    assert record.detections[0].meta == {"kinds": {"van": 0.75, "car": 0.25}}
    assert record.detections[1].meta == {}
    assert FrameRecord.model_validate_json(record.model_dump_json(by_alias=True)) == record


def test_what_is_too_small_to_describe_has_no_vector() -> None:
    vectors = np.full((2, 4), np.nan, dtype=np.float32)
    vectors[1] = [0.6, 0.8, 0.0, 0.0]
    found = Detections.of("a", 1.0, [[0, 0, 9, 9], [0, 0, 40, 30]], ["car", "car"], [0.5, 0.6], embeddings=vectors)
    small, large = frame_record(found).detections
    assert small.embedding is None
    assert large.embedding == pytest.approx((0.6, 0.8, 0.0, 0.0))


def test_the_command_goes_from_video_to_tracks(tmp_path: Path) -> None:
    """A square of 1.5 m x 1 m that moves over a ground seen from 12 m above its side."""
    lens = camera_from_opencv(np.array([[150.0, 0, 79.5], [0, 150, 59.5], [0, 0, 1]]), [], SIZE)
    pose = look((0.0, -9.0, 7.0), np.pi / 2, -np.radians(38.0))
    write_cameras_json(tmp_path / "cameras.json", [FixedCamera.of("cam", lens, pose, level="L")])
    video = write_video(tmp_path / "a.avi", frames=45)
    out, kept = tmp_path / "tracks.jsonl", tmp_path / "found.jsonl"
    arguments = ["--cameras", str(tmp_path / "cameras.json"), "--video", f"cam={video}", "--detector"]
    arguments += ["background", "--start", "100", "--out", str(out), "--save-detections", str(kept), "--json"]
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["tracks"] == 1
    rows = read_tracks(out)
    assert {row.kind for row in rows} == {"vehicle"}
    x = np.array([row.position[0] for row in rows])
    assert (np.diff(x[3:]) > 0).all(), "it moves to the right"
    assert len(list(read_detections(kept))) == 45


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "Give --detections or --video"),
        (["--video", "cam=x", "--detections", "-"], "Give --detections or --video"),
        (["--video", "cam=x", "--boxes-by", "tiepoint"], "--boxes-by is for --detections"),
        (["--video", "cam=x", "--tiles", "two"], "COLUMNSxROWS"),
        (["--detections", "-", "--save-detections", "y"], "needs --video"),
    ],
)
def test_the_commands_mistakes_are_told(tmp_path: Path, arguments: list[str], why: str) -> None:
    lens = camera_from_opencv(np.array([[150.0, 0, 79.5], [0, 150, 59.5], [0, 0, 1]]), [], SIZE)
    write_cameras_json(tmp_path / "c.json", [FixedCamera.of("cam", lens, look((0, 0, 5), 0.0, -0.5), level="L")])
    done = CliRunner().invoke(command, ["--cameras", str(tmp_path / "c.json"), "--out", "z", *arguments])
    assert done.exit_code == 2
    assert why in done.output


def test_a_foot_that_was_told_is_kept_and_a_stray_is_not() -> None:
    boxes, feet = [[10.0, 10, 50, 40]] * 3, [[30.0, 38.0], [np.nan, np.nan], [3e7, 5.0]]
    record = frame_record(Detections.of("cam", 1.0, boxes, "car", 0.9, feet))
    assert [each.foot for each in record.detections] == [(30.0, 38.0), None, None]


def test_whole_boxes_go_to_the_file_and_come_back() -> None:
    boxes = [[10.0, 10, 50, 40], [60.0, 10, 90, 40]]
    whole = WholeBoxes.of([((8.0, 10.0, 50.0, 55.0), (1.0, 1.0, 1.0, 0.001, 2.0, 2.0)), None])
    record = frame_record(replace(Detections.of("cam", 1.0, boxes, "car", 0.9), whole=whole))
    record = FrameRecord.model_validate_json(record.model_dump_json(by_alias=True))
    assert [each.whole for each in record.detections] == [(8.0, 10.0, 50.0, 55.0), None]
    lens = camera_from_opencv(np.array([[150.0, 0, 79.5], [0, 150, 59.5], [0, 0, 1]]), [], SIZE)
    camera = FixedCamera.of("cam", lens, look((0, 0, 5), 0.0, -0.5), level="L")
    back = detections_of(record, camera).whole
    assert back is not None
    np.testing.assert_array_equal(back.boxes[0], [8, 10, 50, 55])
    np.testing.assert_array_equal(back.sigma[0], [1, 1, 1, 0.01, 2, 2])
    assert np.isnan(back.boxes[1]).all()
    bare = frame_record(Detections.of("cam", 1.0, boxes, "car", 0.9))
    assert detections_of(bare, camera).whole is None
