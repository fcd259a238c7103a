"""A floor plan in another frame or another unit."""

from typing import Any

import numpy as np
import pycolmap
import shapely
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from geometry.errors import InputError
from geometry.floorplan import FloorPlan
from geometry.frames import pose_from_matrix

MAX_TILT = 1e-6


def transform_plan(plan: FloorPlan, site_from_plan: pycolmap.Rigid3d) -> FloorPlan:
    """Return a plan in site. Raises ``InputError`` for a transform that tilts it."""
    matrix = site_from_plan.matrix()
    if abs(matrix[2, 2] - 1.0) > MAX_TILT:
        raise InputError("a plan can't be tilted", remedy="Give a turn about z and a shift.")
    up = float(matrix[2, 3])

    def moved(geometry: Any) -> Any:
        return shapely.transform(geometry, lambda xy: xy @ matrix[:2, :2].T + matrix[:2, 3])

    changes: dict[str, Any] = {}
    for kind in ("levels", "ramps", "stalls", "lanes", "walls", "pillars", "zones", "gates", "exclusions"):
        shape = {"levels": "outline", "lanes": "line", "walls": "line", "gates": "line"}.get(kind, "polygon")
        changes[kind] = tuple(
            element.model_copy(update={shape: moved(getattr(element, shape))}) for element in getattr(plan, kind)
        )
    changes["levels"] = tuple(
        level.model_copy(update={"elevation": level.elevation + up}) for level in changes["levels"]
    )
    changes["ramps"] = tuple(
        ramp.model_copy(update={"profile": tuple((s, z + up) for s, z in ramp.profile)}) for ramp in changes["ramps"]
    )
    changes["signs"] = tuple(
        sign.model_copy(
            update={
                "position": shapely.Point(site_from_plan * shapely.get_coordinates(sign.position, include_z=True)[0]),
                "normal": tuple((matrix[:3, :3] @ np.array(sign.normal)).tolist()),
            }
        )
        for sign in plan.signs
    )
    return plan.model_copy(update=changes)


def scaled_plan(plan: FloorPlan, factor: float) -> FloorPlan:
    """Return a plan with the lengths that a fit looks at multiplied by a factor: what a change of units does."""

    def scaled(geometry: Any) -> Any:
        return shapely.transform(geometry, lambda xy: factor * xy)

    levels = [
        level.model_copy(update={"outline": scaled(level.outline), "elevation": factor * level.elevation})
        for level in plan.levels
    ]
    walls = [
        wall.model_copy(
            update={
                "line": scaled(wall.line),
                "height": factor * wall.height,
                "thickness": factor * wall.thickness,
            }
        )
        for wall in plan.walls
    ]
    polygons = {
        kind: tuple(element.model_copy(update={"polygon": scaled(element.polygon)}) for element in getattr(plan, kind))
        for kind in ("stalls", "pillars", "exclusions")
    }
    return plan.model_copy(update={"levels": tuple(levels), "walls": tuple(walls), **polygons})


def rigid_from_plane(yaw: float, shift: ArrayLike, z: float) -> pycolmap.Rigid3d:
    """Return the transform of a turn about z, a shift (2,) in the plane and one in height."""
    turn = Rotation.from_rotvec([0.0, 0.0, yaw]).as_matrix()
    return pose_from_matrix(turn, np.append(np.asarray(shift, dtype=np.float64), z))
