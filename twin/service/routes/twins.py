"""Which twins are served, and how a new version takes the place of an old one."""

import json
from pathlib import Path as FilePath
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Body, File, Request, UploadFile

from geometry import InputError, read_bounded
from twin.service.asking import TheService, TheTwin, principal_of
from twin.service.catalog import Served
from twin.service.guard import GuardedRoute, client_of, needs
from twin.service.localizing import OpenCall
from twin.service.models import PublishIn, TwinDetail, TwinName, Twins, TwinSummary, VersionAnswer, VersionName
from twin.service.problems import ServiceError
from twin.service.service import Service
from twin.service.uploads import unpack_twin

router = APIRouter(route_class=GuardedRoute, tags=["twins"])


@router.get("/v1/twins", response_model=Twins, summary="The twins that are served", openapi_extra=needs("query"))
def twins(service: TheService) -> Twins:
    """Return all twins."""
    names = service.catalog.names()
    return Twins(twins=[TwinSummary(**_summary(service.catalog.get(name))) for name in names])


@router.get("/v1/twins/{twin}", response_model=TwinDetail, summary="One twin", openapi_extra=needs("query"))
def one(service: TheService, twin: TheTwin) -> TwinDetail:
    """Return a twin's versions, its frame and how good it is."""
    return _detail(service, twin)


@router.post(
    "/v1/twins/{twin}/versions",
    response_model=VersionAnswer,
    status_code=201,
    summary="Upload a version",
    openapi_extra=needs("admin", **{"x-statuses": [409]}),
)
async def upload(
    request: Request,
    service: TheService,
    twin: TwinName,
    archive: Annotated[UploadFile, File(description="A zip of the twin's folder.")],
) -> VersionAnswer:
    """Store a version of a twin, known or new, after checking it; it is served once it is published."""
    assert service.pool is not None
    home = service.catalog.home(twin)
    limit = service.limits.unpacked_bytes
    try:
        version = await to_thread.run_sync(lambda: unpack_twin(archive.file, home, max_bytes=limit))
    except ServiceError:
        await to_thread.run_sync(service.catalog.leave, twin)
        raise
    try:
        content = await service.pool.run(OpenCall(twin=home / version))
    except ServiceError as error:
        await to_thread.run_sync(service.catalog.delete, twin, version)
        await to_thread.run_sync(service.catalog.leave, twin)
        raise ServiceError(422 if error.status == 503 and "twin" in error.what else error.status, error.what) from error
    await _note(request, service, "upload", f"{twin} {version}", "stored")
    return VersionAnswer(twin=twin, version=version, views=content["views"], landmarks=content["landmarks"])


@router.post(
    "/v1/twins/{twin}/publish",
    response_model=TwinDetail,
    summary="Serve a version",
    openapi_extra=needs("admin", **{"x-statuses": [409]}),
)
async def publish(
    request: Request, service: TheService, twin: TwinName, wanted: Annotated[PublishIn, Body()]
) -> TwinDetail:
    """Serve a stored version from now on, in one step; the one before can be had back."""
    served = await to_thread.run_sync(service.catalog.publish, twin, wanted.version, service.require_tasks)
    await to_thread.run_sync(service.reload)
    await _note(request, service, "publish", f"{twin} {served.version}", "serving")
    return await to_thread.run_sync(_detail, service, served)


@router.post(
    "/v1/twins/{twin}/rollback",
    response_model=TwinDetail,
    summary="Serve the version before",
    openapi_extra=needs("admin", **{"x-statuses": [409]}),
)
async def roll_back(request: Request, service: TheService, twin: TwinName) -> TwinDetail:
    """Serve the version that was served before this one."""
    served = await to_thread.run_sync(service.catalog.roll_back, twin, service.require_tasks)
    await to_thread.run_sync(service.reload)
    await _note(request, service, "roll back", f"{twin} {served.version}", "serving")
    return await to_thread.run_sync(_detail, service, served)


@router.delete(
    "/v1/twins/{twin}/versions/{version}",
    status_code=204,
    summary="Delete a version",
    openapi_extra=needs("admin", **{"x-statuses": [409]}),
)
async def delete(request: Request, service: TheService, twin: TwinName, version: VersionName) -> None:
    """Delete an uploaded version that is not served."""
    await to_thread.run_sync(service.catalog.delete, twin, version)
    await _note(request, service, "delete", f"{twin} {version}", "deleted")


async def _note(request: Request, service: Service, action: str, subject: str, outcome: str) -> None:
    principal, client = principal_of(request), client_of(request)
    await to_thread.run_sync(lambda: service.audit.note(action, subject, outcome, client=client, principal=principal))


def _summary(twin: Served) -> dict[str, Any]:
    manifest = twin.manifest
    return {
        "name": twin.name,
        "version": twin.version,
        "localizes": manifest is not None,
        "has_plan": twin.plan is not None,
        "cameras": len(twin.cameras),
        "georeference": None if manifest is None else manifest.georeference,
    }


def _detail(service: Service, twin: Served) -> TwinDetail:
    current, manifest = service.catalog.current(twin.name), twin.manifest
    return TwinDetail(
        **_summary(twin),
        versions=service.catalog.versions(twin.name),
        before=[] if current is None else current.before,
        created=None if manifest is None else manifest.created,
        frame=None if manifest is None else manifest.frame.model_dump(),
        quality=_quality(twin.folder / "quality.json"),
    )


def _quality(path: FilePath) -> dict[str, Any] | None:
    """Return what quality.json says, None where it is not there or, in an uploaded twin, not what it should be."""
    try:
        content = json.loads(read_bounded(path))
    except (InputError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
