import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from geometry import CancelledError, read_cameras_json
from geometry.errors import InputError
from scenes.captures.boxes import read_boxes
from scenes.captures.clocks import read_clocks
from scenes.captures.fixed import render_fixed
from tests.scenes.captures.recordings import OPTIONS, room


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    out = tmp_path_factory.mktemp("scene")
    progress = []
    render_fixed(*room(), out, OPTIONS, lambda done, total: progress.append((done, total)))
    assert progress == [(i + 1, 8) for i in range(8)]
    return out


def test_it_writes_the_files_of_a_scene(scene):
    pictures = {f"fixed/cam{c}/{i:06d}.jpg" for c in (1, 2) for i in range(4)}
    truth = [
        "cameras.json",
        "clocks.csv",
        "boxes.jsonl",
        "tracks.jsonl",
        "occupancy.jsonl",
        "sightings.jsonl",
        "qrels.csv",
    ]
    others = {"fixed/cameras.json", "fixed/frames.csv", "fixed/.recording.json", *(f"truth/{name}" for name in truth)}
    assert set(contents(scene)) == pictures | others
    assert not (scene / "fixed" / ".parts").exists()


def test_pictures_are_of_the_cameras_size_and_not_black(scene):
    for path in (scene / "fixed").rglob("*.jpg"):
        image = np.asarray(Image.open(path))
        assert image.shape == (72, 96, 3)
        assert 40 < image.mean() < 200


def test_boxes_are_in_frames_of_the_list(scene):
    frames = list(read_boxes(scene))
    assert [frame.camera for frame in frames] == ["cam1"] * 4 + ["cam2"] * 4
    assert sum(len(frame.boxes) for frame in frames) > 8
    clock = read_clocks(scene / "truth" / "clocks.csv")["cam2"]
    assert (clock.offset_s, clock.drift_ppm) == (0.4, 50.0)
    times = [frame.time for frame in frames if frame.camera == "cam2"]
    np.testing.assert_allclose(np.diff(times), 0.5, atol=1e-6)
    assert 0.4 <= times[0] - OPTIONS.start_utc < 0.9


def test_installed_clocks_are_nominal_and_poses_true(scene):
    installed = read_cameras_json(scene / "fixed" / "cameras.json")
    true = read_cameras_json(scene / "truth" / "cameras.json")
    assert [camera.clock_offset_s for camera in installed] == [0.0, 0.0]
    assert [camera.cam_from_site for camera in installed] == [camera.cam_from_site for camera in true]


def test_tracks_and_sightings_are_of_the_same_objects(scene):
    rows = {name: _rows(scene / "truth" / f"{name}.jsonl") for name in ("tracks", "sightings", "boxes")}
    ids = {row["meta"]["object"]: row["track"] for row in rows["tracks"]}
    assert rows["sightings"]
    assert all(ids[row["meta"]["object"]] == row["track"] for row in rows["sightings"])
    assert {row["object"] for row in rows["boxes"]} <= set(ids)
    assert all((scene / row["image"]).exists() for row in rows["sightings"])


def test_a_rerun_changes_nothing_and_renders_nothing(scene, monkeypatch):
    before = contents(scene)
    monkeypatch.setattr("scenes.captures.fixed.build_world", None)
    render_fixed(*room(), scene, OPTIONS)
    assert contents(scene) == before


def test_a_killed_run_goes_on_to_the_same_bytes(scene, tmp_path):
    def stop(done, total):
        if done == 6:
            raise CancelledError("enough")

    with pytest.raises(CancelledError):
        render_fixed(*room(), tmp_path, OPTIONS, stop)
    assert len(list((tmp_path / "fixed").rglob("*.jpg"))) == 6
    assert not (tmp_path / "truth" / "boxes.jsonl").exists()
    render_fixed(*room(), tmp_path, OPTIONS)
    assert contents(tmp_path) == contents(scene)


def test_another_recording_in_the_folder_is_refused(scene):
    before = contents(scene)
    with pytest.raises(InputError, match="recording of something else"):
        render_fixed(*room(), scene, replace(OPTIONS, seed=4))
    assert contents(scene) == before


def test_a_folder_that_can_not_be_made_is_an_error_with_its_name(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="taken"):
        render_fixed(*room(), tmp_path / "taken", OPTIONS)


def _rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]
