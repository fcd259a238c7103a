"""Facilities that come with Tiepoint, by name."""

from collections.abc import Callable

from geometry.errors import InputError, nearest_known
from scenes.facility import Facility
from scenes.library.garage import garage
from scenes.library.garage_bumped import BumpedCameras, bumped_cameras, garage_bumped
from scenes.library.garage_twins import garage_twins
from scenes.library.lot import lot
from scenes.library.room import room

SCENES: dict[str, Callable[[float, int], Facility]] = {
    "room": room,
    "garage": garage,
    "garage-twins": garage_twins,
    "garage-bumped": garage_bumped,
    "lot": lot,
}


def facility(name: str, *, size: float = 1.0, seed: int = 0) -> Facility:
    """Return a facility of the library; ``size`` from 1 to 20 enlarges it, ``seed`` varies its surfaces.

    Raises ``InputError`` for an unknown name, which names the nearest known one.
    """
    if name not in SCENES:
        raise InputError(f"there is no scene '{name}'", remedy=nearest_known(name, SCENES))
    if not 1.0 <= size <= 20.0:
        raise InputError(f"a scene's size is 1 to 20 times the usual, got {size}")
    return SCENES[name](size, seed)


__all__ = ["SCENES", "BumpedCameras", "bumped_cameras", "facility"]
