"""The embedded engine: congruent with the oracle, and whole after whatever happened to its process or its files."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from geometry.errors import InputError
from retrieval.stores.embedded import EmbeddedStore
from retrieval.stores.filters import Eq, In, InBox, Range
from retrieval.stores.rows import checked_rows
from retrieval.stores.store import Store, StoreError
from tests.retrieval.stores.congruence import draw_rows, make_schema, run
from tests.retrieval.stores.killing import Expectation, write_and_kill


def reopened(store: Store) -> Store:
    assert isinstance(store, EmbeddedStore)
    store.close()
    return EmbeddedStore(store.folder)


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_answers_are_those_of_the_oracle_where_it_is_exact(tmp_path: Path, metric: str) -> None:
    schema = make_schema(dimension=13, metric=metric)
    found = run(EmbeddedStore(tmp_path), schema, np.random.default_rng(1), 150, reopen=reopened)
    assert found.differences == []
    assert found.exact_searches > 50
    assert found.recall == []


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_answers_are_nearly_those_of_the_oracle_where_it_plans(tmp_path: Path, metric: str) -> None:
    schema = make_schema(dimension=18, metric=metric, exact_up_to=200)
    found = run(EmbeddedStore(tmp_path), schema, np.random.default_rng(2), 200, initial=3000, reopen=reopened)
    assert found.differences == []
    assert found.exact_searches > 20
    assert len(found.recall) > 20
    assert np.mean(found.recall) >= 0.95  # measured 1.000 and 0.999
    assert np.mean(found.filtered) >= 0.95  # measured 1.000 and 0.999


def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """Killed while writing, deleting, indexing or writing a checkpoint; the benchmark does it fifty times."""
    expected, rng = Expectation(), np.random.default_rng(3)
    for _ in range(3):
        expected.acknowledge(write_and_kill(tmp_path, expected.last + 1, float(rng.uniform(0.1, 0.6))))
        assert expected.last > 0
        assert expected.faults(tmp_path) == []


def test_whatever_is_damaged_beside_the_rows_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    schema = make_schema(exact_up_to=100)
    store = EmbeddedStore(tmp_path)
    rows = draw_rows(schema, np.random.default_rng(1), [f"r{i}" for i in range(400)])
    collection = store.create(schema)
    collection.upsert(rows)
    collection.delete(Range("time", 0, 100))
    collection.build()
    assert rows.vectors is not None
    wanted = [hits.ids for hits in collection.search(rows.vectors[:20], 3)]
    store.close()
    folder = tmp_path / "cars"
    for pattern, hurt in itertools.product(
        ("columns-*.npz", "index-*.faiss", "vectors.f32", "checkpoint.json"), ("flip", "cut", "remove")
    ):
        (file,) = folder.glob(pattern)
        content = bytearray(file.read_bytes())
        content[len(content) // 2 if pattern != "vectors.f32" else 5] ^= 0x40
        if hurt == "remove":
            file.unlink()
        else:
            file.write_bytes(content if hurt == "flip" else content[: len(content) // 3])
        store = EmbeddedStore(tmp_path)
        collection = store.open("cars")
        assert [hits.ids for hits in collection.search(rows.vectors[:20], 3)] == wanted, (pattern, hurt)
        collection.build()
        store.close()
    assert "damaged" in caplog.text


def test_damaged_rows_are_refused(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    store.create(make_schema())
    store.close()
    file = tmp_path / "cars" / "rows.sqlite"
    file.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="Restore a snapshot"):
        EmbeddedStore(tmp_path).open("cars")


def test_one_process_at_a_time(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    with pytest.raises(InputError, match="another process"):
        EmbeddedStore(tmp_path)
    store.close()
    EmbeddedStore(tmp_path).close()


def test_a_purge_leaves_no_trace(tmp_path: Path) -> None:
    schema = make_schema(exact_up_to=100)
    store = EmbeddedStore(tmp_path)
    collection = store.create(schema)
    rng = np.random.default_rng(4)
    kept = draw_rows(schema, rng, [f"kept{i}" for i in range(300)])
    secret = draw_rows(schema, rng, [f"secret{i}-of-somebody" for i in range(50)])
    assert secret.vectors is not None
    collection.upsert(kept)
    collection.upsert(secret)
    collection.build()
    assert any(b"-of-somebody" in file.read_bytes() for file in (tmp_path / "cars").iterdir())
    assert collection.delete(In("track", tuple(t for t in secret.columns["track"] if t is not None))) > 0
    from retrieval.stores.filters import IdIn

    collection.delete(IdIn(secret.ids))
    collection.purge()
    store.close()
    for file in (tmp_path / "cars").iterdir():
        content = file.read_bytes()
        assert b"-of-somebody" not in content, file
        assert not any(vector.tobytes() in content for vector in secret.vectors), file
    collection = EmbeddedStore(tmp_path).open("cars")
    found = collection.search(secret.vectors, 5)
    assert all(id.startswith("kept") for hits in found for id in hits.ids)


def test_a_full_disk_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = make_schema()
    store = EmbeddedStore(tmp_path)
    collection = store.create(schema)
    rng = np.random.default_rng(6)
    collection.upsert(draw_rows(schema, rng, ["a", "b"]))
    collection._database._writer.execute("PRAGMA max_page_count = 20")
    with pytest.raises(InputError, match="Free space"):
        collection.upsert(draw_rows(schema, rng, ["a", *(f"c{i}" for i in range(2000))]))
    assert collection.count() == 2
    store.close()
    assert EmbeddedStore(tmp_path).open("cars").count() == 2


def test_searches_go_on_while_rows_are_written(tmp_path: Path) -> None:
    """Every answer holds each id once and k of them, though half of what is written replaces something."""
    from threading import Thread

    schema = make_schema(exact_up_to=300)
    store = EmbeddedStore(tmp_path)
    collection = store.create(schema)
    rng = np.random.default_rng(7)
    collection.upsert(draw_rows(schema, rng, [f"r{i}" for i in range(1000)]))
    collection.build()
    answers, done = [], []

    def search() -> None:
        queries = draw_rows(schema, np.random.default_rng(8), ["q"]).vectors
        assert queries is not None
        while not done:
            answers.extend(collection.search(queries, 10, None))
            answers.extend(collection.search(queries, 10, InBox(0, 0, 50, 50)))

    threads = [Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    for first in range(0, 3000, 100):
        ids = [f"r{i}" for i in range(first // 2, first // 2 + 50)] + [f"new{i}" for i in range(first, first + 50)]
        collection.upsert(draw_rows(schema, rng, ids))
    done.append(True)
    for thread in threads:
        thread.join()
    assert len(answers) > 20
    assert all(len(hits) == 10 and len(set(hits.ids)) == 10 for hits in answers)
    store.close()


def test_schemas_do_not_drift(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    collection = store.create(make_schema())
    assert store.create(make_schema()) is collection
    with pytest.raises(InputError, match="dimension: 16 there, 17 asked for"):
        store.create(make_schema(dimension=17))
    with pytest.raises(InputError, match=r"of 'other/2', not of 'test/1'"):
        collection.schema.require_embedding("other/2")


def test_aliases_switch_in_one_step_and_go_with_their_collection(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    first, second = store.create(make_schema("v1")), store.create(make_schema("v2"))
    store.alias("now", "v1")
    assert store.open("now") is first
    store.alias("now", "v2")
    assert store.open("now") is second
    with pytest.raises(InputError, match="'v1' is a collection"):
        store.alias("v1", "v2")
    store.drop("v2")
    assert (store.names(), store.aliases()) == (("v1",), {})
    with pytest.raises(InputError, match="Known: v1"):
        store.open("v2")


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    schema = make_schema(dimension=2)
    collection = EmbeddedStore(tmp_path).create(schema)
    full = {"time": [0.0], "x": [0.0], "y": [0.0], "z": [0.0]}
    good = np.ones((1, 2))
    for ids, vectors, columns, match in (
        (["a"], np.ones((1, 3)), full, "expected"),
        (["a"], np.array([[np.nan, 1]]), full, "finite"),
        (["a"], np.zeros((1, 2)), full, "zeros"),
        ([""], good, full, "an id is"),
        (["a", "a"], np.ones((2, 2)), {}, "twice"),
        (["a"], good, {**full, "tim": [1.0]}, "Did you mean 'time'"),
        (["a"], good, {"time": [0.0]}, "no values of 'x'"),
        (["a"], good, {**full, "x": [np.inf]}, "'x' is inf"),
        (["a"], good, {**full, "level": [3]}, "its type is keyword"),
        (["a"], good, {**full, "track": [1.5]}, "its type is integer"),
    ):
        with pytest.raises(InputError, match=match):
            checked_rows(schema, ids, vectors, columns)
    for filter, match in (
        (Eq("levle", "P1"), "Did you mean 'level'"),
        (Eq("level", 1), "never 1"),
        (Range("level", 0, 1), "words have no range"),
        (Range("time", 0, np.nan), "aren't finite"),
        (InBox(1, 0, 0, 1), "empty"),
    ):
        with pytest.raises(InputError, match=match):
            collection.count(filter)
    with pytest.raises(InputError, match="k must be"):
        collection.search(good, 0)
