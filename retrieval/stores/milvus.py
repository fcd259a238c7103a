"""Collections on a Milvus server or cluster, through pymilvus 3.

Tested against a standalone server of Milvus 2.3.5. The embedded "lite" is refused: what it finds under filters was
measured at a tenth to four tenths of what is there.
"""

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from geometry.errors import InputError, MissingExtraError
from retrieval.stores.exact import require_alias
from retrieval.stores.filters import Filter, check
from retrieval.stores.milvus_expressions import EVERYTHING, NO_INTEGER, NO_WORD, PUSHED_DOWN, column, expression
from retrieval.stores.rows import Rows, Vectors, checked_vectors
from retrieval.stores.schema import MAX_ID_BYTES, MAX_KEYWORD_BYTES, Schema, schema_from_dict
from retrieval.stores.store import (
    MAX_K,
    Capabilities,
    Failure,
    Hits,
    Page,
    SearchOptions,
    Statistics,
    StoreError,
    Written,
    pages,
    require_k,
    resolve_name,
)
from retrieval.stores.widening import best_of, joined, passing, search_verified, widened, with_fields

LEVELS = {"strong": "Strong", "session": "Session", "eventual": "Eventually"}
NEIGHBOURS, BUILD_WIDTH, SEARCH_WIDTH = 32, 200, 128
MAX_SEARCH_WIDTH = 32_768
BATCH_BYTES = 16 * 2**20
"""The server takes messages of 64 MB."""
ATTEMPTS, FIRST_WAIT_S = 5, 0.2
IDS_AT_ONCE = 1000
MAX_META_BYTES = 65_535


class MilvusStore:
    """The collections of ours on a server; others are left alone."""

    def __init__(self, url: str, **options: Any) -> None:
        """Connect to ``http(s)://[USER:PASSWORD@]HOST:PORT``; ``options`` go to ``pymilvus.MilvusClient``."""
        try:
            from pymilvus import MilvusClient
        except ImportError as error:
            raise MissingExtraError("pymilvus", 'pip install "tiepoint[milvus]"') from error
        if not url.startswith(("http://", "https://")):
            raise InputError(f"'{url}' is no address of a Milvus server", remedy="http(s)://HOST:19530, no file.")
        with _engine_errors(url):
            self._client = MilvusClient(uri=url, **options)
        self.url = url

    @property
    def capabilities(self) -> Capabilities:
        """What to expect."""
        return Capabilities(
            engine="milvus",
            exact_below=0,
            consistency="strong",
            durable="in the server's log when acknowledged",
            pushed_down=PUSHED_DOWN,
            remote=True,
            notes=("polygons and circles are asked for as boxes and then tested by us",),
        )

    def create(self, schema: Schema) -> "MilvusCollection":
        """Make a collection with its index and load it, or return the one of that name if its schema is the same."""
        if schema.name in self.names():
            found = self.open(schema.name)
            found.schema.require_same(schema)
            return found
        if schema.name in self.aliases():
            raise InputError(f"'{schema.name}' is an alias", remedy="Take another name.")
        with _engine_errors(self.url):
            self._client.create_collection(
                schema.name,
                schema=self._milvus_schema(schema),
                index_params=self._index(schema),
                num_shards=schema.shards,
                consistency_level="Strong",
            )
            self._client.load_collection(schema.name, replica_number=max(1, schema.replicas))
        return MilvusCollection(self._client, self.url, schema)

    def open(self, name: str) -> "MilvusCollection":
        """Return a collection by its name or alias."""
        name = resolve_name(name, self.names(), self.aliases())
        with _engine_errors(self.url):
            told = self._client.describe_collection(name)
            self._client.load_collection(name)
        return MilvusCollection(self._client, self.url, schema_from_dict(json.loads(told["description"])["schema"]))

    def names(self) -> tuple[str, ...]:
        """Return the names of all collections of ours."""
        return tuple(sorted(self._described()))

    def aliases(self) -> dict[str, str]:
        """Return which collection each alias stands for."""
        return {alias: name for name, told in self._described().items() for alias in told.get("aliases", ())}

    def alias(self, alias: str, name: str) -> None:
        """Let an alias stand for a collection from now on, in one step."""
        require_alias(alias, name, self.names())
        with _engine_errors(self.url):
            if alias in self.aliases():
                self._client.alter_alias(name, alias)
            else:
                self._client.create_alias(name, alias)

    def drop(self, name: str) -> None:
        """Delete a collection and its aliases."""
        name = resolve_name(name, self.names(), {})
        with _engine_errors(self.url):
            for alias, target in self.aliases().items():
                if target == name:
                    self._client.drop_alias(alias)
            self._client.drop_collection(name)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _described(self) -> dict[str, dict[str, Any]]:
        with _engine_errors(self.url):
            every = {name: self._client.describe_collection(name) for name in self._client.list_collections()}
        return {name: told for name, told in every.items() if '"tiepoint"' in told.get("description", "")}

    def _milvus_schema(self, schema: Schema) -> Any:
        from pymilvus import DataType, MilvusClient

        made = MilvusClient.create_schema(
            auto_id=False,
            enable_dynamic_field=False,
            description=json.dumps({"tiepoint": 1, "schema": schema.as_dict()}, separators=(",", ":")),
        )
        made.add_field("id", DataType.VARCHAR, is_primary=True, max_length=MAX_ID_BYTES)
        made.add_field("vector", DataType.FLOAT_VECTOR, dim=schema.dimension)
        for field in schema.fields:
            if field.type == "keyword":
                made.add_field(column(field.name), DataType.VARCHAR, max_length=MAX_KEYWORD_BYTES)
            else:
                made.add_field(column(field.name), DataType.INT64 if field.type == "integer" else DataType.DOUBLE)
        made.add_field("meta", DataType.VARCHAR, max_length=MAX_META_BYTES)
        return made

    def _index(self, schema: Schema) -> Any:
        index = self._client.prepare_index_params()
        metric = "L2" if schema.metric == "l2" else "IP"
        if schema.index == "flat":
            index.add_index("vector", index_type="FLAT", metric_type=metric, params={})
        else:
            graph = {"M": NEIGHBOURS, "efConstruction": BUILD_WIDTH}
            index.add_index("vector", index_type="HNSW", metric_type=metric, params=graph)
        return index


class MilvusCollection:
    """A collection on the server."""

    def __init__(self, client: Any, url: str, schema: Schema) -> None:
        self.schema, self._client, self._url = schema, client, url
        self._columns = [column(field.name) for field in schema.fields]

    def upsert(self, rows: Rows) -> Written:
        """Write rows whole, a message at a time; a message is written or refused as one."""
        assert rows.vectors is not None
        failures: list[Failure] = []
        size = max(1, BATCH_BYTES // (4 * self.schema.dimension + 2048))
        for start in range(0, len(rows), size):
            part = rows.take(range(start, min(start + size, len(rows))))
            error = self._upsert(part)
            if error is not None:
                failures += [Failure(id, str(error), retryable=True) for id in part.ids]
        return Written(count=len(rows) - len(failures), failures=tuple(failures))

    def delete(self, filter: Filter) -> int:
        """Delete the rows that pass, found with strong consistency."""
        check(filter, self.schema)
        gone = [id for rows in pages(self, filter, vectors=False) for id in rows.ids]
        with _engine_errors(self._url):
            for start in range(0, len(gone), IDS_AT_ONCE):
                self._client.delete(self.schema.name, ids=gone[start : start + IDS_AT_ONCE])
        return len(gone)

    def count(self, filter: Filter | None = None) -> int:
        """Return how many rows pass, all writes counted."""
        wide, same = self._widened(filter)
        if not same:
            return sum(len(rows) for rows in pages(self, filter, vectors=False))
        with _engine_errors(self._url):
            found = self._client.query(
                self.schema.name, filter=wide, output_fields=["count(*)"], consistency_level="Strong"
            )
        return int(found[0]["count(*)"])

    def search(
        self, vectors: Vectors, k: int, filter: Filter | None = None, options: SearchOptions | None = None
    ) -> list[Hits]:
        """Return for each query the ``k`` best rows that pass."""
        require_k(k)
        options, queries = options or SearchOptions(), checked_vectors(self.schema, vectors)
        wide, same = self._widened(filter)

        def every() -> Rows:
            return joined(list(pages(self, filter)), self.schema)

        if same or filter is None:
            hits = self._search(queries, k, wide, options, fields=options.fields is not None)
            short = [i for i, each in enumerate(hits) if len(each) < k and not each.exact]
            if short and len(rows := every()) > min(len(hits[i]) for i in short):  # a graph may miss some
                for i in short:
                    hits[i] = best_of(self.schema, rows, queries[i], k)
            return [with_fields(each, options.fields) for each in hits]

        answers = []
        for query in queries:
            hits_of = lambda depth, query=query: self._search(query[None], depth, wide, options, fields=True)[0]  # noqa: E731
            answers.append(search_verified(hits_of, every, self.schema, query, k, filter, MAX_K))
        return [with_fields(each, options.fields) for each in answers]

    def scan(
        self, filter: Filter | None = None, *, size: int = 1000, token: str | None = None, vectors: bool = False
    ) -> Page:
        """Return a page of the rows that pass, in the order of their ids."""
        wide, same = self._widened(filter)
        if token is not None:
            wide = f"id > {json.dumps(token, ensure_ascii=False)} and ({wide})"
        fields = ["id", "meta", *self._columns, *(["vector"] if vectors else [])]
        with _engine_errors(self._url):
            found = self._client.query(
                self.schema.name, filter=wide, output_fields=fields, limit=size, consistency_level="Strong"
            )
        found = sorted(found, key=lambda row: str(row["id"]).encode())
        rows = self._rows(found, vectors)
        last = found[-1]["id"] if len(found) == size else None
        return Page(rows=rows if same else passing(self.schema, rows, filter), token=last)

    def build(self) -> None:
        """Seal what was written and wait until it is indexed."""
        with _engine_errors(self._url):
            self._client.flush(self.schema.name)
            while True:
                told = self._client.describe_index(self.schema.name, "vector")
                if int(told.get("pending_index_rows", 0)) <= 0 and told.get("state", "Finished") == "Finished":
                    return
                time.sleep(0.2)

    def statistics(self) -> Statistics:
        """Return the state."""
        with _engine_errors(self._url):
            told = self._client.describe_index(self.schema.name, "vector")
        return Statistics(rows=self.count(), indexed=int(told.get("indexed_rows", 0)), details=dict(told))

    def _widened(self, filter: Filter | None) -> tuple[str, bool]:
        if filter is None:
            return EVERYTHING, True
        check(filter, self.schema)
        wide, same = widened(filter, PUSHED_DOWN)
        return expression(wide, self.schema), same

    def _search(self, queries: Vectors, k: int, wide: str, options: SearchOptions, fields: bool) -> list[Hits]:
        exact = self.schema.index == "flat"
        width = int(min(MAX_SEARCH_WIDTH, max(k, math.ceil(SEARCH_WIDTH * options.effort))))
        with _engine_errors(self._url):
            found = self._client.search(
                self.schema.name,
                data=queries.tolist(),
                filter="" if wide == EVERYTHING else wide,
                limit=k,
                output_fields=["meta", *self._columns] if fields else None,
                search_params={"params": {} if exact else {"ef": width}},
                timeout=options.timeout_s,
                consistency_level=LEVELS[options.consistency],
            )
        return [self._hits(each, k, exact, fields) for each in found]

    def _hits(self, found: Any, k: int, exact: bool, fields: bool) -> Hits:
        rows = self._rows([{"id": hit["id"], **hit["entity"]} for hit in found], vectors=False) if fields else None
        return Hits(
            ids=tuple(str(hit["id"]) for hit in found),
            scores=np.array([hit["distance"] for hit in found], dtype=np.float32),
            exact=exact,
            exhausted=len(found) < k,
            rows=rows,
        )

    def _upsert(self, rows: Rows) -> Exception | None:
        """Write rows as one message, again after a while if the server is busy; return what it refused them for."""
        from pymilvus import MilvusException

        assert rows.vectors is not None
        content = [
            {
                "id": id,
                "vector": rows.vectors[i],
                "meta": json.dumps(rows.meta[i], ensure_ascii=False),
                **{column(f.name): _stored(f.type, rows.columns[f.name][i]) for f in self.schema.fields},
            }
            for i, id in enumerate(rows.ids)
        ]
        error: Exception | None = None
        for attempt in range(ATTEMPTS):
            try:
                self._client.upsert(self.schema.name, content)
                return None
            except MilvusException as failed:
                error = failed
            time.sleep(FIRST_WAIT_S * 2**attempt)
        return error

    def _rows(self, found: list[dict[str, Any]], vectors: bool) -> Rows:
        return Rows(
            ids=tuple(str(row["id"]) for row in found),
            vectors=np.array([row["vector"] for row in found], dtype=np.float32).reshape(-1, self.schema.dimension)
            if vectors
            else None,
            columns={f.name: [_read(f.type, row[column(f.name)]) for row in found] for f in self.schema.fields},
            meta=tuple(json.loads(row["meta"]) for row in found),
        )


def _stored(kind: str, value: Any) -> Any:
    if value is None:
        return NO_WORD if kind == "keyword" else NO_INTEGER
    return value


def _read(kind: str, value: Any) -> Any:
    if kind == "number":
        return float(value)
    missing = value == NO_WORD if kind == "keyword" else int(value) == NO_INTEGER
    return None if missing else value if kind == "keyword" else int(value)


@contextmanager
def _engine_errors(url: str) -> Iterator[None]:
    """Turn the client's errors into ours."""
    from pymilvus import MilvusException

    try:
        yield
    except MilvusException as error:
        raise StoreError(f"Milvus refused: {error.message}", where=url, remedy="See the server's log.") from error
