"""Textures of a map: patches of all its floors and ceilings."""

from collections.abc import Sequence

from geometry import DegenerateError
from twin.mapping.rectified_levels import RectifiedLevel
from twin.textures import Textures, cut_textures


def find_textures(rectified: Sequence[RectifiedLevel]) -> Textures:
    """Return the patches of all levels. Raises ``DegenerateError`` where none has any contrast."""
    parts = [
        cut_textures(surface, faces_up=faces_up)
        for each in rectified
        for faces_up, surface in ((True, each.floor), (False, each.ceiling))
        if surface is not None
    ]
    if not any(map(len, parts)):
        raise DegenerateError("floors and ceilings show no texture, or too few photos agree on it")
    return Textures.joined(parts)
