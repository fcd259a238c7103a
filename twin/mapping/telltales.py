"""Where levels of a map differ that look alike elsewhere: floors and ceilings compared, signs that name a level looked
at."""

from collections.abc import Sequence

import shapely

from geometry import DegenerateError, FloorPlan
from twin.level_names import LevelNames
from twin.mapping.rectified_levels import USUAL_CEILING_M, RectifiedLevel
from twin.photos import MapPhoto
from twin.signs import SignLandmark, with_planned
from twin.telltales import Telltale, telltale_signs, telltale_spots


def find_telltales(
    rectified: Sequence[RectifiedLevel], plan: FloorPlan, signs: Sequence[SignLandmark], photos: Sequence[MapPhoto]
) -> tuple[Telltale, ...]:
    """Return where the levels of a plan, lowest first, differ.

    Raises ``DegenerateError`` where there is one level, or one that the map does not show.
    """
    floors = [each.floor for each in rectified if each.floor is not None]
    if len(rectified) < 2 or len(floors) < len(rectified):
        raise DegenerateError("levels are compared where there are two or more, and the map shows each")
    levels = [each.level for each in rectified]
    if shapely.intersection_all([level.outline for level in levels]).area <= 0:
        raise DegenerateError("the levels do not lie over each other, so that no place of one is to be compared")
    found = telltale_spots("floor", floors, [stall.polygon for stall in plan.stalls])
    ceilings = [each.ceiling for each in rectified if each.ceiling is not None]
    if len(ceilings) == len(rectified):
        found += telltale_spots("ceiling", ceilings)
    known = with_planned(signs, plan.signs)
    names = LevelNames(levels, known)
    naming = [sign for sign in known if sign.kind in ("board", "lettering") and names.names_one(sign.text)]
    rises = [level.ceiling or USUAL_CEILING_M for level in levels]
    elevations = [level.elevation for level in levels]
    return (*found, *telltale_signs(naming, names.telling_letters, elevations, rises, photos))
