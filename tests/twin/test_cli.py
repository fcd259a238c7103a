"""The command line as a user meets it: exit codes, help with an example, results for people and for programs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from geometry import Georeference
from tests.conftest import WALK, Rendered
from twin.cli import VERBS, main
from twin.localization import read_localizations
from twin.model import Twin


def run(*arguments: str | Path) -> int:
    try:
        main([str(a) for a in arguments])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.mark.parametrize(("told", "wanted"), [(None, "1"), ("3", "3")])
def test_blas_keeps_to_one_thread_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, told: str | None, wanted: str
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", told or "")
    if told is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    assert run("localize", "--help") == 0
    assert os.environ["OPENBLAS_NUM_THREADS"] == wanted


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(verb, "--help") == 0
    text = capsys.readouterr().out
    assert "Usage: tiepoint" in text
    if verb != "evaluate":
        assert f"Example: tiepoint {verb}" in " ".join(text.split())


def test_wrong_commands_exit_with_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("no-such-verb") == 2
    assert run("map", tmp_path / "absent", "--out", tmp_path / "t") == 2
    assert run("map", tmp_path) == 2


def test_failed_work_exits_with_1_and_a_remedy(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("check", tmp_path) == 1
    assert "tiepoint map" in capsys.readouterr().err
    assert run("map", tmp_path, "--out", tmp_path / "t") == 1
    assert "at least 2" in capsys.readouterr().err
    assert run("map", tmp_path, "--out", tmp_path / "t", "--georeference", "north of the river") == 1
    assert "LAT,LON" in capsys.readouterr().err


def test_map_localize_evaluate_check(rendered: Rendered, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twin, out = tmp_path / "twin", tmp_path / "out.jsonl"
    poses = rendered.folder / "truth" / "walk.csv"
    given = ("--cameras", rendered.cameras, "--poses", poses, "--georeference", "52.5,13.4,80,30")
    assert run("map", rendered.walk, "--out", twin, *given) == 0
    assert f"{WALK} images placed" in capsys.readouterr().out
    made = Twin.open(twin)
    assert made.georeference == Georeference(52.5, 13.4, 80.0, 30.0)
    assert run("export", twin, "--format", "geojson", "--out", tmp_path / "plan.geojson") == 0
    level = json.loads((tmp_path / "plan.geojson").read_text("utf-8"))["features"][0]
    longitude, latitude = level["geometry"]["coordinates"][0][0]
    assert (round(longitude, 2), round(latitude, 2)) == (13.4, 52.5)
    capsys.readouterr()
    assert made.floors is not None
    assert [round(level.elevation, 1) for level in made.floors.levels] == [0.0]
    assert made.plan is not None
    assert made.plan.levels[0].id == "P1"
    assert made.surface is not None
    assert made.surface.seen.any()
    assert json.loads((twin / "quality.json").read_text("utf-8"))["plan"]["source"] == "proposed"
    assert run("localize", twin, rendered.queries, "--cameras", rendered.cameras, "--out", out) == 0
    answers = read_localizations(out)
    placed = sum(a.status == "ok" for a in answers)
    assert placed >= 5  # of 6; measured 5
    capsys.readouterr()
    truth = rendered.folder / "truth" / "queries.csv"
    assert run("evaluate", "localization", out, truth, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["position_error_m"]["median"] < 0.02  # measured 0.002
    assert run("evaluate", "localization", out, truth) == 0
    assert run("check", twin, "--pictures", tmp_path / "drawn") == 0
    said = capsys.readouterr().out
    assert "sound" in said
    assert "level P1: elevation" in said
    assert (tmp_path / "drawn" / "plan-P1.png").stat().st_size > 1000
    (twin / "map" / "points3D.bin").write_bytes(b"")
    assert run("check", twin) == 1
    assert "altered" in capsys.readouterr().err


def test_lines_are_printed_without_out(
    rendered: Rendered, small_twin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query = next(rendered.queries.glob("*.jpg"))
    assert run("localize", small_twin, query, "--cameras", rendered.cameras) == 0
    assert json.loads(capsys.readouterr().out)["image"] == query.name


def test_help_is_quick_to_load() -> None:
    code = (
        "import sys, twin.cli; print([m for m in ('torch', 'open3d', 'kornia', 'pycolmap', 'cv2') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
