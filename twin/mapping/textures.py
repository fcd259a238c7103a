"""Textures of a map: patches of all its floors, ceilings and walls."""

from collections.abc import Sequence

from geometry import DegenerateError
from twin.mapping.rectified_levels import RectifiedLevel
from twin.mapping.rectified_walls import RectifiedWall
from twin.textures import Textures, cut_textures, without_paint


def find_textures(levels: Sequence[RectifiedLevel], walls: Sequence[RectifiedWall] = ()) -> Textures:
    """Return the patches of all levels and walls. Raises ``DegenerateError`` where none has any contrast."""
    parts = [
        cut_textures(surface, from_below=from_below)
        for each in levels
        for from_below, surface in ((False, each.floor), (True, each.ceiling))
        if surface is not None
    ]
    parts += [cut_textures(each.surface, site_from_surface=each.site_from_surface) for each in walls]
    if not any(map(len, parts)):
        raise DegenerateError("floors, ceilings and walls show no texture, or too few photos agree on it")
    return without_paint(Textures.joined(parts))
