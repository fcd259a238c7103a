"""Hostile photos and tables: each named, the rest of the batch goes on, the twin is untouched."""

import shutil
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from geometry import InputError, TiepointError, read_cameras
from tests.conftest import Rendered
from twin import Twin, localize_images, map_images
from twin.queries import name_images
from twin.store import problems


def huge_png() -> bytes:
    """Return a PNG whose header claims 20000 x 20000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.fixture
def hostile(rendered: Rendered, tmp_path: Path) -> Path:
    """A folder with six good photos and five bad ones."""
    folder = tmp_path / "photos"
    folder.mkdir()
    good = sorted(rendered.walk.glob("*.jpg"))
    for path in good[:6]:
        shutil.copy(path, folder / path.name)
    content = good[6].read_bytes()
    (folder / "bad-truncated.jpg").write_bytes(content[: len(content) // 2])
    (folder / "bad-empty.jpg").write_bytes(b"")
    (folder / "bad-huge.png").write_bytes(huge_png())
    (folder / "bad-text.jpg").write_text("not a photo")
    import cv2

    cv2.imwrite(str(folder / "bad-size.jpg"), cv2.imread(str(good[7]))[:100])
    return folder


def test_mapping_goes_on_without_bad_photos(hostile: Path, rendered: Rendered, tmp_path: Path) -> None:
    quality = map_images(replace(rendered.inputs(), images=hostile), tmp_path / "twin")
    refused = quality["images"]["not_placed"]
    assert {name for name in refused if name.startswith("bad")} == {
        "bad-truncated.jpg",
        "bad-empty.jpg",
        "bad-huge.png",
        "bad-text.jpg",
        "bad-size.jpg",
    }
    assert all(refused.values())
    assert quality["images"]["placed"] >= 5


def test_localizing_goes_on_without_bad_photos(hostile: Path, rendered: Rendered, small_twin: Path) -> None:
    twin = Twin.open(small_twin)
    answers = list(localize_images(twin, name_images([hostile]), read_cameras(rendered.cameras)))
    assert {a.image for a in answers if a.image.startswith("bad") and a.status == "refused" and a.reason} == {
        "bad-truncated.jpg",
        "bad-empty.jpg",
        "bad-huge.png",
        "bad-text.jpg",
        "bad-size.jpg",
    }
    assert sum(a.status == "ok" for a in answers) == 6
    assert problems(small_twin) == []


def test_the_same_query_twice_is_an_error(rendered: Rendered, small_twin: Path) -> None:
    path = next(rendered.walk.glob("*.jpg"))
    with pytest.raises(InputError, match="twice"):
        list(localize_images(Twin.open(small_twin), [("a", path), ("a", path)], read_cameras(rendered.cameras)))


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ("walk/0.jpg,nan,0,0,0,0,0,1,0,0", "line 2"),
        ("a.jpg,0,0,0,0,0,0,1,0,0\na.jpg,0,0,0,0,0,0,1,0,0", "a.jpg"),
        ("a.jpg,0,0,0,0,0,0,0,0,0", "quaternion"),
        ("stranger.jpg,0,0,0,0,0,0,1,0,0", "none of the images"),
    ],
)
def test_bad_pose_tables_are_refused_and_leave_the_twin(
    rows: str, match: str, rendered: Rendered, small_twin: Path, tmp_path: Path
) -> None:
    poses = tmp_path / "poses.csv"
    poses.write_text(f"image,x,y,z,qx,qy,qz,qw,sigma_m,sigma_deg\n{rows}\n")
    with pytest.raises(InputError, match=match):
        map_images(replace(rendered.inputs(), poses=poses), small_twin)
    assert problems(small_twin) == []


def test_a_full_disk_leaves_the_old_twin(rendered: Rendered, small_twin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import twin.landmarks

    def full(self: object, folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(twin.landmarks.Landmarks, "save", full)
    with pytest.raises((OSError, TiepointError)):
        map_images(rendered.inputs(), small_twin)
    assert problems(small_twin) == []
    shutil.rmtree(small_twin.parent / f".{small_twin.name}.work")
