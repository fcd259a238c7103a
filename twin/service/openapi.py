"""The OpenAPI document as the service really is: problems as their own media type, keys, bodies read by hand."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from geometry import MissingExtraError
from twin.service.guard import SCOPE
from twin.service.problems import MEDIA_TYPE, TITLES, Problem

REF = "#/components/schemas/{model}"
ALWAYS = (401, 403, 422, 429, 500, 503)
HEADERS = {
    "X-Request-Id": {"description": "The request's id, as in the log.", "required": True, "schema": {"type": "string"}}
}
RETRY = {"Retry-After": {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer"}}}
PICTURES = "image/jpeg, image/png, image/webp, image/tiff, image/bmp"
PARTS = {
    "localize": ("images", PICTURES),
    "image": ("image", PICTURES),
    "frame": ("image", PICTURES),
    "versions": ("archive", "application/zip"),
}
"""By the end of a path, the part of its form that is a file, and what kinds of files it may be."""
_READ_BY_HAND: dict[str, type[BaseModel]] = {"Problem": Problem}


def body(model: type[BaseModel], media_type: str = "application/json") -> dict[str, Any]:
    """Return the description of a body that a route reads and checks by itself."""
    _READ_BY_HAND[model.__name__] = model
    schema = {"$ref": REF.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the document; it is made once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        _, extra = models_json_schema([(model, "validation") for model in _READ_BY_HAND.values()], ref_template=REF)
        components = schema.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        schemas |= extra["$defs"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}}
        for path, methods in schema["paths"].items():
            for operation in methods.values():
                _finish(path, operation)
        app.openapi_schema = schema
    return app.openapi_schema


def _finish(path: str, operation: dict[str, Any]) -> None:
    scope = operation.pop(SCOPE, None)
    statuses = set(operation.pop("x-statuses", ()))
    if scope is not None:
        operation["security"] = [{"key": []}]
        operation["description"] = f"{operation.get('description', '')}\n\nScope: `{scope}`.".strip()
        statuses |= {*ALWAYS, *({404} if "{" in path else ())}
    if "requestBody" in operation:
        statuses |= {400, 408, 413, 415}
        form = operation["requestBody"]["content"].get("multipart/form-data")
        if form is not None:
            name, kind = PARTS[path.rpartition("/")[2]]
            form["encoding"] = {name: {"contentType": kind}}
    for answer in operation["responses"].values():
        answer.setdefault("headers", {}).update(HEADERS)
    operation["responses"].pop("422", None)
    for status in sorted(statuses):
        operation["responses"][str(status)] = {
            "description": TITLES[status],
            "headers": {**HEADERS, **(RETRY if status in (429,) else {})},
            "content": {MEDIA_TYPE: {"schema": {"$ref": REF.format(model="Problem")}}},
        }


def require_extra() -> None:
    """Raise ``MissingExtraError`` where what the service is built on is not installed."""
    from importlib.util import find_spec

    packages = {
        "fastapi": "fastapi", "uvicorn": "uvicorn", "sqlalchemy": "sqlalchemy", "alembic": "alembic",
        "prometheus_client": "prometheus-client", "limits": "limits", "python_multipart": "python-multipart",
    }  # fmt: skip
    for module, package in packages.items():
        if find_spec(module) is None:
            raise MissingExtraError(package, "pip install 'tiepoint[serve]'")
