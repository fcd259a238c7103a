"""Who may do what: keys and rates are checked before anything of a request's body is read."""

from collections.abc import Callable, Coroutine
from typing import Any

from anyio import to_thread
from fastapi import Request
from fastapi.routing import APIRoute
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.responses import Response

from twin.service.keys import LOCAL, Principal
from twin.service.problems import ServiceError, busy
from twin.service.service import Service
from twin.service.settings import Limits

SCOPE = "x-scope"
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="tiepoint"'}


class Rates:
    """Counts requests in moving windows."""

    def __init__(self, limits: Limits) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._rates = {name: parse(getattr(limits, name)) for name in ("query", "ingest", "admin", "failed")}

    def take(self, name: str, who: str) -> None:
        """Count one request. Raises ``ServiceError`` of 429 where it is one too many."""
        if not self._limiter.hit(self._rates[name], name, who):
            raise self._refusal(name, who)

    def check(self, name: str, who: str) -> None:
        """Raise as ``take``, without counting."""
        if not self._limiter.test(self._rates[name], name, who):
            raise self._refusal(name, who)

    def _refusal(self, name: str, who: str) -> ServiceError:
        import time

        reset = self._limiter.get_window_stats(self._rates[name], name, who).reset_time
        return busy("too many requests", min(60.0, max(1.0, reset - time.time())), status=429)


def client_of(request: Request) -> str:
    """Return the address that a request came from."""
    return request.client.host if request.client is not None else "unknown"


async def authorize(request: Request, scope: str) -> Principal:
    """Return who asks. Raises ``ServiceError``: 401 without a right key, 403 for a scope it lacks, 429 for too many."""
    service: Service = request.app.state.service
    rates: Rates = request.app.state.rates
    client = client_of(request)
    if not await to_thread.run_sync(lambda: service.keys.are_needed):
        principal: Principal | None = LOCAL
    else:
        await_key = request.headers.get("authorization", "")
        kind, _, token = await_key.partition(" ")
        rates.check("failed", client)
        principal = (
            await to_thread.run_sync(service.keys.principal, token.strip()) if kind.lower() == "bearer" else None
        )
    if principal is None:
        rates.take("failed", client)
        raise ServiceError(
            401, "the key is missing or wrong", remedy="Send it as: Authorization: Bearer KEY", headers=CHALLENGE
        )
    if scope not in principal.scopes:
        await to_thread.run_sync(
            lambda: service.audit.note(
                request.method, request.url.path, f"403 lacks {scope}", client=client, principal=principal
            )
        )
        raise ServiceError(403, f"this key may not do this: it lacks the scope '{scope}'")
    rates.take(scope, principal.id or client)
    return principal


class GuardedRoute(APIRoute):
    """A route whose ``openapi_extra`` names the scope that it needs."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with the check before it."""
        handle = super().get_route_handler()
        scope = (self.openapi_extra or {})[SCOPE]

        async def guarded(request: Request) -> Response:
            request.state.principal = await authorize(request, scope)
            return await handle(request)

        return guarded


def needs(scope: str, **more: Any) -> dict[str, Any]:
    """Return the ``openapi_extra`` of a route that needs a scope."""
    return {SCOPE: scope, **more}
