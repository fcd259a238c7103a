"""Attacks by what is said: frames that are none, parameters that are wrong."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.service_attack import Attack
from benchmarks.service_attack_content import picture


def bad_json(site: str, rng: np.random.Generator) -> Iterator[Attack]:
    """Yield frames that are none."""
    box = {"bbox": [0, 0, 10, 10], "score": 0.5, "class": "car"}
    frame = {"camera": "cam1", "time": 1.0, "detections": [box]}

    def frames(*given: Any) -> bytes:
        return json.dumps({"frames": given}).encode()

    contents = [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"frames": 1}',
        b'{"frames": []}',
        frames(1),
        frames({}),
        b"[" * 100_000,
        b'{"frames":[' + b'{"meta":' * 5000,
        frames({**frame, "camera": "nobody"}),
        frames({**frame, "time": 1e300}),
        b'{"frames":[{"camera":"cam1","time":NaN,"detections":[]}]}',
        frames({**frame, "time": "now"}),
        frames({**frame, "detections": [{**box, "score": 2}]}),
        frames({**frame, "detections": [{**box, "bbox": [1, 2]}]}),
        frames({**frame, "detections": [{**box, "class": ""}]}),
        frames({**frame, "detections": [{**box, "class": "a\0"}]}),
        frames({**frame, "detections": [box] * 2001}),
        frames(*[frame] * 1001),
        frames({**frame, "extra": 1}),
        frames({**frame, "detections": [{**box, "embedding": [1e300]}]}),
        b'{"frames":[{"camera":"\\ud800"}]}',
        b"\xff\xfe" + frames(frame),
        frames({**frame, "camera": ["cam1"]}),
        rng.bytes(500),
    ]
    for content in contents:
        headers = {"content-type": "application/json"}
        yield Attack(kind="bad json", path=f"/v1/twins/{site}/detections", content=content, headers=headers)
        headers = {"content-type": "application/x-ndjson"}
        if content.strip():
            yield Attack(kind="bad json", path=f"/v1/twins/{site}/detections/stream", content=content, headers=headers)
    yield Attack(kind="bad json", path=f"/v1/twins/{site}/detections", content=frames(frame))
    for content in (
        b"{}",
        b'{"id": "a", "embedding": [1]}',
        b'{"top": 0, "id": "a"}',
        b'{"embedding": []}',
        b'{"id": 5}',
    ):
        headers = {"content-type": "application/json"}
        yield Attack(kind="bad json", path=f"/v1/twins/{site}/search", content=content, headers=headers)


def bad_queries(site: str, asked: str) -> Iterator[Attack]:
    """Yield parameters that are wrong."""
    for query in (
        "area=1,2,3",
        "area=a,b,c,d",
        "area=1e999,0,0,0",
        "since=nan",
        "since=inf",
        "limit=0",
        "limit=999999",
        "limit=x",
        "track=-1",
        "track=99999999999999999999",
        "after=-1",
        "level=%00",
        "class=" + "x" * 500,
        "until=1e300",
        "zone=%0a",
        "stall=",
    ):
        yield Attack(kind="bad query", method="GET", path=f"/v1/twins/{site}/tracks/history?{query}")
    for query in ("what=passwords", "after=x", "what=", "after=-5"):
        yield Attack(kind="bad query", method="GET", path=f"/v1/twins/{site}/live?{query}")
    yield Attack(kind="bad query", method="GET", path=f"/v1/twins/{site}/plan?frame=mars")
    good = {"images": ("a.jpg", picture())}
    for data in (
        {"near": "1,2,3"},
        {"near": "a,b,c,d"},
        {"near_wgs84": "91,0,5"},
        {"heading_deg": "nan"},
        {"model": "PINHOLE"},
        {"model": "EVIL", "width": "1", "height": "1", "params": "1 1 1"},
        {"width": "-1"},
        {"params": "1;drop table"},
        {"level": "no such level"},
        {"model": "PINHOLE", "width": "640", "height": "480", "params": "1 2 3"},
        {"model": "PINHOLE", "width": "999", "height": "9", "params": "500 500 320 240"},
    ):
        yield Attack(kind="bad query", path=f"/v1/twins/{asked}/localize", files=good, data=data)
