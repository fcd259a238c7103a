"""Events and occupancy in files, and from the command."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from geometry import write_cameras_json, write_plan
from geometry.errors import InputError
from geometry.track_records import FrameRecord, TrackRow
from tests.twin.events.places import START, camera, going, mixed, plan, standing, track
from twin.commands.track import command
from twin.events import Event, Occupancy, Where, events_of, read_events, read_occupancy, write_events, write_occupancy
from twin.events.records import KINDS
from twin.events.writing import EventWriter

EVENTS = st.builds(
    Event,
    time=st.floats(0, 1e9),
    kind=st.sampled_from(KINDS),
    track=st.none() | st.integers(0, 1000),
    where=st.builds(Where, position=st.none() | st.just((1.0, 2.0, 3.0)), stall=st.none() | st.text(max_size=5)),
    confidence=st.floats(0, 1),
    meta=st.dictionaries(st.text(max_size=5), st.integers()),
)


@given(events=st.lists(EVENTS, max_size=5))
def test_events_are_read_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> None:
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    write_events(path, events)
    assert read_events(path) == events


def test_occupancy_is_read_as_it_was_written(tmp_path: Path) -> None:
    lines = [Occupancy(time=1.0, stall="S1", p_occupied=0.9, track=3), Occupancy(time=2.0, stall="S2", p_occupied=0.1)]
    write_occupancy(tmp_path / "o.jsonl", lines)
    assert read_occupancy(tmp_path / "o.jsonl") == lines


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"time": 1.0, "kind": "arrived", "confidence": 1.0}', "kind"),
        ('{"time": 1.0, "kind": "wrong_way", "confidence": 1.5}', "confidence"),
        ('{"time": 1.0, "kind": "wrong_way", "confidence": 1.0, "wher": {}}', "where"),
        ('{"time": NaN, "kind": "wrong_way", "confidence": 1.0}', "line 1"),
        ("{", "line 1"),
    ],
)
def test_lines_that_are_wrong_are_refused(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "events.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=why):
        read_events(tmp_path / "events.jsonl")


def looks_at(time: float) -> FrameRecord:
    return FrameRecord(camera="cam", time=time, detections=())


def rows() -> list[TrackRow]:
    return mixed(track(1, going(-4.0, 10.0, 3.0), 0, 16), track(2, standing(9.25, 5.5), 0, 16, heading=0.0))


def test_live_and_whole_tell_the_same(tmp_path: Path) -> None:
    told = events_of(rows(), plan(), [camera()])
    writer = EventWriter(plan(), [camera()], tmp_path / "e.jsonl", tmp_path / "o.jsonl")
    by_time: dict[float, list[TrackRow]] = {}
    for row in rows():
        by_time.setdefault(row.time, []).append(row)
    writer.begin()
    for time, group in by_time.items():
        writer.look(looks_at(time), time)
        writer.live(time, group)
    writer.end()
    assert sorted(read_events(tmp_path / "e.jsonl"), key=lambda e: e.time) == list(told.events)
    assert read_occupancy(tmp_path / "o.jsonl") == list(told.occupancy)
    assert writer.counts == {"events": len(told.events)}
    with pytest.raises(InputError, match="need a plan"):
        EventWriter(None, [], tmp_path / "e.jsonl", None)


def test_a_stall_is_freed_while_nothing_is_seen_any_more(tmp_path: Path) -> None:
    """The last vehicle has left: frames without a detection free its stall, and a file goes on growing."""
    writer = EventWriter(plan(), [camera()], tmp_path / "e.jsonl", tmp_path / "o.jsonl")

    def own_stall() -> list[Occupancy]:
        return [row for row in read_occupancy(tmp_path / "o.jsonl") if row.stall == "S0"]

    writer.begin()
    for row in track(2, standing(9.25, 5.5), 0, 20, heading=0.0):
        writer.look(looks_at(row.time), row.time)
        writer.live(row.time, [row])
    assert [event.kind for event in read_events(tmp_path / "e.jsonl")] == []  # it stood there from the beginning
    assert own_stall()[-1].p_occupied > 0.5
    for tick in range(1, 300):
        writer.look(looks_at(START + 20 + tick / 5), START + 20 + tick / 5)
        writer.live(START + 20 + tick / 5, [])
    assert [event.kind for event in read_events(tmp_path / "e.jsonl")] == ["stall_freed"]
    assert own_stall()[-1].p_occupied < 0.5


def test_a_recording_that_fails_leaves_the_old_files(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text("kept")
    writer = EventWriter(plan(), [camera()], tmp_path / "e.jsonl", None)
    assert (tmp_path / "e.jsonl").read_text() == "kept"
    backwards = rows()[::-1]
    with pytest.raises(InputError, match="not after"):
        writer.whole(backwards)
    assert (tmp_path / "e.jsonl").read_text() == "kept"
    writer.whole(rows())
    assert len(read_events(tmp_path / "e.jsonl")) == writer.counts["events"] > 0
    assert list(tmp_path.iterdir()) == [tmp_path / "e.jsonl"]
    with pytest.raises(InputError, match="can't write"):
        EventWriter(plan(), [camera()], tmp_path / "absent" / "e.jsonl", None)


def test_the_command_writes_them(tmp_path: Path) -> None:
    write_cameras_json(tmp_path / "cameras.json", [camera()])
    write_plan(tmp_path / "plan.json", plan())
    frames = [{"camera": "cam", "time": 10.0 + i / 5, "detections": []} for i in range(20)]
    (tmp_path / "found.jsonl").write_text("".join(json.dumps(frame) + "\n" for frame in frames))
    given_files = ["--cameras", str(tmp_path / "cameras.json"), "--detections", str(tmp_path / "found.jsonl")]
    asked = ["--events", str(tmp_path / "e.jsonl"), "--occupancy", str(tmp_path / "o.jsonl"), "--json"]
    arguments = [*given_files, "--out", str(tmp_path / "t.jsonl"), *asked]
    without = CliRunner().invoke(command, arguments)
    assert without.exit_code == 2
    assert "need a plan" in without.output
    for more in ([], ["--live"]):
        done = CliRunner().invoke(command, [*arguments, "--plan", str(tmp_path / "plan.json"), *more])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["events"] == 0
        assert read_events(tmp_path / "e.jsonl") == []


class _Leaves:
    """A tracker that sees a parked car for 20 s and then nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        self.time, self.dropped = -np.inf, dict[str, int]()
        self._rows = {round(row.time, 1): [row] for row in track(2, standing(9.25, 5.5), 0, 20, heading=0.0)}

    def utc(self, frame: FrameRecord) -> float:
        return frame.time

    def push(self, frame: FrameRecord) -> list[TrackRow]:
        self.time = frame.time
        return self._rows.get(round(frame.time, 1), [])

    def finish(self) -> list[TrackRow]:
        return []


def test_the_command_lets_time_pass_without_tracks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twin.live_tracking.LiveTracker", _Leaves)
    write_cameras_json(tmp_path / "cameras.json", [camera()])
    write_plan(tmp_path / "plan.json", plan())
    frames = [{"camera": "cam", "time": START + i / 5, "detections": []} for i in range(400)]
    (tmp_path / "found.jsonl").write_text("".join(json.dumps(frame) + "\n" for frame in frames))
    named = {"cameras": "cameras.json", "plan": "plan.json", "detections": "found.jsonl", "out": "t.jsonl"}
    given_files = [word for name, file in named.items() for word in (f"--{name}", str(tmp_path / file))]
    done = CliRunner().invoke(command, [*given_files, "--live", "--events", str(tmp_path / "e.jsonl")])
    assert done.exit_code == 0, done.output
    assert [event.kind for event in read_events(tmp_path / "e.jsonl")] == ["stall_freed"]
