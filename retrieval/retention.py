"""How long sightings are kept, and proof that what was to go is gone: row, vector, crop and index."""

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geometry.errors import InputError
from retrieval.stores.embedded_collection import EmbeddedCollection
from retrieval.stores.filters import And, Eq, Filter, IdIn, In, Not, Or, Range
from retrieval.stores.store import Collection, StoreError, pages

CHECKED_VECTORS = 1000
SHORTEST_ID = 8
"""Bytes of an id that don't stand in files by chance."""


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Seconds that sightings are kept, by class (``kind``) and, of other classes, ``default``; None is for ever."""

    default: float | None = None
    by_kind: Mapping[str, float]

    def __post_init__(self) -> None:
        for seconds in [*self.by_kind.values(), *([] if self.default is None else [self.default])]:
            if not 0 <= seconds < 1e11:
                raise InputError(f"sightings can't be kept for {seconds} s")

    def expired(self, now: float) -> Filter:
        """Return which rows are to go at ``now``, epoch seconds."""
        parts: list[Filter] = [
            And((Eq("kind", kind), Range("time", None, float(np.nextafter(now - seconds, -np.inf)))))
            for kind, seconds in self.by_kind.items()
        ]
        if self.default is not None:
            others = Not(In("kind", tuple(self.by_kind)))
            parts.append(And((others, Range("time", None, float(np.nextafter(now - self.default, -np.inf))))))
        return Or(tuple(parts))


@dataclass(frozen=True, kw_only=True)
class DeletionProof:
    """What was deleted and how that was checked.

    rows: deleted; ids_sha256: of their sorted ids, a line each, to compare with a list kept elsewhere
    crops: files removed; checks: what was looked at after the deletion, and found to hold nothing of it
    """

    at: float
    rows: int
    ids_sha256: str
    crops: int
    checks: tuple[str, ...]


def expire(
    collection: Collection, retention: Retention, now: float, crops: str | os.PathLike[str] | None = None
) -> DeletionProof:
    """Delete the sightings whose time has passed, with their traces and crops, and check that nothing is left.

    crops: the folder that ``meta.crop`` of a row is a file name in. Raises ``StoreError`` where something is left.
    """
    doomed = retention.expired(now)
    ids: list[str] = []
    files: list[Path] = []
    vectors: list[bytes] = []
    for rows in pages(collection, doomed):
        assert rows.vectors is not None
        ids += rows.ids
        vectors += [vector.tobytes() for vector in rows.vectors[: max(0, CHECKED_VECTORS - len(vectors))]]
        if crops is not None:
            files += [_inside(Path(crops), meta["crop"]) for meta in rows.meta if "crop" in meta]
    collection.delete(doomed)
    removed = 0
    for file in files:
        with suppress(FileNotFoundError):
            file.unlink()
            removed += 1
    checks = _checked(collection, doomed, ids, files)
    if isinstance(collection, EmbeddedCollection):
        collection.purge()
        checks.append(_checked_files(collection, ids, vectors))
    digest = hashlib.sha256("".join(f"{id}\n" for id in sorted(ids)).encode()).hexdigest()
    return DeletionProof(at=now, rows=len(ids), ids_sha256=digest, crops=removed, checks=tuple(checks))


def _inside(folder: Path, name: str) -> Path:
    """Return a file in a folder; ``InputError`` where the name leads out of it."""
    path = (folder / name).resolve()
    if folder.resolve() not in path.parents:
        raise InputError(f"the crop '{name}' is not in the folder of crops", where=str(folder))
    return path


def _checked(collection: Collection, doomed: Filter, ids: list[str], files: list[Path]) -> list[str]:
    if collection.count(doomed):
        raise StoreError("rows that were to go are still there", remedy="Nobody may write old sightings meanwhile.")
    for start in range(0, len(ids), 500):
        if collection.count(IdIn(tuple(ids[start : start + 500]))):
            raise StoreError("ids that were to go are still there", remedy="Nobody may write them again meanwhile.")
    left = [file for file in files if file.exists()]
    if left:
        raise StoreError("a crop is still there", where=str(left[0]))
    return ["no row passes the rule", "no row has one of the ids", f"none of {len(files)} crops is there"]


def _checked_files(collection: EmbeddedCollection, ids: list[str], vectors: list[bytes]) -> str:
    """Look for the bytes of ids and vectors in every file of a collection; those of rows that stay are no trace."""
    files = [file for file in collection.folder.iterdir() if file.is_file()]
    wanted = [id.encode() for id in ids[:CHECKED_VECTORS] if len(id) >= SHORTEST_ID] + vectors
    found: dict[bytes, Path] = {}
    for file in files:
        content = file.read_bytes()
        found |= {each: file for each in wanted if each in content}
    if found:
        for rows in pages(collection):
            assert rows.vectors is not None
            kept = {vector.tobytes() for vector in rows.vectors}
            names = "\n".join(rows.ids).encode()
            found = {each: file for each, file in found.items() if each not in kept and each not in names}
    if found:
        where = str(next(iter(found.values())))
        raise StoreError("bytes of a deleted row are still in a file", where=where, remedy="Purge again.")
    return f"no bytes of {len(wanted)} ids and vectors in {len(files)} files, index among them"
