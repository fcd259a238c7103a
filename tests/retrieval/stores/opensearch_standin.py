"""A stand-in for an OpenSearch node, written from its documentation: what our client asks for, over HTTP, and faults.

It is no OpenSearch. It refuses what the documents refuse (unknown keys, fields, dimensions, k out of bounds), answers
k-NN exactly with the documented scores, and shows nothing that wasn't refreshed. ``Standin.faults`` makes it fail.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

TYPES: dict[str, type | tuple[type, ...]] = {"keyword": str, "long": int, "double": (int, float)}


class Refusal(Exception):
    """An error as OpenSearch words it."""

    def __init__(self, status: int, kind: str, reason: str) -> None:
        self.status, self.kind, self.reason = status, kind, reason


class Index:
    """Documents that were written, and those of them that searches see."""

    def __init__(self, body: dict[str, Any]) -> None:
        only(body, {"settings", "mappings"})
        settings = body["settings"]["index"]
        only(
            settings,
            {
                "knn",
                "number_of_shards",
                "number_of_replicas",
                "refresh_interval",
                "knn.advanced.filtered_exact_search_threshold",
            },
        )
        self.mappings = body["mappings"]
        only(self.mappings, {"dynamic", "_meta", "properties"})
        self.fields = self.mappings["properties"]
        for name, field in self.fields.items():
            if field["type"] == "knn_vector":
                only(field, {"type", "dimension", "method"})
                if not 1 <= field["dimension"] <= 16_000:
                    raise Refusal(400, "mapper_parsing_exception", f"dimension of {name}")
                if "method" in field and field["method"]["space_type"] not in ("l2", "innerproduct", "cosinesimil"):
                    raise Refusal(400, "mapper_parsing_exception", "space_type")
        self.written: dict[str, dict[str, Any]] = {}
        self.visible: dict[str, dict[str, Any]] = {}

    def check(self, document: dict[str, Any]) -> None:
        for name, value in document.items():
            field = self.fields.get(name)
            if field is None:
                raise Refusal(400, "strict_dynamic_mapping_exception", f"[{name}] is not allowed")
            kind = field["type"]
            if kind == "knn_vector" and len(value) != field["dimension"]:
                raise Refusal(
                    400, "mapper_parsing_exception", f"Vector dimension mismatch. Expected: {field['dimension']}"
                )
            if kind in TYPES and not isinstance(value, TYPES[kind]):
                raise Refusal(400, "mapper_parsing_exception", f"failed to parse field [{name}]")


class Standin:
    """The node. ``faults`` counts how often a kind still happens: "429", "503", "bulk items", "shards" or "timeout"."""

    def __init__(self) -> None:
        self.indices: dict[str, Index] = {}
        self.aliases: dict[str, str] = {}
        self.faults: Counter[str] = Counter()
        self.flaky: Callable[[], str | None] = lambda: None
        self.asked: Counter[str] = Counter()
        self.lock = threading.Lock()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any], dict[str, str]]:
        with self.lock:
            fault = self._fault("429", "503")
            if fault and path != "/":
                headers = {"Retry-After": "1"} if fault == "429" else {}
                return int(fault), _error(int(fault), "circuit_breaking_exception", "too busy"), headers
            try:
                return 200, self._route(method, path, body), {}
            except Refusal as refused:
                return refused.status, _error(refused.status, refused.kind, refused.reason), {}

    def _fault(self, *kinds: str) -> str | None:
        drawn = self.flaky()
        if drawn in kinds:
            return drawn
        for kind in kinds:
            if self.faults[kind] > 0:
                self.faults[kind] -= 1
                return kind
        return None

    def _route(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        url = urlsplit(path)
        parts = [part for part in url.path.split("/") if part]
        self.asked[f"{method} {parts[-1] if parts else ''}"] += 1
        parameters = {name: values[0] for name, values in parse_qs(url.query).items()}
        if not parts:
            return {"version": {"number": "3.0.0", "distribution": "opensearch"}, "tagline": "a stand-in"}
        if parts == ["_bulk"]:
            return self._bulk(body)
        content = json.loads(body) if body else {}
        if parts == ["_mapping"]:
            return {name: {"mappings": index.mappings} for name, index in self.indices.items()}
        if parts == ["_alias"]:
            every = self.aliases.items()
            return {n: {"aliases": {a: {} for a, target in every if target == n}} for n in self.indices}
        if parts == ["_aliases"]:
            return self._update_aliases(content)
        if len(parts) == 1:
            return self._whole(method, parts[0], content)
        return self._on_index(self._index(parts[0]), parts[1], content, parameters)

    def _whole(self, method: str, name: str, content: dict[str, Any]) -> dict[str, Any]:
        if method == "PUT":
            if name in self.indices or name in self.aliases:
                raise Refusal(400, "resource_already_exists_exception", f"index [{name}] already exists")
            self.indices[name] = Index(content)
        elif method == "DELETE":
            self._index(name)
            del self.indices[name]
            self.aliases = {alias: target for alias, target in self.aliases.items() if target != name}
        else:
            raise Refusal(405, "method_not_allowed", method)
        return {"acknowledged": True}

    def _on_index(self, index: Index, verb: str, content: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
        if verb == "_refresh":
            index.visible = dict(index.written)
            return {"_shards": {"total": 1, "successful": 1, "failed": 0}}
        if verb == "_forcemerge":
            return {"_shards": {"total": 1, "successful": 1, "failed": 0}}
        if verb == "_stats":
            return {"_all": {"total": {"store": {"size_in_bytes": 1000 * len(index.written)}}}}
        if verb == "_count":
            only(content, {"query"})
            return {"count": len(passing(index, content["query"])), "_shards": {"failed": 0}}
        if verb == "_delete_by_query":
            only(content, {"query"})
            gone = passing(index, content["query"])
            for id in gone:
                index.written.pop(id, None)
            if parameters.get("refresh") == "true":
                index.visible = dict(index.written)
            return {"deleted": len(gone), "version_conflicts": 0, "failures": [], "timed_out": False}
        if verb == "_search":
            return self._search(index, content)
        raise Refusal(400, "illegal_argument_exception", f"no handler for {verb}")

    def _search(self, index: Index, content: dict[str, Any]) -> dict[str, Any]:
        only(content, {"size", "query", "_source", "sort", "search_after", "timeout"})
        if not 0 <= content["size"] <= 10_000:
            raise Refusal(400, "illegal_argument_exception", "Result window is too large")
        fault = self._fault("shards", "timeout")
        if "knn" in content["query"] or "script_score" in content["query"]:
            scores = scored(index, content["query"])
            order = sorted(scores, key=lambda id: (-scores[id], id))
        else:
            scores = dict.fromkeys(passing(index, content["query"]), 1.0)
            order = sorted(scores, key=lambda id: index.visible[id]["key"])
            if "search_after" in content:
                order = [id for id in order if index.visible[id]["key"] > content["search_after"][0]]
        order = order[: content["size"]]
        if fault == "shards":  # one of two shards is gone with its documents
            order = order[::2]
        source = content["_source"]
        hits = []
        for id in order:
            hit: dict[str, Any] = {"_id": id, "_score": scores[id]}
            if source is not False:
                left_out = source["excludes"] if isinstance(source, dict) else []
                hit["_source"] = {name: value for name, value in index.visible[id].items() if name not in left_out}
            hits.append(hit)
        shards = {"total": 2, "successful": 1 if fault == "shards" else 2, "failed": int(fault == "shards")}
        return {"timed_out": fault == "timeout", "_shards": shards, "hits": {"hits": hits}}

    def _bulk(self, body: bytes) -> dict[str, Any]:
        items: list[dict[str, Any]] = []
        lines = iter(body.decode().split("\n")[:-1])
        for line in lines:
            ((action, about),) = json.loads(line).items()
            document = json.loads(next(lines)) if action == "index" else None
            id, index = about["_id"], self._index(about["_index"])
            answer: dict[str, Any] = {"_index": about["_index"], "_id": id, "status": 200}
            try:
                if self._fault("bulk items"):
                    raise Refusal(429, "rejected_execution_exception", "rejected execution of coordinating operation")
                if action == "index":
                    assert document is not None
                    index.check(document)
                    answer["status"] = 200 if id in index.written else 201
                    index.written[id] = document
                elif action == "delete":
                    answer["status"] = 200 if index.written.pop(id, None) is not None else 404
                else:
                    raise Refusal(400, "illegal_argument_exception", f"Malformed action {action}")
            except Refusal as refused:
                answer |= {"status": refused.status, "error": {"type": refused.kind, "reason": refused.reason}}
            items.append({action: answer})
        return {"errors": any("error" in next(iter(item.values())) for item in items), "items": items}

    def _update_aliases(self, content: dict[str, Any]) -> dict[str, Any]:
        after = dict(self.aliases)
        for action in content["actions"]:
            ((verb, about),) = action.items()
            self._index(about["index"])
            if verb == "add":
                if about["alias"] in self.indices:
                    raise Refusal(
                        400, "invalid_alias_name_exception", "an index exists with the same name as the alias"
                    )
                after[about["alias"]] = about["index"]
            elif verb == "remove":
                del after[about["alias"]]
        self.aliases = after
        return {"acknowledged": True}

    def _index(self, name: str) -> Index:
        found = self.indices.get(self.aliases.get(name, name))
        if found is None:
            raise Refusal(404, "index_not_found_exception", f"no such index [{name}]")
        return found


def passing(index: Index, query: dict[str, Any]) -> list[str]:
    return [id for id, document in index.visible.items() if true_of(index, query, id, document)]


def true_of(index: Index, query: dict[str, Any], id: str, document: dict[str, Any]) -> bool:
    ((kind, about),) = query.items()
    if kind == "match_all":
        return True
    if kind == "match_none":
        return False
    if kind == "ids":
        return id in about["values"]
    if kind == "exists":
        return about["field"] in document
    if kind == "bool":
        only(about, {"filter", "must_not", "should", "minimum_should_match"})
        should = about.get("should")
        return (
            all(true_of(index, part, id, document) for part in about.get("filter", []))
            and not any(true_of(index, part, id, document) for part in about.get("must_not", []))
            and (should is None or any(true_of(index, part, id, document) for part in should))
        )
    if kind not in ("term", "terms", "range"):
        raise Refusal(400, "parsing_exception", f"unknown query [{kind}]")
    ((field, wanted),) = about.items()
    if field not in index.fields:
        raise Refusal(400, "query_shard_exception", f"no mapping for [{field}]")  # stricter than the real one
    value = document.get(field)
    if value is None:
        return False
    if kind == "term":
        return bool(value == wanted)
    if kind == "terms":
        return value in wanted
    only(wanted, {"gte", "lte", "gt", "lt"})
    if index.fields[field]["type"] == "keyword":
        raise Refusal(400, "parsing_exception", "ranges of words are not asked for")
    low, high = wanted.get("gte", -np.inf), wanted.get("lte", np.inf)
    return bool(low <= value <= high)


def scored(index: Index, query: dict[str, Any]) -> dict[str, float]:
    if "knn" in query:
        ((field, about),) = query["knn"].items()
        only(about, {"vector", "k", "filter", "method_parameters"})
        if not 1 <= about["k"] <= 10_000:
            raise Refusal(400, "parsing_exception", "[knn] requires 0 < k <= 10000")
        only(about.get("method_parameters", {}), {"ef_search"})
        if "method" not in index.fields[field]:
            raise Refusal(400, "search_phase_execution_exception", "index.knn is false")
        space = index.fields[field]["method"]["space_type"]
        ids, vector, k = passing(index, about.get("filter", {"match_all": {}})), about["vector"], about["k"]
    else:
        about = query["script_score"]
        only(about, {"query", "script"})
        params = about["script"]["params"]
        only(params, {"field", "query_value", "space_type"})
        field, space = params["field"], params["space_type"]
        ids, vector, k = passing(index, about["query"]), params["query_value"], len(index.visible)
    if len(vector) != index.fields[field]["dimension"]:
        raise Refusal(400, "search_phase_execution_exception", "Query vector has invalid dimension")
    stored = np.array([index.visible[id][field] for id in ids], dtype=np.float32).reshape(-1, len(vector))
    asked = np.array(vector, dtype=np.float32)
    if space == "l2":
        scores = 1.0 / (1.0 + ((stored - asked) ** 2).sum(axis=1))
    else:
        products = stored @ asked
        scores = np.where(products > 0, products + 1.0, 1.0 / (1.0 - np.minimum(products, 0.0)))
    order = np.argsort(-scores, kind="stable")[:k]
    return {ids[i]: float(scores[i]) for i in order}


def only(content: dict[str, Any], known: set[str]) -> None:
    unknown = set(content) - known
    if unknown:
        raise Refusal(400, "parsing_exception", f"unknown key {sorted(unknown)}")


def _error(status: int, kind: str, reason: str) -> dict[str, Any]:
    return {"status": status, "error": {"type": kind, "reason": reason, "root_cause": []}}


@contextmanager
def served(standin: Standin) -> Iterator[str]:
    """Serve the stand-in on a port of 127.0.0.1 and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet, which delayed acknowledgements would else hold up

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, content, headers = standin.answer(self.command, self.path, body)
            written = json.dumps(content).encode()
            self.send_response(status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(written))} | headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(written)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _handle

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
