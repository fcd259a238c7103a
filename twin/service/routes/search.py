"""Where else was this vehicle?"""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Body, File, Request, UploadFile

from retrieval.stores.filters import And, Eq, IdIn, Range, WithinRadius
from twin.service.asking import TheService, TheTwin
from twin.service.catalog import Served
from twin.service.guard import GuardedRoute, needs
from twin.service.models import SearchAnswer, SearchHit, SearchIn
from twin.service.problems import ServiceError
from twin.service.routes.sightings import sightings_of
from twin.service.service import Service

router = APIRouter(route_class=GuardedRoute, tags=["search"])


@router.post(
    "/v1/twins/{twin}/search",
    response_model=SearchAnswer,
    summary="Sightings like this one",
    openapi_extra=needs("query", **{"x-statuses": [409]}),
)
def search(service: TheService, twin: TheTwin, query: Annotated[SearchIn, Body()]) -> SearchAnswer:
    """Return sightings, re-ranked by what is possible in the building where it is known when and where it was seen."""
    from twin.sighting_search import query_of_stored, query_of_vector

    if (query.id is None) == (query.embedding is None):
        raise ServiceError(409, "give an id or an embedding, one of them")

    def asked(collection: Any) -> Any:
        if query.id is not None:
            if not collection.count(IdIn((query.id,))):
                raise ServiceError(404, f"there is no sighting '{query.id}'")
            return query_of_stored(collection, query.id)
        vector = np.array(query.embedding, dtype=np.float32)
        if len(vector) != collection.schema.dimension:
            raise ServiceError(
                409, f"the embedding has {len(vector)} numbers, those stored {collection.schema.dimension}"
            )
        at = query.at
        return query_of_vector(vector, "query", at[0] if at else None, at[1:] if at else None)

    return _search(service, twin, query, asked, query.id is not None or query.at is not None)


@router.post(
    "/v1/twins/{twin}/search/image",
    response_model=SearchAnswer,
    summary="Sightings like this crop",
    openapi_extra=needs("query", **{"x-statuses": [409]}),
)
def search_image(
    request: Request,
    service: TheService,
    twin: TheTwin,
    image: Annotated[UploadFile, File(description="A crop of the vehicle.")],
) -> SearchAnswer:
    """Return sightings like a picture, in the order of likeness; the service needs the network that embedded them."""
    from contextlib import ExitStack

    from perception import read_image
    from twin.service.photos import stored_photo
    from twin.sighting_search import query_of_vector

    network = service.sightings.network()
    with ExitStack() as stack:
        path = stored_photo(image, "image", service.uploads, service.limits, stack)
        vector = network.embed(read_image(path, name="image").pixels)

    def asked(collection: Any) -> Any:
        collection.schema.require_embedding(network.name)
        return query_of_vector(vector, "query")

    return _search(service, twin, SearchIn(), asked, False)


def _search(
    service: Service, twin: Served, query: SearchIn, asked: Callable[[Any], Any], knows_where: bool
) -> SearchAnswer:
    from twin.sighting_search import search_sightings

    with service.sightings.lock:
        collection = service.sightings.collection(twin)
        answer = search_sightings(
            collection, asked(collection), twin.folder if knows_where else None, top=query.top, filter=_filter(query)
        )
    record = answer.record(query.top)
    known = {sighting.id: sighting for sighting in sightings_of(answer.rows)}
    hits = [
        SearchHit(id=hit.id, score=hit.score, probability=hit.probability, why=hit.why, sighting=known.get(hit.id))
        for hit in record.results
    ]
    return SearchAnswer(query=record.query, results=hits, partial=answer.partial)


def _filter(query: SearchIn) -> Any:
    parts: list[Any] = []
    if query.level is not None:
        parts.append(Eq("level", query.level))
    if query.kind is not None:
        parts.append(Eq("kind", query.kind))
    if query.since is not None or query.until is not None:
        parts.append(Range("time", query.since, query.until))
    if query.near is not None:
        parts.append(WithinRadius(*query.near))
    return And(tuple(parts)) if parts else None
