from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry import tables
from geometry.errors import InputError
from geometry.tables import Column, read_bounded, read_table, write_atomic, write_table

SPEC = (
    Column("name", str),
    Column("count", int, minimum=0),
    Column("value", float, may_be_empty=True),
    Column("note", str, required=False, may_be_empty=True),
    Column("anything", float, required=False, finite=False),
)
CONTROL = "".join(map(chr, [*range(32), 127]))
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters=CONTROL)
TEXT = st.text(CHARACTERS, min_size=1, max_size=20).filter(lambda text: text.strip())
NUMBER = st.floats(allow_infinity=False) | st.sampled_from([5e-324, 1.7976931348623157e308, -0.0, 0.1 + 0.2])
ROWS = st.lists(st.tuples(TEXT, st.integers(0, 2**63 - 1), NUMBER, TEXT | st.just("")), max_size=8)


@given(ROWS)
def test_what_is_written_reads_back_exactly(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    columns = {name: [row[i] for row in rows] for i, name in enumerate(("name", "count", "value", "note"))}
    write_table(path, SPEC, columns)
    table = read_table(path, SPEC)
    assert len(table) == len(rows)
    assert table.text("name") == tuple(columns["name"])
    assert table.text("note") == tuple(columns["note"])
    assert np.asarray(table.columns["count"]).tolist() == columns["count"]
    assert list(map(repr, table.numbers("value").tolist())) == list(map(repr, columns["value"]))


def test_columns_come_in_any_order_and_optional_ones_may_be_absent(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes('\ufeffvalue, count ,name\r\n1.5,2,"a,b"\r\n\r\n,3,c\r\n'.encode())
    table = read_table(path, SPEC)
    assert table.text("name") == ("a,b", "c")
    assert table.numbers("count", "value")[0].tolist() == [2.0, 1.5]
    assert np.isnan(table.numbers("value")[1])
    assert "note" not in table
    assert table.where(1, "count") == f"{path}, line 4, column 'count'"


def test_header_alone_is_an_empty_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("name,count,value\n")
    table = read_table(path, SPEC)
    assert len(table) == 0
    assert table.numbers("count", "value").shape == (0, 2)


def test_non_finite_numbers_only_where_the_column_allows_them(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_table(path, SPEC, {"name": ["a", "b"], "count": [1, 2], "value": [0, 1], "anything": [np.inf, np.nan]})
    np.testing.assert_array_equal(read_table(path, SPEC).numbers("anything"), [np.inf, np.nan])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"name,count,valeu\n", "unknown column 'valeu'. Did you mean 'value'?"),
        (b"name,count,value,count\n", "column 'count' occurs twice"),
        (b"name,value\n", "column 'count' is missing"),
        (b"name,count,value\na,1\n", "line 2: 2 cells, the header has 3"),
        (b"name,count,value\na,1,2,3\n", "line 2: 4 cells"),
        (b"name,count,value\na,1,2\n,1,2\n", "line 3, column 'name': the cell is empty"),
        (b"name,count,value\na,,2\n", "line 2, column 'count': the cell is empty"),
        (b"name,count,value\na,1.5,2\n", "column 'count': '1.5' is not a whole number"),
        (b"name,count,value\na,-1,2\n", "column 'count': -1 is outside [0, inf]"),
        (b"name,count,value\na,99999999999999999999,2\n", "is too large"),
        (b"name,count,value\na,1,x\n", "column 'value': 'x' is not a number"),
        (b"name,count,value\na,1,1_0\n", "column 'value': '1_0' is not a number"),
        (b"name,count,value\na,1,nan\n", "column 'value': 'nan' is not finite"),
        (b"name,count,value\na,1,-inf\n", "column 'value': '-inf' is not finite"),
        (b"name,count,value\na,1,1e999\n", "is not finite"),
        (b'name,count,value\n"a\nb",1,2\n', "line 3, column 'name': the cell has a control character"),
        (b"name,count,value\na\0,1,2\n", "control character"),
        (b'name,count,value\n"a,1,2\n', "not a CSV table"),
        (b"name,count,value\n\xff,1,2\n", "not UTF-8 text at byte 17"),
        (b"name,count,value\n" + b"a" * 200_000 + b",1,2\n", "not a CSV table"),
    ],
)
def test_malformed_files_are_refused_with_the_place(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_table(path, SPEC)
    assert said in str(caught.value)
    assert "bad.csv" in str(caught.value)


def test_over_long_absent_and_unreadable_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes(b"x" * 11)
    monkeypatch.setattr(tables, "MAX_FILE_BYTES", 10)
    with pytest.raises(InputError, match="longer than"):
        read_bounded(path)
    with pytest.raises(InputError, match="No such file"):
        read_bounded(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="directory"):
        read_bounded(tmp_path)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"name": ["a"], "count": [-1], "value": [1.0]}, "row 1, column 'count'"),
        ({"name": ["a"], "count": [1], "value": [np.inf]}, "not finite"),
        ({"name": [""], "count": [1], "value": [1.0]}, "the cell is empty"),
        ({"name": ["\ud800"], "count": [1], "value": [1.0]}, "can't be written as UTF-8"),
        ({"name": ["a"], "count": [1]}, "column 'value' is missing"),
        ({"name": ["a"], "count": [1], "value": [1.0], "nota": ["x"]}, "Did you mean 'note'?"),
    ],
)
def test_what_could_not_be_read_is_not_written(tmp_path: Path, columns: dict, said: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")
    with pytest.raises(InputError) as caught:
        write_table(path, SPEC, columns)
    assert said in str(caught.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.txt"
    write_atomic(path, b"old")

    def full_disk(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tables.os, "replace", full_disk)
    with pytest.raises(InputError, match="No space left on device"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
