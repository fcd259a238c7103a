"""Textures by name: the same surface of look-alike levels has one texture, every other has its own seed."""

import hashlib
from collections.abc import Callable

import numpy as np

from scenes.facility import Level
from scenes.rendering.shapes import Texture

FLOOR, WALL, CEILING, PRINT = 0.75, 1.0, 0.42, 2.2
"""Texels a metre against ``Facility.px_per_m``: print is looked at from near, ceilings from afar."""


class TextureBook:
    """Makes textures once and seeds them by what they are on.

    A texture's seed comes from the facility's seed, the level's look and the surface's place on it, never from the
    level itself: so levels of one look share their textures, as the same objects.
    """

    def __init__(self, seed: int, px_per_m: float) -> None:
        """Begin an empty book; ``px_per_m`` is the resolution of walls."""
        self._seed, self._px_per_m = seed, px_per_m
        self._pages: dict[tuple[str, str], Texture] = {}

    def px_per_m(self, share: float) -> float:
        """Return the resolution of surfaces that need ``share`` of a wall's."""
        return self._px_per_m * share

    def rng(self, level: Level, *place: object) -> np.random.Generator:
        """Return the generator of a surface at ``place``: words and positions within its level."""
        words = repr((self._seed, level.look or level.id, *(_plain(part) for part in place)))
        digest = hashlib.sha256(words.encode()).digest()
        return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))

    def texture(
        self, level: Level, place: tuple[object, ...], content: object, make: Callable[[np.random.Generator], Texture]
    ) -> Texture:
        """Return the texture at ``place`` that shows ``content``; ``make`` draws it if it is not in the book yet.

        ``content`` is everything besides the place that ``make`` depends on, such as texts and colours.
        """
        page = repr((level.look or level.id, *(_plain(part) for part in place))), repr(_plain(content))
        if page not in self._pages:
            self._pages[page] = make(self.rng(level, *place))
        return self._pages[page]


def _plain(part: object) -> object:
    """Return positions rounded to millimetres and as plain numbers, so that equal places have equal words."""
    if isinstance(part, float | np.floating):
        return round(float(part), 3) + 0.0
    if isinstance(part, np.ndarray):
        return _plain(part.tolist())
    if isinstance(part, tuple | list):
        return tuple(_plain(inner) for inner in part)
    return part
