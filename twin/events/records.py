"""Lines of events.jsonl and occupancy.jsonl, checked when they are read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from geometry.jsonl import read_jsonl, write_jsonl
from geometry.track_records import Observation, Time, TrackRow, Vector3
from perception.shares import TOLD, told_shares

Share = Annotated[float, Field(ge=0, le=1)]
Kind = Literal[
    "stall_taken",
    "stall_freed",
    "gate_in",
    "gate_out",
    "zone_entered",
    "zone_left",
    "wrong_way",
    "stopped_in_lane",
    "person_near_vehicle",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_OBSERVATIONS = 4


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Where(_Strict):
    """The place of an event: position in site metres, and what it is on, in or at."""

    position: Vector3 | None = None
    level: str | None = None
    zone: str | None = None
    stall: str | None = None
    lane: str | None = None
    gate: str | None = None


class Event(_Strict):
    """Something that happened: a line of events.jsonl.

    confidence: probability that it did; track: whose it is, None where it is not known, as of a stall that nobody was
    seen to leave; meta: what else belongs to the kind, and ``observations``, the boxes that say so
    """

    time: Time
    kind: Kind
    track: int | None = None
    where: Where = Where()
    confidence: Share
    meta: dict[str, Any] = {}


class Occupancy(_Strict):
    """How probably a stall is taken from ``time`` on, and by which track: a line of occupancy.jsonl."""

    time: Time
    stall: str
    p_occupied: Share
    track: int | None = None


def place_of(row: TrackRow, **more: str | None) -> Where:
    """Return where a track is."""
    where = {"level": row.level, "zone": row.zone, "stall": row.stall} | more
    return Where(position=row.position, **where)


def evidence(*rows: TrackRow) -> dict[str, Any]:
    """Return for an event's meta ``observations``, the boxes of some rows, the last ones; ``kinds`` and ``colours`` of
    the vehicle, which the last row is of, where they are known."""
    seen: list[Observation] = [each for row in rows for each in row.observations]
    told = [each.model_dump(mode="json") for each in seen[-MOST_OBSERVATIONS:]]
    described = {
        name: {word: round(share, 4) for word, share in shares.items()}
        for name in TOLD
        if rows and (shares := told_shares(rows[-1].meta, name))
    }
    return ({"observations": told} if told else {}) | described


def read_events(path: Path) -> list[Event]:
    """Read events.jsonl; ``InputError`` names the line and what is wrong with it."""
    return list(read_jsonl(path, Event))


def write_events(path: Path, events: Iterable[Event]) -> None:
    """Write events.jsonl, without fields that have their default value."""
    write_jsonl(path, (event.model_dump(exclude_defaults=True) for event in events))


def read_occupancy(path: Path) -> list[Occupancy]:
    """Read occupancy.jsonl; ``InputError`` names the line and what is wrong with it."""
    return list(read_jsonl(path, Occupancy))


def write_occupancy(path: Path, rows: Iterable[Occupancy]) -> None:
    """Write occupancy.jsonl."""
    write_jsonl(path, (row.model_dump() for row in rows))
