"""Localization over HTTP under load: what HTTP costs, four clients at once, five times more than can be served."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Self

import cv2
import httpx
import numpy as np

from benchmarks.protocol import spread
from benchmarks.service_server import RunningService
from geometry import CameraRule, InputError, camera_for, read_cameras
from perception import list_images
from twin import Twin
from twin.client import Client
from twin.queries import localize_file

PHOTOS = 20
CLIENTS, WORKERS = 4, 2
OVERLOAD, OVERLOAD_S = 5.0, 60.0


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A twin and photos to ask about."""

    twin: Path
    photos: tuple[Path, ...]
    lens: CameraRule

    @classmethod
    def of(cls, twin: Path | None, photos: Path | None, cameras: Path | None) -> Self:
        """Take what the command line gave."""
        if twin is None or photos is None or cameras is None:
            raise InputError("this part asks a twin", remedy="Give --twin, --photos and --cameras.")
        names = list_images(photos)[:PHOTOS]
        camera = camera_for(names[0], read_cameras(cameras))
        if camera is None:
            raise InputError("no camera for the photos", where=str(cameras))
        return cls(twin=twin.resolve(), photos=tuple(photos / name for name in names), lens=CameraRule("*", camera))


def overhead(asked: Asked, work: Path, rounds: int = 3) -> dict[str, Any]:
    """Return what HTTP adds to the library, photo by photo, in turn with it."""
    cv2.setNumThreads(1)
    twin = Twin.open(asked.twin)
    localizer, extractor = twin.localizer(), twin.extractor()
    whole, inside, library, answers = [], [], [], Counter[str]()
    with RunningService([asked.twin], work / "overhead", "--workers", "1") as service, Client(service.url) as client:
        client.localize(asked.twin.name, asked.photos[:1], lens=asked.lens)
        for number in range(rounds):
            for photo in asked.photos:
                begin = time.perf_counter()
                (answer,) = client.localize(asked.twin.name, [photo], lens=asked.lens).localizations
                whole.append(time.perf_counter() - begin)
                inside.append(answer.seconds)
                begin = time.perf_counter()
                own = localize_file(twin, localizer, extractor, photo.name, photo, [asked.lens])
                library.append(time.perf_counter() - begin)
                answers[answer.status] += 1
                if own.status != answer.status or not np.allclose(own.position or 0, answer.position or 0, atol=1e-3):
                    raise InputError(f"HTTP and library differ on {photo.name} in round {number}")
    added = 1e3 * (np.array(whole) - np.array(inside))
    return {
        "requests": len(whole),
        "answers": dict(answers),
        "http_s": spread(whole),
        "library_s": spread(library),
        "added_ms": spread(added),
        "http_minus_library_paired_ms": spread(1e3 * (np.array(whole) - np.array(library))),
    }


def clients(asked: Asked, work: Path, minutes: float) -> dict[str, Any]:
    """Return latencies of one client and of four at once, on two worker processes."""
    with RunningService([asked.twin], work / "clients", "--workers", str(WORKERS)) as service:
        _run(service.url, asked, 1, 10.0)
        single, errors_alone = _run(service.url, asked, 1, max(30.0, 12.0 * minutes))
        rss = service.rss_mb()
        many, errors = _run(service.url, asked, CLIENTS, 60 * minutes)
        after = service.rss_mb()
    ratio = float(np.percentile(many, 95) / np.percentile(single, 95))
    return {
        "minutes": minutes,
        "single_s": _latency(single),
        "four_s": _latency(many),
        "p95_ratio": ratio,
        "p95_over_single_median": float(np.percentile(many, 95) / np.median(single)),
        "requests_a_second": len(many) / (60 * minutes),
        "errors": errors + errors_alone,
        "rss_mb_before_and_after": [rss, after],
    }


def overload(asked: Asked, work: Path) -> dict[str, Any]:
    """Return what becomes of five times as many requests as can be served, and how it is right after."""
    with RunningService([asked.twin], work / "overload", "--workers", str(WORKERS), "--rate", "1000000") as service:
        served, _ = _run(service.url, asked, CLIENTS, 30.0)
        capacity = len(served) / 30.0
        alone, _ = _run(service.url, asked, 1, 10.0)
        before = service.rss_mb()
        offered = OVERLOAD * capacity
        answers, memory = asyncio.run(_offer(service, asked, offered))
        calm, late = [], time.perf_counter()
        with Client(service.url, patience_s=0.0) as client:
            while time.perf_counter() - late < 15.0:
                begin = time.perf_counter()
                client.localize(asked.twin.name, [asked.photos[len(calm) % PHOTOS]], lens=asked.lens)
                calm.append(time.perf_counter() - begin)
        after = service.rss_mb()
    refused = [each for each in answers if each["status"] in (429, 503)]
    done = [each["s"] for each in answers if each["status"] == 200]
    return {
        "capacity_a_second": capacity,
        "offered_a_second": offered,
        "seconds": OVERLOAD_S,
        "statuses": dict(Counter(str(each["status"]) for each in answers)),
        "refused_with_retry_after": sum(each["retry_after"] is not None for each in refused),
        "refusal_s": spread([each["s"] for each in refused]),
        "served_s": spread(done),
        "served_a_second": len(done) / OVERLOAD_S,
        "rss_mb": {"before": before, "during": memory, "after": after},
        "alone_before_s": spread(alone),
        "alone_right_after_s": spread(calm),
        "first_right_after_s": calm[0],
    }


def _latency(seconds: list[float]) -> dict[str, float]:
    return {**(spread(seconds) or {}), "p95": float(np.percentile(seconds, 95)), "count": len(seconds)}


def _run(url: str, asked: Asked, count: int, seconds: float) -> tuple[list[float], int]:
    """Let so many clients ask one photo after the other; return latencies and the number of failures."""
    latencies: list[float] = []
    errors: list[str] = []

    def ask(first: int) -> None:
        end, number = time.perf_counter() + seconds, first
        with Client(url, patience_s=0.0) as client:
            while time.perf_counter() < end:
                photo = asked.photos[number % len(asked.photos)]
                begin = time.perf_counter()
                try:
                    client.localize(asked.twin.name, [photo], lens=asked.lens)
                    latencies.append(time.perf_counter() - begin)
                except Exception as error:
                    errors.append(repr(error))
                number += 1

    threads = [Thread(target=ask, args=(5 * i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors[:5]:
        print(error)
    return latencies, len(errors)


async def _offer(service: RunningService, asked: Asked, rate: float) -> tuple[list[dict[str, Any]], list[float]]:
    """Send requests at a rate, whether they are answered or not."""
    camera = asked.lens.camera
    fields = {
        "model": camera.model_name, "width": str(camera.width), "height": str(camera.height),
        "params": " ".join(f"{n:.6f}" for n in camera.params.tolist()),
    }  # fmt: skip
    pictures = [photo.read_bytes() for photo in asked.photos]
    found: list[dict[str, Any]] = []

    async def one(client: httpx.AsyncClient, number: int) -> None:
        begin = time.perf_counter()
        try:
            answer = await client.post(
                f"/v1/twins/{asked.twin.name}/localize",
                data=fields,
                files={"images": ("photo.jpg", pictures[number % len(pictures)])},
            )
            status: int | str = answer.status_code
            after = answer.headers.get("retry-after")
        except httpx.HTTPError as error:
            status, after = type(error).__name__, None
        found.append({"status": status, "retry_after": after, "s": time.perf_counter() - begin})

    memory, begin = [], time.perf_counter()
    limits = httpx.Limits(max_connections=500, max_keepalive_connections=100)
    async with (
        httpx.AsyncClient(base_url=service.url, timeout=120.0, limits=limits) as client,
        asyncio.TaskGroup() as group,
    ):
        for number in range(int(rate * OVERLOAD_S)):
            await asyncio.sleep(max(0.0, begin + number / rate - time.perf_counter()))
            group.create_task(one(client, number))
            if time.perf_counter() - begin > 5.0 * len(memory):
                memory.append(round(service.rss_mb(), 1))
    return found, memory
