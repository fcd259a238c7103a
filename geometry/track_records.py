"""Lines of detections.jsonl and tracks.jsonl, checked when they are read."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from geometry.errors import InputError
from geometry.jsonl import line_error, read_jsonl, write_jsonl

MAX_TIME_S = 1e11
MAX_COORDINATE_PX = 1e6
MAX_STALLS = 10_000

Time = Annotated[float, Field(ge=-MAX_TIME_S, le=MAX_TIME_S)]
Pixel = Annotated[float, Field(ge=-MAX_COORDINATE_PX, le=MAX_COORDINATE_PX)]
_SigmaPx = Annotated[float, Field(gt=0, le=MAX_COORDINATE_PX)]
Sigma = tuple[_SigmaPx, _SigmaPx, _SigmaPx, _SigmaPx, _SigmaPx, _SigmaPx]
Bbox = tuple[Pixel, Pixel, Pixel, Pixel]
Vector3 = tuple[float, float, float]
Matrix3 = tuple[Vector3, Vector3, Vector3]


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_by_name=True, validate_by_alias=True
    )


def require_order(name: str, box: Bbox) -> None:
    """Raise ``ValueError`` for a box that ends before it begins."""
    x1, y1, x2, y2 = box
    if x2 < x1 or y2 < y1:
        raise ValueError(f"the {name} ends before it begins; it is x1, y1, x2, y2")


def require_whole(whole: Bbox | None, sigma: Sigma | None) -> None:
    """Raise ``ValueError`` for a whole box that is none, or that comes without how sure it is."""
    if (whole is None) != (sigma is None):
        raise ValueError("whole and sigma come together")
    if whole is not None:
        require_order("whole", whole)


class DetectionRecord(_Strict):
    """One box: ``bbox`` (x1, y1, x2, y2) px, and ``foot`` (u, v) px where the object's middle meets the ground.

    whole: as ``bbox``, of the whole object, what is hidden of it guessed, where the detector tells it
    sigma: standard deviations of the four sides of ``whole`` and of the foot's u and v, px
    changed: the share of its pixels that changed since a moment before
    """

    bbox: Bbox
    score: Annotated[float, Field(ge=0, le=1)]
    kind: Annotated[str, Field(alias="class", min_length=1, max_length=100)]
    embedding: tuple[float, ...] | None = None
    foot: tuple[Pixel, Pixel] | None = None
    whole: Bbox | None = None
    sigma: Sigma | None = None
    changed: Annotated[float, Field(ge=0, le=1)] | None = None
    track: int | None = None
    meta: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check(self) -> "DetectionRecord":
        require_order("bbox", self.bbox)
        require_whole(self.whole, self.sigma)
        return self


class FrameRecord(_Strict):
    """One frame: a line of detections.jsonl; ``time`` is that of the exposure by the camera's own clock.

    stalls: the probability of being taken of each stall that was looked at, by this frame alone; empty where the camera
    looks at stalls, but did not in this frame
    """

    camera: Annotated[str, Field(min_length=1, max_length=200)]
    time: Time
    detections: tuple[DetectionRecord, ...]
    stalls: Annotated[dict[str, Annotated[float, Field(ge=0, le=1)]], Field(max_length=MAX_STALLS)] | None = None
    meta: dict[str, Any] = {}


class Observation(_Strict):
    """A box that shows a track."""

    camera: str
    time: Time
    bbox: Bbox


class TrackRow(_Strict):
    """One object at one time: a line of tracks.jsonl, a result or the truth.

    position: of the ground under its middle, site metres; velocity: m/s; heading: radians from site +x
    """

    time: Time
    track: int
    kind: Annotated[str, Field(alias="class")]
    level: str | None = None
    zone: str | None = None
    stall: str | None = None
    position: Vector3
    position_covariance: Matrix3 | None = None
    velocity: Vector3 | None = None
    heading: float | None = None
    size: Vector3 | None = None
    observations: tuple[Observation, ...] = ()
    meta: dict[str, Any] = {}


def read_detections(path: Path) -> Iterator[FrameRecord]:
    """Yield the frames of a detections.jsonl; ``InputError`` names the line and what is wrong with it."""
    return read_jsonl(path, FrameRecord)


def parse_detections(line: bytes, where: str) -> FrameRecord:
    """Check one line of a stream of detections; ``InputError`` tells ``where`` it was and what is wrong."""
    try:
        return FrameRecord.model_validate_json(line)
    except ValidationError as error:
        raise line_error(error, where, FrameRecord) from error


def read_tracks(path: Path) -> list[TrackRow]:
    """Read tracks.jsonl; ``InputError`` names the line, and a track that has two rows at one time."""
    rows, seen = [], set[tuple[float, int]]()
    for number, row in enumerate(read_jsonl(path, TrackRow), start=1):
        if (row.time, row.track) in seen:
            raise InputError(f"track {row.track} has two rows at {row.time}", where=f"{path}, line {number}")
        seen.add((row.time, row.track))
        rows.append(row)
    return rows


def write_tracks(path: Path, rows: Iterable[TrackRow]) -> None:
    """Write tracks.jsonl, without fields that have their default value."""
    write_jsonl(path, (row.model_dump(by_alias=True, exclude_defaults=True) for row in rows))
