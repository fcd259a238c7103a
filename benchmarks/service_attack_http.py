"""Attacks by how it is asked: paths that lead elsewhere, wrong keys, what is no proper HTTP, bodies that never come."""

import json
from collections.abc import Iterator

import numpy as np

from benchmarks.service_attack import Attack


def traversal(site: str) -> Iterator[Attack]:
    """Yield paths that lead elsewhere."""
    for name in (
        "..",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e%2f%2e%2e%2fetc",
        ".hidden",
        "a%00b",
        "..%5c..%5cwindows",
        "%c0%ae%c0%ae",
        "%252e%252e%252f",
        "x" * 300,
        "current.json",
        "%0d%0aSet-Cookie:x",
    ):
        yield Attack(kind="traversal", method="GET", path=f"/v1/twins/{name}/plan")
        yield Attack(kind="traversal", method="DELETE", path=f"/v1/twins/{site}/versions/{name}")
        content = json.dumps({"version": "../../etc"}).encode()
        headers = {"content-type": "application/json"}
        yield Attack(kind="traversal", path=f"/v1/twins/{name}/publish", content=content, headers=headers)
    for path in (
        "/../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/../../../etc/passwd",
        "//etc/passwd",
        "/.git/config",
    ):
        yield Attack(
            kind="traversal", raw=f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
        )


def wrong_keys(site: str, rng: np.random.Generator) -> Iterator[Attack]:
    """Yield requests with no, wrong, revoked and insufficient keys."""
    paths = ["/v1/twins", f"/v1/twins/{site}/tracks", "/metrics", "/v1/audit", f"/v1/twins/{site}/live"]
    keys = [None, "=", "revoked", "tp_", "tp_000000000000_" + "A" * 43, "x" * 5000, "tp_é", "Bearer", "' OR 1=1 --"]
    for number, key in enumerate(keys * 3):
        headers = {} if key is None else {"authorization": f"Bearer {key}".encode()} if key not in ("revoked",) else {}
        yield Attack(
            kind="wrong key",
            method="GET",
            path=paths[number % len(paths)],
            headers=headers,  # type: ignore[arg-type]
            key="revoked" if key == "revoked" else None,
        )
    for method, path in (
        ("GET", "/v1/audit"),
        ("POST", f"/v1/twins/{site}/detections"),
        ("POST", f"/v1/twins/{site}/rollback"),
        ("DELETE", f"/v1/twins/{site}/versions/x"),
        ("POST", f"/v1/twins/{site}/versions"),
    ):
        yield Attack(kind="wrong key", method=method, path=path, key="query")
    yield Attack(kind="wrong key", method="GET", headers={"authorization": "Basic YTpi"}, key=None)


def bad_http(site: str) -> Iterator[Attack]:
    """Yield requests that are no proper HTTP, or other methods than there are."""
    for raw in (
        b"GARBAGE\r\n\r\n",
        b"GET /v1/twins\r\n\r\n",
        b"GET /v1/twins HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /v1/twins HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01" + bytes(40) + b"\r\n\r\n",
        b"POST /v1/twins HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /v1/twins HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /v1/twins HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"GET /v1/twins HTTP/1.1\r\n bad: x\r\n\r\n",
    ):
        yield Attack(kind="bad http", raw=raw)
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
        yield Attack(kind="bad http", method=method, path=f"/v1/twins/{site}/tracks")
        yield Attack(kind="bad http", method=method, path="/v1/health")
    yield Attack(kind="bad http", headers={"origin": "https://evil.example"}, path=f"/v1/twins/{site}/rollback")


def slow(site: str, key: str) -> Attack:
    """Return a body that never comes."""
    head = f"POST /v1/twins/{site}/detections HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    head += f"Authorization: Bearer {key}\r\n"
    return Attack(kind="slow body", raw=f"{head}Content-Length: 1000\r\n\r\n{{".encode())
