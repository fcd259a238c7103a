"""Filters, searches and index settings in OpenSearch's query language, and its scores turned back into raw ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.stores.filters import And, Eq, Filter, IdIn, In, InBox, Not, Or, Range
from retrieval.stores.rows import Vectors
from retrieval.stores.schema import Schema

PUSHED_DOWN = frozenset({"Eq", "In", "Range", "IdIn", "InBox", "Not", "And", "Or"})
NEIGHBOURS, BUILD_WIDTH, SEARCH_WIDTH = 16, 100, 128
EXACT_BELOW = 50_000
"""Rows passing a filter that OpenSearch scans instead of walking its graph."""
SQL_TYPES = {"keyword": "keyword", "integer": "long", "number": "double"}


def column(field: str) -> str:
    """Return the name of a field in the documents."""
    return f"f_{field}"


def index_body(schema: Schema) -> dict[str, Any]:
    """Return settings and mappings of an index; the schema itself is kept in ``_meta``."""
    graph = {"m": NEIGHBOURS, "ef_construction": BUILD_WIDTH}
    method = {"name": "hnsw", "engine": "faiss", "space_type": space(schema), "parameters": graph}
    vector: dict[str, Any] = {"type": "knn_vector", "dimension": schema.dimension}
    if schema.index == "auto":
        vector["method"] = method
    fields = {column(field.name): {"type": SQL_TYPES[field.type]} for field in schema.fields}
    return {
        "settings": {
            "index": {
                "knn": schema.index == "auto",
                "number_of_shards": schema.shards,
                "number_of_replicas": schema.replicas,
                "refresh_interval": "1s",
                "knn.advanced.filtered_exact_search_threshold": EXACT_BELOW,
            }
        },
        "mappings": {
            "dynamic": "strict",
            "_meta": {"tiepoint": 1, "schema": schema.as_dict()},
            "properties": {
                "key": {"type": "keyword"},
                "vector": vector,
                "meta": {"type": "object", "enabled": False},
                **fields,
            },
        },
    }


def query(filter: Filter, schema: Schema) -> dict[str, Any]:
    """Return the query of a filter of the kinds that are ``PUSHED_DOWN``."""
    match filter:
        case Eq(field, value):
            return {"term": {column(field): _plain(value)}}
        case In(field, values):
            return {"terms": {column(field): [_plain(value) for value in values]}}
        case IdIn(ids):
            return {"ids": {"values": list(ids)}}
        case Range(field, at_least, at_most):
            bounds = {"gte": at_least, "lte": at_most}
            given = {name: _plain(bound) for name, bound in bounds.items() if bound is not None}
            return {"range": {column(field): given}} if given else {"exists": {"field": column(field)}}
        case InBox(x_min, y_min, x_max, y_max):
            x, y = schema.plane
            parts = (Range(x, x_min, x_max), Range(y, y_min, y_max))
            return query(And(parts), schema)
        case Not(part):
            return {"bool": {"must_not": [query(part, schema)]}}
        case And(parts):
            return {"bool": {"filter": [query(part, schema) for part in parts]}} if parts else {"match_all": {}}
        case Or(parts):
            found = [query(part, schema) for part in parts]
            return {"bool": {"should": found, "minimum_should_match": 1}} if parts else {"match_none": {}}
    raise TypeError(f"{type(filter).__name__} must be widened first")


def nearest(vector: Vectors, k: int, passing: dict[str, Any] | None, effort: float, width: bool) -> dict[str, Any]:
    """Return the approximate search; the filter goes inside, where it narrows the search and not its answer."""
    clause: dict[str, Any] = {"vector": vector.tolist(), "k": k}
    if width:
        clause["method_parameters"] = {"ef_search": max(k, round(SEARCH_WIDTH * effort))}
    if passing is not None:
        clause["filter"] = passing
    return {"knn": {"vector": clause}}


def scored(vector: Vectors, passing: dict[str, Any] | None, schema: Schema) -> dict[str, Any]:
    """Return the exact search: a script scores every document that passes."""
    params = {"field": "vector", "query_value": vector.tolist(), "space_type": space(schema)}
    script = {"source": "knn_score", "lang": "knn", "params": params}
    return {"script_score": {"query": passing or {"match_all": {}}, "script": script}}


def space(schema: Schema) -> str:
    """Return OpenSearch's name of a metric; cosine is the inner product of vectors of unit length."""
    return "l2" if schema.metric == "l2" else "innerproduct"


def raw_scores(scores: list[float], schema: Schema) -> NDArray[np.float32]:
    """Return the inner products or squared distances behind OpenSearch's scores, which are all positive."""
    given = np.array(scores, dtype=np.float64)
    if schema.metric == "l2":
        return np.asarray(1.0 / given - 1.0, dtype=np.float32)
    return np.where(given > 1.0, given - 1.0, 1.0 - 1.0 / np.maximum(given, 1e-300)).astype(np.float32)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
