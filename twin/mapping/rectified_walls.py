"""The faces of a plan's walls from straight ahead, above what parks before them: what textures are cut from.

A wall is rectified as a floor is, in a frame of its own: x along it to the right, y up, z out of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pycolmap
import shapely
from numpy.typing import NDArray

from geometry import FloorPlan, position_of
from geometry.floorplan import Level, Wall
from twin.layout import Ortho, OrthoOptions, RectifiedSurface, UnseenSurfaceError
from twin.mapping.meaning_stages import MeaningStages
from twin.mapping.rectified_levels import M_PER_PX, TILE_PX, USUAL_CEILING_M
from twin.photos import MapPhoto
from twin.progress import Progress

Array = NDArray[np.float64]

FROM_M = 1.25
"""Above the floor: lower parts are hidden by vehicles, other ones each day."""
LEAST_LENGTH_M = 1.0
MOST_DISTANCE_M, MOST_FOOTPRINT_M = 9.0, 0.12
"""Of photos that show a wall: metres before it, and what one of their pixels covers there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RectifiedWall:
    """One face of a wall: its orthophoto, a floor at 0 m in its own frame, and where that frame is."""

    surface: RectifiedSurface
    site_from_surface: pycolmap.Rigid3d


def rectify_walls(
    stages: MeaningStages, photos: Sequence[MapPhoto], plan: FloorPlan, on_progress: Progress
) -> list[RectifiedWall]:
    """Return the faces of all walls that some photo of their level shows from near by."""
    found = []
    for level in plan.levels:
        inside = [photo for photo in photos if _is_on(level, photo)]
        for wall in (each for each in plan.walls if each.level == level.id):
            for site_from_surface, length in _faces(wall, level):
                before = [
                    replace(photo, cam_from_site=photo.cam_from_site * site_from_surface) for photo in inside
                ]  # their poses in the wall's frame
                extent = shapely.box(0.0, 0.0, length, wall.height - FROM_M)
                options = OrthoOptions(
                    m_per_px=M_PER_PX, tile_px=TILE_PX, max_height=MOST_DISTANCE_M, max_footprint=MOST_FOOTPRINT_M
                )
                try:
                    ortho = stages.ortho(before, _flat, extent, options, on_progress)
                except UnseenSurfaceError:
                    continue
                surface = RectifiedSurface(ortho=_within(ortho, length, wall.height - FROM_M), height=_flat)
                found.append(RectifiedWall(surface=surface, site_from_surface=site_from_surface))
    return found


def _within(ortho: Ortho, width: float, height: float) -> Ortho:
    """Return an orthophoto, which is of whole tiles, without what lies beside a wall and below."""
    rows, columns = (slice(0, int(side / ortho.m_per_px)) for side in (height, width))
    return replace(
        ortho,
        pixels=ortho.pixels[rows, columns],
        views=ortho.views[rows, columns],
        spread=ortho.spread[rows, columns],
    )


def _flat(xy: Array) -> Array:
    return np.zeros(len(xy))


def _is_on(level: Level, photo: MapPhoto) -> bool:
    above = float(position_of(photo.cam_from_site)[2]) - level.elevation
    return 0.0 < above < (level.ceiling or USUAL_CEILING_M)


def _faces(wall: Wall, level: Level) -> Iterator[tuple[pycolmap.Rigid3d, float]]:
    """Yield the frames of both faces of each straight part of a wall, at its lower left corner, and the part's length.

    Parts that are too short, or lower than what parks, are left out.
    """
    if wall.height <= FROM_M:
        return
    for start, end in pairwise(shapely.get_coordinates(wall.line)):
        length = float(np.linalg.norm(end - start))
        if length < LEAST_LENGTH_M:
            continue
        for left, right in ((start, end), (end, start)):
            along = np.append((right - left) / length, 0.0)
            up = np.array([0.0, 0.0, 1.0])
            out = np.cross(along, up)
            corner = np.append(left, level.elevation + FROM_M) + 0.5 * wall.thickness * out
            turn = pycolmap.Rotation3d(np.column_stack([along, up, out]))
            yield pycolmap.Rigid3d(turn, corner), length
