"""Where was this photo taken?"""

from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, File, Form, Request, UploadFile

from twin.hints import Hint
from twin.localization import Localization
from twin.service.asking import TheService, TheTwin, numbers
from twin.service.catalog import Served
from twin.service.geopose import in_site, matches_of, with_geopose
from twin.service.guard import GuardedRoute, needs
from twin.service.localizing import Intrinsics, LocalizeCall
from twin.service.models import NUMBER, PLAIN, LocalizeAnswer
from twin.service.photos import stored_photo
from twin.service.problems import ServiceError

router = APIRouter(route_class=GuardedRoute, tags=["localize"])

Model = Literal[
    "SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "OPENCV_FISHEYE", "FULL_OPENCV",
    "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE", "THIN_PRISM_FISHEYE",
]  # fmt: skip
PARAMS = rf"^{NUMBER}([ ,]{NUMBER}){{2,11}}$"
NEAR = rf"^{NUMBER}(,{NUMBER}){{2}},\d{{1,4}}\.?\d{{0,3}}$"
NEAR_WGS84 = rf"^-?[0-8]?\d(\.\d{{1,12}})?,-?(1[0-7]\d|\d?\d)(\.\d{{1,12}})?(,{NUMBER})?,\d{{1,4}}\.?\d{{0,3}}$"
MIN_SIGMA_M = 0.01


@router.post(
    "/v1/twins/{twin}/localize",
    response_model=LocalizeAnswer,
    response_model_exclude_none=True,
    summary="Where photos were taken",
    openapi_extra=needs("query"),
)
async def localize(
    request: Request,
    service: TheService,
    twin: TheTwin,
    images: Annotated[list[UploadFile], File(min_length=1, max_length=8, description="JPEG, PNG, WebP, TIFF or BMP.")],
    model: Annotated[Model | None, Form(description="Lens, as COLMAP names it; without it EXIF tells.")] = None,
    width: Annotated[
        int | None, Form(ge=1, le=100_000, description="Of the pictures that the lens is given for.")
    ] = None,
    height: Annotated[int | None, Form(ge=1, le=100_000)] = None,
    params: Annotated[str | None, Form(pattern=PARAMS, max_length=300, examples=["512.5 512.5 320 240"])] = None,
    near: Annotated[
        str | None, Form(pattern=NEAR, description="x,y,z,sigma: about where, site metres.", examples=["12,30,1.5,10"])
    ] = None,
    near_wgs84: Annotated[
        str | None, Form(pattern=NEAR_WGS84, description="lat,lon,sigma_m or lat,lon,height,sigma_m.")
    ] = None,
    matches: Annotated[bool, Form(description="Say which pixels show which landmarks.")] = False,
    level: Annotated[str | None, Form(min_length=1, max_length=200, pattern=PLAIN, description="A level's id.")] = None,
    heading_deg: Annotated[
        float | None,
        Form(ge=-360, le=360, allow_inf_nan=False, description="The camera looks there, clockwise from site +y."),
    ] = None,
) -> LocalizeAnswer:
    """Answer with a pose and its covariance, or a refusal and its reason, for each photo.

    A refusal is an answer (200). Hints decide between places that look alike; a photo that contradicts them is refused.
    """
    if twin.manifest is None:
        raise ServiceError(409, f"twin '{twin.name}' has no map, so that no photo can be placed in it")
    lens = _lens(model, width, height, params)
    hint = _hint(twin, near, near_wgs84, level, heading_deg)
    assert service.pool is not None
    with ExitStack() as stack:
        photos = []
        for number, upload in enumerate(images):
            name = _name(upload.filename, number)
            path = await to_thread.run_sync(stored_photo, upload, name, service.uploads, service.limits, stack)
            photos.append((name, path))
        _check_names([name for name, _ in photos])

        async def is_wanted() -> bool:
            return not await request.is_disconnected()

        service.metrics.waiting.set(service.pool.waiting)
        call = LocalizeCall(twin=twin.folder, photos=tuple(photos), lens=lens, hint=hint, matches=matches)
        answers: list[tuple[Localization, Any]] = await service.pool.run(call, is_wanted)
    for answer, _ in answers:
        service.metrics.localizations.labels(twin.name, answer.status).inc()
    return LocalizeAnswer(
        twin=twin.name,
        version=twin.version,
        localizations=[
            with_geopose(answer, twin.georeference).model_copy(update={"matches": matches_of(found)})
            for answer, found in answers
        ],
    )


def _lens(model: str | None, width: int | None, height: int | None, params: str | None) -> Intrinsics | None:
    given = [each is not None for each in (model, width, height, params)]
    if not any(given):
        return None
    if not all(given):
        raise ServiceError(422, "a lens is its model, width, height and params", remedy="Give all four or none.")
    assert model is not None
    assert width is not None
    assert height is not None
    assert params is not None
    return Intrinsics(
        model=model, width=width, height=height, params=tuple(float(n) for n in params.replace(",", " ").split())
    )


def _hint(
    twin: Served, near: str | None, near_wgs84: str | None, level: str | None, heading_deg: float | None
) -> Hint | None:
    if near is not None and near_wgs84 is not None:
        raise ServiceError(422, "near is given twice", remedy="Give it in site metres or in WGS84.")
    if (near or near_wgs84 or heading_deg is not None) and twin.manifest and not twin.manifest.frame.metric:
        raise ServiceError(409, "the twin's frame is not the site's, so that hints mean nothing in it")
    fields: dict[str, Any] = {"level": level, "heading_deg": heading_deg}
    if near is not None:
        x, y, z, sigma = numbers(near) or ()
        fields |= {"position": (x, y, z), "sigma_m": max(sigma, MIN_SIGMA_M)}
    if near_wgs84 is not None:
        if twin.georeference is None:
            raise ServiceError(409, "the twin has no georeference", remedy="Give near in site metres.")
        latitude, longitude, *height, sigma = numbers(near_wgs84) or ()
        position = in_site(twin.georeference, latitude, longitude, height[0] if height else None)
        fields |= {"position": position, "sigma_m": max(sigma, MIN_SIGMA_M)}
    if level is not None:
        known = [] if twin.plan is None else [each.id for each in twin.plan.levels]
        if level not in known:
            raise ServiceError(409, f"there is no level '{level}'", remedy=f"Known: {', '.join(known) or 'none'}.")
    hint = Hint(**fields)
    return None if hint.is_empty else hint


def _name(given: str | None, number: int) -> str:
    """Return what to call a photo: the last part of the name it came with, which is never used as a path."""
    last = PurePosixPath((given or "").replace("\\", "/")).name
    plain = "".join(letter for letter in last if letter.isprintable())[:100]
    return plain or f"image-{number}"


def _check_names(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ServiceError(422, f"two photos are called '{name}'", remedy="Name the parts differently.")
