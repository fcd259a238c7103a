"""A scene on disk: its files, what they say, and how a run that was stopped goes on."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image

from geometry.errors import CancelledError, InputError
from geometry.floorplan import read_plan
from geometry.interchange import QUERY_COLUMNS, read_cameras, read_poses, read_tags
from geometry.tables import read_table
from geometry.tag_alignment import tag_corners
from scenes.captures.options import CaptureOptions
from scenes.captures.render_scene import render_scene
from scenes.description import read_facility
from tests.scenes.captures.surveyed_room import COARSE, building, plan, room

OPTIONS = CaptureOptions(
    captures=("walk", "queries"), queries=3, walk_frames=5, quality="draft", width=64, height=48, seed=4
)


@pytest.fixture(autouse=True, scope="module")
def coarse_light() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CaptureOptions, "light", property(lambda options: COARSE))
        yield


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scenes") / "room"
    render_scene(room(), out, OPTIONS)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_holds_what_the_docs_say(scene: Path) -> None:
    names = {name for name in contents(scene) if not name.endswith(".jpg")}
    described = {"scene.yaml", "plan.json", "cameras.csv", "tags.csv"}
    assert names == described | {"walk/poses.csv", "truth/walk.csv", "truth/queries.csv", ".render.json"}
    assert read_facility(scene / "scene.yaml") == room()
    assert read_plan(scene / "plan.json") == plan()
    (rule,) = read_cameras(scene / "cameras.csv")
    assert (rule.camera.width, rule.camera.height) == (64, 48)


def test_truth_and_claims_name_the_pictures(scene: Path) -> None:
    truth, claims = read_poses(scene / "truth" / "walk.csv"), read_poses(scene / "walk" / "poses.csv")
    pictures = sorted(path.name for path in (scene / "walk").glob("*.jpg"))
    assert list(truth.images) == list(claims.images) == pictures
    assert len(pictures) == 5
    with Image.open(scene / "walk" / pictures[0]) as image:
        assert image.size == (64, 48)
    assert (np.linalg.norm(claims.positions - truth.positions, axis=1) < 5 * claims.sigma_m).all()
    assert truth.sequence == claims.sequence == ("G-walk",) * 5


def test_query_truth_says_where_and_how_hard(scene: Path) -> None:
    table = read_table(scene / "truth" / "queries.csv", QUERY_COLUMNS)
    assert table.text("level") == ("G",) * 3
    assert set(table.text("zone")) <= {"G-zone-A", "G-zone-B"}
    stalls = {stall.id: stall.polygon for stall in plan().stalls}
    for x, y, stall in zip(*table.numbers("x", "y").T, table.text("stall"), strict=True):
        inside = [id for id, polygon in stalls.items() if polygon.contains_properly(shapely.Point(x, y))]
        assert inside == ([stall] if stall else [])


def test_tags_have_the_corners_that_are_built(scene: Path) -> None:
    tags = read_tags(scene / "tags.csv")
    corners = tag_corners(tags.size_m, tags.positions, tags.quats_xyzw)
    built = np.array([building().tag_corners[id] for id in tags.ids.tolist()])
    assert np.abs(corners - built).max() < 1e-9
    assert len(tags.ids) >= 4
    assert (tags.sigma_m > 0).all()


def test_a_stopped_run_goes_on_and_ends_in_the_same_bytes(scene: Path, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "walk" and done == 2:
            raise CancelledError("stopped")

    out = tmp_path / "room"
    with pytest.raises(CancelledError):
        render_scene(room(), out, OPTIONS, stop)
    kept = {path: path.stat().st_mtime_ns for path in (out / "walk").glob("*.jpg")}
    assert 2 <= len(kept) <= 3
    (out / "walk" / ".0123456789abcdef.tmp").write_bytes(b"half a picture")
    render_scene(room(), out, OPTIONS)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert contents(out) == contents(scene)


def test_a_finished_scene_is_left_alone(scene: Path) -> None:
    stages: list[str] = []
    before = contents(scene)
    render_scene(room(), scene, OPTIONS, lambda stage, done, total: stages.append(stage))
    assert "light" not in stages
    assert contents(scene) == before


def test_a_full_disk_names_the_file_and_keeps_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, calls = tmp_path / "room", [0]

    def fsync(file: int) -> None:
        calls[0] += 1
        if len(list((out / "walk").glob("*.jpg"))) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("geometry.tables.os.fsync", fsync)
    with pytest.raises(InputError, match=r"walk/0002\.jpg.*No space left on device.*free space"):
        render_scene(room(), out, OPTIONS)
    assert sorted(path.name for path in (out / "walk").glob("*")) == ["0000.jpg", "0001.jpg", "poses.csv"]


def test_a_folder_of_something_else_is_refused(scene: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"not empty.*Give a new one"):
        render_scene(room(), tmp_path, OPTIONS)
    other = CaptureOptions(**{**vars(OPTIONS), "seed": 5})
    with pytest.raises(InputError, match=r"another scene.*new folder"):
        render_scene(room(), scene, other)
    with pytest.raises(InputError, match="make the folder"):
        render_scene(room(), tmp_path / "notes.txt", OPTIONS)


def test_a_facility_without_walks_is_refused_before_any_work(tmp_path: Path) -> None:
    bare = room().model_copy(update={"walks": ()})
    with pytest.raises(InputError, match="'walk' can't be captured without walks"):
        render_scene(bare, tmp_path / "out", OPTIONS)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "bad",
    [{"captures": ("walks",)}, {"queries": -1}, {"quality": "best"}, {"seed": -1}, {"width": 8}, {"walk_frames": 1}],
)
def test_impossible_options_are_refused(bad: dict) -> None:
    with pytest.raises(InputError):
        CaptureOptions(**bad)
