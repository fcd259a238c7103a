"""Is it alive, is it ready, what are its figures, who did what."""

import json
from importlib.metadata import version
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from twin.live.database.schema import progress
from twin.service.asking import TheService
from twin.service.guard import GuardedRoute, needs
from twin.service.models import AuditPage, AuditRow, Health, Ready
from twin.service.problems import ServiceError

open_router = APIRouter(tags=["health"])
router = APIRouter(route_class=GuardedRoute, tags=["health"])


@open_router.get("/v1/health", response_model=Health, summary="Is the process alive")
async def health() -> Health:
    """Answer; no key is needed."""
    return Health(status="ok", version=version("tiepoint"))


@open_router.get(
    "/v1/ready", response_model=Ready, summary="Can requests be served", openapi_extra={"x-statuses": [503]}
)
def ready(service: TheService) -> Ready:
    """Answer 200, or 503 with what is missing; no key is needed.

    Ready is also who stands by: another service on the same database tracks the cameras, and this one takes over.
    """
    problems = service.problems()
    if problems:
        raise ServiceError(503, "; ".join(problems), headers={"Retry-After": "5"})
    return Ready(status="ready", standing_by=service.standing_by())


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus's text."}},
    summary="Figures for Prometheus",
    openapi_extra=needs("query"),
)
def metrics(service: TheService) -> Response:
    """Return all figures."""
    assert service.engine is not None
    for each in service.engine.health():
        service.metrics.backlog.labels(each["twin"], each["group"]).set(each["backlog"])
        service.metrics.alive.labels(each["twin"], each["group"]).set(each["alive"])
    query = sa.select(progress.c.twin, progress.c.cameras, progress.c.counts)
    with service.database.read() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        for what, count in json.loads(row.counts).items():
            service.metrics.engine.labels(row.twin, row.cameras, what).set(count)
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/audit", response_model=AuditPage, summary="Who did what", openapi_extra=needs("admin"))
def audit(
    service: TheService,
    before: Annotated[int | None, Query(ge=0, le=2**62, description="Go on before this number.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Any:
    """Return the audit log, newest first."""
    rows = [AuditRow(**row) for row in service.audit.rows(before, limit)]
    return AuditPage(rows=rows, next=rows[-1].seq if len(rows) == limit else None)
