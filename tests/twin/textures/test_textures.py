"""Files of textures."""

import json
from pathlib import Path

import numpy as np
import pytest

from geometry import InputError, TwinDamagedError
from tests.twin.textures.grounds import ground, textures_of
from twin.textures import Textures, read_textures, write_textures
from twin.textures.textures import ABOUT_FILE, LOOKS_FILE, PLACES_FILE


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Textures]:
    found = textures_of(ground())
    write_textures(tmp_path, found)
    return tmp_path, found


def test_what_was_written_is_read(written: tuple[Path, Textures]) -> None:
    folder, found = written
    read = read_textures(folder)
    for name in ("faces_up", "centres", "looks"):
        np.testing.assert_array_equal(getattr(read, name), getattr(found, name))
        assert getattr(read, name).dtype == getattr(found, name).dtype
    assert read.cell_m == found.cell_m


def test_damaged_files_are_refused(written: tuple[Path, Textures]) -> None:
    folder, found = written
    about, places, looks = (folder / name for name in (ABOUT_FILE, PLACES_FILE, LOOKS_FILE))
    whole = {path: path.read_bytes() for path in (about, places, looks)}
    damaged = {
        about: [
            b"",
            b"{",
            b'{"patches": 1, "cell_m": 0.08}',
            json.dumps({"patches": len(found), "cell_m": 0}).encode(),
        ],
        places: [b"", whole[places][:50], whole[looks], whole[places].replace(b"f8", b"O8")],
        looks: [b"", whole[looks][:-5], whole[places]],
    }
    for path, contents in damaged.items():
        for content in contents:
            path.write_bytes(content)
            with pytest.raises(TwinDamagedError, match=r"textures\.json|places\.npy|looks\.npy"):
                read_textures(folder)
        path.unlink()
        with pytest.raises(TwinDamagedError):
            read_textures(folder)
        path.write_bytes(whole[path])
    bad = np.load(places)
    bad[0, 3] = np.nan
    np.save(places, bad)
    with pytest.raises(TwinDamagedError):
        read_textures(folder)


def test_parts_of_several_cell_sizes_are_not_joined(written: tuple[Path, Textures]) -> None:
    _, found = written
    assert len(Textures.joined([found, found])) == 2 * len(found)
    other = Textures(faces_up=found.faces_up, centres=found.centres, looks=found.looks, cell_m=0.05)
    for parts in ([], [found, other]):
        with pytest.raises(InputError):
            Textures.joined(parts)
