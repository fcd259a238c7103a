import errno
import os

import pytest

from geometry.errors import InputError
from geometry.jsonl import MAX_LINE_BYTES, read_lines, write_jsonl


def test_rows_are_written_a_line_each(tmp_path):
    write_jsonl(tmp_path / "rows.jsonl", iter([{"a": 1}, {"b": [0.1, None]}]))
    assert list(read_lines(tmp_path / "rows.jsonl")) == [b'{"a":1}\n', b'{"b":[0.1,null]}\n']


def test_a_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [{"a": 1}])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_jsonl(path, ({"a": value} for value in (1.0, float("nan"))))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["rows.jsonl"]


def test_a_full_disk_is_named_with_what_to_do(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("geometry.tables.os.fsync", full)
    with pytest.raises(InputError, match=r"rows.jsonl: can't write the file: No space left.*free space"):
        write_jsonl(tmp_path / "rows.jsonl", [{"a": 1}])
    assert os.listdir(tmp_path) == []


def test_an_endless_line_and_a_missing_file_are_refused(tmp_path):
    (tmp_path / "long.jsonl").write_bytes(b"{}\n" + b"x" * (MAX_LINE_BYTES + 10))
    with pytest.raises(InputError, match="line 2 is longer"):
        list(read_lines(tmp_path / "long.jsonl"))
    with pytest.raises(InputError, match="can't read"):
        list(read_lines(tmp_path / "missing.jsonl"))
