"""Frames of detections in: what is acknowledged is on the disk, once."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from anyio import to_thread
from fastapi import APIRouter, Request
from pydantic import ValidationError

from geometry.errors import nearest_known
from geometry.jsonl import MAX_LINE_BYTES
from geometry.track_records import DetectionRecord, FrameRecord
from twin.live.ingest import Stored
from twin.service.asking import TheService, TheTwin
from twin.service.catalog import Served
from twin.service.guard import GuardedRoute, needs
from twin.service.models import BoxIn, FrameIn, FramesIn, IngestAnswer
from twin.service.openapi import body
from twin.service.problems import ServiceError, busy, of_validation
from twin.service.service import Service

router = APIRouter(route_class=GuardedRoute, tags=["detections"])

PORTION = 500


@router.post(
    "/v1/twins/{twin}/detections",
    response_model=IngestAnswer,
    response_model_exclude_none=True,
    summary="A batch of frames",
    openapi_extra=needs("ingest", **body(FramesIn)),
)
async def detections(request: Request, service: TheService, twin: TheTwin) -> IngestAnswer:
    """Store frames; send the same again after a break, and nothing is there twice."""
    _require_json(request, "application/json")
    content = await request.body()
    try:
        given = await to_thread.run_sync(FramesIn.model_validate_json, content)
    except ValidationError as error:
        raise of_validation(error) from error
    return await _store(service, twin, given.frames)


@router.post(
    "/v1/twins/{twin}/detections/stream",
    response_model=IngestAnswer,
    response_model_exclude_none=True,
    summary="A stream of frames, a line each",
    openapi_extra=needs("ingest", **body(FrameIn, "application/x-ndjson")),
)
async def stream(request: Request, service: TheService, twin: TheTwin) -> IngestAnswer:
    """Store frames as they come, lines of detections.jsonl, until the body ends.

    A line that is wrong ends the stream; the answer says which it was, and all before it is stored.
    """
    _require_json(request, "application/x-ndjson")
    whole = IngestAnswer()
    waiting: list[FrameIn] = []
    number = 0
    async for line in _lines(request):
        number += 1
        if not line.strip():
            continue
        try:
            waiting.append(FrameIn.model_validate_json(line))
            _groups(service, twin, waiting[-1:])
        except (ValidationError, ServiceError) as error:
            wrong = of_validation(error) if isinstance(error, ValidationError) else error
            if isinstance(error, ServiceError):
                waiting.pop()
            whole += await _store(service, twin, waiting) if waiting else IngestAnswer()
            done = whole.accepted + whole.repeated
            raise ServiceError(
                wrong.status, wrong.what, where=f"line {number}", remedy=f"The {done} frames before it are stored."
            ) from error
        if len(waiting) >= PORTION:
            whole, waiting = whole + await _store(service, twin, waiting), []
    return whole + await _store(service, twin, waiting) if waiting else whole


async def _lines(request: Request) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in request.stream():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line
        if len(rest) > MAX_LINE_BYTES:
            raise ServiceError(413, f"a line is longer than {MAX_LINE_BYTES} bytes")
    if rest:
        yield rest


async def _store(service: Service, twin: Served, given: Sequence[FrameIn]) -> IngestAnswer:
    assert service.ingest is not None
    assert service.engine is not None
    groups = _groups(service, twin, given)
    holder = None
    for group in sorted(set(groups)):
        backlog, holder = service.engine.backlog(twin.name, group), service.engine.holder(twin.name, group) or holder
        if backlog > service.limits_of_backlog:
            raise busy(f"{backlog} frames wait to be tracked" + (f" by {holder}" if holder else ""), 2.0)
    frames, unusable = [], 0
    for frame in given:
        usable = [box for box in frame.detections if _has_area(box)]
        unusable += len(frame.detections) - len(usable)
        frames.append(_record(frame, usable))
    stored: Stored = await asyncio.wrap_future(service.ingest.submit(twin.name, groups, frames))
    for outcome in ("accepted", "repeated", "conflicting"):
        service.metrics.frames.labels(twin.name, outcome).inc(getattr(stored, outcome))
    return IngestAnswer(
        accepted=stored.accepted,
        repeated=stored.repeated,
        conflicting=stored.conflicting,
        unusable_boxes=unusable,
        tracked_by=holder,
    )


def _groups(service: Service, twin: Served, given: Sequence[FrameIn]) -> list[str]:
    """Return the group of each frame's camera; 404 for a camera that the twin does not have."""
    known = twin.camera_ids
    for frame in given:
        if frame.camera not in known:
            remedy = nearest_known(frame.camera, known) if known else "The twin has no cameras."
            raise ServiceError(404, f"there is no camera '{frame.camera[:80]}'", remedy=remedy[:300])
    by_camera = {camera: service.group_of(twin, camera) for camera in {frame.camera for frame in given}}
    return [by_camera[frame.camera] for frame in given]


def _has_area(box: BoxIn) -> bool:
    x1, y1, x2, y2 = box.bbox
    return x2 > x1 and y2 > y1


def _record(frame: FrameIn, usable: Sequence[BoxIn]) -> FrameRecord:
    boxes = tuple(
        DetectionRecord.model_construct(
            bbox=box.bbox,
            score=box.score,
            kind=box.kind,
            embedding=None if box.embedding is None else tuple(box.embedding),
            foot=box.foot,
            whole=box.whole,
            sigma=box.sigma,
            changed=box.changed,
            track=box.track,
            meta=box.meta,
        )
        for box in usable
    )
    return FrameRecord.model_construct(
        camera=frame.camera, time=frame.time, detections=boxes, stalls=frame.stalls, meta=frame.meta
    )


def _require_json(request: Request, media_type: str) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != media_type:
        raise ServiceError(415, f"the body is {media_type}, not '{given[:80]}'")
