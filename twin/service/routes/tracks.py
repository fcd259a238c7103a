"""Who is where, and who was."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from geometry.track_records import TrackRow
from twin.service.asking import TheService, TheTwin, lines_response, numbers
from twin.service.feed import Wanted
from twin.service.guard import GuardedRoute, needs
from twin.service.models import After, Area, Limit, Present, Since, TrackId, TrackPage, Until, Word

router = APIRouter(route_class=GuardedRoute, tags=["tracks"])

Kind = Annotated[
    str | None, Query(alias="class", min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["car"])
]
MAX_PRESENT = 20_000


@router.get(
    "/v1/twins/{twin}/tracks",
    response_model=Present,
    response_model_exclude_defaults=True,
    summary="The tracks that are there now",
    openapi_extra=needs("query"),
)
def present(
    service: TheService,
    twin: TheTwin,
    kind: Kind = None,
    level: Word = None,
    zone: Word = None,
    stall: Word = None,
    area: Area = None,
    within_s: Annotated[float, Query(ge=0, le=1e6, description="Seen so lately, by the newest row's time.")] = 3.0,
) -> Any:
    """Return the last row of each track that was seen lately, newest first."""
    rows = service.feed.present(twin.name, "track", within_s, MAX_PRESENT)
    wanted = {"kind": kind, "level": level, "zone": zone, "stall": stall}
    asked = {name: value for name, value in wanted.items() if value is not None}
    box = numbers(area)
    lines = [row.content for row in rows]
    if asked or box is not None:
        lines = [line for line in lines if _fits(TrackRow.model_validate_json(line), asked, box)]
    watermark = repr(rows[0].time) if rows else "null"
    return lines_response(lines, "tracks", f'"watermark":{watermark},"server_time":{time.time()!r}')


@router.get(
    "/v1/twins/{twin}/tracks/history",
    response_model=TrackPage,
    summary="Rows of tracks, by time, area, class or track",
    openapi_extra=needs("query"),
)
def history(
    service: TheService,
    twin: TheTwin,
    since: Since = None,
    until: Until = None,
    track: TrackId = None,
    kind: Kind = None,
    level: Word = None,
    zone: Word = None,
    stall: Word = None,
    area: Area = None,
    after: After = 0,
    limit: Limit = 1000,
) -> Response:
    """Return rows in the order in which they were said.

    A track that stands still has a row every few seconds, one that moves five a second, unless set otherwise.
    """
    box: Any = numbers(area)
    wanted = Wanted(since=since, until=until, track=track, kind=kind, level=level, zone=zone, stall=stall, area=box)
    lines, more = service.feed.page(twin.name, wanted, after, limit)
    return lines_response(lines, "rows", f'"next":{"null" if more is None else more}')


def _fits(row: TrackRow, asked: dict[str, str], box: tuple[float, ...] | None) -> bool:
    if any(getattr(row, name) != value for name, value in asked.items()):
        return False
    x, y, _ = row.position
    return box is None or (box[0] <= x <= box[2] and box[1] <= y <= box[3])
