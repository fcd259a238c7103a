"""Server-Sent Events, read line by line, and taken up again after a break."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from geometry.track_records import TrackRow
from twin.client.asking import AGAIN, Asking, refused
from twin.client.errors import UnreachableError
from twin.events.records import Event, Occupancy

SILENCE_S = 30.0
"""The service says something every 10 s; after so long without, the connection is dead."""
AGAIN_S = 0.5
KINDS: dict[str, Any] = {"track": TrackRow, "event": Event, "occupancy": Occupancy}


@dataclass(frozen=True, kw_only=True)
class Said:
    """One thing said, and its number, to go on after; ``what`` is "track", "event", "occupancy" or "gap"."""

    id: int
    what: str
    row: TrackRow | Event | Occupancy | None


def follow(http: httpx.Client, path: str, what: Sequence[str], after: int | None, ask: Asking) -> Iterator[Said]:
    """Yield what comes, for ever. Raises ``UnreachableError`` where nobody answers for the patience of ``ask``."""
    params: dict[str, str] = {"what": ",".join(what)} if what else {}
    last, heard = after, time.monotonic()
    while True:
        headers = {} if last is None else {"last-event-id": str(last)}
        timeout = httpx.Timeout(10.0, read=SILENCE_S)
        try:
            with http.stream("GET", path, params=params, headers=headers, timeout=timeout) as response:
                if response.status_code not in (200, *AGAIN):
                    response.read()
                    raise refused(response)
                for said in parsed(response.iter_lines()) if response.status_code == 200 else ():
                    heard = time.monotonic()
                    last = said.id or last
                    yield said
        except httpx.TransportError as error:
            if time.monotonic() - heard > max(ask.patience_s, SILENCE_S):
                raise UnreachableError(f"the stream broke off ({error})", where=path) from error
        time.sleep(AGAIN_S)


def parsed(lines: Iterator[str]) -> Iterator[Said]:
    """Yield the events of a stream's lines; what has no data is a sign of life."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        if "data" in fields:
            what = fields.get("event", "message")
            model = KINDS.get(what)
            row = None if model is None else model.model_validate_json(fields["data"])
            yield Said(id=int(fields.get("id", "0")), what=what, row=row)
        fields = {}
