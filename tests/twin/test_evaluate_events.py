"""Figures of occupancy and events on cases that can be counted by hand."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from geometry.errors import InputError
from twin.commands.evaluate import command
from twin.evaluate_detection import evaluate_detections
from twin.evaluate_events import evaluate_occupancy, judge_events, judge_gates, judge_occupancy, judged_times
from twin.events import Event, Occupancy, Where, write_events, write_occupancy


def line(time: float, stall: str, p: float) -> Occupancy:
    return Occupancy(time=time, stall=stall, p_occupied=p)


TRUTH = [line(0, "A", 1.0), line(0, "B", 0.0), line(50, "B", 1.0), line(80, "A", 0.0)]


def test_the_truth_is_right_about_itself() -> None:
    judged = judge_occupancy(TRUTH, TRUTH, begin=0, end=100)
    assert (judged["balanced_accuracy"], judged["changes_in_time"], judged["changes"]) == (1.0, 1.0, 2)
    assert (judged["unknown_share"], judged["false_changes"]) == (0.0, 0)
    assert judged["delay_s"] == [0.0, 0.0]


def test_what_is_late_what_is_missing_and_what_never_was() -> None:
    told = [line(2, "A", 0.99), line(5, "B", 0.1), line(58, "B", 0.9), line(95, "A", 0.1)]
    judged = judge_occupancy(told, TRUTH, begin=0, end=100)
    assert judged["changes_in_time"] == 0.5  # 8 s late is in time, 15 s is not
    assert judged["delay_s"] == [11.5, 15.0]
    free_wrong = 15 / (40 + 21)  # of A from 80 on, 15 of 21 seconds; of B 40 seconds are right
    taken_wrong = 8 / (70 + 51)
    assert judged["balanced_accuracy"] == pytest.approx(1 - (free_wrong + taken_wrong) / 2)
    unknown = judge_occupancy([line(2, "A", 0.99)], TRUTH, begin=0, end=40, stalls=["A", "B"])
    assert unknown["balanced_accuracy"] == pytest.approx(0.75)
    assert unknown["unknown_share"] == 0.5
    flapping = [*TRUTH, line(30, "A", 0.0), line(32, "A", 1.0)]
    assert judge_occupancy(flapping, TRUTH, begin=0, end=100)["false_changes"] == 1


def test_a_stall_counts_while_it_is_in_view() -> None:
    told = [line(2, "A", 0.99), line(5, "B", 0.1), line(58, "B", 0.9), line(95, "A", 0.1)]
    times = judged_times(0, 100)
    assert times.tolist() == list(range(10, 101))
    before = {"A": times < 80, "B": times < 50}
    judged = judge_occupancy(told, TRUTH, begin=0, end=100, in_view=before)
    assert judged["balanced_accuracy"] == 1.0
    assert judged["stalls_at_a_time"] == pytest.approx((70 + 40) / 91)
    assert (judged["changes"], judged["changes_in_time"]) == (2, 0.5), "it was seen just before each change"
    early = {"A": times < 60, "B": times > 70}
    judged = judge_occupancy([*told, line(20, "B", 1.0), line(25, "B", 0.0)], TRUTH, begin=0, end=100, in_view=early)
    assert (judged["changes"], judged["false_changes"]) == (0, 0), "neither was in view by then"
    never = judge_occupancy(told, TRUTH, begin=0, end=100, in_view=dict.fromkeys("AB", times < 0))
    assert (never["balanced_accuracy"], never["changes_in_time"], never["unknown_share"]) == (None, None, 0.0)


def event(time: float, kind: str, **where: str) -> Event:
    return Event(time=time, kind=kind, where=Where(**where), confidence=0.9)  # type: ignore[arg-type]


def test_gates_are_exact_or_not() -> None:
    true = [event(1, "gate_in", gate="W"), event(9, "gate_in", gate="W"), event(5, "gate_out", gate="E")]
    assert judge_gates(list(reversed(true)), true)["exact"]
    assert not judge_gates(true[:2], true)["exact"]
    swapped = [event(1, "gate_out", gate="W"), *true[1:]]
    assert judge_gates(swapped, true)["told"] == {"E gate_out": 1, "W gate_in": 1, "W gate_out": 1}


def test_events_match_by_time_and_place_once() -> None:
    true = [event(10, "zone_entered", zone="a"), event(12, "zone_entered", zone="a"), event(9, "wrong_way", lane="l")]
    told = [
        event(11.5, "zone_entered", zone="a"),
        event(9.9, "zone_entered", zone="a"),
        event(9, "zone_left", zone="a"),
    ]
    judged = judge_events(told, true)
    assert judged["zone_entered"] == {
        "told": 2, "true": 2, "recall": 1.0, "precision": 1.0, "delay_s": pytest.approx(-0.3),
    }  # fmt: skip
    assert judged["wrong_way"]["recall"] == 0.0
    assert judged["zone_left"]["precision"] == 0.0
    assert judge_events([event(15, "zone_entered", zone="a")], true[:2])["zone_entered"]["recall"] == 0.0


def test_the_commands_read_files(tmp_path: Path) -> None:
    write_occupancy(tmp_path / "o.jsonl", TRUTH)
    write_events(tmp_path / "e.jsonl", [event(10, "zone_entered", zone="a"), event(1, "gate_in", gate="W")])
    for verb, name, expected in (
        ("occupancy", "o.jsonl", "balanced accuracy 1.000"),
        ("events", "e.jsonl", "gate counts are exact"),
    ):
        done = CliRunner().invoke(command, [verb, str(tmp_path / name), str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        assert expected in done.output
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(InputError, match="holds no stall"):
        evaluate_occupancy(tmp_path / "o.jsonl", tmp_path / "empty.jsonl")


def test_detections_are_judged_by_the_boxes_of_a_scene(tmp_path: Path) -> None:
    box = {
        "camera": "c", "time": 1.0, "object": "v1", "class": "van", "bbox": [0.0, 0.0, 40.0, 30.0],
        "bbox_visible": [0.0, 0.0, 40.0, 30.0], "visible_fraction": 1.0, "contact": None,
        "position": [0.0, 0.0, 0.0], "heading": 0.0, "size": [4.0, 2.0, 2.0],
    }  # fmt: skip
    hidden = {**box, "object": "v2", "bbox_visible": [50.0, 0.0, 90.0, 30.0], "visible_fraction": 0.1}
    (tmp_path / "boxes.jsonl").write_text(json.dumps(box) + "\n" + json.dumps(hidden) + "\n")
    found = [{"bbox": [1.0, 0.0, 40.0, 30.0], "score": 0.9, "class": "van"}]
    frames = [{"camera": "c", "time": t, "detections": found} for t in (1.0, 2.0)]
    (tmp_path / "found.jsonl").write_text("".join(json.dumps(frame) + "\n" for frame in frames))
    figures = evaluate_detections(tmp_path / "found.jsonl", tmp_path / "boxes.jsonl")
    assert (figures["pictures"], figures["vehicle"]["boxes"], figures["vehicle"]["AP50"]) == (1, 1, 1.0)
    done = CliRunner().invoke(command, ["detections", str(tmp_path / "found.jsonl"), str(tmp_path / "boxes.jsonl")])
    assert "kinds right: 1.000" in done.output
    (tmp_path / "other.jsonl").write_text(json.dumps(frames[1]) + "\n")
    with pytest.raises(InputError, match="no frame has both"):
        evaluate_detections(tmp_path / "other.jsonl", tmp_path / "boxes.jsonl")
