"""Which ground each fixed camera looks at."""

import numpy as np
import shapely
from fastapi import APIRouter
from pydantic import BaseModel

from geometry import FixedCamera, FloorPlan, ground_footprint, position_of
from twin.service.asking import TheTwin
from twin.service.guard import GuardedRoute, needs

router = APIRouter(route_class=GuardedRoute, tags=["cameras"])

REACH_M = 30.0


class Footprint(BaseModel):
    """Where a camera hangs and looks, and the outline of the ground it shows, site metres, up to 30 m from it.

    towards: unit vector in the plan; ring: the outline's largest part, None where the camera shows no ground or its
    level is not in the plan
    """

    x: float
    y: float
    towards: tuple[float, float]
    level: str
    ring: list[tuple[float, float]] | None


class Footprints(BaseModel):
    """By the id of the camera."""

    footprints: dict[str, Footprint]


@router.get(
    "/v1/twins/{twin}/footprints",
    response_model=Footprints,
    summary="The ground that each camera looks at",
    openapi_extra=needs("query"),
)
def footprints(twin: TheTwin) -> Footprints:
    """Return the outline of each camera's image on its level; walls and pillars in the way are not looked at."""
    return Footprints(footprints={camera.id: footprint_of(camera, twin.plan) for camera in twin.cameras})


def footprint_of(camera: FixedCamera, plan: FloorPlan | None) -> Footprint:
    """Return the footprint of one camera, cut off at its level's outline."""
    pose = camera.pose()
    x, y, _ = position_of(pose).tolist()
    ahead = pose.rotation.matrix()[2, :2]
    length = float(np.linalg.norm(ahead))
    towards = (float(ahead[0] / length), float(ahead[1] / length)) if length > 1e-6 else (0.0, 0.0)
    levels = [] if plan is None else [level for level in plan.levels if level.id == camera.level]
    ring = None
    if levels:
        shown = ground_footprint(camera.camera(), pose, levels[0].elevation, reach_m=REACH_M)
        parts = [] if shown is None else shapely.get_parts(shown.intersection(levels[0].outline)).tolist()
        areas = [part for part in parts if part.geom_type == "Polygon" and not part.is_empty]
        if areas:
            largest = max(areas, key=lambda part: part.area)
            ring = [(round(px, 3), round(py, 3)) for px, py, *_ in largest.exterior.coords]
    return Footprint(x=x, y=y, towards=towards, level=camera.level, ring=ring)
