import time
from contextlib import ExitStack

from tests.twin.service.clients import TestClient
from tests.twin.service.conftest import settings_for
from twin.service.app import create_app


def started(stack, settings):
    return stack.enter_context(TestClient(create_app(settings), base_url="http://127.0.0.1"))


def standing_by(client, expected):
    """Wait until a service is ready, and stands by or not; return for whom."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        answer = client.get("/v1/ready")
        if answer.status_code == 200 and bool(answer.json()["standing_by"]) == expected:
            return answer.json()["standing_by"]
        time.sleep(0.1)
    raise AssertionError(answer.text)


def send(client, at):
    frame = {"camera": "west", "time": at, "detections": []}
    return client.post("/v1/twins/site/detections", json={"frames": [frame]}).json()


def test_a_second_service_is_ready_says_who_tracks_and_takes_over(site, tmp_path):
    settings = settings_for(tmp_path, site)
    with ExitStack() as stack, ExitStack() as first_only:
        first = started(first_only, settings)
        standing_by(first, False)
        second = started(stack, settings)
        assert standing_by(second, True) == ["site all"]
        time.sleep(1.0)  # until it has looked who it is
        answer = send(second, 1.0)
        assert answer["accepted"] == 1
        assert answer["tracked_by"].startswith("process ")
        assert "tracked_by" not in send(first, 2.0)
        assert second.get("/v1/twins/site/cameras").json()["tracking"][0]["held_by"] == answer["tracked_by"]
        first_only.close()
        standing_by(second, False)
        assert send(second, 1.0)["repeated"] == 1
        assert "tracked_by" not in send(second, 3.0)
