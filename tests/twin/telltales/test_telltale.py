"""Telltales on disk."""

import json
from pathlib import Path

import numpy as np
import pytest

from geometry import TwinDamagedError
from twin.telltales import Telltale, read_telltales, write_telltales
from twin.telltales.telltale import LOG_RANGE, LOOKS_FILE, PLACES_FILE


def telltale(seed: int = 0, levels: int = 3, shape: tuple[int, int] = (20, 30)) -> Telltale:
    rng = np.random.default_rng(seed)
    return Telltale(
        name=f"spot {seed}",
        origin=np.array([[2.0, 3.0, 3.5 * k] for k in range(levels)]),
        right=np.tile([0.04, 0.0, 0.0], (levels, 1)),
        down=np.tile([0.0, -0.04, 0.0], (levels, 1)),
        looks=rng.normal(0, 0.4, (levels, *shape)).astype(np.float32),
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    made = [telltale(0), telltale(1, levels=2, shape=(5, 7))]
    write_telltales(tmp_path, made)
    for one, two in zip(made, read_telltales(tmp_path), strict=True):
        assert one.name == two.name
        for name in ("origin", "right", "down"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        kept = np.clip(one.looks, -LOG_RANGE, LOG_RANGE)
        np.testing.assert_allclose(two.looks, kept, atol=0.51 * LOG_RANGE / 127.5)


def test_none_are_written_and_read_too(tmp_path: Path) -> None:
    write_telltales(tmp_path, [])
    assert read_telltales(tmp_path) == ()


def test_cells_lie_where_they_are_said_to_be_seen_from_above() -> None:
    made = telltale()
    cells = made.cells(1, margin=(1, 2))
    assert cells.shape == (22, 34, 3)
    np.testing.assert_allclose(cells[1, 2], [2.0, 3.0, 3.5])
    np.testing.assert_allclose(cells[2, 3], [2.04, 2.96, 3.5])
    np.testing.assert_allclose(made.normal(1), [0, 0, 1])


@pytest.mark.parametrize("wrong", ["[", "{}", '[{"name": "a"}]', "[]"])
def test_a_list_that_does_not_fit_is_refused(tmp_path: Path, wrong: str) -> None:
    write_telltales(tmp_path, [telltale()])
    (tmp_path / PLACES_FILE).write_text(wrong)
    with pytest.raises(TwinDamagedError, match="Map again"):
        read_telltales(tmp_path)


@pytest.mark.parametrize("flat", [np.zeros(3, np.uint8), np.zeros(3 * 20 * 30, np.float32), np.array([{}])])
def test_looks_that_do_not_fit_are_refused(tmp_path: Path, flat: np.ndarray) -> None:
    write_telltales(tmp_path, [telltale()])
    np.save(tmp_path / LOOKS_FILE, flat)
    with pytest.raises(TwinDamagedError, match="Map again"):
        read_telltales(tmp_path)
    (tmp_path / LOOKS_FILE).unlink()
    with pytest.raises(TwinDamagedError, match="Map again"):
        read_telltales(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"), [("right", [[0.0, 0.0, 0.0]] * 3), ("down", [[0.04, 0.0, 0.0]] * 3), ("shape", [0, 9])]
)
def test_places_that_span_nothing_are_refused(tmp_path: Path, name: str, value: object) -> None:
    write_telltales(tmp_path, [telltale()])
    (place,) = json.loads((tmp_path / PLACES_FILE).read_text())
    (tmp_path / PLACES_FILE).write_text(json.dumps([place | {name: value}]))
    with pytest.raises(TwinDamagedError, match="Map again"):
        read_telltales(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x93NUMPY\x01\x00\x10\x00{'descr': '|u1', (("])
def test_what_is_no_array_is_refused(tmp_path: Path, content: bytes) -> None:
    write_telltales(tmp_path, [telltale()])
    (tmp_path / LOOKS_FILE).write_bytes(content)
    with pytest.raises(TwinDamagedError, match="Map again"):
        read_telltales(tmp_path)
    (tmp_path / PLACES_FILE).unlink()
    with pytest.raises(TwinDamagedError, match="Map again"):
        read_telltales(tmp_path)
