"""Sightings into a store: embedded where they come as pictures, and one embedding a collection."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometry import InputError
from perception import read_image
from retrieval.sighting_records import SightingRow, read_sightings, rows_of_sightings
from retrieval.stores.schema import sighting_schema
from retrieval.stores.store import Collection, Store, StoreError
from twin.crops import Blur, cut, store_crop
from twin.onnx_embedding import OnnxEmbedding

COLLECTION = "sightings"
AT_ONCE = 256


def store_address(twin: Path) -> str:
    """Return where a twin's sightings are kept unless told otherwise: in a folder beside it."""
    folder = twin.resolve()
    return str(folder.with_name(f"{folder.name}.search"))


def index_sightings(
    store: Store,
    path: Path,
    *,
    name: str = COLLECTION,
    embedding: str | None = None,
    network: OnnxEmbedding | None = None,
    facility: str | None = None,
    crops: Path | None = None,
    blur: Blur | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Collection:
    """Write the sightings of a file into a collection, which is made if need be, and return it.

    embedding: name and version of what made the file's vectors; network: makes those of the images, whose paths are
        relative to the file; facility: of sightings that name none
    crops: a folder to keep crops in, each through ``blur`` first

    Raises ``InputError`` for sightings that can't be embedded or are of another embedding than the collection's.
    """
    total = sum(1 for _ in read_sightings(path))
    version = embedding or (network.name if network is not None else None)
    collection: Collection | None = None
    done = 0
    for records in _portions(read_sightings(path)):
        named = [record.model_copy(update={"facility": record.facility or facility}) for record in records]
        seen = [_pixels(record, path) if record.image is not None else None for record in named]
        vectors = [_vector(record, pixels, network) for record, pixels in zip(named, seen, strict=True)]
        if len({len(vector) for vector in vectors}) != 1:
            raise InputError("the embeddings are of different lengths", where=str(path))
        if crops is not None:
            named = [
                record if pixels is None else _with_crop(record, pixels, crops, blur)
                for record, pixels in zip(named, seen, strict=True)
            ]
        if collection is None:
            if version is None:
                raise InputError("the embedding has no name", where=str(path), remedy="Give --embedding-name.")
            collection = _collection(store, name, len(vectors[0]), version)
        written = collection.upsert(rows_of_sightings(collection.schema, named, np.stack(vectors)))
        if written.failures:
            first = written.failures[0]
            raise StoreError(f"{len(written.failures)} sightings were refused: {first.reason}", where=first.id)
        done += len(named)
        if on_progress:
            on_progress(done, total)
    if collection is None:
        raise InputError("the file holds no sightings", where=str(path))
    collection.build()
    return collection


def _collection(store: Store, name: str, dimension: int, version: str) -> Collection:
    if name in store.names() or name in store.aliases():
        found = store.open(name)
        found.schema.require_embedding(version)
        return found
    return store.create(sighting_schema(name, dimension, version))


def _portions(records: Iterator[SightingRow]) -> Iterator[list[SightingRow]]:
    while portion := list(islice(records, AT_ONCE)):
        yield portion


def _pixels(record: SightingRow, path: Path) -> NDArray[np.uint8]:
    """Return what of its image shows the object."""
    picture = read_image(path.parent / str(record.image)).pixels
    return cut(picture, record.meta["bbox"]) if "bbox" in record.meta else picture


def _vector(
    record: SightingRow, pixels: NDArray[np.uint8] | None, network: OnnxEmbedding | None
) -> NDArray[np.float32]:
    if record.embedding is not None:
        return np.array(record.embedding, dtype=np.float32)
    if network is None or pixels is None:
        raise InputError("the sighting has an image and no embedding", where=record.id, remedy="Give --model F.onnx.")
    return network.embed(pixels)


def _with_crop(record: SightingRow, pixels: NDArray[np.uint8], crops: Path, blur: Blur | None) -> SightingRow:
    return record.model_copy(update={"meta": record.meta | {"crop": store_crop(pixels, record.id, crops, blur)}})
