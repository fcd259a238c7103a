"""Uvicorn, told to end streams at once when it is to stop, and not to wait for ever for a request's head."""

import asyncio
import signal
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from geometry import InputError
from twin.service.service import Service
from twin.service.settings import Settings

GRACE_S = 30


class Server(uvicorn.Server):
    """Lets the app know that it is stopping, so that live streams end."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; a second Ctrl-C waits for nothing. The process ends with status 0, not by the signal."""
        self._service.stopping.set()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def protocol(header_s: float) -> type[asyncio.Protocol]:
    """Return uvicorn's HTTP with a bound on the time that the first request's head may take."""

    class Bounded(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.loop.call_later(header_s, self._close_unless_asked)

        def _close_unless_asked(self) -> None:
            if self.cycle is None and not self.transport.is_closing():
                self.transport.close()

    return Bounded


def require_key(settings: Settings, service: Service) -> None:
    """Raise ``InputError`` where other machines could reach the service and no key was ever made."""
    if not settings.is_local and not service.keys.are_needed:
        raise InputError(
            f"without a key nobody but this machine may reach the service, and {settings.host} is for others",
            remedy="Make one first: tiepoint key add NAME --scope query --data DIR.",
        )


def run(app: FastAPI, settings: Settings, *, behind_proxy: str | None = None) -> None:
    """Serve until told to stop. Raises as ``require_key``.

    behind_proxy: addresses of proxies whose X-Forwarded-For is believed
    """
    service: Service = app.state.service
    require_key(settings, service)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=protocol(settings.limits.header_s),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=GRACE_S,
        limit_concurrency=settings.limits.connections,
        proxy_headers=behind_proxy is not None,
        forwarded_allow_ips=behind_proxy,
        h11_max_incomplete_event_size=64 * 1024,
    )
    Server(config, service).run()
