"""The fixed cameras, and whether they are heard of."""

import asyncio
import time
from contextlib import ExitStack
from typing import Annotated

import sqlalchemy as sa
from anyio import to_thread
from fastapi import APIRouter, File, Path, Query, UploadFile

from geometry.errors import nearest_known
from geometry.track_records import MAX_TIME_S
from twin.live.database.schema import frames
from twin.service.asking import TheService, TheTwin
from twin.service.guard import GuardedRoute, needs
from twin.service.localizing import DetectCall
from twin.service.models import Cameras, CameraState, FrameAnswer
from twin.service.photos import stored_photo
from twin.service.problems import ServiceError, busy

router = APIRouter(route_class=GuardedRoute, tags=["cameras"])

SILENT_S, RATE_S = 10.0, 30.0


@router.get(
    "/v1/twins/{twin}/cameras",
    response_model=Cameras,
    response_model_exclude_defaults=True,
    summary="Fixed cameras and their health",
    openapi_extra=needs("query"),
)
def cameras(service: TheService, twin: TheTwin) -> Cameras:
    """Return each camera as in cameras.json, when its last frame came, and how the tracking goes."""
    assert service.engine is not None
    now, found = time.time(), []
    with service.database.read() as connection:
        for camera in twin.cameras:
            mine = (frames.c.twin == twin.name) & (frames.c.camera == camera.id)
            query = sa.select(frames.c.time, frames.c.received).where(mine).order_by(frames.c.time.desc()).limit(1)
            last = connection.execute(query).one_or_none()
            lately = 0
            if last is not None:
                recent = sa.select(sa.func.count()).select_from(frames).where(mine, frames.c.time > last.time - RATE_S)
                lately = int(connection.execute(recent).scalar_one())
            found.append(
                CameraState(
                    camera=camera,
                    group=service.group_of(twin, camera.id),
                    status="never" if last is None else "ok" if now - last.received < SILENT_S else "silent",
                    last_frame_time=None if last is None else last.time,
                    last_received=None if last is None else last.received,
                    rate_hz=round(lately / RATE_S, 2),
                )
            )
    tracking = [each for each in service.engine.health() if each["twin"] == twin.name]
    return Cameras(cameras=found, tracking=[{k: v for k, v in each.items() if k != "twin"} for each in tracking])


@router.post(
    "/v1/twins/{twin}/cameras/{camera}/frame",
    response_model=FrameAnswer,
    summary="A picture of a fixed camera",
    openapi_extra=needs("ingest", **{"x-statuses": [409]}),
)
async def frame(
    service: TheService,
    twin: TheTwin,
    camera: Annotated[str, Path(description="Its id.")],
    at: Annotated[
        float, Query(alias="time", ge=-MAX_TIME_S, le=MAX_TIME_S, allow_inf_nan=False, description="Of its exposure.")
    ],
    image: Annotated[UploadFile, File(description="JPEG, PNG, WebP, TIFF or BMP.")],
) -> FrameAnswer:
    """Look at a picture with the service's detector, and store what is seen as a frame of detections."""
    if camera not in twin.camera_ids:
        raise ServiceError(
            404, f"there is no camera '{camera[:80]}'", remedy=nearest_known(camera, twin.camera_ids)[:300]
        )
    if service.settings.detector in (None, "background"):
        raise ServiceError(
            409,
            "the service has no detector for single pictures",
            remedy="Start it with --detector, or send detections.",
        )
    assert service.pool is not None
    assert service.ingest is not None
    assert service.engine is not None
    group = service.group_of(twin, camera)
    if service.engine.backlog(twin.name, group) > service.limits_of_backlog:
        raise busy("too many frames wait to be tracked", 2.0)
    with ExitStack() as stack:
        path = await to_thread.run_sync(stored_photo, image, camera, service.uploads, service.limits, stack)
        found = await service.pool.run(DetectCall(camera=camera, time=at, file=path))
    stored = await asyncio.wrap_future(service.ingest.submit(twin.name, [group], [found]))
    return FrameAnswer(detections=len(found.detections), accepted=stored.accepted, repeated=stored.repeated)
