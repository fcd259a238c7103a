"""The twin on disk: published in one step, refused when damaged, and never replacing what is no twin."""

from pathlib import Path

import pytest
import yaml

from geometry import TwinDamagedError, TwinError, TwinFormatError, folders
from twin.store import Manifest, SiteFrame, problems, publish, read_manifest


def manifest(name: str = "place") -> Manifest:
    return Manifest(
        format=1,
        name=name,
        created="2026-01-01T00:00:00+00:00",
        tiepoint="0",
        frame=SiteFrame(aligned_by=[], metric=False),
        features={},
        lenses={},
        mapping={},
    )


def write(folder: Path, content: str = "one") -> None:
    (folder / "map").mkdir()
    (folder / "map" / "data").write_text(content)


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    target = tmp_path / "place"
    publish(target, manifest(), write)
    return target


def test_published_twin_is_sound_and_lists_every_file(twin: Path) -> None:
    assert problems(twin) == []
    assert set(read_manifest(twin).files) == {"map/data"}
    assert [p.name for p in twin.parent.iterdir()] == ["place"]  # no staging folder is left


@pytest.mark.parametrize("atomic", [True, False])
def test_publishing_again_replaces_the_old_twin(twin: Path, atomic: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not atomic:
        monkeypatch.setattr(folders, "_exchange", lambda a, b: False)
    publish(twin, manifest("second"), lambda folder: write(folder, "two"))
    assert read_manifest(twin).name == "second"
    assert (twin / "map" / "data").read_text() == "two"
    assert [p.name for p in twin.parent.iterdir()] == ["place"]


def test_failing_while_writing_leaves_the_old_twin(twin: Path) -> None:
    def fail(folder: Path) -> None:
        write(folder, "half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        publish(twin, manifest("second"), fail)
    assert problems(twin) == []
    assert read_manifest(twin).name == "place"
    assert [p.name for p in twin.parent.iterdir()] == ["place"]


def test_a_folder_that_is_no_twin_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("precious")
    with pytest.raises(TwinError, match="not a twin"):
        publish(tmp_path / "photos", manifest(), write)
    assert (tmp_path / "photos" / "a.jpg").read_text() == "precious"


def test_every_damage_is_named(twin: Path) -> None:
    (twin / "map" / "data").write_text("altered")
    (twin / "extra").write_text("")
    assert problems(twin) == ["extra is not listed in twin.yaml", "map/data was altered: its sha256 differs"]
    (twin / "map" / "data").unlink()
    assert "map/data is missing" in problems(twin)


def test_newer_format_asks_for_an_update(twin: Path) -> None:
    content = yaml.safe_load((twin / "twin.yaml").read_text())
    (twin / "twin.yaml").write_text(yaml.safe_dump({**content, "format": 2, "novelty": 1}))
    with pytest.raises(TwinFormatError, match="Update Tiepoint"):
        read_manifest(twin)


@pytest.mark.parametrize(
    "text", ["", "[]", "format: x", "format: 1", "a: [", "format: 1\nname: !!python/object:os.x {}"]
)
def test_broken_manifest_is_damage(twin: Path, text: str) -> None:
    (twin / "twin.yaml").write_text(text)
    with pytest.raises(TwinDamagedError, match=r"twin\.yaml"):
        read_manifest(twin)


def test_not_a_twin(tmp_path: Path) -> None:
    with pytest.raises(TwinError, match="tiepoint map"):
        read_manifest(tmp_path)
