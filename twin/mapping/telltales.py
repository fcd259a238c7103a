"""Where levels of a map differ that look alike elsewhere: floors and ceilings rectified and compared, signs that name
a level looked at."""

from collections.abc import Callable, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry import DegenerateError, FloorPlan, Floors, ceiling_heights
from geometry.floorplan import Level
from twin.landmarks import Landmarks
from twin.layout import OrthoOptions
from twin.level_names import LevelNames
from twin.mapping.meaning_stages import MeaningStages
from twin.photos import MapPhoto
from twin.progress import Progress
from twin.signs import SignLandmark
from twin.telltales import LevelSurface, Telltale, telltale_signs, telltale_spots

Array = NDArray[np.float64]
Height = Callable[[Array], Array]

M_PER_PX, TILE_PX = 0.04, 64
USUAL_CEILING_M = 3.0


def find_telltales(
    stages: MeaningStages,
    photos: Sequence[MapPhoto],
    floors: Floors,
    plan: FloorPlan,
    landmarks: Landmarks,
    signs: Sequence[SignLandmark],
    on_progress: Progress,
) -> tuple[Telltale, ...]:
    """Return where the levels of a plan, lowest first, differ; ceilings that it does not know are those of the map.

    Raises ``DegenerateError`` where there is one level, or one that the map does not show.
    """
    over = dict(zip((level.name for level in floors.levels), ceiling_heights(landmarks.points, floors), strict=True))
    levels = [
        level if level.ceiling else level.model_copy(update={"ceiling": over.get(level.id)})
        for level in sorted(plan.levels, key=lambda level: level.elevation)
    ]
    shown = [level.name for level in floors.levels]
    if len(levels) < 2 or any(level.id not in shown for level in levels):
        raise DegenerateError("levels are compared where there are two or more, and the map shows each")
    common = shapely.intersection_all([level.outline for level in levels])
    if common.area <= 0:
        raise DegenerateError("the levels do not lie over each other, so that no place of one is to be compared")
    extent = shapely.box(*common.bounds)
    found: list[Telltale] = []
    for kind in ("floor", "ceiling"):
        if kind == "ceiling" and any(level.ceiling is None for level in levels):
            continue
        surfaces = [_surface(stages, photos, floors, level, kind, extent, on_progress) for level in levels]
        stalls = [stall.polygon for stall in plan.stalls] if kind == "floor" else []
        found += telltale_spots(kind, surfaces, stalls)
    names = LevelNames(levels, signs)
    naming = [sign for sign in signs if sign.kind in ("board", "lettering") and names.names_one(sign.text)]
    ceilings = [level.ceiling or USUAL_CEILING_M for level in levels]
    return (*found, *telltale_signs(naming, [level.elevation for level in levels], ceilings, photos))


def _surface(
    stages: MeaningStages,
    photos: Sequence[MapPhoto],
    floors: Floors,
    level: Level,
    kind: str,
    extent: shapely.Polygon,
    on_progress: Progress,
) -> LevelSurface:
    index = [each.name for each in floors.levels].index(level.id)
    rise = (level.ceiling or 0.0) if kind == "ceiling" else 0.0

    def height(xy: Array) -> Array:
        return np.asarray(floors.height(xy, index)[0] + rise)

    options = OrthoOptions(
        m_per_px=M_PER_PX,
        tile_px=TILE_PX,
        max_height=level.ceiling or USUAL_CEILING_M,
        from_below=kind == "ceiling",
    )
    return LevelSurface(ortho=stages.ortho(photos, height, extent, options, on_progress), height=height)
