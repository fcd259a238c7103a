"""The fixed cameras, and whether they are heard of."""

import time

import sqlalchemy as sa
from fastapi import APIRouter

from twin.live.database.schema import frames
from twin.service.asking import TheService, TheTwin
from twin.service.guard import GuardedRoute, needs
from twin.service.models import Cameras, CameraState

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
