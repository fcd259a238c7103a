import json
import zlib

import numpy as np
import pytest

from geometry.errors import InputError
from tests.perception.sites import cameras
from tests.twin.live.conftest import plan
from twin.events import EventEngine
from twin.live.snapshot import restore, saved
from twin.live_tracking import LiveTracker
from twin.tracking import TrackingOptions


def tracker(**options):
    return LiveTracker(cameras(), options=TrackingOptions(**options), delay_s=0.2)


@pytest.mark.parametrize("clock_sigma_s", [0.0, 0.3])
@pytest.mark.parametrize("cut", [0, 1, 40, 90])
def test_a_tracker_goes_on_as_if_nothing_had_been(frames, cut, clock_sigma_s):
    whole, first, second = (tracker(clock_sigma_s=clock_sigma_s) for _ in range(3))
    expected = [whole.push(frame) for frame in frames]
    got = [first.push(frame) for frame in frames[:cut]]
    extra = restore(second, saved(first, extra={"a": [1, (2, 3)], "b": {4: float("inf")}}))
    got += [second.push(frame) for frame in frames[cut:]]
    assert got == expected
    assert second.finish() == whole.finish()
    assert second.dropped == whole.dropped
    assert extra == {"a": [1, (2, 3)], "b": {4: float("inf")}}


def test_embeddings_and_waiting_frames_are_kept(frames):
    rng = np.random.default_rng(1)
    seen = [
        frame.model_copy(
            update={
                "detections": tuple(
                    each.model_copy(update={"embedding": tuple(rng.standard_normal(4).tolist())})
                    for each in frame.detections
                )
            }
        )
        for frame in frames
    ]
    whole, second = tracker(clock_sigma_s=0.0), tracker(clock_sigma_s=0.0)
    for frame in seen[:60]:
        whole.push(frame)
    restore(second, saved(whole))
    assert [whole.push(frame) for frame in seen[60:]] == [second.push(frame) for frame in seen[60:]]


def damaged(frames):
    good = tracker(clock_sigma_s=0.0)
    for frame in frames[:30]:
        good.push(frame)
    content = json.loads(zlib.decompress(saved(good)))
    state = content["state"]
    yield b""
    yield b"no zlib"
    yield saved(good)[:-20]
    yield zlib.compress(b"[]")
    yield zlib.compress(json.dumps({**content, "state": {**state, "format": 99}}).encode())
    yield zlib.compress(json.dumps({**content, "state": {**state, "live": {}}}).encode())
    yield zlib.compress(json.dumps({**content, "shared": [["Popen", {}]]}).encode())
    yield zlib.compress(json.dumps({**content, "shared": [["Seen", {"camera": 1}]]}).encode())
    table = {"array": ["|O", [1], "AAAA"]}
    yield zlib.compress(
        json.dumps({**content, "state": {**state, "tracker": {**state["tracker"], "table": table}}}).encode()
    )


def test_what_is_damaged_is_refused(frames):
    for content in damaged(frames):
        with pytest.raises(InputError):
            restore(tracker(clock_sigma_s=0.0), content)


def test_the_state_of_other_cameras_is_refused(frames):
    good = tracker(clock_sigma_s=0.0)
    for frame in frames[:30]:
        good.push(frame)
    with pytest.raises(InputError, match="other cameras"):
        restore(LiveTracker(cameras()[:2], options=TrackingOptions(clock_sigma_s=0.0)), saved(good))


def test_a_bomb_is_refused():
    with pytest.raises(InputError):
        restore(tracker(), zlib.compress(b" " * (300 * 2**20)))


def test_what_looks_at_stalls_have_told_is_kept():
    def engine():
        return EventEngine(plan(), cameras())

    def asked(events):
        return [events.update(time, []).occupancy for time in (101.0, 130.0, 400.0)]

    whole, second = engine(), engine()
    whole.update(99.0, [])
    for k, share in enumerate((0.9, 0.8, 0.95)):
        whole.look("west", 99.0 + k / 2, {"A": share})
        whole.look("south", 99.1 + k / 2, {"A": share, "B": 0.3})
    live = tracker(clock_sigma_s=0.0)
    restore(tracker(clock_sigma_s=0.0), saved(live, whole), second)
    looks = second.stalls.looks
    assert looks.stalls == whole.stalls.looks.stalls == ("A", "B")
    assert looks.odds.keys() == looks.times.keys() == {"west", "south"}
    for kept, was in ((looks.odds, whole.stalls.looks.odds), (looks.times, whole.stalls.looks.times)):
        for camera, values in was.items():
            np.testing.assert_array_equal(kept[camera], values)
    assert np.isneginf(looks.times["west"][1])
    np.testing.assert_array_equal(looks.seen(100.0), [True, True])
    for events in (whole, second):
        events.look("west", 100.9, {"B": 0.02})
    assert asked(second) == asked(whole)
    np.testing.assert_array_equal(second.stalls.probability, whole.stalls.probability)
