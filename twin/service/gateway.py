"""What every request passes: its id, bounds on its body and its time, checks of where it comes from, safe headers.

Pure ASGI, so that streams stay streams and a body is counted as it comes.
"""

import asyncio
import logging
import re
import time
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twin.service.logs import request_id
from twin.service.metrics import Metrics
from twin.service.problems import response
from twin.service.settings import LOOPBACK, Limits

logger = logging.getLogger(__name__)

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SAFE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "geolocation=(), microphone=()",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class Gateway:
    """Wraps the app."""

    def __init__(self, app: ASGIApp, *, limits: Limits, metrics: Metrics, local_hosts_only: bool) -> None:
        """local_hosts_only: refuse other names of this host, which a web page elsewhere may have been given."""
        self._app, self._limits, self._metrics = app, limits, metrics
        self._local_hosts_only = local_hosts_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        token = request_id.set(given if _ID.fullmatch(given) else uuid4().hex)
        answer = _Answer(scope, send)
        self._metrics.in_flight.inc()
        try:
            body = _Body(receive, headers, *self._limits.body_limit(scope["path"]))
            refusal = self._refusal(scope, headers) or body.refusal()
            await (refusal or self._app)(scope, body.receive, answer.send)
        except HTTPException as error:  # of the body, where nobody else was to catch it
            await self._fail(answer, scope, receive, error.status_code, str(error.detail))
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("a request failed")
            await self._fail(answer, scope, receive, 500, "it was logged under this request's id")
        finally:
            self._metrics.in_flight.dec()
            self._note(scope, answer)
            request_id.reset(token)

    def _refusal(self, scope: Scope, headers: Headers) -> Any:
        host = headers.get("host", "")
        if self._local_hosts_only and _name(host) not in LOOPBACK:
            return response(403, "this service answers to this machine's own names only", "Make a key to open it.")
        origin = headers.get("origin")
        if origin is not None and scope["method"] not in ("GET", "HEAD", "OPTIONS") and urlsplit(origin).netloc != host:
            return response(403, "another site's page may not ask for this")
        return None

    async def _fail(self, answer: "_Answer", scope: Scope, receive: Receive, status: int, detail: str) -> None:
        if answer.status is None:
            await response(status, detail)(scope, receive, answer.send)

    def _note(self, scope: Scope, answer: "_Answer") -> None:
        route = getattr(scope.get("route"), "path", "other")
        seconds = time.perf_counter() - answer.began
        status = answer.status or 499
        method = scope["method"] if scope["method"] in METHODS else "other"  # anybody may make up more
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        principal = scope.get("state", {}).get("principal")
        fields = {
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "ms": round(1000 * seconds, 1),
            "client": (scope.get("client") or ("unknown",))[0],
            "key": principal.id if principal is not None else None,
        }
        logger.info("%s %s %s", scope["method"], scope["path"], status, extra={"fields": fields})


class _Answer:
    """Sends a response with its request's id and safe headers."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._is_page = not scope["path"].startswith("/v1")
        self._send = send
        self.status: int | None = None
        self.began = time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = request_id.get()
            for name, value in SAFE.items():
                headers.setdefault(name, value)
            headers.setdefault("content-security-policy", PAGE_POLICY if self._is_page else API_POLICY)
            headers.setdefault("cache-control", "no-cache" if self._is_page else "no-store")
        await self._send(message)


class _Body:
    """A request's body under a bound on its size and on when it has to be there."""

    def __init__(self, receive: Receive, headers: Headers, max_bytes: int, max_s: float) -> None:
        self._receive, self._max_bytes = receive, max_bytes
        self._deadline = time.monotonic() + max_s
        self._length = headers.get("content-length")
        self._read, self._is_whole = 0, False

    def refusal(self) -> Any:
        """Return a refusal for what the head of the request tells already."""
        if self._length is not None and self._length.isdigit() and int(self._length) > self._max_bytes:
            return response(413, f"the body has {self._length[:20]} bytes, the limit is {self._max_bytes}")
        return None

    async def receive(self) -> Message:
        if self._is_whole:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.01, self._deadline - time.monotonic()))
        except TimeoutError:
            raise HTTPException(408, "the body did not arrive in time", {"Connection": "close"}) from None
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
            if self._read > self._max_bytes:
                raise HTTPException(413, f"the body is longer than {self._max_bytes} bytes", {"Connection": "close"})
        return message


def _name(host: str) -> str:
    """Return a Host header's name without its port and brackets."""
    return (urlsplit(f"//{host}").hostname or "") if host and "/" not in host else ""
