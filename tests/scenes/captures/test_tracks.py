import numpy as np
import pytest

from scenes.captures.boxes import FrameBoxes
from scenes.captures.recording import FixedOptions, boxes_without_pictures, record
from scenes.captures.tracks import occupancy_rows, track_rows
from scenes.traffic import occupancy_at, states_at
from tests.scenes.captures.recordings import half_minute, room

START = FixedOptions().start_utc


@pytest.fixture(scope="module")
def cameras():
    frames: dict[str, list[FrameBoxes]] = {}
    for frame in boxes_without_pictures(half_minute(), room()[2].shapes, reduction=1):
        frames.setdefault(frame.camera, []).append(frame)
    return list(frames.values())


@pytest.fixture(scope="module")
def rows(cameras):
    return list(track_rows(half_minute(), room()[1], cameras))


def test_everything_on_the_site_has_a_row_at_every_tick(rows):
    episode = half_minute().episode
    for tick in (0, 7, 30, 59):
        states = states_at(episode, tick / 2.0)
        now = [row for row in rows if row["time"] == START + tick / 2.0]
        present = np.flatnonzero(states.present)
        assert [row["track"] for row in now] == (present + 1).tolist()
        np.testing.assert_allclose([row["position"] for row in now], states.position[present], atol=1e-4)
    assert max(row["time"] for row in rows) == START + 29.5


def test_rows_say_where_parked_vehicles_are(rows):
    parked = [row for row in rows if row["time"] == START and row["class"] != "person"]
    stalls = occupancy_at(half_minute().episode, 0.0)
    assert {row["stall"]: row["meta"]["object"] for row in parked if row["stall"]} == stalls
    assert {row["level"] for row in parked} == {"G"}
    assert {row["zone"] for row in parked} == {"G-zone-A"}


def test_velocity_is_the_change_of_position(rows):
    """Central differences of a second; braking and turning within it make the difference."""
    of_track: dict[int, list[dict]] = {}
    for row in rows:
        of_track.setdefault(row["track"], []).append(row)
    errors = []
    for track in of_track.values():
        for a, b, c in zip(track, track[1:], track[2:], strict=False):
            if c["time"] - a["time"] == 1.0:
                errors.append(np.linalg.norm(np.subtract(c["position"], a["position"]) - b["velocity"]))
    assert np.mean(errors) < 0.15  # measured 0.084; people stop at once
    assert max(errors) < 1.5


def test_observations_are_the_visible_boxes_nearest_in_time(rows, cameras):
    expected = {(b.camera, b.time, b.object) for c in cameras for f in c for b in f.boxes if b.bbox_visible}
    listed = [(o["camera"], o["time"], row["meta"]["object"], row["time"]) for row in rows for o in row["observations"]]
    clocks = half_minute().clocks
    assert all(abs(clocks[camera].utc(time) - utc) <= 0.25 + 1e-6 for camera, time, _, utc in listed)
    found = {entry[:3] for entry in listed}
    assert len(found) == len(listed)
    assert found <= expected
    # missing: exposures after the last tick, and of what came or went within a quarter of a second
    assert len(found) > 0.95 * len(expected)


def test_occupancy_replayed_is_that_of_the_episode():
    facility, plan, _ = room()
    recording, taken = record(facility, plan, FixedOptions(seconds=90.0, seed=11)), {}
    rows = list(occupancy_rows(recording))
    stalls = recording.episode.stall_ids
    assert [row["stall"] for row in rows[: len(stalls)]] == list(stalls)
    assert len(rows) > len(stalls)
    names = {number: id for id, number in recording.tracks.items()}
    pending = iter(rows)
    row = next(pending, None)
    for time in recording.episode.times[recording.episode.times <= 90.0].tolist():
        while row is not None and row["time"] - START <= time + 1e-6:
            assert row["p_occupied"] == float(row["track"] is not None)
            taken[row["stall"]] = names.get(row["track"])
            row = next(pending, None)
        assert {stall: name for stall, name in taken.items() if name} == occupancy_at(recording.episode, time)
