"""Floors and ceilings of all levels from straight ahead, on one grid, finer than painted lines need and coarser than
these are drawn: what telltales and textures are found on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry import DegenerateError, Floors, ceiling_heights
from geometry.floorplan import Level
from twin.landmarks import Landmarks
from twin.layout import OrthoOptions, RectifiedSurface, UnseenSurfaceError
from twin.mapping.meaning_stages import MeaningStages
from twin.photos import MapPhoto
from twin.progress import Progress

Array = NDArray[np.float64]

M_PER_PX, TILE_PX = 0.04, 64
USUAL_CEILING_M = 3.0


@dataclass(frozen=True, kw_only=True, eq=False)
class RectifiedLevel:
    """A level and what the map shows of its floor and ceiling; None where it shows none, or no height is known."""

    level: Level
    floor: RectifiedSurface | None
    ceiling: RectifiedSurface | None


def rectify_levels(
    stages: MeaningStages,
    photos: Sequence[MapPhoto],
    floors: Floors,
    levels: Sequence[Level],
    landmarks: Landmarks,
    on_progress: Progress,
) -> list[RectifiedLevel]:
    """Return all levels, lowest first; ceilings that a plan does not know are those of the map.

    Raises ``DegenerateError`` where the map shows none of the levels, and ``InputError`` where they are too large.
    """
    over = dict(zip((level.name for level in floors.levels), ceiling_heights(landmarks.points, floors), strict=True))
    shown = [level for level in levels if level.id in over]
    if not shown:
        raise DegenerateError("the map shows none of the levels")
    extent = shapely.box(*shapely.union_all([level.outline for level in shown]).bounds)
    found = []
    for each in sorted(levels, key=lambda level: level.elevation):
        level = each if each.ceiling else each.model_copy(update={"ceiling": over.get(each.id)})
        floor = ceiling = None
        if level.id in over:
            index = [surface.name for surface in floors.levels].index(level.id)
            floor = _rectified(stages, photos, _raised(floors, index, 0.0), level, extent, on_progress)
            if level.ceiling is not None:
                over_it = _raised(floors, index, level.ceiling)
                ceiling = _rectified(stages, photos, over_it, level, extent, on_progress, from_below=True)
        found.append(RectifiedLevel(level=level, floor=floor, ceiling=ceiling))
    return found


def _raised(floors: Floors, index: int, rise: float) -> Callable[[Array], Array]:
    return lambda xy: np.asarray(floors.height(xy, index)[0] + rise)


def _rectified(
    stages: MeaningStages,
    photos: Sequence[MapPhoto],
    height: Callable[[Array], Array],
    level: Level,
    extent: shapely.Polygon,
    on_progress: Progress,
    *,
    from_below: bool = False,
) -> RectifiedSurface | None:
    """Return a surface, None where no photo shows it."""
    options = OrthoOptions(
        m_per_px=M_PER_PX, tile_px=TILE_PX, max_height=level.ceiling or USUAL_CEILING_M, from_below=from_below
    )
    try:
        return RectifiedSurface(ortho=stages.ortho(photos, height, extent, options, on_progress), height=height)
    except UnseenSurfaceError:
        return None
