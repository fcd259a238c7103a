"""One request, made again while the service is busy or away."""

from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from twin.client.errors import RefusedError, UnreachableError

AGAIN = (408, 429, 502, 503, 504)
LONGEST_WAIT_S = 10.0


class _AgainError(Exception):
    """Make it again, after ``after_s`` where the service said so."""

    def __init__(self, refusal: Exception, after_s: float | None = None) -> None:
        super().__init__(str(refusal))
        self.refusal, self.after_s = refusal, after_s


class Asking:
    """Makes requests with a client's connections."""

    def __init__(self, http: httpx.Client, patience_s: float) -> None:
        self._http, self.patience_s = http, patience_s
        self._backing_off = wait_random_exponential(0.2, LONGEST_WAIT_S)

    def __call__(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Return the response of a request that may be made again."""
        again = Retrying(
            retry=retry_if_exception_type(_AgainError),
            stop=stop_after_delay(self.patience_s),
            wait=self._wait,
            reraise=True,
        )
        try:
            return again(self._try, method, path, **request)
        except _AgainError as error:
            raise error.refusal from error

    def once(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Return the response of a request that is made once."""
        try:
            return self._try(method, path, **request)
        except _AgainError as error:
            raise error.refusal from error

    def _try(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **request)
        except httpx.TransportError as error:
            what = f"it does not answer ({error})"
            raise _AgainError(
                UnreachableError(what, where=str(self._http.base_url), remedy="Is it running?")
            ) from error
        if response.is_success:
            return response
        refusal = refused(response)
        if response.status_code in AGAIN:
            after = response.headers.get("retry-after", "")
            raise _AgainError(refusal, float(after) if after.isdigit() else None)
        raise refusal

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.after_s if isinstance(error, _AgainError) else None
        return self._backing_off(state) if asked is None else min(asked, LONGEST_WAIT_S)


def refused(response: httpx.Response) -> RefusedError:
    """Return what a response that is no success says."""
    try:
        content = response.json()
        what, remedy = str(content["detail"]), content.get("remedy")
    except (ValueError, KeyError, TypeError):
        what, remedy = response.text[:300] or response.reason_phrase, None
    return RefusedError(response.status_code, what, remedy, response.headers.get("x-request-id"))
