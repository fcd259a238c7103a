"""Collections from one engine to another, and to files that every engine can be filled from again."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from geometry.errors import InputError
from geometry.tables import write_atomic
from retrieval.stores.filters import Filter
from retrieval.stores.rows import Rows, checked_rows
from retrieval.stores.schema import Schema, schema_from_dict
from retrieval.stores.store import Collection, Store, StoreError, pages

FORMAT = 1
MANIFEST, ROWS, VECTORS = "snapshot.json", "rows.jsonl", "vectors.f32"
AT_ONCE = 2000

Progress = Callable[[int, int], None]


def copy(
    source: Collection, target: Collection, filter: Filter | None = None, on_progress: Progress | None = None
) -> int:
    """Write the rows of a collection that pass into another of the same schema, and return their number.

    Rows of the target with other ids stay. Raises ``InputError`` for another schema, ``StoreError`` for rows that the
    target refuses.
    """
    source.schema.require_same(target.schema)
    total, done = source.count(filter), 0
    for rows in pages(source, filter, size=AT_ONCE):
        _write(target, rows)
        done += len(rows)
        if on_progress:
            on_progress(done, total)
    target.build()
    return done


def snapshot(collection: Collection, folder: str | os.PathLike[str], on_progress: Progress | None = None) -> int:
    """Write a collection as files to a new folder and return the number of rows; other engines can read them.

    rows.jsonl holds ids, fields and metadata, vectors.f32 the vectors (N, D) little-endian float32, snapshot.json the
    schema and the files' sha256, written last. Nothing may be written to the collection meanwhile.
    """
    target = Path(folder)
    if target.exists() and any(target.iterdir()):
        raise InputError("the folder isn't empty", where=str(target), remedy="Name a new one.")
    target.mkdir(parents=True, exist_ok=True)
    total, done = collection.count(), 0
    hashes = {ROWS: hashlib.sha256(), VECTORS: hashlib.sha256()}
    try:
        with open(target / ROWS, "wb") as lines, open(target / VECTORS, "wb") as vectors:
            for rows in pages(collection, size=AT_ONCE):
                assert rows.vectors is not None
                text = "".join(f"{line}\n" for line in _lines(rows)).encode()
                numbers = rows.vectors.astype("<f4").tobytes()
                for file, name, content in ((lines, ROWS, text), (vectors, VECTORS, numbers)):
                    file.write(content)
                    hashes[name].update(content)
                done += len(rows)
                if on_progress:
                    on_progress(done, total)
            for file in (lines, vectors):
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        for name in (ROWS, VECTORS):
            with suppress(OSError):
                (target / name).unlink()
        raise InputError(f"can't write the snapshot: {error.strerror}", where=str(target)) from error
    manifest = {
        "format": FORMAT,
        "schema": collection.schema.as_dict(),
        "rows": done,
        "files": {name: each.hexdigest() for name, each in hashes.items()},
    }
    write_atomic(target / MANIFEST, json.dumps(manifest, indent=1).encode())
    return done


def restore(
    folder: str | os.PathLike[str], store: Store, name: str | None = None, on_progress: Progress | None = None
) -> Collection:
    """Fill a new collection from a snapshot, under its old name or another one, and return it.

    Raises ``StoreError`` where a file is damaged, before anything is written, and ``InputError`` for a collection that
    has rows already.
    """
    source = Path(folder)
    schema, total = _read_manifest(source)
    schema = Schema(**{**vars(schema), "name": name or schema.name})
    made = store.create(schema)
    if made.count():
        raise InputError("the collection has rows already", where=schema.name, remedy="Give it another name.")
    done = 0
    for rows in _stored(source, schema, total):
        _write(made, rows)
        done += len(rows)
        if on_progress:
            on_progress(done, total)
    made.build()
    return made


def _write(target: Collection, rows: Rows) -> None:
    written = target.upsert(rows)
    if written.failures:
        first = written.failures[0]
        raise StoreError(f"{len(written.failures)} rows were refused: {first.reason}", where=first.id)


def _lines(rows: Rows) -> Iterator[str]:
    for i, (id, meta) in enumerate(zip(rows.ids, rows.meta, strict=True)):
        fields = {name: values[i] for name, values in rows.columns.items()}
        yield json.dumps({"id": id, "fields": fields, "meta": meta}, separators=(",", ":"), allow_nan=False)


def _read_manifest(source: Path) -> tuple[Schema, int]:
    try:
        content = json.loads((source / MANIFEST).read_bytes())
        if content["format"] != FORMAT:
            raise StoreError(f"the snapshot has format {content['format']}, not {FORMAT}", where=str(source))
        for name, wanted in content["files"].items():
            with open(source / name, "rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != wanted:
                    raise StoreError("the file has another checksum", where=str(source / name))
        return schema_from_dict(content["schema"]), int(content["rows"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"this is no whole snapshot ({error})", where=str(source)) from error


def _stored(source: Path, schema: Schema, total: int) -> Iterator[Rows]:
    vectors = np.memmap(source / VECTORS, dtype="<f4", mode="r", shape=(total, schema.dimension)) if total else None
    with open(source / ROWS, encoding="utf-8") as file:
        for first in range(0, total, AT_ONCE):
            count = min(AT_ONCE, total - first)
            lines = [json.loads(file.readline()) for _ in range(count)]
            assert vectors is not None
            columns = {f.name: [line["fields"][f.name] for line in lines] for f in schema.fields}
            stored = np.array(vectors[first : first + count])
            ids = [line["id"] for line in lines]
            yield checked_rows(schema, ids, stored, columns, [line["meta"] for line in lines])
