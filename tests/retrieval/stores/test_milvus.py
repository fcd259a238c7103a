"""The Milvus engine against a real standalone server, where one can be run here, or at TIEPOINT_MILVUS_URL."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from geometry.errors import InputError
from retrieval.stores.exact import ExactStore
from retrieval.stores.filters import And, Eq, In, InBox, InPolygon, Not, Or, Range
from retrieval.stores.milvus_expressions import expression
from retrieval.stores.widening import widened
from tests.retrieval.stores.congruence import draw_filter, draw_rows, make_schema, run
from tests.retrieval.stores.milvus_server import missing, served


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = os.environ.get("TIEPOINT_MILVUS_URL")
    if url:
        yield url
        return
    absent = missing()
    if absent:
        pytest.skip(absent)
    folder = Path(os.environ.get("TIEPOINT_MILVUS_DATA", str(tmp_path_factory.mktemp("milvus"))))
    with served(folder) as url:
        yield url


@pytest.mark.parametrize(("index", "operations"), [("flat", 25), ("auto", 25)])
def test_a_real_server_answers_as_the_oracle(address: str, index: str, operations: int) -> None:
    from retrieval.stores.milvus import MilvusStore

    store = MilvusStore(address)
    name = f"congruence_{index}"
    if name in store.names():
        store.drop(name)
    schema = make_schema(name, dimension=18, index=index)
    found = run(store, schema, np.random.default_rng(3), operations, initial=600)
    assert found.differences == []
    if index == "auto":
        assert np.mean(found.recall) >= 0.95  # measured 0.998 over 60 operations
        assert np.mean(found.filtered) >= 0.95  # measured 0.998
    with pytest.raises(InputError, match="another schema"):
        store.create(make_schema(name, dimension=19))
    store.alias("tiepoint_now", name)
    assert store.open("tiepoint_now").schema == schema
    store.drop(name)
    assert name not in store.names()
    assert "tiepoint_now" not in store.aliases()
    store.close()


def test_expressions() -> None:
    schema = make_schema()
    for filter, wanted in (
        (Eq("level", 'a"b'), 'f_level == "a\\"b"'),
        (In("track", ()), 'id == ""'),
        (Range("track", None, 2.5), "(f_track >= -9223372036854775807 and f_track <= 2)"),
        (Range("time", 1, None), "(f_time >= 1.0)"),
        (Not(Or((Eq("zone", "A"), Eq("track", 3)))), 'not ((f_zone == "A") or (f_track == 3))'),
        (And(()), 'id != ""'),
    ):
        assert expression(filter, schema) == wanted


def test_a_wider_filter_loses_no_row() -> None:
    """Polygons and circles become boxes, and where they are negated everything."""
    schema = make_schema()
    oracle, rng = ExactStore().create(schema), np.random.default_rng(4)
    ids = [f"r{i}" for i in range(300)]
    oracle.upsert(draw_rows(schema, rng, ids))
    known = frozenset({"Eq", "In", "Range", "IdIn", "InBox", "Not", "And", "Or"})
    changed = 0
    for _ in range(300):
        filter = draw_filter(rng, ids)
        wide, same = widened(filter, known)
        narrow, more = oracle.count(filter), oracle.count(And((filter, wide)))
        assert narrow == more
        assert same == (wide == filter)
        changed += not same
    assert changed > 50
    corner = InPolygon(((0, 0), (1, 0), (0, 1)))
    assert widened(corner, known) == (InBox(0, 0, 1, 1), False)
    assert widened(Not(corner), known) == (Not(Or(())), False)
