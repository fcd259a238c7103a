"""The stored views of vehicles and people, with their crops."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from starlette.responses import Response

from geometry import read_bounded
from retrieval.stores.filters import Eq, IdIn
from retrieval.stores.rows import Rows
from twin.service.asking import TheService, TheTwin
from twin.service.guard import GuardedRoute, needs
from twin.service.models import MAX_TRACK, SightingOut
from twin.service.problems import ServiceError

router = APIRouter(route_class=GuardedRoute, tags=["search"])


class Sightings(BaseModel):
    """Sightings of a track."""

    sightings: list[SightingOut]


@router.get(
    "/v1/twins/{twin}/sightings",
    response_model=Sightings,
    summary="Stored views of a track",
    openapi_extra=needs("query", **{"x-statuses": [409]}),
)
def sightings(
    service: TheService,
    twin: TheTwin,
    track: Annotated[int, Query(ge=0, le=MAX_TRACK, description="A track's id.")],
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> Sightings:
    """Return the sightings of one track, none without a store; ``has_image`` tells of which a crop is kept."""
    if not service.sightings.has_any(twin):
        return Sightings(sightings=[])
    with service.sightings.lock:
        rows = service.sightings.collection(twin).scan(Eq("track", track), size=limit).rows
    return Sightings(sightings=sightings_of(rows))


@router.get(
    "/v1/twins/{twin}/sightings/{sighting}/image",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {"schema": {"type": "string"}}}, "description": "The crop."}},
    summary="The crop of a sighting",
    openapi_extra=needs("query", **{"x-statuses": [409]}),
)
def image(
    service: TheService,
    twin: TheTwin,
    sighting: Annotated[str, Path(description="Its id.")],
) -> Any:
    """Return a stored crop, as ``tiepoint index --crops`` kept it."""
    folder = service.settings.crops.get(twin.name)
    with service.sightings.lock:
        collection = service.sightings.collection(twin)
        rows = collection.scan(IdIn((sighting,)) if sighting.isprintable() else IdIn(()), size=1).rows
    name = rows.meta[0].get("crop") if len(rows) else None
    path = None if folder is None or not isinstance(name, str) else folder / name
    if path is None or path.parent != folder or not path.is_file():
        raise ServiceError(
            404, f"no crop is kept of '{sighting[:80]}'", remedy="Keep them with tiepoint index --crops."
        )
    return Response(read_bounded(path), media_type="image/jpeg")


def sightings_of(rows: Rows) -> list[SightingOut]:
    """Return stored rows as sightings."""
    found = []
    for i, id in enumerate(rows.ids):
        column = {name: values[i] for name, values in rows.columns.items()}
        found.append(
            SightingOut(
                id=id,
                time=column["time"],
                camera=column["camera"],
                level=column["level"],
                zone=column["zone"],
                track=column["track"],
                kind=column["kind"],
                position=(column["x"], column["y"], column["z"]),
                has_image=isinstance(rows.meta[i].get("crop"), str),
            )
        )
    return found
