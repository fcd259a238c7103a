"""The OpenSearch engine on the wire against a stand-in, and against a node where TIEPOINT_OPENSEARCH_URL names one."""

import os
from collections.abc import Iterator

import numpy as np
import pytest

from geometry.errors import InputError
from retrieval.stores.filters import Eq, InPolygon, Range
from retrieval.stores.store import SearchOptions, StoreError
from tests.retrieval.stores.congruence import draw_rows, make_schema, run
from tests.retrieval.stores.opensearch_standin import Standin, served

pytest.importorskip("opensearchpy", reason="opensearch-py is not installed")

from retrieval.stores import opensearch
from retrieval.stores.opensearch import OpenSearchStore


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opensearch, "FIRST_WAIT_S", 0.001)


@pytest.fixture
def standin() -> Standin:
    return Standin()


@pytest.fixture
def store(standin: Standin) -> Iterator[OpenSearchStore]:
    with served(standin) as url:
        opened = OpenSearchStore(url)
        yield opened
        opened.close()


@pytest.mark.parametrize("metric", ["cosine", "l2", "ip"])
@pytest.mark.parametrize("index", ["auto", "flat"])
def test_the_stand_in_answers_as_the_oracle(store: OpenSearchStore, metric: str, index: str) -> None:
    schema = make_schema(metric=metric, index=index)
    found = run(store, schema, np.random.default_rng(1), 40, initial=100)
    assert found.differences == []
    if index == "flat":
        assert found.exact_searches > 20
    else:
        assert np.mean(found.recall) > 0.9999  # the stand-in is exact, so what differs is ours


def test_a_busy_cluster_changes_no_answer(store: OpenSearchStore, standin: Standin) -> None:
    """A tenth of all requests are refused with 429 or 503, and of bulk items a tenth."""
    rng = np.random.default_rng(2)
    standin.flaky = lambda: str(rng.choice(["429", "503", "bulk items"])) if rng.random() < 0.1 else None
    found = run(store, make_schema(), np.random.default_rng(3), 40, initial=100)
    assert found.differences == []


def test_rows_refused_for_good_are_named_and_the_others_written(store: OpenSearchStore, standin: Standin) -> None:
    schema = make_schema()
    collection = store.create(schema)
    rows = draw_rows(schema, np.random.default_rng(1), ["a", "b", "c"])
    del standin.indices["cars"].fields["f_track"]
    rows = rows.__class__(**{**vars(rows), "columns": {**rows.columns, "track": [None, 3, None]}})
    written = collection.upsert(rows)
    assert (written.count, [failure.id for failure in written.failures]) == (2, ["b"])
    assert "strict_dynamic_mapping_exception" in written.failures[0].reason
    assert not written.failures[0].retryable
    assert collection.count() == 2


def test_a_cluster_that_stays_busy_is_said_to_be(store: OpenSearchStore, standin: Standin) -> None:
    schema = make_schema()
    collection = store.create(schema)
    rows = draw_rows(schema, np.random.default_rng(1), ["a", "b"])
    standin.faults["503"] = 1000
    written = collection.upsert(rows)
    assert written.count == 0
    assert [failure.retryable for failure in written.failures] == [True, True]
    with pytest.raises(StoreError, match="503"):
        collection.count()


def test_shards_that_fail_make_an_answer_partial(store: OpenSearchStore, standin: Standin) -> None:
    schema = make_schema()
    collection = store.create(schema)
    rows = draw_rows(schema, np.random.default_rng(1), [f"r{i}" for i in range(20)])
    collection.upsert(rows)
    assert rows.vectors is not None
    for fault in ("shards", "timeout"):
        standin.faults[fault] = 1
        (hits,) = collection.search(rows.vectors[:1], 30)
        assert (hits.partial, hits.exhausted) == (True, False)
    standin.faults["shards"] = 1
    with pytest.raises(StoreError, match="did not answer a scan"):
        collection.scan()
    (hits,) = collection.search(rows.vectors[:1], 30)
    assert (len(hits), hits.partial, hits.exhausted) == (20, False, True)


def test_each_search_sees_what_its_consistency_promises(store: OpenSearchStore, standin: Standin) -> None:
    schema = make_schema()
    mine, theirs = store.create(schema), OpenSearchStore(store.url).open("cars")
    rows = draw_rows(schema, np.random.default_rng(1), ["a"])
    assert rows.vectors is not None
    mine.upsert(rows)

    def seen(collection: object, consistency: str) -> int:
        return len(collection.search(rows.vectors, 1, None, SearchOptions(consistency=consistency))[0])  # type: ignore

    assert seen(mine, "eventual") == 0
    assert seen(theirs, "session") == 0
    assert seen(mine, "session") == 1
    mine.upsert(draw_rows(schema, np.random.default_rng(2), ["b"]))
    assert theirs.count() == 2
    refreshed = standin.asked["POST _refresh"]
    seen(theirs, "eventual")
    assert standin.asked["POST _refresh"] == refreshed


def test_a_new_index_takes_over_without_a_gap(store: OpenSearchStore) -> None:
    store.create(make_schema("v1"))
    store.create(make_schema("v2", 8))
    store.alias("now", "v1")
    store.alias("now", "v2")
    assert store.aliases() == {"now": "v2"}
    assert store.open("now").schema.dimension == 8
    with pytest.raises(InputError, match="another schema"):
        store.create(make_schema("v1", 9))
    store.drop("v2")
    assert store.aliases() == {}


def test_a_polygon_is_asked_for_ever_more_widely(store: OpenSearchStore) -> None:
    """The nearest rows are all in the polygon's box and not in the polygon."""
    schema = make_schema(dimension=2, metric="l2")
    collection = store.create(schema)
    n = 400
    rows = draw_rows(schema, np.random.default_rng(1), [f"r{i:03d}" for i in range(n)])
    inside = np.arange(n) >= n - 5
    spots = {"x": np.where(inside, 90.0, 10.0).tolist(), "y": np.where(inside, 10.0, 90.0).tolist()}
    vectors = np.column_stack([np.arange(n), np.zeros(n)]).astype(np.float32)
    collection.upsert(rows.__class__(**{**vars(rows), "columns": {**rows.columns, **spots}, "vectors": vectors}))
    corner = InPolygon(((0, 0), (100, 0), (100, 100)))
    (hits,) = collection.search(np.zeros((1, 2), np.float32), 3, corner)
    assert hits.ids == ("r395", "r396", "r397")
    (hits,) = collection.search(np.zeros((1, 2), np.float32), 10, corner)
    assert (len(hits), hits.exhausted) == (5, True)
    assert collection.count(corner) == 5
    assert collection.delete(corner) == 5
    assert collection.count(Range("x", 0, 100)) == n - 5


def test_a_real_node() -> None:
    url = os.environ.get("TIEPOINT_OPENSEARCH_URL")
    if not url:
        pytest.skip("TIEPOINT_OPENSEARCH_URL names no node")
    store = OpenSearchStore(url)
    for name in set(store.names()) & {"congruence"}:
        store.drop(name)
    found = run(store, make_schema("congruence"), np.random.default_rng(1), 100, initial=500)
    store.drop("congruence")
    assert found.differences == []
    assert np.mean(found.recall) >= 0.95
    assert np.mean(found.filtered) >= 0.95


def test_an_address_where_nobody_answers_is_an_error() -> None:
    with pytest.raises(StoreError, match="OpenSearch failed"):
        OpenSearchStore("http://127.0.0.1:9")


def test_equality_of_words(store: OpenSearchStore) -> None:
    schema = make_schema()
    collection = store.create(schema)
    collection.upsert(draw_rows(schema, np.random.default_rng(1), [f"r{i}" for i in range(50)]))
    assert 0 < collection.count(Eq("facility", 'it\'s "odd"\\')) < 50
