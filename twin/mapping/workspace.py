"""Finished stages of a mapping run, kept beside the twin to be, so that a rerun goes on where the last one stopped.

Every entry is addressed by a digest of all that went into it and appears by rename, hence it is whole or absent.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometry.errors import MappingError

Arrays = dict[str, NDArray]


def digest(*parts: object) -> str:
    """Return a hex digest of strings, numbers, bytes and arrays; equal parts give equal digests."""
    state = hashlib.sha256()
    for part in parts:
        content = (
            part.tobytes() if isinstance(part, np.ndarray) else part if isinstance(part, bytes) else repr(part).encode()
        )
        state.update(len(content).to_bytes(8, "little") + content)
    return state.hexdigest()[:32]


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Workspace:
    """A folder of stage results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    @contextmanager
    def opened_for(cls, twin: Path) -> Iterator["Workspace"]:
        """Open the workspace of a twin to be, for this process alone; it stays on disk when the work fails.

        Raises ``MappingError`` where another process maps into the same twin.
        """
        folder = twin.parent / f".{twin.name}.work"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise MappingError(
                    "another process is mapping into this twin",
                    where=str(twin),
                    remedy="Wait for it, or choose another --out.",
                ) from None
            for leftover in folder.glob("*/*.partial"):
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            yield cls(folder)

    def arrays(self, stage: str, key: str, make: Callable[[], Arrays]) -> Arrays:
        """Return the named arrays of a stage, from disk or made now and stored."""
        path = self.folder / stage / f"{key}.npz"
        if path.exists():
            with np.load(path, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        made = make()
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **made)
        os.replace(partial, path)
        return made

    def directory(self, stage: str, key: str, make: Callable[[Path], None]) -> Path:
        """Return a stage's folder, as stored or filled now by ``make(folder)``."""
        path = self.folder / stage / key
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            partial = Path(tempfile.mkdtemp(suffix=".partial", dir=path.parent))
            make(partial)
            partial.rename(path)
        return path

    def remove(self) -> None:
        """Delete the workspace, once its twin is published."""
        shutil.rmtree(self.folder)
