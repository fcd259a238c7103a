"""Reports that were put beside a twin: pages that the command line wrote with --report."""

from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel
from starlette.responses import Response

from geometry import read_bounded
from twin.service.asking import TheService, TheTwin
from twin.service.guard import GuardedRoute, needs
from twin.service.problems import ServiceError
from twin.service.service import Service

router = APIRouter(route_class=GuardedRoute, tags=["twins"])

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.html$"
MAX_REPORTS = 1000


class Report(BaseModel):
    """A page; ``written`` in epoch seconds."""

    name: str
    bytes: int
    written: float


class Reports(BaseModel):
    """The pages of a twin, newest first."""

    reports: list[Report]


@router.get(
    "/v1/twins/{twin}/reports", response_model=Reports, summary="Pages about this twin", openapi_extra=needs("query")
)
def reports(service: TheService, twin: TheTwin) -> Reports:
    """List the pages in the twin's folder of reports."""
    folder = _folder(service, twin.name)
    pages = [] if folder is None or not folder.is_dir() else list(folder.glob("*.html"))[:MAX_REPORTS]
    found = [
        Report(name=page.name, bytes=page.stat().st_size, written=page.stat().st_mtime)
        for page in pages
        if page.is_file() and not page.is_symlink()
    ]
    return Reports(reports=sorted(found, key=lambda report: -report.written))


@router.get(
    "/v1/twins/{twin}/reports/{name}",
    response_class=Response,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "The page."}},
    summary="One of these pages",
    openapi_extra=needs("query"),
)
def report(service: TheService, twin: TheTwin, name: Annotated[str, Path(pattern=NAME)]) -> Any:
    """Return a page. It holds its pictures and styles itself, and no script of it is run."""
    folder = _folder(service, twin.name)
    path = None if folder is None else folder / name
    if path is None or path.is_symlink() or not path.is_file():
        raise ServiceError(404, f"there is no report '{name}'")
    return Response(read_bounded(path), media_type="text/html; charset=utf-8")


def _folder(service: Service, twin: str) -> FilePath | None:
    return service.settings.reports.get(twin)
