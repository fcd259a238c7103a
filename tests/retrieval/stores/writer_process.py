"""A process that writes batches to an embedded store, and says so after each, until it is killed.

``python -m tests.retrieval.stores.writer_process FOLDER SEED``. Batch b upserts rows with ids "b-0" to "b-9" and
replaces the ten rows "shared-0" to "shared-9", all with the number b in ``track`` and as the vector; every fifth batch
then deletes the batch five before it, which it says with a minus sign.
"""

import sys

import numpy as np

from retrieval.stores.embedded import EmbeddedStore
from retrieval.stores.filters import Eq, IdIn, Or
from retrieval.stores.rows import checked_rows
from retrieval.stores.schema import Schema
from tests.retrieval.stores.congruence import make_schema

BATCH = 10


def schema() -> Schema:
    return make_schema("killed", 8, metric="l2", exact_up_to=100)


def ids_of(batch: int) -> list[str]:
    return [f"{batch}-{i}" for i in range(BATCH)]


def shared_ids() -> list[str]:
    return [f"shared-{i}" for i in range(BATCH)]


def main(folder: str, first: int) -> None:
    store = EmbeddedStore(folder)
    collection = store.create(schema())
    print("open", flush=True)
    batch = first
    while True:
        ids = ids_of(batch) + shared_ids()
        n = len(ids)
        columns = {"track": [batch] * n, "time": [0.0] * n, "x": [1.0] * n, "y": [2.0] * n, "z": [3.0] * n}
        collection.upsert(checked_rows(schema(), ids, np.full((n, 8), batch, dtype=np.float32), columns))
        print(batch, flush=True)
        if batch % 5 == 4 and batch - 5 >= 0:
            gone = batch - 5
            collection.delete(Or((IdIn(tuple(ids_of(gone))), Eq("track", -gone))))
            print(f"-{gone}", flush=True)
        if batch % 40 == 39:
            collection.build()
        batch += 1


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
