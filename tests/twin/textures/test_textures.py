"""Files of textures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geometry import InputError, TwinDamagedError
from tests.twin.textures.grounds import UPRIGHT_FRAME, ground, surface_of, textures_of
from twin.textures import Textures, cut_textures, read_textures, write_textures
from twin.textures.textures import ABOUT_FILE, LOOKS_FILE, PLACES_FILE


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Textures]:
    found = textures_of(ground())
    write_textures(tmp_path, found)
    return tmp_path, found


def test_what_was_written_is_read(written: tuple[Path, Textures]) -> None:
    folder, found = written
    read = read_textures(folder)
    for name in ("centres", "right", "down", "looks"):
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
    sound = np.load(places)
    for column, value in ((3, np.nan), (3, 0.5), (8, 1.0)):  # no number, no unit vector, no right angle
        bad = sound.copy()
        bad[0, column] = value
        np.save(places, bad)
        with pytest.raises(TwinDamagedError):
            read_textures(folder)


def test_parts_of_several_cell_sizes_are_not_joined(written: tuple[Path, Textures]) -> None:
    _, found = written
    assert len(Textures.joined([found, found])) == 2 * len(found)
    other = replace(found, cell_m=0.05)
    for parts in ([], [found, other]):
        with pytest.raises(InputError):
            Textures.joined(parts)


def test_patches_face_whoever_looks_at_them() -> None:
    floor, ceiling = cut_textures(surface_of(ground())), cut_textures(surface_of(ground()), from_below=True)
    wall = cut_textures(surface_of(ground()), site_from_surface=UPRIGHT_FRAME)
    for part, facing, normal in ((floor, 1, (0, 0, 1)), (ceiling, -1, (0, 0, -1)), (wall, 0, (0, -1, 0))):
        assert (part.facing == facing).all()
        np.testing.assert_allclose(part.normals, np.tile(normal, (len(part), 1)), atol=1e-12)
