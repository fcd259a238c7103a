"""Sightings indexed, searched, re-ranked, judged, copied and deleted by the command line, as a user would."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from geometry import InputError, write_plan
from geometry.interchange import write_cameras_json
from retrieval.stores.embedded import EmbeddedStore
from tests.retrieval.corridor import RISE_M, corridor, looking_down
from twin.cli import tiepoint
from twin.commands.index import _rules
from twin.crops import coarse, cut, store_crop
from twin.evaluate_retrieval import evaluate_retrieval

START = 1_750_000_000.0


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(tiepoint, [str(each) for each in arguments], catch_exceptions=code != 0)
    assert (result.exit_code == 0) == (code == 0), result.output
    return result.output if code == 0 else f"{result.output}{result.exception}"


def line(id: str, time: float, place: tuple[float, float, float], vector: list[float], **other: Any) -> dict[str, Any]:
    level = "P1" if place[2] == 0 else "P2"
    row = {"id": id, "time": START + time, "level": level, "position": place, "class": "car", "embedding": vector}
    return row | {"camera": "west" if level == "P1" else "up", **other}


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    """A folder with a plan and cameras, all that searching asks of a twin, and sightings of two look-alikes."""
    folder = tmp_path / "corridor"
    folder.mkdir()
    write_plan(folder / "plan.json", corridor())
    cameras = [looking_down("west", "P1", 20.0, 2.4), looking_down("up", "P2", 100.0, RISE_M + 2.4)]
    write_cameras_json(folder / "cameras.json", cameras)
    same, other = [1.0, 0.05, 0.0], [0.0, 0.0, 1.0]
    rows = [
        line("query", 100, (20, 0, 0), [1.0, 0.0, 0.0], track=1),
        line("twin on P2", 106, (100, 0, RISE_M), [1.0, 0.01, 0.0], track=2),
        line("itself on P2", 130, (120, 0, RISE_M), same, track=1),
        line("another", 135, (100, 0, RISE_M), other),
    ]
    (tmp_path / "sightings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "qrels.csv").write_text("query,id,relevance\nquery,itself on P2,1\n")
    return folder


def test_a_look_alike_that_is_nearer_is_ruled_out_by_the_building(twin: Path, tmp_path: Path) -> None:
    said = run("index", twin, "--sightings", tmp_path / "sightings.jsonl", "--embedding-name", "hand/1")
    assert "rows: 4" in said
    plain = json.loads(run("search", twin, "--id", "query", "--no-rerank", "--json"))
    assert [hit["id"] for hit in plain["results"]] == ["twin on P2", "itself on P2", "another"]
    results, page = tmp_path / "results.jsonl", tmp_path / "found.html"
    said = run("search", twin, "--id", "query", "--out", results, "--report", page)
    assert said.splitlines()[0].split()[1:4] == ["itself", "on", "P2"]
    assert "P1 to P2 takes 18 s at best; seen 6 s apart: impossible" in said
    content = page.read_text()
    assert "up from 2" in content
    assert "<script" not in content
    judged = json.loads(run("evaluate", "retrieval", results, tmp_path / "qrels.csv", "--json"))
    assert (judged["mAP"], judged["cmc"]["1"], judged["calibration"]) == (1.0, 1.0, None)


def test_filters_and_other_queries(twin: Path, tmp_path: Path) -> None:
    run("index", twin, "--sightings", tmp_path / "sightings.jsonl", "--embedding-name", "hand/1")
    (tmp_path / "vector.json").write_text("[1.0, 0.0, 0.0]")

    def ids(*options: object) -> list[str]:
        found = json.loads(run("search", twin, "--embedding", tmp_path / "vector.json", "--json", *options))
        return [hit["id"] for hit in found["results"]]

    assert ids("--level", "P1") == ["query"]
    assert ids("--since", START + 120) == ["itself on P2", "another"]
    assert ids("--near", "100,0,5", "--until", START + 110) == ["twin on P2"]
    assert ids("--facility", "corridor", "--top", 2) == ["query", "twin on P2"]
    assert ids("--facility", "elsewhere") == []
    at = ids("--at", f"{START + 100},20,0,0", "--since", START + 105)
    assert at[0] == "itself on P2"
    said = run("search", twin, "--embedding", tmp_path / "vector.json", "--embedding-name", "other/2", code=1)
    assert "vectors are of 'other/2', not of 'hand/1'" in said
    assert "Give one query" in run("search", twin, code=2)
    assert "is not 3 numbers" in run("search", twin, "--id", "query", "--near", "1,2", code=2)
    assert "no sighting 'quarry'" in run("search", twin, "--id", "quarry", code=1)


def test_another_embedding_is_not_mixed_in(twin: Path, tmp_path: Path) -> None:
    run("index", twin, "--sightings", tmp_path / "sightings.jsonl", "--embedding-name", "hand/1")
    said = run("index", twin, "--sightings", tmp_path / "sightings.jsonl", "--embedding-name", "hand/2", code=1)
    assert "'hand/2', not of 'hand/1'" in said


def test_copies_snapshots_and_aliases(twin: Path, tmp_path: Path) -> None:
    run("index", twin, "--sightings", tmp_path / "sightings.jsonl", "--embedding-name", "hand/1", "--alias", "now")
    assert "copied: 4" in run("index", twin, "--copy", tmp_path / "other", "--collection", "now")
    assert "rows: 4" in run("index", twin, "--snapshot", tmp_path / "kept")
    assert "rows: 4" in run("index", twin, "--restore", tmp_path / "kept", "--collection", "again")
    store = EmbeddedStore(tmp_path / "other")
    assert store.open("sightings").count() == 4
    store.close()
    assert "Say what to do" in run("index", twin, code=2)
    assert "One thing at a time" in run("index", twin, "--keep", "1d", "--copy", "x", code=2)


def test_what_is_too_old_goes_with_its_crop_and_proof(twin: Path, tmp_path: Path) -> None:
    picture = np.full((40, 60, 3), 200, np.uint8)
    picture[10:30, 20:40] = np.random.default_rng(1).integers(0, 255, (20, 20, 3))
    cv2.imwrite(str(tmp_path / "frame.png"), picture)
    rows = [
        line(f"{kind}-{age:02}d", -86_400.0 * age, (20, 0, 0), [1.0, float(age), 0.0], **{"class": kind})
        | {"image": "frame.png", "meta": {"bbox": [20, 10, 40, 30]}}
        for kind in ("car", "person")
        for age in (1, 8, 31)
    ]
    (tmp_path / "old.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    crops = tmp_path / "crops"
    run("index", twin, "--sightings", tmp_path / "old.jsonl", "--embedding-name", "hand/1", "--crops", crops)
    assert len(list(crops.iterdir())) == 6
    options = ("--keep", "30d,person=7d", "--now", START, "--crops", crops, "--json")
    proof = json.loads(run("index", twin, *options))
    assert (proof["rows"], proof["crops"]) == (3, 3)
    assert len(list(crops.iterdir())) == 3
    assert "no row passes the rule" in proof["checks"]
    assert any("index among them" in check for check in proof["checks"])
    left = run("search", twin, "--embedding", _vector(tmp_path), "--json")
    assert {hit["id"] for hit in json.loads(left)["results"]} == {"car-01d", "car-08d", "person-01d"}
    assert json.loads(run("index", twin, *options))["rows"] == 0


def _vector(folder: Path) -> Path:
    np.save(folder / "vector.npy", np.array([1.0, 0.0, 0.0], np.float32))
    return folder / "vector.npy"


def test_rules_of_retention() -> None:
    assert _rules("30d,person=7d").default == 30 * 86_400
    assert _rules("person=12h").by_kind == {"person": 12 * 3600}
    assert _rules("person=12h").default is None
    for wrong in ("30", "d", "person=", "-1d", "nand"):
        with pytest.raises(Exception, match="is no rule"):
            _rules(wrong)


def test_crops_are_made_unreadable_before_they_are_stored(tmp_path: Path) -> None:
    picture = np.random.default_rng(2).integers(0, 255, (100, 200, 3)).astype(np.uint8)
    crop = cut(picture, (150.4, 20.2, 260.0, 60.0))
    assert crop.shape == (40, 50, 3)
    name = store_crop(crop, "a/b c", tmp_path, coarse(5))
    kept = cv2.imread(str(tmp_path / name))
    assert kept is not None
    assert kept.shape == crop.shape
    detail = np.abs(np.diff(kept.astype(int), axis=1)).mean()
    assert detail < 0.3 * np.abs(np.diff(crop.astype(int), axis=1)).mean()  # measured 0.05
    with pytest.raises(InputError, match="hook returned"):
        store_crop(crop, "a", tmp_path, lambda pixels: pixels[:2])
    with pytest.raises(InputError, match="outside of the picture"):
        cut(picture, (300, 0, 310, 10))


def test_evaluation_is_that_of_the_definitions(tmp_path: Path) -> None:
    """Three queries: right at ranks 1 and 3 of two, right at rank 2 of one, and not answered."""
    pytest.importorskip("pytrec_eval", reason="pytrec_eval is not installed")
    (tmp_path / "qrels.csv").write_text("query,id,relevance\nq1,a,1\nq1,c,1\nq2,y,1\nq3,z,1\nq3,w,0\n")
    rows = [
        {"query": "q1", "results": [{"id": i, "score": 0.5} for i in "abc"]},
        {"query": "q2", "results": [{"id": i, "score": s} for i, s in (("x", 0.1), ("y", 0.9))]},
    ]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = evaluate_retrieval(tmp_path / "results.jsonl", tmp_path / "qrels.csv", (1, 2, 3))
    assert found["queries"] == 3
    assert found["answered"] == 2
    assert found["mAP"] == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2 + 0) / 3)
    assert list(found["cmc"].values()) == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert list(found["recall_at"].values()) == pytest.approx([1 / 6, 1 / 2, 2 / 3])
    ideal = 1 + 1 / np.log2(3)
    assert found["ndcg_at"][3] == pytest.approx(((1 + 1 / 2) / ideal + 1 / np.log2(3)) / 3)
    rows[0]["query"] = "q9"
    (tmp_path / "results.jsonl").write_text(json.dumps(rows[0]) + "\n")
    with pytest.raises(InputError, match="knows no query 'q9'"):
        evaluate_retrieval(tmp_path / "results.jsonl", tmp_path / "qrels.csv")
    (tmp_path / "results.jsonl").write_text('{"query":"q1","result":[]}\n')
    with pytest.raises(InputError, match="Did you mean 'results'"):
        evaluate_retrieval(tmp_path / "results.jsonl", tmp_path / "qrels.csv")


def test_malformed_sightings_are_refused_by_line(twin: Path, tmp_path: Path) -> None:
    good = line("a", 0, (20, 0, 0), [1.0, 0.0])
    for wrong, match in (
        (good | {"levle": "P1"}, "Did you mean 'level'"),
        ({key: value for key, value in good.items() if key != "position"}, "position"),
        (good | {"embedding": None}, "has an embedding or an image"),
        (good | {"embedding": [1.0]}, "different lengths"),
        (good | {"embedding": [0.0, 0.0]}, "zeros"),
    ):
        (tmp_path / "bad.jsonl").write_text(json.dumps(good | {"id": "b"}) + "\n" + json.dumps(wrong) + "\n")
        said = run("index", twin, "--sightings", tmp_path / "bad.jsonl", "--embedding-name", "hand/1", code=1)
        assert match in said
