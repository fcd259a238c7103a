"""Patches of floors, ceilings and walls of a map, and their files in a twin."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
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
CELL_M = 0.08
PATCH_M = CELLS * CELL_M
LOG_STEP = 1 / 254
"""Looks are kept in 8 bits, in steps of 0.4 % of brightness, up to a half."""
MOST_PATCHES = 10_000_000
UPRIGHT = 0.7
"""Upward or downward part of a normal, below which a patch is a wall's."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Textures:
    """Struct of arrays of P square patches, as one looks at them.

    centres: (P, 3) site metres; right, down: (P, 3) unit vectors in site along their columns and rows
    looks: (P, CELLS, CELLS) int8, natural logarithm of brightness against its surroundings in steps of ``LOG_STEP``,
        0 where the map does not show it
    cell_m: metres from a cell to the next
    """

    centres: Array
    right: Array
    down: Array
    looks: NDArray[np.int8]
    cell_m: float

    def __len__(self) -> int:
        return len(self.centres)

    @cached_property
    def normals(self) -> Array:
        """Unit vectors (P, 3) towards whoever looks at them: up from floors, down from ceilings."""
        return np.cross(self.down, self.right)

    @cached_property
    def facing(self) -> NDArray[np.int64]:
        """1 for patches of floors, -1 for those of ceilings, 0 for those of walls, (P,)."""
        return np.where(np.abs(self.normals[:, 2]) < UPRIGHT, 0, np.sign(self.normals[:, 2])).astype(np.int64)

    def take(self, which: NDArray[np.bool_]) -> "Textures":
        """Return some of the patches, ``which`` (P,)."""
        return Textures(
            centres=self.centres[which],
            right=self.right[which],
            down=self.down[which],
            looks=self.looks[which],
            cell_m=self.cell_m,
        )

    @classmethod
    def joined(cls, parts: Sequence["Textures"]) -> "Textures":
        """Join patches of one cell size; raises ``InputError`` for none, or for several sizes."""
        if len({part.cell_m for part in parts}) != 1:
            raise InputError("textures are joined where there are some, of one cell size")
        return cls(
            centres=np.concatenate([part.centres for part in parts]),
            right=np.concatenate([part.right for part in parts]),
            down=np.concatenate([part.down for part in parts]),
            looks=np.concatenate([part.looks for part in parts]),
            cell_m=parts[0].cell_m,
        )


class _About(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    patches: int = Field(ge=0, le=MOST_PATCHES)
    cell_m: float = Field(gt=0.0, le=1.0)


def write_textures(folder: Path, textures: Textures) -> None:
    """Write how many patches there are, where (centre, right, down, a row each), and what they look like."""
    places = np.column_stack([textures.centres, textures.right, textures.down])
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
        places.shape == (about.patches, 9)
        and places.dtype == np.float64
        and looks.shape == (about.patches, CELLS, CELLS)
        and looks.dtype == np.int8
        and bool(np.isfinite(places).all())
        and _are_squares(places)
    )
    if not sound:
        raise TwinDamagedError("places and looks don't belong together", where=str(path), remedy="Map again.")
    return Textures(
        centres=np.array(places[:, :3]),
        right=np.array(places[:, 3:6]),
        down=np.array(places[:, 6:]),
        looks=np.array(looks),
        cell_m=about.cell_m,
    )


def _are_squares(places: Array) -> bool:
    """Tell whether ``right`` and ``down`` of all rows are unit vectors at right angles."""
    sides = places[:, 3:].reshape(-1, 2, 3)
    return bool(np.allclose(np.einsum("pik,pjk->pij", sides, sides), np.eye(2), atol=1e-6))


def _load(path: Path) -> NDArray[Any]:
    try:
        return np.lib.format.open_memmap(path, mode="r")  # no pickle, no zip
    except (OSError, ValueError, EOFError, SyntaxError, TokenError) as error:
        raise TwinDamagedError(f"unreadable ({error})", where=str(path), remedy="Map again.") from error
