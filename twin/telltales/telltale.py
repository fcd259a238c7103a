"""A place that every level has and that looks different on one of them, and its two files in a twin."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from geometry import InputError, TwinDamagedError, read_bounded, write_atomic

Array = NDArray[np.float64]
Looks = NDArray[np.float32]

PLACES_FILE, LOOKS_FILE = "telltales.json", "telltales.npy"
MOST_CELLS, MOST_LEVELS = 512, 64
LOG_RANGE = 2.5
"""Natural logarithms of grey levels around their mean are kept up to here, in 8 bits: steps of 2 %."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Telltale:
    """A flat patch at the same place of K levels.

    name: what it is and where; origin: (K, 3) site metres, the middle of the first cell on each level
    right, down: (K, 3) metres from a cell to the next, as the patch is looked at
    looks: (K, h, w) natural logarithm of grey levels, around a mean of 0
    """

    name: str
    origin: Array
    right: Array
    down: Array
    looks: Looks

    def cells(self, level: int, margin: tuple[int, int] = (0, 0)) -> Array:
        """Return the middles (h, w, 3) of a level's cells in site, with so many more (down, right) on each side."""
        rows = np.arange(-margin[0], self.looks.shape[1] + margin[0])
        columns = np.arange(-margin[1], self.looks.shape[2] + margin[1])
        steps = rows[:, None, None] * self.down[level] + columns[None, :, None] * self.right[level]
        return np.asarray(self.origin[level] + steps)

    def normal(self, level: int) -> Array:
        """Return the unit normal (3,) towards whoever looks at it."""
        across = np.cross(self.down[level], self.right[level])
        return np.asarray(across / np.linalg.norm(across))


class _Place(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str
    shape: tuple[int, int]
    origin: list[tuple[float, float, float]] = Field(min_length=2, max_length=MOST_LEVELS)
    right: list[tuple[float, float, float]]
    down: list[tuple[float, float, float]]


_PLACES = TypeAdapter(list[_Place])


def write_telltales(folder: Path, telltales: Sequence[Telltale]) -> None:
    """Write ``telltales.json``, where they are, and ``telltales.npy``, all that they look like in 8 bits."""
    places = [
        _Place(
            name=each.name,
            shape=each.looks.shape[1:],
            origin=each.origin.tolist(),
            right=each.right.tolist(),
            down=each.down.tolist(),
        ).model_dump()
        for each in telltales
    ]
    grey = [np.round((np.clip(each.looks, -LOG_RANGE, LOG_RANGE) / LOG_RANGE + 1) * 127.5) for each in telltales]
    flat = np.concatenate([looks.ravel() for looks in grey]) if grey else np.zeros(0)
    np.save(folder / LOOKS_FILE, flat.astype(np.uint8), allow_pickle=False)
    write_atomic(folder / PLACES_FILE, json.dumps(places).encode())


def read_telltales(folder: Path) -> tuple[Telltale, ...]:
    """Read what ``write_telltales`` wrote. Raises ``TwinDamagedError`` naming the file that can't be read."""
    path = folder / PLACES_FILE
    try:
        places = _PLACES.validate_json(read_bounded(path))
    except (ValidationError, InputError) as error:
        raise TwinDamagedError(f"unreadable ({error})", where=str(path), remedy="Map again.") from error
    try:
        flat = np.lib.format.open_memmap(folder / LOOKS_FILE, mode="r")  # no pickle, no zip
    except (OSError, ValueError, EOFError, SyntaxError, TokenError) as error:
        raise TwinDamagedError(f"unreadable ({error})", where=str(folder / LOOKS_FILE), remedy="Map again.") from error
    counts = [len(place.origin) for place in places]
    sizes = [k * place.shape[0] * place.shape[1] for k, place in zip(counts, places, strict=True)]
    sound = all(
        len(place.right) == len(place.down) == k
        and all(1 <= side <= MOST_CELLS for side in place.shape)
        and (np.linalg.norm(np.cross(place.down, place.right), axis=1) > 0).all()
        for k, place in zip(counts, places, strict=True)
    )
    if not sound or flat.dtype != np.uint8 or flat.shape != (sum(sizes),):
        raise TwinDamagedError("places and looks don't belong together", where=str(path), remedy="Map again.")
    ends = np.cumsum(sizes).tolist()
    looks = ((flat.astype(np.float32) / 127.5) - 1) * LOG_RANGE
    return tuple(
        Telltale(
            name=place.name,
            origin=np.array(place.origin),
            right=np.array(place.right),
            down=np.array(place.down),
            looks=looks[end - size : end].reshape(k, *place.shape),
        )
        for place, k, size, end in zip(places, counts, sizes, ends, strict=True)
    )
