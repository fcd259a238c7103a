"""What went wrong, as application/problem+json (RFC 9457); never a stack trace."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from geometry.errors import ImageError, InputError, TiepointError, TwinError
from twin.live.ingest import FullError
from twin.service.logs import request_id

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "The request can't be read",
    401: "A key is needed",
    403: "Not allowed",
    404: "Not found",
    405: "Not allowed here",
    408: "The request took too long",
    409: "Not possible as things are",
    413: "Too large",
    415: "Not of a kind that is read",
    422: "The content is wrong",
    429: "Too many requests",
    500: "Something went wrong here",
    503: "Too busy",
    504: "It took too long",
}


class Problem(BaseModel):
    """What is wrong, and what to do about it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    remedy: str | None = None
    request_id: str


class ServiceError(TiepointError):
    """A request can't be answered; ``status`` is HTTP's."""

    def __init__(
        self,
        status: int,
        what: str,
        *,
        where: str | None = None,
        remedy: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.status, self.headers = status, headers or {}


def busy(what: str, retry_after_s: float, status: int = 503) -> ServiceError:
    """Return the refusal of one request more than can be served."""
    seconds = max(1, round(retry_after_s))
    remedy = f"Try again in {seconds} s."
    return ServiceError(status, what, remedy=remedy, headers={"Retry-After": str(seconds)})


def response(status: int, detail: str, remedy: str | None = None, headers: Any = None) -> Response:
    """Return a problem as a response."""
    problem = Problem(
        title=TITLES.get(status, "Not possible"),
        status=status,
        detail=detail,
        remedy=remedy,
        request_id=request_id.get(),
    )
    content = problem.model_dump(exclude_none=True)
    return JSONResponse(content, status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def of_validation(error: ValidationError) -> ServiceError:
    """Return what is wrong with a body, by its first error."""
    return ServiceError(422, *_first(list(error.errors(include_url=False, include_context=False))))


def install(app: FastAPI) -> None:
    """Let every error of the app become a problem."""

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return response(error.status_code, str(error.detail), headers=error.headers)

    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return response(422, *_first(list(error.errors())))

    async def on_tiepoint(request: Request, error: Exception) -> Response:
        assert isinstance(error, TiepointError)
        if isinstance(error, FullError):
            error = busy(error.what, error.retry_after_s)
        if isinstance(error, ServiceError):
            return response(error.status, _detail(error), error.remedy, error.headers)
        if isinstance(error, ImageError | InputError):
            return response(422, _detail(error), error.remedy)
        logger.error("a request failed: %s", error)
        if isinstance(error, TwinError):
            return response(503, "the twin can't be used at the moment", headers={"Retry-After": "30"})
        return response(500, "it was logged under this request's id")

    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(TiepointError, on_tiepoint)


def _detail(error: TiepointError) -> str:
    """Return what is wrong and where, of a file its name alone: where it lies here is nobody's business."""
    where = (error.where or "").rpartition("/")[2]
    return f"{where}: {error.what}" if where else error.what


def _first(errors: list[Any]) -> tuple[str]:
    if not errors:
        return ("the content is wrong",)
    first = errors[0]
    place = ".".join(str(part) for part in first.get("loc", ()))
    message = str(first.get("msg", "")).removeprefix("Value error, ")
    return (f"{place}: {message}"[:500] if place else message[:500],)
