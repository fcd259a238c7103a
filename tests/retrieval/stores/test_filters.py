"""Filters on arrays: polygons by a grid of cells, and the columns of the embedded engine against plain rows."""

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.stores import filters
from retrieval.stores.columns import Columns
from retrieval.stores.filters import InPolygon, contains, matches
from retrieval.stores.widening import RowsTable
from tests.retrieval.stores.congruence import draw_filter, draw_rows, make_schema


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_many_points_are_looked_up_in_cells_without_a_difference(seed: int) -> None:
    """Concave stars, thin slivers and tiny ones, with points on a coarse lattice so that some lie on the rim."""
    rng = np.random.default_rng(seed)
    corners = int(rng.integers(3, 12))
    angles = 2 * np.pi * (np.arange(corners) + rng.uniform(0, 0.4, corners)) / corners
    radii = rng.uniform(0.5, 10, corners) * rng.choice([1.0, 0.01])
    stretch = rng.choice([1.0, 1e-3])
    star = np.column_stack([radii * np.cos(angles), stretch * radii * np.sin(angles)]) + rng.uniform(-50, 50, 2)
    x, y = star.mean(axis=0)[:, None] + rng.uniform(-1, 1, (2, 30_000)) * np.array([[12.0], [12.0 * stretch]])
    x, y = np.append(x, star[:, 0]), np.append(y, star[:, 1])
    found = contains(InPolygon(tuple(map(tuple, star.tolist()))), x, y)
    np.testing.assert_array_equal(found, shapely.intersects_xy(shapely.Polygon(star), x, y))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_columns_and_plain_rows_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    schema, ids = make_schema(), [f"row {i}" for i in range(int(rng.integers(0, 60)))]
    rows = draw_rows(schema, rng, ids)
    where = {id: i for i, id in enumerate(ids)}
    columns = Columns(schema, lambda asked: np.array([where[id] for id in asked if id in where], dtype=np.int64))
    half = len(ids) // 2
    for part in (range(half), range(half, len(ids))):
        taken = rows.take(list(part))
        columns.append(taken.ids, [taken.columns[field.name] for field in schema.fields])
    filter = draw_filter(rng, ids)
    filters.check(filter, schema)
    np.testing.assert_array_equal(matches(filter, columns), matches(filter, RowsTable(schema, rows)))
    assert columns.ids(range(len(ids))) == tuple(ids)
    again = Columns(schema, columns._numbers_of)
    again.fill({name: values.copy() for name, values in columns.arrays().items()})
    np.testing.assert_array_equal(matches(filter, again), matches(filter, columns))
