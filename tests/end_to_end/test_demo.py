"""The demo end to end at a reduced size: rendered, mapped, localized, judged, reported."""

import json
from pathlib import Path
from typing import Any

import pytest

from geometry import InputError, read_true_poses
from twin import read_localizations
from twin.commands.demo import _lines
from twin.demo import MARK, DemoOptions, run_demo

SMALL = DemoOptions(scene="room", level=None, elsewhere="lot", walk=40, queries=6, strangers=2, quality="draft")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[str]]:
    """Run over what an earlier, broken demo left behind; return the folder, the figures and the stages reported."""
    out, stages = tmp_path_factory.mktemp("demo"), []
    (out / MARK).write_text("{}")
    for leftover in ("scene/walk", "foreign"):
        (out / leftover).mkdir(parents=True)
        (out / leftover / "old.jpg").write_bytes(b"old")

    def listen(stage: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        if stage not in stages:
            stages.append(stage)

    figures = run_demo(out, SMALL, listen)
    return out, figures, stages


def test_photos_are_localized_and_everything_foreign_refused(demo: tuple[Path, dict[str, Any], list[str]]) -> None:
    _, figures, _ = demo
    assert figures["queries"] == 6
    assert figures["localized"] >= 5  # measured 6
    assert figures["foreign"] == {"photos": 4, "refused": 4}
    assert figures["wrong_but_confident"] == 0
    # Few tags are seen well in so short a walk, so that the site is known as well as a drifting phone knows it.
    assert 0.002 < figures["position_error_m"]["median"] < 0.2  # measured 5.4 cm, worst 18 cm
    assert 0.005 < figures["rotation_error_deg"]["median"] < 4.0  # measured 2.0 deg
    assert figures["covariance"]["position"]["mean_nees"] < 3.0  # measured 0.27


def test_all_files_are_there_and_agree(demo: tuple[Path, dict[str, Any], list[str]]) -> None:
    out, figures, stages = demo
    assert stages[0] == "building"
    assert stages[-1] == "report"
    assert json.loads((out / "evaluation.json").read_text()) == figures
    answers = read_localizations(out / "localizations.jsonl")
    assert [a.image for a in answers] == list(read_true_poses(out / "scene" / "truth" / "queries.csv").images)
    assert all(a.reason for a in read_localizations(out / "foreign.jsonl"))
    assert not (out / "scene" / "walk" / "old.jpg").exists()
    assert not (out / "foreign" / "old.jpg").exists()
    assert {a.level for a in answers if a.status == "ok"} <= {"G", None}  # none where the tie is unsure
    assert sorted(p.name for p in out.iterdir()) == sorted(
        [
            MARK, "scene", "elsewhere", "foreign", "twin",
            "localizations.jsonl", "foreign.jsonl", "evaluation.json", "report.html",
        ]
    )  # fmt: skip


def test_the_report_shows_it(demo: tuple[Path, dict[str, Any], list[str]]) -> None:
    page, localized = (demo[0] / "report.html").read_text("utf-8"), demo[1]["localized"]
    assert len(page) < 4_000_000
    for words in (f"{localized} of 6", "4 of 4", "What the answers rest on", "elsewhere-0000.jpg", "refused, rightly"):
        assert words in page
    assert page.count("<img ") == 11


def test_summary_names_the_figures(demo: tuple[Path, dict[str, Any], list[str]]) -> None:
    first, _, last = _lines(demo[1])
    assert first.startswith(f"{demo[1]['localized']} of 6 photos localized, median error ")
    assert last == "4 of 4 photos of other places refused"
    assert any("WRONG but confident: 2" in line for line in _lines(demo[1] | {"wrong_but_confident": 2}))


def test_somebody_elses_scene_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "scene").mkdir()
    (tmp_path / "scene" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="choose another --out"):
        run_demo(tmp_path, SMALL)
    assert (tmp_path / "scene" / "mine.txt").read_text() == "mine"
