"""What the routes share to get at the service, the twin in question, and rows that are text already."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from twin.service.catalog import Served
from twin.service.keys import Principal
from twin.service.models import TwinName
from twin.service.service import Service


def service_of(request: Request) -> Service:
    """Return the service."""
    service: Service = request.app.state.service
    return service


def twin_of(request: Request, twin: TwinName) -> Served:
    """Return the twin that the path names; 404 where there is none."""
    return service_of(request).catalog.get(twin)


def principal_of(request: Request) -> Principal:
    """Return who asks."""
    principal: Principal = request.state.principal
    return principal


TheService = Annotated[Service, Depends(service_of)]
TheTwin = Annotated[Served, Depends(twin_of)]


def numbers(text: str | None) -> tuple[float, ...] | None:
    """Return the numbers of a parameter whose pattern was checked."""
    return None if text is None else tuple(float(part) for part in text.split(","))


def lines_response(lines: Iterable[str], key: str, rest: str) -> Response:
    """Return stored lines as a JSON array under a key, without reading and writing them again; ``rest`` is JSON."""
    return Response(f'{{"{key}":[{",".join(lines)}],{rest}}}', media_type="application/json")
