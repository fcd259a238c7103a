"""Filters in Milvus' own language.

Milvus 2.3 knows no None: a missing word is stored as "" and a missing integer as the least one, which no filter can ask
for, so that only ranges have to leave them out.
"""

import json
import math

import numpy as np

from retrieval.stores.filters import And, Eq, Filter, IdIn, In, InBox, Not, Or, Range, Value
from retrieval.stores.schema import Schema

NO_WORD = ""
NO_INTEGER = int(np.iinfo(np.int64).min)
PUSHED_DOWN = frozenset({"Eq", "In", "Range", "IdIn", "InBox", "Not", "And", "Or"})
EVERYTHING, NOTHING = 'id != ""', 'id == ""'


def expression(filter: Filter, schema: Schema) -> str:
    """Return the expression of a filter of the kinds that are ``PUSHED_DOWN``."""
    match filter:
        case Eq(field, value):
            return f"{column(field)} == {_literal(value, schema, field)}"
        case In(field, values):
            listed = ", ".join(_literal(value, schema, field) for value in values)
            return f"{column(field)} in [{listed}]" if values else NOTHING
        case IdIn(ids):
            return f"id in [{', '.join(map(_text, ids))}]" if ids else NOTHING
        case Range(field, at_least, at_most):
            return _range(field, at_least, at_most, schema)
        case InBox(x_min, y_min, x_max, y_max):
            x, y = (column(axis) for axis in schema.plane)
            return f"({x} >= {x_min!r} and {x} <= {x_max!r} and {y} >= {y_min!r} and {y} <= {y_max!r})"
        case Not(part):
            return f"not ({expression(part, schema)})"
        case And(parts):
            return " and ".join(f"({expression(part, schema)})" for part in parts) or EVERYTHING
        case Or(parts):
            return " or ".join(f"({expression(part, schema)})" for part in parts) or NOTHING
    raise TypeError(f"{type(filter).__name__} must be widened first")


def column(field: str) -> str:
    """Return the name of a field's column."""
    return f"f_{field}"


def _range(field: str, at_least: float | None, at_most: float | None, schema: Schema) -> str:
    name = column(field)
    if schema.field(field).type == "integer":
        low = NO_INTEGER + 1 if at_least is None else max(NO_INTEGER + 1, math.ceil(at_least))
        parts = [f"{name} >= {low}"]
        if at_most is not None and at_most < 2**63:
            parts.append(f"{name} <= {math.floor(at_most)}")
    else:
        parts = [] if at_least is None else [f"{name} >= {float(at_least)!r}"]
        parts += [] if at_most is None else [f"{name} <= {float(at_most)!r}"]
    return f"({' and '.join(parts)})" if parts else EVERYTHING


def _literal(value: Value, schema: Schema, field: str) -> str:
    kind = schema.field(field).type
    return _text(str(value)) if kind == "keyword" else repr(int(value) if kind == "integer" else float(value))


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
