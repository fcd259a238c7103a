import json
import time

import numpy as np
import pytest

from tests.perception.sites import walk
from tests.twin.live.conftest import PATHS
from twin.client.live import parsed

BASE = "/v1/twins/site"


@pytest.fixture(scope="module")
def sent(served):
    """Frames of eight seconds, sent in two ways; the tracks are there when this returns."""
    frames = walk(PATHS, 8.0, noise_px=2.0, rng=np.random.default_rng(4))
    lines = [frame.model_dump_json(by_alias=True, exclude_defaults=True) for frame in frames]
    headers = {"content-type": "application/json"}
    first = served.post(f"{BASE}/detections", content=f'{{"frames":[{",".join(lines[:100])}]}}', headers=headers)
    assert first.json()["accepted"] == 100, first.text
    rest = served.post(
        f"{BASE}/detections/stream", content="\n".join(lines[60:]), headers={"content-type": "application/x-ndjson"}
    )
    assert rest.json() == {
        "accepted": len(lines) - 100, "repeated": 40, "conflicting": 0, "unusable_boxes": 0,
    }  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        state = served.get(f"{BASE}/tracks").json()
        if state["watermark"] is not None and state["watermark"] > frames[-1].time - 1.0:
            return frames
        time.sleep(0.1)
    raise AssertionError("nothing was tracked")


def test_who_is_there_now(served, sent):
    state = served.get(f"{BASE}/tracks").json()
    assert {row["track"] for row in state["tracks"]} == {1, 2, 3, 4}
    cars = served.get(f"{BASE}/tracks", params={"class": "car"}).json()["tracks"]
    assert {row["class"] for row in cars} == {"car"}
    x, y, _ = cars[0]["position"]
    near = served.get(f"{BASE}/tracks", params={"area": f"{x - 1:.3f},{y - 1:.3f},{x + 1:.3f},{y + 1:.3f}"}).json()
    assert cars[0]["track"] in {row["track"] for row in near["tracks"]}
    assert served.get(f"{BASE}/tracks", params={"level": "P9"}).json()["tracks"] == []


def test_history_turns_pages_and_loses_nothing(served, sent):
    whole = served.get(f"{BASE}/tracks/history", params={"limit": 5000}).json()
    assert whole["next"] is None
    pages, after = [], 0
    while after is not None:
        page = served.get(f"{BASE}/tracks/history", params={"limit": 7, "after": after}).json()
        pages += page["rows"]
        after = page["next"]
    assert pages == whole["rows"]
    some = served.get(f"{BASE}/tracks/history", params={"since": 2.0, "until": 3.0, "track": 3}).json()["rows"]
    assert some == [row for row in whole["rows"] if 2.0 <= row["time"] <= 3.0 and row["track"] == 3]


def test_events_and_occupancy(served, sent):
    events = served.get(f"{BASE}/events").json()["rows"]
    assert {"zone_entered", "zone_left"} <= {event["kind"] for event in events}
    entered = served.get(f"{BASE}/events", params={"kind": "zone_entered"}).json()["rows"]
    assert entered == [event for event in events if event["kind"] == "zone_entered"]
    stalls = {row["stall"]: row["p_occupied"] for row in served.get(f"{BASE}/occupancy").json()["stalls"]}
    assert stalls["A"] > 0.5  # a car stands there from the beginning
    assert served.get(f"{BASE}/occupancy/history", params={"stall": "A"}).json()["rows"]


def read(served, **params):
    got = served.get(f"{BASE}/live", params=params)
    assert got.headers["content-type"].startswith("text/event-stream")
    return list(parsed(iter(got.text.split("\n"))))


def test_a_stream_is_resumed_without_a_loss_or_a_repetition(served, sent):
    whole = read(served, after=0)
    assert {each.what for each in whole} == {"track", "event", "occupancy"}
    middle = whole[len(whole) // 2].id
    assert read(served, after=middle) == [each for each in whole if each.id > middle]
    again = served.get(f"{BASE}/live", headers={"last-event-id": str(middle)})
    assert list(parsed(iter(again.text.split("\n")))) == [each for each in whole if each.id > middle]
    assert {each.what for each in read(served, after=0, what="event")} == {"event"}
    assert read(served) == []


def test_cameras_tell_how_they_are(served, sent):
    found = served.get(f"{BASE}/cameras").json()
    assert {each["camera"]["id"] for each in found["cameras"]} == {"west", "south", "east"}
    assert {each["status"] for each in found["cameras"]} <= {"ok", "silent"}
    assert found["tracking"][0]["alive"] is True


def test_figures_tell_of_frames(served, sent):
    text = served.get("/metrics").text
    assert 'tiepoint_frames_total{outcome="accepted",twin="site"}' in text
    assert 'what="late frames"' in text


def box(**more):
    return {"bbox": [0, 0, 10, 10], "score": 0.5, "class": "car", **more}


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"camera": "west", "time": "now", "detections": []},
        {"camera": "west", "time": 1.0, "detections": [box(score=2)]},
        {"camera": "west", "time": 1.0, "detections": [box(bbox=[1, 2, 3])]},
        {"camera": "west", "time": 1.0, "detections": [box(**{"class": "a\0"})]},
        {"camera": "west", "time": 1.0, "detections": [box(colour="red")]},
        {"camera": "west", "time": 1e300, "detections": []},
    ],
)
def test_frames_that_are_none_are_refused_and_nothing_is_stored(served, frame):
    good = {"camera": "west", "time": 999.0, "detections": []}
    before = served.app.state.service.feed.newest("site")
    headers = {"content-type": "application/json"}
    got = served.post(f"{BASE}/detections", content=json.dumps({"frames": [good, frame]}), headers=headers)
    assert got.status_code == 422
    assert served.app.state.service.feed.newest("site") == before


def test_an_unknown_camera_is_not_found_and_the_nearest_is_named(served):
    frame = {"camera": "wst", "time": 1.0, "detections": []}
    got = served.post(f"{BASE}/detections", json={"frames": [frame]})
    assert got.status_code == 404
    assert "west" in got.json()["remedy"]


def test_a_wrong_line_ends_a_stream_and_those_before_it_are_stored(served):
    lines = [json.dumps({"camera": "west", "time": 500.0 + k, "detections": []}) for k in range(3)]
    headers = {"content-type": "application/x-ndjson"}
    got = served.post(f"{BASE}/detections/stream", content="\n".join([*lines, "{"]), headers=headers)
    assert got.status_code == 422
    assert "line 4" in got.json()["detail"]
    assert "3 frames" in got.json()["remedy"]
    again = served.post(f"{BASE}/detections/stream", content="\n".join(lines), headers=headers)
    assert again.json()["repeated"] == 3


def test_boxes_without_an_area_are_left_out_and_counted(served):
    frame = {"camera": "west", "time": 700.0, "detections": [box(), box(bbox=[5, 5, 5, 9])]}
    assert served.post(f"{BASE}/detections", json={"frames": [frame]}).json()["unusable_boxes"] == 1


@pytest.mark.parametrize("kind", ["text/plain", "", "application/x-www-form-urlencoded"])
def test_another_media_type_is_refused(served, kind):
    got = served.post(f"{BASE}/detections", content=b'{"frames":[]}', headers={"content-type": kind})
    assert got.status_code == 415


def test_pictures_without_a_detector_are_refused(served):
    files = {"image": ("a.jpg", b"x")}
    assert served.post(f"{BASE}/cameras/west/frame", files=files, params={"time": 1.5}).status_code == 409
    assert served.post(f"{BASE}/cameras/nobody/frame", files=files, params={"time": 1.5}).status_code == 404
    assert served.post(f"{BASE}/cameras/west/frame", files=files, params={"time": "nan"}).status_code == 422
