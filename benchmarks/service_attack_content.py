"""Attacks by what is sent: photos that are none, bodies that are too large, archives that lead elsewhere."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from benchmarks.service_attack import Attack


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
