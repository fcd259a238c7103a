"""The client: one method a question, answers as the service's own models."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel

from geometry.records import CameraRule
from geometry.track_records import FrameRecord, TrackRow
from twin.client.asking import Asking
from twin.client.live import Said, follow
from twin.events.records import Event, Occupancy
from twin.service.models import (
    Cameras,
    EventPage,
    IngestAnswer,
    LocalizeAnswer,
    OccupancyPage,
    OccupancyState,
    Present,
    SearchAnswer,
    TrackPage,
    TwinDetail,
    Twins,
    VersionAnswer,
)

Model = TypeVar("Model", bound=BaseModel)

PAGE = 5000
BATCH = 500


class Client:
    """Asks one service. Where it is busy or can't be reached, a call is made again, as late as it says.

    Calls may be made again: what is asked changes nothing, frames sent twice are stored once, and a twin uploaded twice
    is a version more that nobody publishes. Only ``roll_back`` is made once. Raises ``RefusedError`` for what the
    service refuses and ``UnreachableError`` where it does not answer.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 120.0,
        patience_s: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Prepare; nothing is sent yet. ``patience_s`` is how long a call is made again; 0 for never."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, transport=transport)
        self._ask = Asking(self._http, patience_s)

    def localize(
        self,
        twin: str,
        images: Sequence[Path],
        *,
        lens: CameraRule | None = None,
        near: tuple[float, float, float, float] | None = None,
        level: str | None = None,
        heading_deg: float | None = None,
    ) -> LocalizeAnswer:
        """Return where photos were taken; ``near`` is x, y, z, sigma in site metres."""
        fields: dict[str, str] = {}
        if lens is not None:
            camera = lens.camera
            params = " ".join(f"{number:.9f}" for number in camera.params.tolist())
            size = {"width": str(camera.width), "height": str(camera.height)}
            fields |= {"model": camera.model_name, "params": params, **size}
        if near is not None:
            fields["near"] = ",".join(f"{number:.3f}" for number in near)
        if level is not None:
            fields["level"] = level
        if heading_deg is not None:
            fields["heading_deg"] = repr(heading_deg)
        files = [("images", (path.name, path.read_bytes())) for path in images]
        return self._get(LocalizeAnswer, "POST", f"/v1/twins/{twin}/localize", data=fields, files=files)

    def tracks(self, twin: str, **conditions: Any) -> Present:
        """Return who is there now; conditions as the service has them: kind, level, zone, stall, area, within_s."""
        return self._get(Present, "GET", f"/v1/twins/{twin}/tracks", params=_query(conditions))

    def track_history(self, twin: str, **conditions: Any) -> Iterator[TrackRow]:
        """Yield rows of tracks, page after page; conditions: since, until, track, kind, level, zone, stall, area."""
        return self._pages(TrackPage, f"/v1/twins/{twin}/tracks/history", conditions)

    def events(self, twin: str, **conditions: Any) -> Iterator[Event]:
        """Yield events, page after page."""
        return self._pages(EventPage, f"/v1/twins/{twin}/events", conditions)

    def occupancy(self, twin: str) -> OccupancyState:
        """Return the last that was said of each stall."""
        return self._get(OccupancyState, "GET", f"/v1/twins/{twin}/occupancy")

    def occupancy_history(self, twin: str, **conditions: Any) -> Iterator[Occupancy]:
        """Yield changes of occupancy, page after page."""
        return self._pages(OccupancyPage, f"/v1/twins/{twin}/occupancy/history", conditions)

    def live(self, twin: str, *, what: Sequence[str] = (), after: int | None = None) -> Iterator[Said]:
        """Yield what is said as it is said, for ever; a connection that breaks is taken up where it broke."""
        return follow(self._http, f"/v1/twins/{twin}/live", what, after, self._ask)

    def send(self, twin: str, frames: Iterable[FrameRecord]) -> IngestAnswer:
        """Store frames, in batches, each made again until it is acknowledged; return the counts of all."""
        given = iter(frames)
        whole = IngestAnswer()
        while batch := list(islice(given, BATCH)):
            lines = ",".join(frame.model_dump_json(by_alias=True, exclude_defaults=True) for frame in batch)
            whole += self._get(
                IngestAnswer,
                "POST",
                f"/v1/twins/{twin}/detections",
                content=f'{{"frames":[{lines}]}}'.encode(),
                headers={"content-type": "application/json"},
            )
        return whole

    def search(self, twin: str, **query: Any) -> SearchAnswer:
        """Return sightings like one, by ``id`` or ``embedding``; fields as of the service's SearchIn."""
        return self._get(SearchAnswer, "POST", f"/v1/twins/{twin}/search", json=_query(query))

    def search_image(self, twin: str, image: Path) -> SearchAnswer:
        """Return sightings like a crop."""
        files = {"image": (image.name, image.read_bytes())}
        return self._get(SearchAnswer, "POST", f"/v1/twins/{twin}/search/image", files=files)

    def cameras(self, twin: str) -> Cameras:
        """Return the fixed cameras and their health."""
        return self._get(Cameras, "GET", f"/v1/twins/{twin}/cameras")

    def plan(self, twin: str, frame: str = "site") -> dict[str, Any]:
        """Return the plan as GeoJSON."""
        content: dict[str, Any] = self._ask("GET", f"/v1/twins/{twin}/plan", params={"frame": frame}).json()
        return content

    def twins(self) -> Twins:
        """Return the twins that are served."""
        return self._get(Twins, "GET", "/v1/twins")

    def twin(self, twin: str) -> TwinDetail:
        """Return one twin."""
        return self._get(TwinDetail, "GET", f"/v1/twins/{twin}")

    def upload(self, twin: str, archive: Path) -> VersionAnswer:
        """Store a version of a twin, a zip of its folder; it is not served before ``publish``."""
        with archive.open("rb") as file:
            return self._get(VersionAnswer, "POST", f"/v1/twins/{twin}/versions", files={"archive": file})

    def publish(self, twin: str, version: str) -> TwinDetail:
        """Serve a stored version."""
        return self._get(TwinDetail, "POST", f"/v1/twins/{twin}/publish", json={"version": version})

    def roll_back(self, twin: str) -> TwinDetail:
        """Serve the version before; not made again where the answer was lost, since that would go back twice."""
        return TwinDetail.model_validate_json(self._ask.once("POST", f"/v1/twins/{twin}/rollback").content)

    def is_ready(self) -> bool:
        """Tell whether requests can be served."""
        try:
            return self._http.get("/v1/ready").status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _get(self, model: type[Model], method: str, path: str, **request: Any) -> Model:
        return model.model_validate_json(self._ask(method, path, **request).content)

    def _pages(self, model: type[Any], path: str, conditions: dict[str, Any]) -> Iterator[Any]:
        after = 0
        while True:
            params = _query({"limit": PAGE, **conditions, "after": after})
            page = self._get(model, "GET", path, params=params)
            yield from page.rows
            if page.next is None:
                return
            after = page.next


def _query(conditions: dict[str, Any]) -> dict[str, Any]:
    """Return conditions as parameters: what is None is left out, ``kind`` is called class, an area is four numbers."""
    found = {name: value for name, value in conditions.items() if value is not None}
    if "kind" in found:
        found["class"] = found.pop("kind")
    if "area" in found and not isinstance(found["area"], str):
        found["area"] = ",".join(f"{number:.3f}" for number in found["area"])
    return found
