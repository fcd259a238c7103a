import httpx
import pytest

from geometry.track_records import FrameRecord
from twin.client import Client, RefusedError, UnreachableError
from twin.client.live import parsed

PROBLEM = {"title": "x", "status": 422, "detail": "it is wrong", "remedy": "Do better.", "request_id": "r1"}
DONE = {"accepted": 1, "repeated": 0, "conflicting": 0, "unusable_boxes": 0}


class Scripted:
    """Answers with one response after the other, or raises it."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []

    def __call__(self, request):
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def client(*answers, **more):
    script = Scripted(*answers)
    return Client("http://service", "key", transport=httpx.MockTransport(script), **more), script


def frame(time=1.0):
    return FrameRecord(camera="west", time=time, detections=())


def busy(after="0"):
    return httpx.Response(503, json={**PROBLEM, "status": 503}, headers={"retry-after": after})


def test_a_busy_service_is_asked_again():
    asked, script = client(busy(), httpx.Response(429, headers={"retry-after": "0"}), httpx.Response(200, json=DONE))
    assert asked.send("site", [frame()]).accepted == 1
    assert len(script.requests) == 3
    assert len({request.content for request in script.requests}) == 1
    assert script.requests[0].headers["authorization"] == "Bearer key"


def test_a_connection_that_breaks_is_made_again(monkeypatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    asked, _ = client(httpx.ConnectError("no"), httpx.ReadError("no"), httpx.Response(200, json=DONE))
    assert asked.send("site", [frame()]).accepted == 1


def test_patience_ends():
    asked, _ = client(busy(), patience_s=0.0)
    with pytest.raises(RefusedError) as refused:
        asked.send("site", [frame()])
    assert refused.value.status == 503
    asked, _ = client(httpx.ConnectError("no"), patience_s=0.0)
    with pytest.raises(UnreachableError):
        asked.twins()


def test_what_is_wrong_is_told_and_not_sent_again():
    asked, script = client(httpx.Response(422, json=PROBLEM))
    with pytest.raises(RefusedError, match="it is wrong") as refused:
        asked.send("site", [frame()])
    assert (refused.value.status, refused.value.remedy, refused.value.request_id) == (422, "Do better.", None)
    assert len(script.requests) == 1


def test_a_page_of_a_proxy_is_an_error_too():
    asked, _ = client(httpx.Response(502, text="<html>bad gateway</html>"), patience_s=0.0)
    with pytest.raises(RefusedError, match="bad gateway"):
        asked.twins()


def test_rolling_back_is_asked_once():
    asked, script = client(httpx.ReadError("lost"), httpx.Response(200, json={}))
    with pytest.raises(UnreachableError):
        asked.roll_back("site")
    assert len(script.requests) == 1


def test_pages_are_turned():
    row = {"time": 1.0, "track": 1, "class": "car", "position": [0.0, 0.0, 0.0]}
    asked, script = client(
        httpx.Response(200, json={"rows": [row, row], "next": 7}),
        httpx.Response(200, json={"rows": [row], "next": None}),
    )
    assert len(list(asked.track_history("site", kind="car", area=(0, 0, 1, 1)))) == 3
    assert script.requests[1].url.params["after"] == "7"
    assert script.requests[0].url.params["class"] == "car"
    assert script.requests[0].url.params["area"] == "0.000,0.000,1.000,1.000"


def test_many_frames_go_in_batches():
    asked, script = client(*[httpx.Response(200, json=DONE)] * 3)
    assert asked.send("site", (frame(float(k)) for k in range(1100))).accepted == 3
    assert len(script.requests) == 3


STREAM = (
    b"retry: 1000\n\n: still here\n\n"
    b'id: 4\nevent: event\ndata: {"time":1.0,"kind":"zone_entered","confidence":0.9}\n\n'
    b'id: 5\nevent: occupancy\ndata: {"time":1.0,"stall":"A","p_occupied":0.9,"track":null}\n\n'
)


def test_a_stream_is_taken_up_where_it_broke(monkeypatch):
    monkeypatch.setattr("twin.client.live.time.sleep", lambda seconds: None)
    more = b"id: 6\nevent: gap\ndata: {}\n\n"
    asked, script = client(
        httpx.Response(200, content=STREAM), busy(), httpx.ReadError("broken"), httpx.Response(200, content=more)
    )
    said = asked.live("site", what=("event", "occupancy"), after=3)
    got = [next(said) for _ in range(3)]
    assert [(each.id, each.what) for each in got] == [(4, "event"), (5, "occupancy"), (6, "gap")]
    assert [request.headers["last-event-id"] for request in script.requests] == ["3", "5", "5", "5"]


def test_half_an_event_is_none():
    lines = STREAM.decode().split("\n")[:-3]
    assert [each.id for each in parsed(iter(lines))] == [4]
