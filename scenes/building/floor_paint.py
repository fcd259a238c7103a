"""What is on a level's floor: stall lines, numbers, symbols, arrows, crossings, and the traces of traffic."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.facility import Facility, Lane, Level, StallRow
from scenes.materials.layers import Layer, coat
from scenes.materials.markings import (
    FIELD_COLOURS,
    SYMBOLS,
    WHITE,
    paint_arrows,
    paint_field,
    paint_number,
    paint_symbol,
    paint_zebra,
    stall_lines,
    worn,
)
from scenes.materials.plots import Plot, paint_polygon
from scenes.materials.traces import oil_stains, skid_marks, tyre_tracks
from scenes.plan import row_polygons

Array = NDArray[np.float64]

NARROW_STALL_M = 1.5
"""Narrower stalls, of motorcycles, have no room for a number and a symbol of full size."""


@dataclass(frozen=True, kw_only=True)
class FloorMarks:
    """The elements of one level that mark its floor."""

    plot: Plot
    rows: tuple[StallRow, ...]
    lanes: tuple[Lane, ...]
    crossings: tuple[NDArray[np.float64], ...]

    @property
    def content(self) -> tuple[object, ...]:
        """What the marks look like, in words that don't name the level or the elements."""
        rows = [tuple(row.model_dump(exclude={"id", "level"}).values()) for row in self.rows]
        lanes = [(lane.line, lane.arrows) for lane in self.lanes]
        return rows, lanes, self.crossings, self.plot.px_per_m

    def layers(self, rng: np.random.Generator) -> list[Layer]:
        """Return paint first, then oil and rubber."""
        stalls = np.concatenate([np.empty((0, 4, 2)), *(row_polygons(row) for row in self.rows)])
        lanes = [np.array(lane.line) for lane in self.lanes]
        return [
            *self._paint(rng),
            *oil_stains(self.plot, stalls, rng),
            *tyre_tracks(self.plot, lanes, stalls, rng),
            *skid_marks(self.plot, lanes, rng),
        ]

    def _paint(self, rng: np.random.Generator) -> list[Layer]:
        white = self.plot.blank()
        for row in self.rows:
            _paint_row(self.plot, white, row)
        for lane in self.lanes:
            if lane.arrows:
                paint_arrows(self.plot, white, lane.line)
        for crossing in self.crossings:
            paint_zebra(self.plot, white, crossing)
        return [*self._fields(rng), coat(worn(self.plot, white, rng), WHITE, 0.93)]

    def _fields(self, rng: np.random.Generator) -> list[Layer]:
        """Return the coloured squares that symbols stand on."""
        layers = []
        for kind, colour in FIELD_COLOURS.items():
            rows = [row for row in self.rows if row.kind == kind]
            if rows:
                mask = self.plot.blank()
                for polygon in np.concatenate([row_polygons(row) for row in rows]):
                    paint_field(self.plot, mask, polygon)
                layers.append(coat(worn(self.plot, mask, rng), colour, 0.9))
        return layers


def floor_marks(facility: Facility, level: Level, plot: Plot) -> FloorMarks:
    """Collect what marks the floor of ``level``."""
    return FloorMarks(
        plot=plot,
        rows=tuple(row for row in facility.rows if row.level == level.id),
        lanes=tuple(lane for lane in facility.lanes if lane.level == level.id),
        crossings=tuple(np.array(each.polygon) for each in facility.crossings if each.level == level.id),
    )


def line_corners(facility: Facility) -> dict[str, Array]:
    """Return the corners (count + 1, 4, 3) in site of the painted side lines of every row, by the row's id."""
    elevations = {level.id: level.elevation for level in facility.levels}
    corners = {}
    for row in facility.rows:
        lines = stall_lines(row_polygons(row))
        corners[row.id] = np.concatenate([lines, np.full((*lines.shape[:2], 1), elevations[row.level])], axis=2)
    return corners


def _paint_row(plot: Plot, mask: NDArray[np.uint8], row: StallRow) -> None:
    polygons = row_polygons(row)
    for line in stall_lines(polygons):
        paint_polygon(plot, mask, line)
    narrow = row.width < NARROW_STALL_M
    for index, polygon in enumerate(polygons):
        if row.numbered:
            paint_number(plot, mask, polygon, f"{row.first + index:02d}", 0.2 if narrow else 0.32)
        if row.kind in SYMBOLS:
            paint_symbol(plot, mask, polygon, row.kind, 0.6 if narrow else 1.1)
