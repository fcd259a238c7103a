"""The faces of a plan's walls from straight ahead, above what parks before them: what textures are cut from.

A wall is rectified as a floor is, in a frame of its own: x along it to the right, y up, z out of it.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pycolmap
import shapely
from numpy.typing import NDArray

from geometry import FloorPlan, InputError, position_of
from geometry.floorplan import Level
from twin.layout import Ortho, OrthoOptions, RectifiedSurface
from twin.mapping.meaning_stages import MeaningStages
from twin.mapping.rectified_levels import M_PER_PX, TILE_PX, USUAL_CEILING_M
from twin.photos import MapPhoto
from twin.progress import Progress
from twin.textures import PATCH_M

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

FROM_M = 1.25
"""Above the floor: lower parts are hidden by vehicles, other ones each day."""
MOST_FACES = 2000
"""Of a plan, the longest."""
NEAREST_M, MOST_DISTANCE_M, MOST_FOOTPRINT_M = 0.4, 9.0, 0.12
"""Of photos that show a wall: metres before it and beside its ends, and what one of their pixels covers there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RectifiedWall:
    """One face of a wall: its orthophoto, a floor at 0 m in its own frame, and where that frame is."""

    surface: RectifiedSurface
    site_from_surface: pycolmap.Rigid3d


@dataclass(frozen=True, kw_only=True, eq=False)
class _Face:
    """A straight part of a wall from one side: its frame, at its lower left corner, and its size in metres."""

    site_from_surface: pycolmap.Rigid3d
    length: float
    height: float


def rectify_walls(
    stages: MeaningStages, photos: Sequence[MapPhoto], plan: FloorPlan, on_progress: Progress
) -> list[RectifiedWall]:
    """Return the faces of all walls that some photo of their level shows from near by."""
    of_levels = [(face, level) for level in plan.levels for face in _faces(plan, level)]
    if len(of_levels) > MOST_FACES:
        logger.warning("%d faces of walls: the longest %d are looked at", len(of_levels), MOST_FACES)
        of_levels = sorted(of_levels, key=lambda one: -one[0].length)[:MOST_FACES]
    inside = {
        level.id: [each for each in photos if each.is_over(level.elevation, level.ceiling or USUAL_CEILING_M)]
        for level in plan.levels
    }
    found = (_rectified(stages, inside[level.id], face, on_progress) for face, level in of_levels)
    return [wall for wall in found if wall is not None]


def _faces(plan: FloorPlan, level: Level) -> Iterator[_Face]:
    """Yield both faces of each straight part of a level's walls; those that no patch fits on are left out."""
    for wall in plan.walls:
        height = min(wall.height, level.ceiling or USUAL_CEILING_M) - FROM_M
        if wall.level != level.id or height < PATCH_M:
            continue
        for start, end in pairwise(shapely.get_coordinates(wall.line)):
            length = float(np.linalg.norm(end - start))
            if length < PATCH_M:
                continue
            for left, right in ((start, end), (end, start)):
                along, up = np.append((right - left) / length, 0.0), np.array([0.0, 0.0, 1.0])
                out = np.cross(along, up)
                corner = np.append(left, level.elevation + FROM_M) + 0.5 * wall.thickness * out
                turn = pycolmap.Rotation3d(np.column_stack([along, up, out]))
                yield _Face(site_from_surface=pycolmap.Rigid3d(turn, corner), length=length, height=height)


def _rectified(
    stages: MeaningStages, photos: Sequence[MapPhoto], face: _Face, on_progress: Progress
) -> RectifiedWall | None:
    """Return a face, None where no photo shows it, or where it is too large to be a wall."""
    turned = [replace(photo, cam_from_site=photo.cam_from_site * face.site_from_surface) for photo in photos]
    before = [photo for photo in turned if _is_before(face, position_of(photo.cam_from_site))]
    options = OrthoOptions(
        m_per_px=M_PER_PX,
        tile_px=TILE_PX,
        min_height=NEAREST_M,
        max_height=MOST_DISTANCE_M,
        max_footprint=MOST_FOOTPRINT_M,
    )
    try:
        ortho = stages.ortho(before, _flat, shapely.box(0.0, 0.0, face.length, face.height), options, on_progress)
    except InputError as error:
        logger.debug("a wall is left out: %s", error)
        return None
    surface = RectifiedSurface(ortho=_within(ortho, face), height=_flat)
    return RectifiedWall(surface=surface, site_from_surface=face.site_from_surface)


def _is_before(face: _Face, at: Array) -> bool:
    """Tell whether a photo, at (3,) in a face's frame, is near enough before it."""
    beside = max(-at[0], at[0] - face.length)
    return bool(NEAREST_M <= at[2] <= MOST_DISTANCE_M and beside <= MOST_DISTANCE_M)


def _within(ortho: Ortho, face: _Face) -> Ortho:
    """Return an orthophoto, which is of whole tiles, without what lies beside a wall and below."""
    rows, columns = (slice(0, int(side / ortho.m_per_px + 1e-6)) for side in (face.height, face.length))
    return replace(
        ortho,
        pixels=ortho.pixels[rows, columns],
        views=ortho.views[rows, columns],
        spread=ortho.spread[rows, columns],
    )


def _flat(xy: Array) -> Array:
    return np.zeros(len(xy))
