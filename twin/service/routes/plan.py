"""The floor plan as GeoJSON."""

import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from geometry import write_plan_geojson
from twin.service.asking import TheService, TheTwin
from twin.service.guard import GuardedRoute, needs
from twin.service.problems import ServiceError

router = APIRouter(route_class=GuardedRoute, tags=["plan"])
GEOJSON = {"type": "object", "required": ["type", "features"], "properties": {"type": {"const": "FeatureCollection"}}}


@router.get(
    "/v1/twins/{twin}/plan",
    response_class=Response,
    responses={200: {"content": {"application/geo+json": {"schema": GEOJSON}}, "description": "The plan."}},
    summary="The plan as GeoJSON",
    openapi_extra=needs("query", **{"x-statuses": [409]}),
)
def plan(
    service: TheService,
    twin: TheTwin,
    frame: Annotated[
        Literal["site", "wgs84"], Query(description="Site metres, or degrees of longitude and latitude.")
    ] = "site",
) -> Any:
    """Return levels, stalls, lanes, walls and all else as features."""
    if twin.plan is None:
        raise ServiceError(409, f"twin '{twin.name}' has no plan")
    if frame == "wgs84" and twin.georeference is None:
        raise ServiceError(409, f"twin '{twin.name}' has no georeference", remedy="Ask for frame=site.")
    with tempfile.TemporaryDirectory(dir=service.uploads) as folder:
        path = Path(folder) / "plan.geojson"
        write_plan_geojson(path, twin.plan, georeference=twin.georeference if frame == "wgs84" else None)
        return Response(path.read_bytes(), media_type="application/geo+json")
