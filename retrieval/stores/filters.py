"""Which rows: a small tree of tests that every engine translates, and what it means on plain arrays.

A test of a field is false where the field is None, and ``Not`` is the plain complement. Regions are closed sets in the
plane of the schema; whether a row exactly on the rim is inside is left to rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry.errors import InputError
from retrieval.stores.schema import Schema

MANY_POINTS, CELLS = 20_000, 64
"""From so many points on, a polygon is first looked up in a grid of cells."""
Mask = NDArray[np.bool_]
Value = str | int | float


@dataclass(frozen=True)
class Eq:
    """The field has this value."""

    field: str
    value: Value


@dataclass(frozen=True)
class In:
    """The field has one of these values."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Range:
    """The number or integer is within these bounds, both inclusive; None is no bound."""

    field: str
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class IdIn:
    """The row has one of these ids."""

    ids: tuple[str, ...]


@dataclass(frozen=True)
class InBox:
    """The row is in this box of the plane, metres."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float


@dataclass(frozen=True)
class InPolygon:
    """The row is in this polygon of the plane, given by its corners in metres."""

    corners: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class WithinRadius:
    """The row is at most this far from a point of the plane, metres."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Not:
    """The part is false."""

    part: "Filter"


@dataclass(frozen=True)
class And:
    """All parts are true; no parts are."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True)
class Or:
    """Some part is true; of no parts none is."""

    parts: tuple["Filter", ...]


Filter = Eq | In | Range | IdIn | InBox | InPolygon | WithinRadius | Not | And | Or
Region = InBox | InPolygon | WithinRadius


class Table(Protocol):
    """Columns that a filter can be evaluated on: the masks (N,) of rows that pass a test."""

    def equals(self, field: str, values: Sequence[Value]) -> Mask:
        """Return where the field has one of the values."""

    def within(self, field: str, at_least: float | None, at_most: float | None) -> Mask:
        """Return where the field is within inclusive bounds."""

    def has_id(self, ids: Sequence[str]) -> Mask:
        """Return where the id is one of these."""

    def plane(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the coordinates (N,) in the plane."""

    def __len__(self) -> int:
        """Return N."""


def matches(filter: Filter, table: Table) -> Mask:
    """Return which rows (N,) of a table pass."""
    match filter:
        case Eq(field, value):
            return table.equals(field, (value,))
        case In(field, values):
            return table.equals(field, values)
        case Range(field, at_least, at_most):
            return table.within(field, at_least, at_most)
        case IdIn(ids):
            return table.has_id(ids)
        case Not(part):
            return ~matches(part, table)
        case And(parts):
            passed = np.ones(len(table), dtype=bool)
            for part in parts:
                passed &= matches(part, table)
            return passed
        case Or(parts):
            passed = np.zeros(len(table), dtype=bool)
            for part in parts:
                passed |= matches(part, table)
            return passed
    return contains(filter, *table.plane())


def contains(region: Region, x: NDArray[np.float64], y: NDArray[np.float64]) -> Mask:
    """Return which points (N,) of the plane are in a region."""
    x_min, y_min, x_max, y_max = bounds(region)
    inside = (x >= x_min) & (x <= x_max) & (y >= y_min) & (y <= y_max)
    if isinstance(region, InBox):
        return inside
    rows = np.flatnonzero(inside)
    if isinstance(region, WithinRadius):
        good = np.hypot(x[rows] - region.x, y[rows] - region.y) <= region.radius
    else:
        good = _in_polygon(shapely.Polygon(region.corners), x[rows], y[rows])
    inside[rows] = good
    return inside


def _in_polygon(shape: shapely.Polygon, x: NDArray[np.float64], y: NDArray[np.float64]) -> Mask:
    """Return which points within a polygon's bounds are in it; of many, only those in cells that its rim crosses."""
    shapely.prepare(shape)
    if len(x) < MANY_POINTS:
        return np.asarray(shapely.intersects_xy(shape, x, y))
    x_min, y_min, x_max, y_max = shape.bounds
    edges = [np.linspace(low, high, CELLS + 1) for low, high in ((x_min, x_max), (y_min, y_max))]
    cells = shapely.box(*(each.ravel() for each in np.meshgrid(edges[0][:-1], edges[1][:-1])),
                        *(each.ravel() for each in np.meshgrid(edges[0][1:], edges[1][1:])))  # fmt: skip
    column, row = (
        np.clip(((values - low) * (CELLS / (high - low))).astype(np.int64), 0, CELLS - 1)
        for values, low, high in ((x, x_min, x_max), (y, y_min, y_max))
    )
    cell = row * CELLS + column
    inside = shapely.contains_properly(shape, cells)[cell]
    rim = np.flatnonzero(shapely.intersects(shapely.boundary(shape), cells)[cell] & ~inside)
    inside[rim] = shapely.intersects_xy(shape, x[rim], y[rim])
    return np.asarray(inside)


def bounds(region: Region) -> tuple[float, float, float, float]:
    """Return x_min, y_min, x_max, y_max of a region."""
    if isinstance(region, InBox):
        return region.x_min, region.y_min, region.x_max, region.y_max
    if isinstance(region, WithinRadius):
        x, y, r = region.x, region.y, region.radius
        return x - r, y - r, x + r, y + r
    corners = np.asarray(region.corners, dtype=np.float64)
    (x_min, y_min), (x_max, y_max) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return x_min, y_min, x_max, y_max


def check(filter: Filter, schema: Schema, depth: int = 0) -> None:
    """Raise ``InputError`` for a filter that the schema gives no sense to; engines may then trust it."""
    if depth > 32:
        raise InputError("the filter is nested more than 32 deep")
    match filter:
        case Eq(field, value):
            _check_values(schema, field, (value,))
        case In(field, values):
            _check_values(schema, field, values)
        case Range(field, at_least, at_most):
            if schema.field(field).type == "keyword":
                raise InputError("words have no range", where=f"field '{field}'", remedy="Use In.")
            if any(bound is not None and not np.isfinite(bound) for bound in (at_least, at_most)):
                raise InputError(f"bounds {at_least}, {at_most} aren't finite", remedy="None is no bound.")
        case IdIn(ids):
            if not all(isinstance(id, str) and id for id in ids):
                raise InputError("ids are strings")
        case Not(part):
            check(part, schema, depth + 1)
        case And(parts) | Or(parts):
            for part in parts:
                check(part, schema, depth + 1)
        case InBox() | InPolygon() | WithinRadius():
            _check_region(filter, schema)
        case _:
            raise InputError(f"{type(filter).__name__} is no filter", remedy="See retrieval.stores.filters.")


def _check_region(region: Region, schema: Schema) -> None:
    for axis in schema.plane:
        schema.field(axis)
    if isinstance(region, InPolygon):
        corners = np.asarray(region.corners, dtype=np.float64)
        if corners.ndim != 2 or corners.shape[1:] != (2,) or len(corners) < 3 or not np.isfinite(corners).all():
            raise InputError("a polygon has at least three corners (x, y)", where=schema.name)
        if not shapely.Polygon(corners).is_valid:
            raise InputError("the polygon crosses itself", where=schema.name)
    box = bounds(region)
    if not np.isfinite(box).all() or box[0] > box[2] or box[1] > box[3]:
        raise InputError(f"the region {box} is empty or not finite", where=schema.name)


def _check_values(schema: Schema, field: str, values: Sequence[Any]) -> None:
    kind = schema.field(field).type
    wanted = {"keyword": str, "integer": int | np.integer, "number": int | float | np.number}[kind]
    for value in values:
        if not isinstance(value, wanted) or isinstance(value, bool) or value == "":
            raise InputError(f"'{field}' is a {kind} and never {value!r:.60}", remedy="None can't be asked for.")
        if isinstance(value, int | float) and not (np.isfinite(value) and abs(value) < 2**63):
            raise InputError(f"{value} is out of bounds", where=f"field '{field}'")
