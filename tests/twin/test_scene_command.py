"""tiepoint scene: list, show and render as a user meets them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from scenes import library
from scenes.captures import CaptureOptions
from scenes.description import Facility, write_facility
from scenes.rendering import LightOptions
from tests.scenes.captures.surveyed_room import room
from tests.twin.test_cli import run


@pytest.fixture(autouse=True)
def coarse_light() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        light = LightOptions(lumels_per_m=1.0, lamps=2, rays=4)
        patch.setattr(CaptureOptions, "light", property(lambda options: light))
        yield


@pytest.fixture
def site(tmp_path: Path) -> Path:
    write_facility(tmp_path / "site.yaml", room())
    return tmp_path / "site.yaml"


@pytest.mark.parametrize("verb", ["list", "show", "render"])
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("scene", verb, "--help") == 0
    assert f"Example: tiepoint scene {verb}" in " ".join(capsys.readouterr().out.split())


def test_list_names_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("scene", "list") == 0
    assert "garage-twins" in capsys.readouterr().out
    assert run("scene", "list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["garage"]["stalls"] == 150
    assert rows["garage"]["levels"] == 2


def test_show_draws_a_site_of_ones_own(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "site.png"
    assert run("scene", "show", site, "--out", out) == 0
    assert str(out) in capsys.readouterr().out
    with Image.open(out) as picture:
        assert picture.width > 1000
        assert picture.height > 1500


def test_another_building_is_built_after_the_same_plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    built: list[Facility] = []
    monkeypatch.setattr("scenes.captures.render_scene", lambda facility, *rest: built.append(facility))
    for number in ("0", "1"):
        assert run("scene", "render", "room", "--out", tmp_path / number, "--building", number) == 0
    assert built == [library.facility("room", seed=0), library.facility("room", seed=1)]
    assert built[0] != built[1]


def test_render_writes_a_scene_and_goes_on(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scene"
    some = ("--queries", "1", "--quality", "draft", "--walk-frames", "3", "--seconds", "0.5", "--fps", "2")
    assert run("scene", "render", site, "--out", out, "--captures", "walk", *some) == 0
    assert run("scene", "render", site, "--out", out, "--captures", "walk,queries,fixed", *some) == 0
    assert "rendered" in capsys.readouterr().out
    assert len(list((out / "walk").glob("*.jpg"))) == 3
    assert len(list((out / "queries").glob("*.jpg"))) == 1
    assert len(list((out / "fixed").rglob("*.jpg"))) == 2
    truth = {path.name for path in (out / "truth").iterdir()}
    assert truth >= {"walk.csv", "queries.csv", "cameras.json", "boxes.jsonl", "tracks.jsonl", "occupancy.jsonl"}
    assert truth >= {"qrels.csv", "clocks.csv"}
    assert run("scene", "render", site, "--out", out, "--seed", "1", *some) == 1
    assert "new folder" in capsys.readouterr().err


def test_wrong_commands_exit_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("scene", "show", "garge") == 2
    assert "Did you mean 'garage'" in capsys.readouterr().err
    assert run("scene", "render", "room") == 2
    assert run("scene", "render", "room", "--out", tmp_path / "s", "--captures", "walk,walks") == 2
    assert run("scene", "render", "room", "--out", tmp_path / "s", "--quality", "best") == 2


def test_a_bad_site_exits_with_1_and_names_the_element(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.yaml").write_text("name: bad\nlevels:\n- {id: P1, elevaton: 0}\n")
    assert run("scene", "show", tmp_path / "bad.yaml") == 1
    assert "levels 'P1': unknown key 'elevaton'. Did you mean 'elevation'?" in capsys.readouterr().err
