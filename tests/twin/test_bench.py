"""tiepoint bench: what it lists and what it refuses; the benchmarks themselves are never run by the tests."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from geometry import InputError, TiepointError
from twin.commands import bench


def test_lists_the_benchmarks_and_not_their_shared_modules() -> None:
    result = CliRunner().invoke(bench.command, [])
    assert result.exit_code == 0
    assert {"strecha", "sevenscenes", "other_places", "all"} <= set(result.output.split())
    assert "protocol" not in result.output


def test_an_unknown_name_is_a_wrong_command_and_names_the_nearest() -> None:
    result = CliRunner().invoke(bench.command, ["strechs"])
    assert result.exit_code == 2
    assert "'strecha'" in result.output


def test_absent_data_is_refused_by_folder(tmp_path: Path) -> None:
    result = CliRunner().invoke(bench.command, ["strecha", "--data", str(tmp_path / "absent")])
    assert isinstance(result.exception, InputError)
    assert "absent" in str(result.exception)
    assert "--data" in str(result.exception)


def test_an_installed_package_says_that_it_has_no_benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    result = CliRunner().invoke(bench.command, ["strecha"])
    assert isinstance(result.exception, TiepointError)
    assert "checkout" in str(result.exception)


def test_a_benchmark_that_fails_fails_the_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "benchmarks").mkdir()
    script = 'import sys\n\nif __name__ == "__main__":\n    sys.exit("no luck")\n'
    (tmp_path / "benchmarks" / "unlucky.py").write_text(script)
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    result = CliRunner().invoke(bench.command, ["all", "--data", str(tmp_path)])
    assert isinstance(result.exception, TiepointError)
    assert "unlucky" in str(result.exception)
