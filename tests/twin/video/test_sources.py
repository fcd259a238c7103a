"""Files and folders: every frame, in order, at its time; and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from geometry.errors import ImageError, InputError
from tests.support import real_data
from tests.twin.video.recordings import picture, write_folder, write_video
from twin.video import SourceOptions, open_source, parse_videos


def test_a_files_frames_come_with_the_times_in_it(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", frames=25, fps=12.5)
    source = open_source("cam1", str(path), SourceOptions(start=1000.0))
    frames = list(source.frames())
    assert [frame.camera for frame in frames] == ["cam1"] * 25
    np.testing.assert_allclose([frame.time for frame in frames], 1000 + np.arange(25) / 12.5, atol=1e-6)
    error = np.abs(frames[22].pixels.astype(float) - picture(22)).mean()
    assert error < 4, "RGB, not BGR: the square is red"  # 1.9 measured, 12 with the channels swapped
    assert source.dropped == 0


def test_a_real_video_is_read_to_its_end() -> None:
    path = real_data("pets09_s2l1") / "vtest.avi"
    options = SourceOptions(every_s=2.0, limit=30)
    times = [frame.time for frame in open_source("c", str(path), options).frames()]
    np.testing.assert_allclose(times, 2.0 * np.arange(30), atol=1e-6)


def test_a_folders_times_come_from_the_table_beside_it(tmp_path: Path) -> None:
    times = 5.0 + np.cumsum(np.random.default_rng(0).uniform(0.05, 0.4, 30))
    folder = write_folder(tmp_path, "cam2", times.tolist())
    frames = list(open_source("cam2", str(folder)).frames())
    np.testing.assert_allclose([frame.time for frame in frames], times)
    assert np.abs(frames[21].pixels.astype(float) - picture(21)).mean() < 6
    with pytest.raises(InputError, match="no frame of camera 'cam3'"):
        open_source("cam3", str(folder))


def test_frames_are_thinned_and_limited(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, "cam", None)
    options = SourceOptions(start=100.0, fps=10.0, every_s=0.3, limit=4)
    times = [frame.time for frame in open_source("cam", str(folder), options).frames()]
    np.testing.assert_allclose(times, [100.0, 100.3, 100.6, 100.9])


def test_what_tells_no_times_or_holds_nothing_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "a", "cam", None, frames=2)
    with pytest.raises(InputError, match="nothing tells when"):
        open_source("cam", str(folder))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no pictures"):
        open_source("cam", str(tmp_path / "empty"), SourceOptions(fps=5.0))
    with pytest.raises(InputError, match="no such file or folder"):
        open_source("cam", str(tmp_path / "absent.mp4"))
    (tmp_path / "text.mp4").write_bytes(b"not a video" * 100)
    with pytest.raises(InputError, match="holds no video"):
        open_source("cam", str(tmp_path / "text.mp4"))


def test_a_table_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", "cam", None, frames=2)
    (tmp_path / "in" / "frames.csv").write_text("camera,frame,time\ncam,../../secret.jpg,1.0\n")
    with pytest.raises(InputError, match="leads out"):
        open_source("cam", str(folder))


def test_a_picture_that_is_damaged_is_an_error_that_names_it(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, "cam", [1.0, 2.0], frames=2)
    (folder / "000001.jpg").write_bytes(b"\xff\xd8 not a jpeg")
    with pytest.raises(ImageError, match="000001"):
        list(open_source("cam", str(folder)).frames())


def test_videos_are_named_by_their_cameras() -> None:
    found = parse_videos(["a=x.mp4", "b=rtsp://10.0.0.7/live?x=1"], ["a", "b", "c"])
    assert found == {"a": "x.mp4", "b": "rtsp://10.0.0.7/live?x=1"}
    for wrong, why in (("a", "not ID=PATH"), ("=x", "not ID=PATH"), ("d=x", "no camera 'd'")):
        with pytest.raises(InputError, match=why):
            parse_videos([wrong], ["a", "b"])
    with pytest.raises(InputError, match="two videos"):
        parse_videos(["a=x", "a=y"], ["a"])


@pytest.mark.parametrize("wrong", [{"fps": 0.0}, {"start": float("nan")}, {"every_s": -1.0}, {"limit": 0}])
def test_impossible_options_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="out of range"):
        SourceOptions(**wrong)  # type: ignore[arg-type]
