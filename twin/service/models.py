"""What goes over the wire, besides the lines of the interchange files."""

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from geometry.records import FixedCamera
from geometry.track_records import MAX_STALLS, MAX_TIME_S, Bbox, Pixel, Sigma, Time, TrackRow, require_whole
from twin.events.records import Event, Occupancy
from twin.service.catalog import NAME, VERSION
from twin.service.geopose import LocalizedPhoto

NUMBER = r"-?\d{1,7}(\.\d{1,9})?"
PLAIN = r"^[^\x00-\x1f\x7f]+$"
MAX_TRACK = 2**53

TwinName = Annotated[str, Path(pattern=NAME, description="A twin's name.", examples=["my-garage"])]
VersionName = Annotated[str, Path(pattern=VERSION, description="A version of the twin.")]
Since = Annotated[
    float | None,
    Query(ge=-MAX_TIME_S, le=MAX_TIME_S, allow_inf_nan=False, description="From this time on, epoch seconds."),
]
Until = Annotated[
    float | None, Query(ge=-MAX_TIME_S, le=MAX_TIME_S, allow_inf_nan=False, description="Up to this time.")
]
Word = Annotated[str | None, Query(min_length=1, max_length=200, pattern=PLAIN)]
Area = Annotated[
    str | None,
    Query(pattern=rf"^{NUMBER}(,{NUMBER}){{3}}$", description="x1,y1,x2,y2 in site metres.", examples=["0,0,20,10"]),
]
After = Annotated[int, Query(ge=0, le=2**62, description="Go on after this number, as `next` said.")]
Limit = Annotated[int, Query(ge=1, le=5000, description="How many at most.")]
TrackId = Annotated[int | None, Query(ge=0, le=MAX_TRACK, description="A track's id.")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_by_alias=True)


def _whole(value: Any) -> Any:
    """Return a number without a fraction as an integer, as JSON makes no difference between 64 and 64.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Share = Annotated[float, Field(ge=0, le=1)]
StallId = Annotated[str, Field(min_length=1, max_length=200)]


class BoxIn(_Strict):
    """One box of a frame, as in detections.jsonl; one without an area is dropped and counted."""

    bbox: Bbox
    score: Share
    kind: Annotated[str, Field(alias="class", min_length=1, max_length=100, pattern=PLAIN)]
    embedding: Annotated[list[Annotated[float, Field(ge=-1e6, le=1e6)]], Field(max_length=4096)] | None = None
    foot: tuple[Pixel, Pixel] | None = None
    whole: Bbox | None = None
    sigma: Sigma | None = None
    changed: Share | None = None
    track: Annotated[int, Field(ge=-MAX_TRACK, le=MAX_TRACK), BeforeValidator(_whole)] | None = None
    meta: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check(self) -> "BoxIn":
        require_whole(self.whole, self.sigma)
        return self


class FrameIn(_Strict):
    """One frame, as in detections.jsonl; a camera has one frame a time, so that the same sent again changes nothing."""

    camera: Annotated[str, Field(min_length=1, max_length=200)]
    time: Time
    detections: Annotated[list[BoxIn], Field(max_length=2000)]
    stalls: Annotated[dict[StallId, Share], Field(max_length=MAX_STALLS)] | None = None
    meta: dict[str, Any] = {}


class FramesIn(_Strict):
    """A batch of frames, of any of the twin's cameras, in any order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "frames": [
                        {
                            "camera": "cam1",
                            "time": 1750000000.2,
                            "detections": [{"bbox": [10.5, 20, 60, 80.25], "score": 0.9, "class": "car"}],
                        }
                    ]
                }
            ]
        }
    )
    frames: Annotated[list[FrameIn], Field(min_length=1, max_length=1000)]


class IngestAnswer(BaseModel):
    """What became of frames; all that is counted here is on the disk.

    accepted: new; repeated: there already; conflicting: of those, with other content than before, which stays
    unusable_boxes: boxes without an area, which were left out of the frames
    tracked_by: who tracks them, where that is another service on the same database
    """

    accepted: int = 0
    repeated: int = 0
    conflicting: int = 0
    unusable_boxes: int = 0
    tracked_by: str | None = None

    def __add__(self, other: "IngestAnswer") -> "IngestAnswer":
        return IngestAnswer(
            accepted=self.accepted + other.accepted,
            repeated=self.repeated + other.repeated,
            conflicting=self.conflicting + other.conflicting,
            unusable_boxes=self.unusable_boxes + other.unusable_boxes,
            tracked_by=other.tracked_by or self.tracked_by,
        )


class FrameAnswer(BaseModel):
    """How many objects were seen, and whether the frame is new."""

    detections: int
    accepted: int
    repeated: int


class LocalizeAnswer(BaseModel):
    """One answer a photo, in the order of the photos."""

    twin: str
    version: str
    localizations: list[LocalizedPhoto]


class Present(BaseModel):
    """The tracks that are there: the last row of each.

    watermark: time of the newest row, epoch seconds; server_time: now
    """

    watermark: float | None
    server_time: float
    tracks: list[TrackRow]


class TrackPage(BaseModel):
    """Rows of tracks.jsonl in the order in which they were said, and the number to go on after, if there are more."""

    rows: list[TrackRow]
    next: int | None


class EventPage(BaseModel):
    """Events in the order in which they were said."""

    rows: list[Event]
    next: int | None


class OccupancyState(BaseModel):
    """The last that was said of each stall."""

    server_time: float
    stalls: list[Occupancy]


class OccupancyPage(BaseModel):
    """Occupancy in the order in which it was said."""

    rows: list[Occupancy]
    next: int | None


class CameraState(BaseModel):
    """A fixed camera and how it is.

    status: "ok", "silent" (no frame for 10 s), "never" (none at all); rate_hz: of the last 30 s of frames
    """

    camera: FixedCamera
    group: str
    status: Literal["ok", "silent", "never"]
    last_frame_time: float | None
    last_received: float | None
    rate_hz: float


class Cameras(BaseModel):
    """A twin's fixed cameras."""

    cameras: list[CameraState]
    tracking: list[dict[str, Any]]


class TwinSummary(BaseModel):
    """A twin that is served."""

    name: str
    version: str
    localizes: bool
    has_plan: bool
    cameras: int
    georeference: dict[str, float] | None


class Twins(BaseModel):
    """All twins that are served."""

    twins: list[TwinSummary]


class TwinDetail(TwinSummary):
    """A twin with its versions, oldest first, and what twin.yaml and quality.json say."""

    versions: list[str]
    before: list[str]
    created: str | None
    frame: dict[str, Any] | None
    quality: dict[str, Any] | None


class VersionAnswer(BaseModel):
    """A version that was uploaded, and what is in it."""

    twin: str
    version: str
    views: int
    landmarks: int


class PublishIn(BaseModel):
    """Which version is to be served from now on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": "20261126T001500-ab12cd"}]})
    version: Annotated[str, Field(pattern=VERSION)]


class SearchIn(BaseModel):
    """A query: a stored sighting by ``id``, or an ``embedding``; ``at`` is [time, x, y, z] of where it was seen.

    near: [x, y, radius] of the answers
    """

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, json_schema_extra={"examples": [{"id": "cam3-v007-0", "top": 5}]}
    )
    id: Annotated[str, Field(min_length=1, max_length=200, pattern=PLAIN)] | None = None
    embedding: (
        Annotated[list[Annotated[float, Field(ge=-1e6, le=1e6)]], Field(min_length=1, max_length=8192)] | None
    ) = None
    at: tuple[Time, Pixel, Pixel, Pixel] | None = None
    near: tuple[Pixel, Pixel, Annotated[float, Field(gt=0, le=1e6)]] | None = None
    level: Annotated[str, Field(min_length=1, max_length=200, pattern=PLAIN)] | None = None
    kind: Annotated[Annotated[str, Field(min_length=1, max_length=100, pattern=PLAIN)] | None, Field(alias="class")] = (
        None
    )
    since: Time | None = None
    until: Time | None = None
    top: Annotated[int, Field(ge=1, le=200)] = 10


class SightingOut(BaseModel):
    """A stored view; ``position`` in site metres."""

    id: str
    time: float
    camera: str | None = None
    level: str | None = None
    zone: str | None = None
    track: int | None = None
    kind: Annotated[str | None, Field(alias="class")] = None
    position: tuple[float, float, float]
    has_image: bool = False

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class SearchHit(BaseModel):
    """One answer, and the sighting it names."""

    id: str
    score: float
    probability: float | None = None
    why: str | None = None
    sighting: SightingOut | None = None


class SearchAnswer(BaseModel):
    """Answers, best first; ``partial`` where a part of the store did not answer."""

    query: str
    results: list[SearchHit]
    partial: bool


class Health(BaseModel):
    """That the process answers."""

    status: Literal["ok"]
    version: str


class Ready(BaseModel):
    """That requests can be served; ``standing_by`` names groups of cameras that another service tracks meanwhile."""

    status: Literal["ready"]
    standing_by: list[str] = []


class AuditRow(BaseModel):
    """A line of the audit log."""

    seq: int
    time: float
    key: str | None
    client: str
    request: str
    action: str
    subject: str
    outcome: str


class AuditPage(BaseModel):
    """The audit log, newest first; ``next`` is what to give as ``before``."""

    rows: list[AuditRow]
    next: int | None
