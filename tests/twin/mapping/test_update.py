"""Updating the twin of a rendered room: photos leave, enter, are replaced or refused, and nothing else moves."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from geometry import InputError, TwinDamagedError, pose_error, pose_from_position, read_poses
from tests.conftest import WALK, Rendered
from twin import MapInputs, MapOptions, Twin, update_map
from twin.cli import main
from twin.mapping.kept import REMOVED, REPLACED
from twin.model import UPDATE_FILE
from twin.store import problems, sha256
from twin.update_remarks import update_remarks

GONE = ("0003.jpg", "0004.jpg", "0020.jpg")
SWAPPED = "0010.jpg"
NEW = 3
ELSEWHERE, BROKEN = "elsewhere.png", "broken.jpg"


@pytest.fixture(scope="module")
def folder(rendered: Rendered, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The walk a day later: some photos gone, one replaced by another, some new, one of elsewhere, one no picture."""
    folder = tmp_path_factory.mktemp("later") / "photos"
    shutil.copytree(rendered.walk, folder)
    for name in GONE:
        (folder / name).unlink()
    queries = sorted(rendered.queries.glob("*.jpg"))
    for path in queries[:NEW]:
        shutil.copyfile(path, folder / f"new-{path.name}")
    shutil.copyfile(queries[NEW], folder / SWAPPED)
    grain = np.random.default_rng(0).integers(0, 255, (60, 80), dtype=np.uint8)
    cv2.imwrite(str(folder / ELSEWHERE), cv2.resize(grain, (480, 360), interpolation=cv2.INTER_CUBIC))
    (folder / BROKEN).write_bytes(b"not a picture")
    return folder


@pytest.fixture(scope="module")
def updated(folder: Path, rendered: Rendered, small_twin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("updated") / "room"
    before = {path: sha256(path) for path in small_twin.rglob("*") if path.is_file()}
    update_map(MapInputs(images=folder, cameras=rendered.cameras), small_twin, out)
    assert {path: sha256(path) for path in small_twin.rglob("*") if path.is_file()} == before
    return out


def told(twin: Path) -> dict:
    return json.loads((twin / UPDATE_FILE).read_text("utf-8"))


def test_photos_that_stay_do_not_move(updated: Path, small_twin: Path) -> None:
    old, new = Twin.open(small_twin).view_poses, Twin.open(updated, verify=True).view_poses
    stay = (old.keys() & new.keys()) - {SWAPPED}
    assert len(stay) == WALK - len(GONE) - 1
    # Exactly: held poses can't drift, however often a map is updated.
    assert max(pose_error(new[name], old[name])[0] for name in stay) == 0.0
    assert told(updated)["photos"]["kept_shift_m"] == 0.0


def test_new_photos_are_where_they_were_taken(updated: Path, rendered: Rendered) -> None:
    truth = read_poses(rendered.folder / "truth" / "queries.csv")
    poses = Twin.open(updated).view_poses
    new = [name for name in told(updated)["photos"]["entered"] if name.startswith("new-")]
    assert len(new) >= NEW - 1
    for name in new:
        row = truth.images.index(name.removeprefix("new-"))
        metres, degrees = pose_error(poses[name], pose_from_position(truth.positions[row], truth.quats_xyzw[row]))
        assert metres < 0.05  # measured at most 0.027, of a photo that shows 42 landmarks
        assert degrees < 0.3


def test_what_left_and_what_could_not_enter_is_told_by_name(updated: Path) -> None:
    photos = told(updated)["photos"]
    assert photos["left"] == {**dict.fromkeys(GONE, REMOVED), SWAPPED: REPLACED}
    quality = json.loads((updated / "quality.json").read_text("utf-8"))
    not_placed = quality["images"]["not_placed"]
    assert {ELSEWHERE, BROKEN} <= not_placed.keys()
    assert not {ELSEWHERE, BROKEN} & Twin.open(updated).view_poses.keys()
    assert set(GONE).isdisjoint(Twin.open(updated).landmarks.views)


def test_version_size_and_text(updated: Path, small_twin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert problems(updated) == []
    assert (Twin.open(small_twin).manifest.version, Twin.open(updated).manifest.version) == (1, 2)
    size = json.loads((updated / "quality.json").read_text("utf-8"))["size"]
    on_disk = sum(p.stat().st_size for part in ("map", "landmarks", "places") for p in (updated / part).rglob("*"))
    assert size["bytes"]["map"] == on_disk
    assert size["map_bytes_per_m2"] == pytest.approx(on_disk / size["area_m2"])
    assert update_remarks(told(updated))[0].startswith("version 2, from room version 1: 24 photos stay")
    main(["check", str(updated)])
    assert "version 2, from room version 1" in capsys.readouterr().out


def test_in_its_own_place_with_nothing_new_and_a_budget(small_twin: Path, rendered: Rendered, tmp_path: Path) -> None:
    twin = tmp_path / "room"
    shutil.copytree(small_twin, twin)
    before = Twin.open(twin)
    full = json.loads((twin / "quality.json").read_text("utf-8"))["size"]["bytes"]["map"] / 1e6
    budget = 0.6 * full
    quality = update_map(MapInputs(images=rendered.walk), twin, twin, MapOptions(budget_mb=budget))
    after = Twin.open(twin, verify=True)
    assert quality["size"]["bytes"]["map"] <= 1e6 * budget
    assert quality["size"]["bytes"]["map"] > 0.9e6 * budget
    assert 0.3 < quality["thinned"]["landmarks_kept"] < 0.8
    assert len(after.landmarks) == round(quality["thinned"]["landmarks_kept"] * len(before.landmarks))
    assert quality["left_out"]["localized"] >= quality["thinned"]["left_out_before"]["localized"] - 2
    assert after.reconstruction.num_points3D() == len(after.landmarks)
    assert after.view_poses.keys() == before.view_poses.keys()


def test_folder_without_the_old_photos_is_refused(small_twin: Path, rendered: Rendered, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 of the 28 photos"):
        update_map(MapInputs(images=rendered.queries, cameras=rendered.cameras), small_twin, tmp_path / "twin")
    assert not (tmp_path / "twin").exists()
    assert problems(small_twin) == []


def test_what_an_update_can_not_take_is_named(small_twin: Path, rendered: Rendered, tmp_path: Path) -> None:
    tags = rendered.cameras  # never read
    inputs = MapInputs(images=rendered.walk, tags=tags)
    with pytest.raises(InputError, match=r"--tags, --refine-lens can't be given"):
        update_map(inputs, small_twin, tmp_path / "twin", MapOptions(refine_lens=True))
    with pytest.raises(InputError, match="features are sift, not xfeat"):
        update_map(MapInputs(images=rendered.walk), small_twin, tmp_path / "twin", MapOptions(extractor="xfeat"))


def test_map_without_a_scale_is_refused(small_twin: Path, rendered: Rendered, tmp_path: Path) -> None:
    twin = tmp_path / "room"
    shutil.copytree(small_twin, twin)
    manifest = twin / "twin.yaml"
    manifest.write_text(manifest.read_text("utf-8").replace("metric: true", "metric: false"), "utf-8")
    with pytest.raises(InputError, match="has no scale"):
        update_map(MapInputs(images=rendered.walk), twin, tmp_path / "next")


def test_damaged_old_twin_is_refused(small_twin: Path, rendered: Rendered, tmp_path: Path) -> None:
    twin = tmp_path / "room"
    shutil.copytree(small_twin, twin)
    with (twin / "landmarks" / "points.npy").open("r+b") as file:
        file.seek(-8, 2)
        file.write(b"\x00" * 8)
    with pytest.raises(TwinDamagedError, match="altered"):
        update_map(MapInputs(images=rendered.walk), twin, twin)
