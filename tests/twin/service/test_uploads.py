import errno
import io
import os
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.service.leftovers import remove_leftovers
from twin.service.problems import ServiceError
from twin.service.uploads import unpack_twin

MAX = 50 * 2**20


def packed(entries, *, mode=None):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            if mode is not None:
                entry.external_attr = mode << 16
            archive.writestr(entry, content)
    buffer.seek(0)
    return buffer


def zipped(folder: Path, prefix: str = "") -> io.BytesIO:
    return packed(
        [(prefix + p.relative_to(folder).as_posix(), p.read_bytes()) for p in folder.rglob("*") if p.is_file()]
    )


def nothing_but(folder: Path, *names: str) -> bool:
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


@pytest.mark.parametrize("prefix", ["", "my-room/"])
def test_a_sound_twin_becomes_a_version(small_twin, tmp_path, prefix):
    version = unpack_twin(zipped(small_twin, prefix), tmp_path, max_bytes=MAX)
    assert nothing_but(tmp_path, version)
    assert (tmp_path / version / "twin.yaml").read_bytes() == (small_twin / "twin.yaml").read_bytes()


BAD = [
    "../evil",
    "a/../../evil",
    "/evil",
    "a\\..\\evil",
    "C:evil",
    "a/./b/../../../x",
    "",
    "x" * 300,
    "a\x01b",
    "..",
    "//evil",
]


@pytest.mark.parametrize("name", BAD)
def test_what_leads_elsewhere_is_refused_and_leaves_nothing(tmp_path, name):
    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(ServiceError):
        unpack_twin(packed([("twin.yaml", b"x"), (name, b"evil")]), home, max_bytes=MAX)
    assert nothing_but(home)
    assert nothing_but(tmp_path, "home")


@given(st.text(min_size=1, max_size=40))
def test_no_name_leads_elsewhere(name):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        try:
            archive = packed([(name, b"x")])
        except (UnicodeError, ValueError):
            return
        with pytest.raises(ServiceError):
            unpack_twin(archive, home, max_bytes=MAX)
        assert nothing_but(Path(folder), "home")
        assert nothing_but(home)


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o644, stat.S_IFCHR | 0o644])
def test_links_and_devices_are_refused(tmp_path, mode):
    with pytest.raises(ServiceError, match="link or a device"):
        unpack_twin(packed([("twin.yaml", b"/etc/passwd")], mode=mode), tmp_path, max_bytes=MAX)


def test_bombs_are_refused(tmp_path):
    with pytest.raises(ServiceError) as tight:
        unpack_twin(packed([("twin.yaml", bytes(30 * 2**20))]), tmp_path, max_bytes=MAX)
    assert tight.value.status == 413
    with pytest.raises(ServiceError) as large:
        unpack_twin(
            packed([("twin.yaml", bytes(2**20))] + [(f"{i}", b"x" * 100) for i in range(9)]), tmp_path, max_bytes=2**20
        )
    assert large.value.status == 413
    assert nothing_but(tmp_path)


def test_a_size_that_lies_is_found_out(tmp_path):
    content = bytearray(packed([("twin.yaml", b"a" * 5000)]).getvalue())
    at = content.rfind(b"PK\x01\x02") + 24  # the size as the directory tells it
    content[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(ServiceError):
        unpack_twin(io.BytesIO(bytes(content)), tmp_path, max_bytes=MAX)
    assert nothing_but(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip", packed([]).getvalue(), packed([("a", b"b")]).getvalue()])
def test_what_is_no_twin_is_refused(tmp_path, content):
    with pytest.raises(ServiceError) as refused:
        unpack_twin(io.BytesIO(content), tmp_path, max_bytes=MAX)
    assert refused.value.status == 422
    assert nothing_but(tmp_path)


def test_a_twin_that_was_altered_is_refused(small_twin, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(small_twin, copy)
    (copy / "quality.json").write_text("{}")
    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(ServiceError, match="altered"):
        unpack_twin(zipped(copy), home, max_bytes=MAX)
    assert nothing_but(home)


def test_where_there_is_no_room_nothing_is_left(small_twin, tmp_path, monkeypatch):
    def full(staging, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("twin.service.uploads.put_in_place", full)
    with pytest.raises(ServiceError, match="No space left") as refused:
        unpack_twin(zipped(small_twin), tmp_path, max_bytes=MAX)
    assert refused.value.status == 503
    assert nothing_but(tmp_path)


def test_what_killed_requests_left_is_removed_after_a_day(tmp_path):
    uploads, twins = tmp_path / "tmp", tmp_path / "twins"
    for folder in (uploads, twins / "site" / ".new-1", twins / "site" / ".gone-2", twins / "site" / "v1"):
        folder.mkdir(parents=True)
        (folder / "photo-1").write_bytes(b"x")
    (uploads / "photo-2").write_bytes(b"x")
    for path in (uploads / "photo-1", *(twins / "site").iterdir()):
        os.utime(path, (1.0, 1.0))
    remove_leftovers(uploads, twins)
    assert nothing_but(uploads, "photo-2")
    assert nothing_but(twins / "site", "v1")
