"""Collections on an OpenSearch cluster, through opensearch-py.

Tested on the wire against a stand-in that keeps to the documented contract, and against a node where
``TIEPOINT_OPENSEARCH_URL`` names one; it has never been run against a real node, so recall and speed are unknown.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from geometry.errors import MissingExtraError
from retrieval.stores.exact import require_alias
from retrieval.stores.filters import Filter, check
from retrieval.stores.opensearch_queries import (
    PUSHED_DOWN,
    column,
    index_body,
    nearest,
    query,
    raw_scores,
    scored,
)
from retrieval.stores.rows import Rows, Vectors, checked_vectors
from retrieval.stores.schema import Schema, schema_from_dict
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
from retrieval.stores.widening import joined, passing, search_verified, widened, with_fields

BATCH_BYTES = 8 * 2**20
BUSY = (429, 502, 503, 504)
ATTEMPTS, FIRST_WAIT_S, LONGEST_WAIT_S = 6, 0.1, 10.0
Answer = TypeVar("Answer")


class OpenSearchStore:
    """The collections of ours on a cluster, an index each; others are left alone."""

    def __init__(self, url: str, **options: Any) -> None:
        """Connect to ``http(s)://[USER:PASSWORD@]HOST:PORT``; ``options`` go to ``opensearchpy.OpenSearch``."""
        try:
            from opensearchpy import OpenSearch
        except ImportError as error:
            raise MissingExtraError("opensearch-py", 'pip install "tiepoint[opensearch]"') from error
        self.url = url
        self._client = OpenSearch(url, **({"max_retries": 0, "timeout": 60} | options))
        with _engine_errors(url):
            self._client.info()

    @property
    def capabilities(self) -> Capabilities:
        """What to expect."""
        return Capabilities(
            engine="opensearch",
            exact_below=0,
            consistency="strong",
            durable="in the translog of all copies in sync when acknowledged",
            pushed_down=PUSHED_DOWN,
            remote=True,
            notes=(
                "never run against a real node, only against a stand-in",
                "strong searches refresh the index first, session ones after own writes",
                "polygons and circles are asked for as boxes and then tested by us",
            ),
        )

    def create(self, schema: Schema) -> "OpenSearchCollection":
        """Make an index, or return the one of that name if its schema is the same."""
        if schema.name in self.names():
            found = self.open(schema.name)
            found.schema.require_same(schema)
            return found
        with _engine_errors(self.url):
            self._client.indices.create(index=schema.name, body=index_body(schema))
        return OpenSearchCollection(self._client, self.url, schema)

    def open(self, name: str) -> "OpenSearchCollection":
        """Return a collection by its name or alias."""
        described = self._described()
        name = resolve_name(name, tuple(described), self.aliases())
        return OpenSearchCollection(self._client, self.url, schema_from_dict(described[name]))

    def names(self) -> tuple[str, ...]:
        """Return the names of all collections of ours."""
        return tuple(sorted(self._described()))

    def aliases(self) -> dict[str, str]:
        """Return which collection each alias stands for."""
        with _engine_errors(self.url):
            every = self._client.indices.get_alias()
        ours = self._described()
        return {alias: name for name, told in every.items() if name in ours for alias in told["aliases"]}

    def alias(self, alias: str, name: str) -> None:
        """Let an alias stand for a collection from now on, in one step."""
        require_alias(alias, name, self.names())
        before = self.aliases().get(alias)
        actions: list[dict[str, Any]] = [{"add": {"index": name, "alias": alias}}]
        if before is not None and before != name:
            actions.insert(0, {"remove": {"index": before, "alias": alias}})
        with _engine_errors(self.url):
            self._client.indices.update_aliases(body={"actions": actions})

    def drop(self, name: str) -> None:
        """Delete an index, and with it its aliases."""
        name = resolve_name(name, self.names(), {})
        with _engine_errors(self.url):
            self._client.indices.delete(index=name)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _described(self) -> dict[str, dict[str, Any]]:
        """Return the schema of each index of ours."""
        with _engine_errors(self.url):
            every = self._client.indices.get_mapping()
        told = {name: content["mappings"].get("_meta", {}) for name, content in every.items()}
        return {name: meta["schema"] for name, meta in told.items() if "tiepoint" in meta}


class OpenSearchCollection:
    """An index on the cluster."""

    def __init__(self, client: Any, url: str, schema: Schema) -> None:
        self.schema, self._client, self._url = schema, client, url
        self._wrote = False

    def upsert(self, rows: Rows) -> Written:
        """Write rows whole, in requests of some megabytes; each row is written or refused on its own.

        Rows that the cluster is too busy for are sent again, some times, ever later.
        """
        self._wrote = True
        failures: list[Failure] = []
        size = max(1, BATCH_BYTES // (12 * self.schema.dimension + 1024))
        for start in range(0, len(rows), size):
            actions = [self._action(rows, i) for i in range(start, min(start + size, len(rows)))]
            failures += self._bulk(actions)
        return Written(count=len(rows) - len(failures), failures=tuple(failures))

    def delete(self, filter: Filter) -> int:
        """Delete the rows that pass; all earlier writes are seen."""
        check(filter, self.schema)
        wide, same = widened(filter, PUSHED_DOWN)
        self._refresh()
        if not same:
            gone = [id for rows in pages(self, filter, vectors=False) for id in rows.ids]
            failures = self._bulk([(id, [{"delete": {"_index": self.schema.name, "_id": id}}]) for id in gone])
            if failures:
                raise StoreError(f"{len(failures)} rows could not be deleted: {failures[0].reason}", where=self._url)
            self._refresh()
            return len(gone)
        with _engine_errors(self._url):
            told = self._patiently(
                lambda: self._client.delete_by_query(
                    index=self.schema.name,
                    body={"query": query(wide, self.schema)},
                    params={"conflicts": "proceed", "refresh": "true"},
                )
            )
        if told.get("failures") or told.get("timed_out") or told.get("version_conflicts"):
            what = f"{told['deleted']} rows were deleted and some were not: {told.get('failures', [])[:1]}"
            raise StoreError(what, where=self._url, remedy="Delete again.")
        return int(told["deleted"])

    def count(self, filter: Filter | None = None) -> int:
        """Return how many rows pass, all writes counted."""
        wide, same = self._widened(filter)
        self._refresh()
        if not same:
            return sum(len(rows) for rows in pages(self, filter, vectors=False))
        return self._count(wide)

    def search(
        self, vectors: Vectors, k: int, filter: Filter | None = None, options: SearchOptions | None = None
    ) -> list[Hits]:
        """Return for each query the ``k`` best rows that pass."""
        require_k(k)
        options, queries = options or SearchOptions(), checked_vectors(self.schema, vectors)
        wide, same = self._widened(filter)
        if options.consistency == "strong" or (options.consistency == "session" and self._wrote):
            self._refresh()

        def every() -> Rows:
            return joined(list(pages(self, filter)), self.schema)

        answers = []
        for vector in queries:
            if same or filter is None:
                hits = self._search(vector, k, wide, options, fields=options.fields is not None)
            else:
                ask = lambda depth, vector=vector: self._search(vector, depth, wide, options, fields=True)  # noqa: E731
                hits = search_verified(ask, every, self.schema, vector, k, filter, MAX_K)
            answers.append(with_fields(hits, options.fields))
        return answers

    def scan(
        self, filter: Filter | None = None, *, size: int = 1000, token: str | None = None, vectors: bool = False
    ) -> Page:
        """Return a page of the rows that pass, in the order of their ids."""
        wide, same = self._widened(filter)
        if token is None:
            self._refresh()
        body: dict[str, Any] = {"size": size, "query": wide or {"match_all": {}}, "sort": [{"key": "asc"}]}
        body["_source"] = True if vectors else {"excludes": ["vector"]}
        if token is not None:
            body["search_after"] = [token]
        found = self._ask(body)
        if _is_partial(found):
            raise StoreError("some shards did not answer a scan", where=self._url, remedy="Scan again.")
        rows = self._rows(found["hits"]["hits"], vectors)
        last = rows.ids[-1] if len(rows) == size else None
        return Page(rows=rows if same else passing(self.schema, rows, filter), token=last)

    def build(self) -> None:
        """Merge what was written, so that searches walk one graph a shard."""
        with _engine_errors(self._url):
            self._refresh()
            self._patiently(
                lambda: self._client.indices.forcemerge(index=self.schema.name, params={"max_num_segments": 1})
            )

    def statistics(self) -> Statistics:
        """Return the state."""
        count = self.count()
        with _engine_errors(self._url):
            told = self._client.indices.stats(index=self.schema.name)
        size = told["_all"]["total"]["store"]["size_in_bytes"]
        return Statistics(rows=count, indexed=count if self.schema.index == "auto" else 0, bytes=int(size))

    def _widened(self, filter: Filter | None) -> tuple[dict[str, Any] | None, bool]:
        if filter is None:
            return None, True
        check(filter, self.schema)
        wide, same = widened(filter, PUSHED_DOWN)
        return query(wide, self.schema), same

    def _search(
        self, vector: Vectors, k: int, wide: dict[str, Any] | None, options: SearchOptions, fields: bool
    ) -> Hits:
        exact = self.schema.index == "flat"
        hits = self._hits(vector, k, wide, options, fields, exact)
        if len(hits) < k and not exact and not hits.partial and self._count(wide) > len(hits):
            # a graph under a filter may find fewer than there are (k-NN issue 1043): then every row is scored
            hits = self._hits(vector, k, wide, options, fields, exact=True)
        return hits

    def _hits(
        self, vector: Vectors, k: int, wide: dict[str, Any] | None, options: SearchOptions, fields: bool, exact: bool
    ) -> Hits:
        asked = scored(vector, wide, self.schema) if exact else nearest(vector, k, wide, options.effort, width=True)
        source: Any = {"excludes": ["vector"]} if fields else False
        body = {"size": k, "query": asked, "_source": source, "timeout": f"{int(1000 * options.timeout_s)}ms"}
        found = self._ask(body, options.timeout_s)
        hits, partial = found["hits"]["hits"], _is_partial(found)
        return Hits(
            ids=tuple(hit["_id"] for hit in hits),
            scores=raw_scores([hit["_score"] for hit in hits], self.schema),
            exact=exact,
            exhausted=len(hits) < k and not partial,
            partial=partial,
            rows=self._rows(hits, vectors=False) if fields else None,
        )

    def _ask(self, body: dict[str, Any], timeout_s: float = 60.0) -> Any:
        with _engine_errors(self._url):
            return self._patiently(
                lambda: self._client.search(
                    index=self.schema.name, body=body, params={"request_timeout": timeout_s + 5.0}
                )
            )

    def _count(self, wide: dict[str, Any] | None) -> int:
        with _engine_errors(self._url):
            told = self._patiently(
                lambda: self._client.count(index=self.schema.name, body={"query": wide or {"match_all": {}}})
            )
        if told["_shards"]["failed"]:
            raise StoreError("some shards did not answer a count", where=self._url, remedy="Count again.")
        return int(told["count"])

    def _refresh(self) -> None:
        with _engine_errors(self._url):
            self._patiently(lambda: self._client.indices.refresh(index=self.schema.name))
        self._wrote = False

    def _action(self, rows: Rows, i: int) -> tuple[str, list[dict[str, Any]]]:
        assert rows.vectors is not None
        id = rows.ids[i]
        document = {column(name): values[i] for name, values in rows.columns.items() if values[i] is not None}
        document |= {"key": id, "vector": rows.vectors[i].tolist(), "meta": rows.meta[i]}
        return id, [{"index": {"_index": self.schema.name, "_id": id}}, document]

    def _bulk(self, actions: Sequence[tuple[str, list[dict[str, Any]]]]) -> list[Failure]:
        """Send actions, those again that the cluster was too busy for, and return what it refused for good."""
        from opensearchpy.exceptions import ConnectionError, TransportError

        waiting, failures = dict(actions), []
        reasons: dict[str, str] = {}
        wait = FIRST_WAIT_S
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(wait)
                wait = min(LONGEST_WAIT_S, 2 * wait)
            lines = "".join(json.dumps(line) + "\n" for each in waiting.values() for line in each)
            try:
                told = self._client.bulk(body=lines) if lines else {"items": []}
            except (ConnectionError, TransportError) as error:
                if not _is_busy(error):
                    raise StoreError(f"OpenSearch refused: {error}", where=self._url) from error
                reasons = dict.fromkeys(waiting, str(error))
                continue
            reasons = {}
            for item in told["items"]:
                (answer,) = item.values()
                id, status = answer["_id"], answer["status"]
                if status in BUSY:
                    reasons[id] = _reason(answer)
                    continue
                if not (status < 300 or (status == 404 and "delete" in item)):
                    failures.append(Failure(id, _reason(answer), retryable=False))
                waiting.pop(id, None)
            if not waiting:
                break
        return failures + [Failure(id, reasons.get(id, "not answered"), retryable=True) for id in waiting]

    def _rows(self, hits: list[dict[str, Any]], vectors: bool) -> Rows:
        sources = [hit["_source"] for hit in hits]
        read = {"keyword": str, "integer": int, "number": float}
        columns: dict[str, list[Any]] = {}
        for field in self.schema.fields:
            values = [source.get(column(field.name)) for source in sources]
            columns[field.name] = [None if value is None else read[field.type](value) for value in values]
        return Rows(
            ids=tuple(hit["_id"] for hit in hits),
            vectors=np.array([source["vector"] for source in sources], dtype=np.float32).reshape(
                -1, self.schema.dimension
            )
            if vectors
            else None,
            columns=columns,
            meta=tuple(source.get("meta", {}) for source in sources),
        )

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        """Ask again, some times and ever later, while the cluster is too busy."""
        from opensearchpy.exceptions import ConnectionError, TransportError

        wait = FIRST_WAIT_S
        for _ in range(ATTEMPTS - 1):
            try:
                return ask()
            except (ConnectionError, TransportError) as error:
                if not _is_busy(error):
                    raise
            time.sleep(wait)
            wait = min(LONGEST_WAIT_S, 2 * wait)
        return ask()


def _is_partial(found: dict[str, Any]) -> bool:
    return bool(found.get("timed_out")) or bool(found["_shards"]["failed"])


def _is_busy(error: Exception) -> bool:
    return getattr(error, "status_code", None) in (*BUSY, "N/A", "TIMEOUT")


def _reason(answer: dict[str, Any]) -> str:
    error = answer.get("error", {})
    return f"{answer['status']} {error.get('type', '')}: {error.get('reason', '')}".strip()


@contextmanager
def _engine_errors(url: str) -> Iterator[None]:
    """Turn the client's errors into ours."""
    from opensearchpy.exceptions import OpenSearchException

    try:
        yield
    except OpenSearchException as error:
        raise StoreError(f"OpenSearch failed: {error}", where=url, remedy="See the cluster's health.") from error
