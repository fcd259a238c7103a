"""Tracks and events as they come, by Server-Sent Events."""

import time
from collections.abc import AsyncIterator
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse

from twin.service.asking import TheService, TheTwin
from twin.service.feed import WHATS
from twin.service.guard import GuardedRoute, needs
from twin.service.problems import busy

router = APIRouter(route_class=GuardedRoute, tags=["live"])


@router.get(
    "/v1/twins/{twin}/live",
    summary="Tracks, events and occupancy as they come",
    response_class=StreamingResponse,
    openapi_extra=needs("query"),
)
async def live(
    request: Request,
    service: TheService,
    twin: TheTwin,
    what: Annotated[
        str,
        Query(
            pattern=rf"^({'|'.join(WHATS)})(,({'|'.join(WHATS)})){{0,2}}$", description="Some of track,event,occupancy."
        ),
    ] = ",".join(WHATS),
    after: Annotated[
        int | None, Query(ge=0, le=2**62, description="Go on after this id; without it what comes from now on.")
    ] = None,
    last_event_id: Annotated[
        str,
        Header(pattern=r"^\d{1,18}$", description="As browsers send it after a break; counts before `after`."),
    ] = "",
) -> StreamingResponse:
    """Stream `track`, `event` and `occupancy` as lines of their files, each with its id.

    After a break go on with the last id that came: nothing is lost or comes twice. `gap` says that what came next
    is not kept any more. A stream ends after an hour, unless set otherwise, to be resumed.
    """
    state = request.app.state
    if state.streams >= service.limits.streams:
        raise busy(f"{state.streams} streams are open already", 5.0)
    run_sync = to_thread.run_sync
    if last_event_id:
        begin = int(last_event_id)
    else:
        begin = after if after is not None else await run_sync(service.feed.newest, twin.name)
    whats = sorted(set(what.split(",")))

    async def bounded() -> AsyncIterator[bytes]:
        state.streams += 1
        service.metrics.streams.set(state.streams)
        try:
            end = time.monotonic() + service.limits.stream_seconds

            def over() -> bool:
                return service.stopping.is_set() or time.monotonic() > end

            async for block in service.feed.stream(twin.name, whats, begin, over, run_sync):
                yield block
        finally:
            state.streams -= 1
            service.metrics.streams.set(state.streams)

    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(bounded(), media_type="text/event-stream", headers=headers)
