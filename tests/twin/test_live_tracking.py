"""The clocks of cameras in a live tracker: what it finds out counts for boxes and for looks at stalls alike."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from geometry import write_cameras_json, write_plan
from geometry.errors import InputError
from geometry.track_records import FrameRecord
from tests.perception.sites import cameras, walk
from tests.twin.live.conftest import plan
from twin.cli import tiepoint
from twin.events.writing import EventWriter
from twin.live_tracking import LiveTracker
from twin.tracking import TrackingOptions

OFFSETS = {"west": 0.2, "south": -0.15, "east": 0.0}
LANES = {
    1: ("car", np.array([-6.0, 2.0]), np.array([2.0, -0.2])),
    2: ("car", np.array([5.0, -2.5]), np.array([-2.2, 0.4])),
    3: ("person", np.array([-4.0, -0.4]), np.array([1.6, 0.2])),
    4: ("person", np.array([0.0, 4.0]), np.array([0.1, -1.5])),
}


def laps(offsets: dict[str, float], count: int = 5) -> list[FrameRecord]:
    """Return frames of the same ways again and again, four seconds each, each with a look at a stall."""
    return [
        frame.model_copy(update={"time": frame.time + 5.0 * lap, "stalls": {"A": 0.9}})
        for lap in range(count)
        for frame in walk(LANES, 4.0, offsets=offsets)
    ]


def ahead(frames: list[FrameRecord], times: list[float]) -> dict[str, float]:
    """Return by how much each camera's last frame, less what its clock is off, is taken to have been later."""
    return {
        frame.camera: time - (frame.time - OFFSETS[frame.camera]) for frame, time in zip(frames, times, strict=True)
    }


def test_a_frame_has_the_time_that_its_boxes_have() -> None:
    live = LiveTracker(cameras(), options=TrackingOptions(clock_sigma_s=0.3), delay_s=0.0)
    frames, times, tracked = laps(OFFSETS), [], []
    for frame in frames:
        times.append(live.utc(frame))
        live.push(frame)
        tracked.append(live.time)
    assert live.clocks is not None
    came = np.array(times) >= np.maximum.accumulate(times)  # others come late, as nothing waits here
    assert came.sum() > 100
    np.testing.assert_allclose(np.array(tracked)[came], np.array(times)[came], atol=live.options.tracker.same_instant_s)
    off = ahead(frames, times)
    assert np.ptp(list(off.values())) < 0.08  # measured 0.04; uncorrected 0.35


def test_the_known_clock_counts_where_none_is_estimated() -> None:
    slow = [camera.model_copy(update={"clock_offset_s": -600.0}) for camera in cameras()]
    live = LiveTracker(slow, options=TrackingOptions(clock_sigma_s=0.0))
    assert live.utc(FrameRecord(camera="west", time=100.0, detections=())) == 700.0
    with pytest.raises(InputError, match="no camera 'wset'"):
        live.utc(FrameRecord(camera="wset", time=100.0, detections=()))


def test_the_command_tells_looks_by_the_estimated_clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, told = laps(OFFSETS), []
    monkeypatch.setattr(EventWriter, "look", lambda writer, frame, time: told.append((frame, time)))
    write_cameras_json(tmp_path / "cameras.json", cameras())
    write_plan(tmp_path / "plan.json", plan())
    lines = "\n".join(frame.model_dump_json(by_alias=True, exclude_defaults=True) for frame in frames)
    given = [*("--cameras", tmp_path / "cameras.json"), *("--plan", tmp_path / "plan.json"), *("--detections", "-")]
    asked = ["track", *given, "--live", "--out", tmp_path / "t.jsonl", "--occupancy", tmp_path / "o.jsonl"]
    done = CliRunner().invoke(tiepoint, [str(word) for word in asked], input=lines)
    assert done.exit_code == 0, done.output
    assert [frame for frame, _ in told] == frames
    off = ahead(frames, [time for _, time in told])
    assert np.ptp(list(off.values())) < 0.08  # measured 0.04; uncorrected 0.35
