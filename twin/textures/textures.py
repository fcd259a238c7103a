"""Patches of floors and ceilings of a map, and their files in a twin."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geometry import InputError, TwinDamagedError, read_bounded, write_atomic

Array = NDArray[np.float64]

ABOUT_FILE, PLACES_FILE, LOOKS_FILE = "textures.json", "places.npy", "looks.npy"
CELLS = 12
"""Of a patch, on each side."""
LOG_STEP = 1 / 254
"""Looks are kept in 8 bits, in steps of 0.4 % of brightness, up to a half."""
MOST_PATCHES = 10_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Textures:
    """Struct of arrays of P square patches, horizontal, with their sides along x and y of the site.

    faces_up: (P,) bool, a floor, not a ceiling; centres: (P, 3) site metres
    looks: (P, CELLS, CELLS) int8, natural logarithm of brightness against its surroundings in steps of ``LOG_STEP``,
        0 where the map does not show it; rows from +y to -y, columns from -x to +x
    cell_m: metres from a cell to the next
    """

    faces_up: NDArray[np.bool_]
    centres: Array
    looks: NDArray[np.int8]
    cell_m: float

    def __len__(self) -> int:
        return len(self.faces_up)

    @classmethod
    def joined(cls, parts: Sequence["Textures"]) -> "Textures":
        """Join patches of one cell size; raises ``InputError`` for none, or for several sizes."""
        if len({part.cell_m for part in parts}) != 1:
            raise InputError("textures are joined where there are some, of one cell size")
        return cls(
            faces_up=np.concatenate([part.faces_up for part in parts]),
            centres=np.concatenate([part.centres for part in parts]),
            looks=np.concatenate([part.looks for part in parts]),
            cell_m=parts[0].cell_m,
        )


class _About(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    patches: int = Field(ge=0, le=MOST_PATCHES)
    cell_m: float = Field(gt=0.0, le=1.0)


def write_textures(folder: Path, textures: Textures) -> None:
    """Write how many patches there are, where (side, x, y, z, a row each), and what they look like."""
    places = np.column_stack([textures.faces_up, textures.centres])
    np.save(folder / PLACES_FILE, places.astype(np.float64), allow_pickle=False)
    np.save(folder / LOOKS_FILE, np.ascontiguousarray(textures.looks, dtype=np.int8), allow_pickle=False)
    about = _About(patches=len(textures), cell_m=textures.cell_m)
    write_atomic(folder / ABOUT_FILE, json.dumps(about.model_dump()).encode())


def read_textures(folder: Path) -> Textures:
    """Read what ``write_textures`` wrote. Raises ``TwinDamagedError`` naming the file that can't be read."""
    path = folder / ABOUT_FILE
    try:
        about = _About.model_validate_json(read_bounded(path))
    except (ValidationError, InputError) as error:
        raise TwinDamagedError(f"unreadable ({error})", where=str(path), remedy="Map again.") from error
    places, looks = _load(folder / PLACES_FILE), _load(folder / LOOKS_FILE)
    sound = (
        places.shape == (about.patches, 4)
        and places.dtype == np.float64
        and looks.shape == (about.patches, CELLS, CELLS)
        and looks.dtype == np.int8
        and bool(np.isfinite(places).all())
    )
    if not sound:
        raise TwinDamagedError("places and looks don't belong together", where=str(path), remedy="Map again.")
    return Textures(
        faces_up=places[:, 0] > 0,
        centres=np.array(places[:, 1:]),
        looks=np.array(looks),
        cell_m=about.cell_m,
    )


def _load(path: Path) -> NDArray[Any]:
    try:
        return np.lib.format.open_memmap(path, mode="r")  # no pickle, no zip
    except (OSError, ValueError, EOFError, SyntaxError, TokenError) as error:
        raise TwinDamagedError(f"unreadable ({error})", where=str(path), remedy="Map again.") from error
