"""The web app: every route, behind one gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from twin.service import openapi, problems
from twin.service.gateway import Gateway
from twin.service.guard import Rates
from twin.service.routes import (
    cameras,
    detections,
    events,
    footprints,
    health,
    live,
    localize,
    plan,
    reports,
    search,
    sightings,
    tracks,
    twins,
)
from twin.service.service import Service
from twin.service.settings import Settings

DESCRIPTION = """Where things are inside a facility. A photo gets a pose with a covariance, or a refusal with its
reason; detections of fixed cameras become tracks, events and occupancy.

Errors are `application/problem+json` (RFC 9457). 429 and 503 say in `Retry-After` when to try again."""


def create_app(settings: Settings) -> FastAPI:
    """Build the app. Its processes run between startup and shutdown of its lifespan.

    Raises ``TiepointError`` for a database or a twin that can't be used.
    """
    openapi.require_extra()
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await to_thread.run_sync(service.start)
        try:
            yield
        finally:
            await to_thread.run_sync(service.stop)

    app = FastAPI(
        title="Tiepoint",
        version=version("tiepoint"),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        redirect_slashes=False,
    )
    app.state.service, app.state.rates, app.state.streams = service, Rates(settings.limits), 0
    problems.install(app)
    for module in (
        localize,
        tracks,
        events,
        live,
        detections,
        search,
        sightings,
        cameras,
        footprints,
        twins,
        plan,
        reports,
    ):
        app.include_router(module.router)
    app.include_router(health.open_router)
    app.include_router(health.router)
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]
    console = console_files()
    if console is not None:
        app.router.default = _Fallback(console, app.router.not_found)
    is_open = settings.is_local and not service.keys.are_needed
    app.add_middleware(Gateway, limits=settings.limits, metrics=service.metrics, local_hosts_only=is_open)
    return app


def console_files() -> ASGIApp | None:
    """Return the browser console's files, ``twin.console.static_files()``, where there is a console."""
    if find_spec("twin.console") is None:
        return None
    files: Any = import_module("twin.console").static_files()
    return StaticFiles(directory=files, html=True) if isinstance(files, str | Path) else files


class _Fallback:
    """Serves the console where no route of the service is meant."""

    def __init__(self, console: ASGIApp, not_found: ASGIApp) -> None:
        self._console, self._not_found = console, not_found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_page = scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and not scope["path"].startswith("/v1")
        await (self._console if is_page else self._not_found)(scope, receive, send)
