"""What happened, and which stalls are taken."""

import time
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from twin.service.asking import TheService, TheTwin, lines_response
from twin.service.feed import Wanted
from twin.service.guard import GuardedRoute, needs
from twin.service.models import (
    After,
    EventPage,
    Limit,
    OccupancyPage,
    OccupancyState,
    Since,
    TrackId,
    Until,
    Word,
)

router = APIRouter(route_class=GuardedRoute, tags=["events"])
MAX_STALLS = 100_000


@router.get("/v1/twins/{twin}/events", response_model=EventPage, summary="What happened", openapi_extra=needs("query"))
def events(
    service: TheService,
    twin: TheTwin,
    since: Since = None,
    until: Until = None,
    kind: Word = None,
    track: TrackId = None,
    level: Word = None,
    zone: Word = None,
    stall: Word = None,
    after: After = 0,
    limit: Limit = 1000,
) -> Response:
    """Return events in the order in which they were said."""
    wanted = Wanted(what="event", since=since, until=until, kind=kind, track=track, level=level, zone=zone, stall=stall)
    return _page(service, twin, wanted, after, limit)


@router.get(
    "/v1/twins/{twin}/occupancy",
    response_model=OccupancyState,
    summary="Which stalls are taken now",
    openapi_extra=needs("query"),
)
def occupancy(service: TheService, twin: TheTwin) -> Any:
    """Return the last that was said of each stall."""
    rows = service.feed.present(twin.name, "occupancy", None, MAX_STALLS)
    return lines_response((row.content for row in rows), "stalls", f'"server_time":{time.time()!r}')


@router.get(
    "/v1/twins/{twin}/occupancy/history",
    response_model=OccupancyPage,
    summary="When stalls were taken and left",
    openapi_extra=needs("query"),
)
def occupancy_history(
    service: TheService,
    twin: TheTwin,
    since: Since = None,
    until: Until = None,
    stall: Word = None,
    after: After = 0,
    limit: Limit = 1000,
) -> Response:
    """Return changes in the order in which they were said."""
    return _page(service, twin, Wanted(what="occupancy", since=since, until=until, stall=stall), after, limit)


def _page(service: TheService, twin: TheTwin, wanted: Wanted, after: int, limit: int) -> Response:
    lines, more = service.feed.page(twin.name, wanted, after, limit)
    return lines_response(lines, "rows", f'"next":{"null" if more is None else more}')
