"""What no client would send: 500 malformed and hostile requests."""

import io
import json
import re
import socket
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import sqlalchemy as sa
from PIL import Image

from benchmarks.service_ingest import recording
from benchmarks.service_server import RunningService
from twin.live.database.connection import Database
from twin.live.database.schema import metadata
from twin.service.keys import Keys

COUNT, SEED = 500, 3
SLOW = 8
SCOPES = ("query", "ingest", "admin")
UNTOUCHED = ("frames", "records", "latest", "keys")


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One request that must be refused; ``raw`` is sent as it is, on a connection of its own."""

    kind: str
    method: str = "POST"
    path: str = "/v1/twins"
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    files: Any = None
    data: dict[str, str] | None = None
    key: str | None = "all"
    raw: bytes | None = None


def hostile(work: Path, twin: Path | None) -> dict[str, Any]:
    """Return how 500 requests were answered, and whether anything was written."""
    site, _ = recording(work)
    twins = [site, *([twin.resolve()] if twin is not None else [])]
    asked = twin.resolve().name if twin is not None else site.name
    data = work / "hostile"
    with prepared(data) as keys, RunningService(twins, data, "--workers", "1", "--rate", "100000") as service:
        database = Database(f"sqlite:///{data.resolve() / 'tiepoint.db'}")
        good = {"authorization": f"Bearer {keys['all']}"}
        before = written(database, data)
        rng = np.random.default_rng(SEED)
        attacks = list(islice(every_attack(site.name, asked, rng), COUNT - SLOW))
        answers: Counter[str] = Counter()
        wrong: list[dict[str, Any]] = []
        with httpx.Client(base_url=service.url, timeout=60.0) as client, ThreadPoolExecutor(SLOW) as threads:
            dribble = slow(site.name, keys["all"])
            waiting = [threads.submit(send, client, service.port, dribble, keys) for _ in range(SLOW)]
            got = [(attack, *send(client, service.port, attack, keys)) for attack in attacks]
            got += [(dribble, *each.result()) for each in waiting]
            for attack, status, body in got:
                answers[f"{attack.kind}: {status}"] += 1
                if not 400 <= status < 500 or "Traceback" in body or 'File "' in body:
                    wrong.append({"kind": attack.kind, "status": status, "body": body[:200], "path": attack.path})
            alive = [client.get("/v1/ready").status_code, client.get("/v1/twins", headers=good).status_code]
        after = written(database, data)
        database.close()
    return {
        "requests": len(got),
        "answered_4xx": len(got) - len(wrong),
        "wrong": wrong[:20],
        "answers": dict(sorted(answers.items())),
        "written": {name: [before[name], after[name]] for name in before if before[name] != after[name]},
        "alive_after": alive == [200, 200],
    }


class prepared:
    """Keys for a service that is to be started: one with every scope, one for asking alone, one revoked."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def __enter__(self) -> dict[str, str]:
        self._data.mkdir(parents=True, exist_ok=True)
        database = Database(f"sqlite:///{self._data.resolve() / 'tiepoint.db'}")
        database.upgrade()
        keys = Keys(database)
        made = {"all": keys.make("all", SCOPES), "query": keys.make("asks", ["query"])}
        made["revoked"] = keys.make("revoked", SCOPES)
        keys.revoke(made["revoked"].split("_")[1])
        database.close()
        return made

    def __exit__(self, *_: object) -> None:
        return None


def written(database: Database, data: Path) -> dict[str, Any]:
    """Return how much is in every table that requests could fill, and which files lie around."""
    with database.read() as connection:
        rows = {
            name: connection.execute(sa.select(sa.func.count()).select_from(metadata.tables[name])).scalar_one()
            for name in UNTOUCHED
        }
    files = sorted(
        path.relative_to(data).as_posix()
        for path in data.rglob("*")
        if not path.name.startswith(("tiepoint.db", "service.log"))
    )
    return rows | {"files": files, "beside": sorted(path.name for path in data.parent.iterdir())}


def send(client: httpx.Client, port: int, attack: Attack, keys: dict[str, str]) -> tuple[int, str]:
    """Send an attack and return status and body; 0 for a connection that was closed without an answer."""
    if attack.raw is not None:
        return send_raw(port, attack.raw)
    headers = dict(attack.headers)
    if attack.key is not None:
        headers.setdefault("authorization", f"Bearer {keys.get(attack.key, attack.key)}")
    try:
        answer = client.request(
            attack.method, attack.path, headers=headers, content=attack.content, files=attack.files, data=attack.data
        )
    except httpx.TransportError as error:
        return 0, repr(error)
    return answer.status_code, answer.text


def send_raw(port: int, raw: bytes, pause_s: float = 0.0) -> tuple[int, str]:
    """Send bytes as they are, a few at a time where there is a pause, and return status and body."""
    with socket.create_connection(("127.0.0.1", port), timeout=90) as connection:
        try:
            connection.sendall(raw)
            answer = b""
            while block := connection.recv(65536):
                answer += block
                if b"\r\n\r\n" in answer and (match := re.search(rb"content-length: (\d+)", answer)):
                    _head, _, body = answer.partition(b"\r\n\r\n")
                    if len(body) >= int(match[1]):
                        break
        except (ConnectionError, TimeoutError) as error:
            return 0, repr(error)
    status = re.match(rb"HTTP/1.1 (\d{3})", answer)
    return int(status[1]) if status else 0, answer.decode("utf-8", "replace")


def every_attack(site: str, asked: str, rng: np.random.Generator) -> Iterator[Attack]:
    """Yield attacks of all kinds in turn."""
    kinds = [
        list(bad_images(asked, rng)),
        list(too_large(site, asked)),
        list(traversal(site)),
        list(bad_archives(site)),
        list(wrong_keys(site, rng)),
        list(bad_json(site, rng)),
        list(bad_queries(site, asked)),
        list(bad_http(site)),
    ]
    turn = 0
    while True:
        for attacks in kinds:
            yield attacks[turn % len(attacks)]
        turn += 1


def picture(kind: str = "JPEG", size: tuple[int, int] = (64, 48)) -> bytes:
    """Return a small picture."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def png_bomb(width: int, height: int) -> bytes:
    """Return a small PNG that says it is huge, and is, once it is unpacked."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(b"\0" * 5_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def bad_images(asked: str, rng: np.random.Generator) -> Iterator[Attack]:
    """Yield photos that are none."""
    good = picture()
    contents = [
        b"",
        b"\xff\xd8",
        good[:100],
        b"GIF89a" + bytes(50),
        b"<html></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        png_bomb(60_000, 60_000),
        png_bomb(8_000, 8_000),
        png_bomb(65_535, 65_535),
        picture("PNG")[:60],
        picture("TIFF")[:90],
        b"II*\0" + bytes(200),
        b"RIFF\x10\0\0\0WEBPVP8 ",
        bytes(10_000),
        b"%PDF-1.7",
        b"BM" + bytes(60),
    ]
    contents += [rng.bytes(int(rng.integers(1, 5000))) for _ in range(12)]
    contents += [good[:20] + rng.bytes(len(good) - 20) for _ in range(4)]
    names = ["a.jpg", "../../../etc/passwd", "..\\..\\x.png", "a\0b.jpg", "/etc/cron.d/x", "x" * 300]
    for number, content in enumerate(contents):
        name = names[number % len(names)]
        yield Attack(kind="bad image", path=f"/v1/twins/{asked}/localize", files={"images": (name, content)})
    yield Attack(kind="bad image", path=f"/v1/twins/{asked}/localize", files=[("images", ("a", good))] * 9)
    yield Attack(kind="bad image", path=f"/v1/twins/{asked}/localize", data={"near": "1,2,3,4"})


def too_large(site: str, asked: str) -> Iterator[Attack]:
    """Yield bodies that are, or say they are, far too large."""
    for length in (10**10, 10**13, 10**18, 9 * 2**20):
        head = f"POST /v1/twins/{site}/detections HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        yield Attack(kind="too large", raw=f"{head}Content-Length: {length}\r\n\r\n".encode())
    yield Attack(
        kind="too large",
        path=f"/v1/twins/{site}/detections",
        headers={"content-type": "application/json"},
        content=b'{"frames": [' + b" " * (8 * 2**20) + b"]}",
    )
    yield Attack(
        kind="too large",
        path=f"/v1/twins/{site}/detections/stream",
        headers={"content-type": "application/x-ndjson"},
        content=b"x" * (2**20 + 10),
    )
    yield Attack(kind="too large", path=f"/v1/twins/{asked}/localize", files={"images": ("a.jpg", bytes(26 * 2**20))})


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


def bad_archives(site: str) -> Iterator[Attack]:
    """Yield zips that are no twin, lead elsewhere, or are bombs."""

    def packed(entries: dict[str, bytes], link: bool = False) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in entries.items():
                entry = zipfile.ZipInfo(name)
                entry.compress_type = zipfile.ZIP_DEFLATED
                if link:
                    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
                archive.writestr(entry, content)
        return buffer.getvalue()

    zips = [
        b"",
        b"PK\x03\x04",
        b"not a zip" * 100,
        packed({}),
        packed({"a.txt": b"x"}),
        packed({"twin.yaml": b"format: 1"}),
        packed({"../evil": b"x"}),
        packed({"/etc/evil": b"x"}),
        packed({"a/../../evil": b"x"}),
        packed({"a\\..\\evil": b"x"}),
        packed({"C:evil": b"x"}),
        packed({"link": b"/etc/passwd"}, link=True),
        packed({"twin.yaml": b"{" * 100_000}),
        packed({"twin.yaml": b"a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]"}),
        packed({"bomb": bytes(300 * 2**20)}),
        packed({"twin.yaml": b"format: 99"}),
        packed({f"f{i}": b"" for i in range(1000)}),
        packed({"x" * 250: b""}),
    ]
    for content in zips:
        for twin in (site, "new-twin"):
            yield Attack(kind="bad archive", path=f"/v1/twins/{twin}/versions", files={"archive": ("t.zip", content)})


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
