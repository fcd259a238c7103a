"""Copies and snapshots hold the same rows, whatever engine they came from."""

from pathlib import Path

import numpy as np
import pytest

from geometry.errors import InputError
from retrieval.stores.embedded import EmbeddedStore
from retrieval.stores.exact import ExactStore
from retrieval.stores.filters import Eq
from retrieval.stores.opening import open_store
from retrieval.stores.snapshots import copy, restore, snapshot
from retrieval.stores.store import Collection, StoreError, pages
from tests.retrieval.stores.congruence import draw_rows, make_schema


def content(collection: Collection) -> dict[str, object]:
    found = {}
    for rows in pages(collection, size=37):
        assert rows.vectors is not None
        for i, id in enumerate(rows.ids):
            fields = {name: values[i] for name, values in rows.columns.items()}
            found[id] = (fields, rows.meta[i], rows.vectors[i].round(6).tolist())
    return found


def filled(rows: int = 100) -> Collection:
    schema = make_schema()
    collection = ExactStore().create(schema)
    collection.upsert(draw_rows(schema, np.random.default_rng(1), [f"r{i}" for i in range(rows)]))
    return collection


def test_a_copy_has_the_rows_that_pass(tmp_path: Path) -> None:
    source, target = filled(), EmbeddedStore(tmp_path).create(make_schema("copied"))
    assert copy(source, target) == 100
    assert content(target) == content(source)
    part = EmbeddedStore(tmp_path / "part").create(make_schema())
    assert copy(source, part, Eq("level", "P1")) == source.count(Eq("level", "P1")) == part.count() > 0
    with pytest.raises(InputError, match="another schema"):
        copy(source, EmbeddedStore(tmp_path / "other").create(make_schema(dimension=4)))


@pytest.mark.parametrize("rows", [0, 100])
def test_a_snapshot_restores_what_it_was_taken_of(tmp_path: Path, rows: int) -> None:
    source = filled(rows)
    assert snapshot(source, tmp_path / "kept") == rows
    store = EmbeddedStore(tmp_path / "store")
    assert content(restore(tmp_path / "kept", store)) == content(source)
    assert content(restore(tmp_path / "kept", store, "again")) == content(source)
    with pytest.raises(InputError, match="isn't empty"):
        snapshot(source, tmp_path / "kept")
    if rows:
        with pytest.raises(InputError, match="rows already"):
            restore(tmp_path / "kept", store)


def test_a_damaged_snapshot_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    snapshot(filled(), tmp_path / "kept")
    for name in ("vectors.f32", "rows.jsonl"):
        whole = (tmp_path / "kept" / name).read_bytes()
        (tmp_path / "kept" / name).write_bytes(whole[:-3])
        store = ExactStore()
        with pytest.raises(StoreError, match="another checksum"):
            restore(tmp_path / "kept", store)
        assert store.names() == ()
        (tmp_path / "kept" / name).write_bytes(whole)
    (tmp_path / "kept" / "snapshot.json").unlink()
    with pytest.raises(StoreError, match="no whole snapshot"):
        restore(tmp_path / "kept", ExactStore())


def test_addresses(tmp_path: Path) -> None:
    assert open_store(tmp_path / "s").capabilities.engine == "embedded"
    for wrong in ("http://localhost:9200", "solr+http://localhost", "milvus+ftp://localhost"):
        with pytest.raises(InputError, match="no address of a store"):
            open_store(wrong)
