"""Triangles of panels: they cover the area, also where the library's own way gives up."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from twin.surface.panels import polygons_of, triangles_of

ROOM = shapely.Polygon(
    shapely.box(0, 0, 8, 6).exterior, [shapely.box(2, 2, 3, 4).exterior, shapely.box(5, 1, 6, 2).exterior]
)


@settings(max_examples=40)
@example([(0.0, 2.225073858507203e-309, 1.0, 1.0)])
@given(st.lists(st.tuples(*[st.floats(0.0, 5.0)] * 2, *[st.floats(0.1, 3.0)] * 2), max_size=5))
def test_they_cover_what_is_left_of_a_room(boxes: list[tuple[float, float, float, float]]) -> None:
    area = polygons_of(
        shapely.difference(ROOM, shapely.union_all([shapely.box(x, y, x + w, y + h) for x, y, w, h in boxes]))
    )
    pieces = triangles_of(area)
    assert shapely.area(pieces).sum() == pytest.approx(area.area, abs=1e-3)
    assert all(len(shapely.get_coordinates(piece)) == 4 for piece in pieces)


def fails(times: int) -> Callable[[Any], Any]:
    real, left = shapely.constrained_delaunay_triangles, [times]

    def triangulate(area: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise shapely.errors.GEOSException("IllegalStateException: Unable to find a convex corner")
        return real(area)

    return triangulate


@pytest.mark.parametrize(("times", "share"), [(1, 1e-6), (2, 0.02)])
def test_where_the_library_gives_up_the_area_is_still_covered(
    monkeypatch: pytest.MonkeyPatch, times: int, share: float
) -> None:
    monkeypatch.setattr(shapely, "constrained_delaunay_triangles", fails(times))
    pieces = triangles_of(ROOM)
    assert shapely.area(pieces).sum() == pytest.approx(ROOM.area, rel=share)
    assert np.all(shapely.contains(ROOM.buffer(0.3), pieces))
