"""The vectors of an embedded collection as one memory-mapped array: a copy of the database's that can be made again."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError

FILE = "vectors.f32"
BLOCK = 65_536
"""Rows a block: the file grows by whole blocks, and each has its own checksum."""


class VectorFile:
    """Rows 0 to N - 1 of (N, D) float32; ``values`` is a view on the file, and views stay valid while it grows."""

    def __init__(self, folder: Path, dimension: int, rows: int = 0) -> None:
        """Open the file for ``rows`` rows that are in it."""
        self.path, self._dimension, self._count = folder / FILE, dimension, rows
        self.path.touch()
        self._room = self._mapped(rows)

    def __len__(self) -> int:
        return self._count

    @property
    def values(self) -> NDArray[np.float32]:
        """All rows."""
        return self._room[: self._count]

    def append(self, vectors: NDArray[np.float32]) -> None:
        """Add rows at the end."""
        self.reserve(len(vectors))
        end = self._count + len(vectors)
        self._room[self._count : end] = vectors
        self._count = end

    def reserve(self, count: int) -> None:
        """Make room for ``count`` more rows; ``InputError`` where the disk is full, and then nothing has changed."""
        if self._count + count > len(self._room):
            self._room = self._mapped(self._count + count)

    def block(self, number: int) -> NDArray[np.float32]:
        """Return the rows of one block, as far as there are any."""
        return self.values[number * BLOCK : (number + 1) * BLOCK]

    @property
    def blocks(self) -> int:
        """How many blocks there are, the last one maybe not full."""
        return -(-self._count // BLOCK)

    def sync(self) -> None:
        """Have the file's content on disk."""
        handle = os.open(self.path, os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _mapped(self, rows: int) -> NDArray[np.float32]:
        room = max(1, -(-rows // BLOCK)) * BLOCK
        with open(self.path, "r+b") as file:
            size = room * self._dimension * 4
            if file.seek(0, os.SEEK_END) < size:
                try:
                    os.posix_fallocate(file.fileno(), 0, size)  # a hole would end the process when the disk is full
                except OSError as error:
                    raise InputError(f"no room for {rows} vectors: {error.strerror}", where=str(self.path)) from error
        # a plain array over the map: indexing a numpy.memmap makes a Python object with attributes each time
        return np.asarray(np.memmap(self.path, dtype=np.float32, mode="r+", shape=(room, self._dimension)))
