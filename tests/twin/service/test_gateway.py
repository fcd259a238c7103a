import asyncio
import json

import pytest

from twin.service.gateway import Gateway
from twin.service.metrics import Metrics
from twin.service.settings import Limits


async def echo(scope, receive, send):
    """Read a body and answer with its length; fail where the path says so."""
    if scope["path"] == "/v1/fail":
        raise RuntimeError("secret detail")
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(length).encode()})


def call(path="/v1/x", *, method="POST", headers=(), blocks=(b"",), pause_s=0.0, limits=None, local=False):
    gateway = Gateway(echo, limits=limits or Limits(), metrics=Metrics(), local_hosts_only=local)
    sent, left = [], list(blocks)

    async def receive():
        await asyncio.sleep(pause_s)
        block = left.pop(0)
        return {"type": "http.request", "body": block, "more_body": bool(left)}

    async def send(message):
        sent.append(message)

    named = [(name.encode(), value.encode()) for name, value in (("host", "127.0.0.1"), *headers)]
    scope = {"type": "http", "method": method, "path": path, "headers": named, "client": ("1.2.3.4", 5), "state": {}}
    asyncio.run(gateway(scope, receive, send))
    start = sent[0]
    return start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, sent[1]["body"]


def test_a_body_is_counted_as_it_comes():
    limits = Limits(body_bytes=100)
    assert call(blocks=[b"x" * 50, b"x" * 50], limits=limits)[0] == 200
    status, _, body = call(blocks=[b"x" * 50, b"x" * 51], limits=limits)
    assert status == 413
    assert json.loads(body)["status"] == 413


def test_a_body_that_says_it_is_too_large_is_not_read():
    limits = Limits(body_bytes=100)
    assert call(headers=[("content-length", "101")], blocks=[], limits=limits)[0] == 413


def test_a_body_that_does_not_come_is_given_up():
    limits = Limits(body_s=0.05)
    assert call(blocks=[b"x"] * 100, pause_s=0.02, limits=limits)[0] == 408


def test_what_fails_tells_nothing_of_the_inside(caplog):
    status, headers, body = call("/v1/fail")
    assert status == 500
    assert b"secret" not in body
    assert b"Traceback" not in body
    assert json.loads(body)["request_id"] == headers["x-request-id"]
    assert "secret detail" in caplog.text


@pytest.mark.parametrize(("given", "kept"), [("abc-1.2_3", True), ("a b", False), ("x" * 65, False), ("", False)])
def test_a_request_has_an_id(given, kept):
    _, headers, _ = call(headers=[("x-request-id", given)])
    assert (headers["x-request-id"] == given) is kept
    assert headers["x-request-id"]


def test_headers_are_safe():
    _, headers, _ = call()
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"
    _, page, _ = call("/index.html", method="GET")
    assert "script-src" not in page["content-security-policy"]
    assert "default-src 'self'" in page["content-security-policy"]


def test_larger_bodies_where_they_are_meant():
    limits = Limits()
    assert limits.body_limit("/v1/twins/a/versions")[0] == limits.upload_bytes
    assert limits.body_limit("/v1/twins/a/localize")[0] > limits.image_bytes
    assert limits.body_limit("/v1/twins/a/detections")[0] == limits.body_bytes
