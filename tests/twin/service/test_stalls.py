"""Looks at stalls in a running service: those that are pushed, and those of videos that it watches itself."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from geometry import write_cameras_json
from geometry.records import FixedCamera
from tests.perception.occupancy.networks import write_network
from tests.perception.sites import SIZE, cameras
from tests.twin.service.clients import TestClient
from tests.twin.service.conftest import settings_for
from tests.twin.video.network_camera import network_camera
from twin.live.database.schema import frames
from twin.service.app import create_app

BASE = "/v1/twins/site"


def wait_for(what: Callable[[], Any], seconds: float = 120.0) -> Any:
    """Return what is there at last."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.2)
    return found


def taken(client: TestClient) -> dict[str, bool]:
    """Return of each stall of which something was said whether it is taken."""
    rows = client.get(f"{BASE}/occupancy").json()["stalls"]
    return {row["stall"]: row["p_occupied"] > 0.5 for row in rows}


def test_looks_that_are_pushed_make_occupancy(site: Path, tmp_path: Path) -> None:
    def frame(time: float, share: float) -> dict[str, Any]:
        return {"camera": "west", "time": time, "detections": [], "stalls": {"A": share, "B": 0.9}}

    with TestClient(create_app(settings_for(tmp_path, site)), base_url="http://127.0.0.1") as client:
        sent = [frame(1000.0 + k, 0.05 if k < 10 else 0.95) for k in range(25)]
        sent[0]["detections"] = [{"bbox": [10.0, 10.0, 60.0, 60.0], "score": 0.9, "class": "car", "changed": 0.25}]
        whole = {"whole": [10.0, 10.0, 60.0, 70.0], "sigma": [1.0, 1.0, 1.5, 4.0, 2.0, 2.0]}
        sent[1]["detections"] = [sent[0]["detections"][0] | whole]
        for wrong in (
            {"whole": whole["whole"]},
            {**whole, "whole": [60.0, 10.0, 10.0, 70.0]},
            {**whole, "sigma": [0.0] * 6},
        ):
            box = {**sent[0]["detections"][0], **wrong}
            answer = client.post(f"{BASE}/detections", json={"frames": [{**sent[0], "detections": [box]}]})
            assert answer.status_code == 422, answer.text
        answer = client.post(f"{BASE}/detections", json={"frames": sent})
        assert answer.json()["accepted"] == 25, answer.text
        wait_for(lambda: taken(client) == {"A": True, "B": True})
        rows = client.get(f"{BASE}/occupancy/history", params={"stall": "A"}).json()["rows"]
        assert [row["p_occupied"] > 0.5 for row in rows] == [False, True]
        assert 1010.0 <= rows[1]["time"] <= 1014.0
        first = sa.select(frames.c.content).order_by(frames.c.time).limit(2)
        with client.app.state.service.database.read() as connection:  # type: ignore[attr-defined]
            kept = [json.loads(content) for content in connection.execute(first).scalars()]
            assert kept == sent[:2]


def moved(*places: tuple[str, str]) -> list[FixedCamera]:
    """Return the cameras, some of them (first) where others (second) are."""
    known = {camera.id: camera for camera in cameras()}
    there = dict(places)
    return [c.model_copy(update={"cam_from_site": known[there.get(c.id, c.id)].cam_from_site}) for c in cameras()]


@pytest.fixture
def addresses() -> Iterator[dict[str, str]]:
    """Two cameras; what one shows is red on its left, the other's pictures are of half the size."""
    picture = np.full((SIZE[1], SIZE[0], 3), 20, dtype=np.uint8)
    picture[:, : SIZE[0] // 2] = (250, 20, 20)
    with ExitStack() as stack:
        yield {
            "west": stack.enter_context(network_camera(picture)),
            "south": stack.enter_context(network_camera(np.ascontiguousarray(picture[::2, ::2]))),
        }


def told_by(client: TestClient, camera: str) -> list[dict[str, float] | None]:
    """Return what the stored frames of a camera tell of stalls, but for those that had no look due."""
    query = sa.select(frames.c.content).where(frames.c.camera == camera).order_by(frames.c.seq)
    with client.app.state.service.database.read() as connection:  # type: ignore[attr-defined]
        contents = connection.execute(query).scalars().all()
    stalls = [json.loads(content).get("stalls") for content in contents]
    return [each for each in stalls if each != {}]


def test_videos_are_looked_at_by_the_calibration_that_is_published(
    site: Path, tmp_path: Path, addresses: dict[str, str]
) -> None:
    """From the west both stalls are to the right of the picture, which is dark; from the east to its left."""
    network = write_network(tmp_path / "red.onnx", {"slope": 0.2})
    told = {"videos": {"site": addresses}, "detector": "background", "stalls": str(network)}
    app = create_app(settings_for(tmp_path, site, **told))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        wait_for(lambda: told_by(client, "west") and told_by(client, "south"))
        wait_for(lambda: taken(client) == {"A": False, "B": False})
        assert {max(each.values()) < 0.5 for each in told_by(client, "west") if each is not None} == {True}
        # The camera whose pictures have another size detects, and is counted.
        assert set(map(str, told_by(client, "south"))) == {"None"}
        wait_for(lambda: 'what="frames without looks at stalls: south"' in client.get("/metrics").text)
        assert "stalls: west" not in client.get("/metrics").text

        home = app.state.service.catalog.home("site")
        shutil.copytree(site, home / "v2")
        write_cameras_json(home / "v2" / "cameras.json", moved(("west", "east")))
        assert client.post(f"{BASE}/publish", json={"version": "v2"}).status_code == 200
        before = len(told_by(client, "west"))  # publishing waits until nobody looks as before
        wait_for(lambda: taken(client) == {"A": True, "B": True})
        after = told_by(client, "west")[before:]
        assert after
        assert {min(each.values()) > 0.5 for each in after if each is not None} == {True}

        # A file that is changed in place counts from when its version is published again.
        write_cameras_json(home / "v2" / "cameras.json", cameras())
        assert client.post(f"{BASE}/publish", json={"version": "v2"}).status_code == 200
        wait_for(lambda: taken(client) == {"A": False, "B": False})
