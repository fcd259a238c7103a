"""What the decks of the library's garages share: pillars, outer stalls, a one-way loop, stair cores, lamps, signs.

A deck is ``width`` x 36 m, ``width`` being 20 m and a whole number of bays of 8 m. From south to north it has stalls
(0 to 5), aisle A (to 11), an island (to 25) with stalls along its north side, aisle B (to 31) and stalls (to 36).
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from scenes.drafting import Draft, box_ring
from scenes.facility import Crossing, Door, Fixture, Gate, Level, Pillar, Rgb, Sign, StallRow, WalkPath, Zone

BAY_M = 8.0
DEPTH_M = 36.0
CEILING_M = 3.2
STALLS_A_BAY = 3
PILLAR_M = 0.5
TAG_M = 0.4
"""Seen well from the middle of an aisle, some four metres away."""
CORNER_M = 11.2
"""Where an aisle's straight part begins, from the outer walls."""
WHITE = (244, 244, 240)


def parking_deck(draft: Draft, level: str, width: float, *, elevation: float, colour: Rgb, look: str = "") -> None:
    """Add a level and what all decks have; the west side's stalls, gates and the ramp are the caller's."""
    outline = box_ring(-0.2, -0.2, width + 0.2, DEPTH_M + 0.2)
    draft.add(
        Level(id=level, name=f"Level {level}", elevation=elevation, ceiling=CEILING_M, outline=outline, look=look),
        Zone(id=f"{level}-zone-A", level=level, polygon=box_ring(0, 0, width, 18), name="A"),
        Zone(id=f"{level}-zone-B", level=level, polygon=box_ring(0, 18, width, DEPTH_M), name="B"),
    )
    _pillars(draft, level, width, colour)
    _stalls(draft, level, width)
    _stairs(draft, level, width)
    _signs(draft, level, width, colour)
    _fixtures(draft, level, width)
    xs = np.arange(8.0, width - 7.0, (width - 16.0) / 8)
    draft.lights(level, "aisle", xs.tolist(), (8.0, 28.0), off=(6, 14), height=CEILING_M - 0.1)
    draft.lights(level, "cross", (8.0, 14.0, width - 8.0), (18.0,), height=CEILING_M - 0.1, yaw_deg=90.0)
    draft.add(Crossing(id=f"{level}-zebra", level=level, polygon=box_ring(width - 14, 5.1, width - 11.6, 10.9)))


def _pillars(draft: Draft, level: str, width: float, colour: Rgb) -> None:
    """Stand pillars every bay along the stalls, lettered by zone and numbered from the west."""
    lines = {"A": 4.0, "A island ": 12.0, "B island ": 24.0, "B": 32.0}
    for name, y in lines.items():
        first = 14.0 if "island" in name else 6.0
        for x in np.arange(first, width - first + 0.1, BAY_M).tolist():
            text = f"{name[0]}{round((x - 6) / BAY_M) + 1}"
            draft.add(_pillar(f"{level}-pillar {name}{text[1:]}", level, (x, y), colour, text))
    for side, x in (("west", 4.0), ("east", width - 4.0)):
        for y, zone in ((14.0, "A"), (22.0, "B")):
            draft.add(_pillar(f"{level}-pillar {zone} {side}", level, (x, y), colour, zone))


def _pillar(id: str, level: str, at: tuple[float, float], colour: Rgb, text: str) -> Pillar:
    return Pillar(id=id, level=level, at=at, size=(PILLAR_M, PILLAR_M), band=colour, text=text)


def _stalls(draft: Draft, level: str, width: float) -> None:
    """Mark the stalls of the outer rows, of the east side and of the island's north side, three between pillars."""
    outer = np.arange(6.25, width - 7.0, BAY_M)
    island = np.arange(14.25, width - 15.0, BAY_M)
    bays(draft, level, "A", [(x + 7.5, 5.0) for x in outer[::-1]], 180.0)
    bays(draft, level, "B", [(x, 31.0) for x in outer], 0.0)
    bays(draft, level, "E", [(width - 5, y) for y in (29.75, 21.75, 13.75)], 270.0)
    bays(draft, level, "C", [(x + 7.5, 25.0) for x in island[::-1]], 180.0)
    for name, x in (("D1", width - 11.25), ("D2", 13.75)):
        draft.add(stall_row(level, name, (x, 25.0), 180.0, count=1, kind="disabled"))
    draft.add(stall_row(level, "M1", (4.95, 5.0), 180.0, count=5, width=0.95, depth=2.4, kind="motorcycle"))


def bays(
    draft: Draft, level: str, name: str, starts: Iterable[tuple[float, float]], along_deg: float, **fields: Any
) -> None:
    """Mark bays of three stalls in line, numbered on from one to the next."""
    for index, start in enumerate(starts):
        first = 1 + STALLS_A_BAY * index
        draft.add(stall_row(level, f"{name}{index + 1}", start, along_deg, first=first, **fields))


def stall_row(level: str, name: str, start: tuple[float, float], along_deg: float, **fields: Any) -> StallRow:
    """Return a row of three stalls named ``level-name``, or what ``fields`` say."""
    values = {
        "id": f"{level}-{name}",
        "level": level,
        "start": start,
        "along_deg": along_deg,
        "count": STALLS_A_BAY,
    }
    return StallRow.model_validate(values | fields)


def _stairs(draft: Draft, level: str, width: float) -> None:
    """Wall off a stair core in the south-east and the north-east corner."""
    x = width - 4.5
    corners = {"south": ((x, 0.0), (x, 4.4), (width, 4.4)), "north": ((x, DEPTH_M), (x, 31.6), (width, 31.6))}
    draft.walls(level, "stairs", corners.values(), material="plaster", dado=(150, 152, 150))
    for name, low, high in (("south", 0.0, 4.4), ("north", 31.6, DEPTH_M)):
        polygon = box_ring(x, low, width, high)
        draft.add(Zone(id=f"{level}-stairs {name}", level=level, polygon=polygon, name=f"Stairs {name}"))
    for name, y, facing in (("south", 4.5, 90.0), ("north", 31.5, 270.0)):
        place = {"level": level, "facing_deg": facing}
        at = (width - 2.2, y)
        draft.put(Door, id=f"{level}-door {name}", at=at, height=1.05, size=(1.0, 2.1), text="STAIRS", **place)
        id = f"{level}-sign stairs {name}"
        draft.put(Sign, id=id, at=at, height=2.5, size=(1.2, 0.4), text=f"STAIRS {level}", **place)


def _signs(draft: Draft, level: str, width: float, colour: Rgb) -> None:
    """Put the level's name up on the outer walls."""
    faces = {
        "south": ((width / 2, 0.0), 90.0),
        "north": ((width / 2, DEPTH_M), 270.0),
        "west": ((0.0, 18.0), 0.0),
        "east": ((width, 18.0), 180.0),
    }
    for side, (at, facing) in faces.items():
        draft.add(
            Sign(
                id=f"{level}-sign {side}",
                level=level,
                at=at,
                height=2.35,
                facing_deg=facing,
                size=(1.8, 0.9),
                text=level,
                colours=(colour, WHITE),
            )
        )


def _fixtures(draft: Draft, level: str, width: float) -> None:
    """Add the little that garages have on their walls."""
    wall = {"south": (0.0, 90.0), "north": (DEPTH_M, 270.0)}
    things = (
        ("hydrant", "south", 14.0, 1.2, (0.7, 0.9), 0.2),
        ("cabinet", "north", 22.0, 1.3, (0.8, 1.2), 0.25),
        ("notice", "south", 38.0, 1.7, (0.5, 0.7), 0.02),
        ("pipe", "north", width - 14.0, 1.6, (0.12, 3.2), 0.12),
    )
    for kind, side, x, height, size, depth in things:
        y, facing = wall[side]
        place = {
            "level": level,
            "at": (x, y),
            "height": height,
            "facing_deg": facing,
            "size": size,
            "depth": depth,
        }
        draft.put(Fixture, id=f"{level}-{kind}", kind=kind, text="GARAGE RULES" if kind == "notice" else "", **place)


def outer_walls(draft: Draft, level: str, width: float, *, gates: bool) -> None:
    """Put walls around a deck, with openings in the west for the two gates if it has them."""
    low, right, top = -0.1, width + 0.1, DEPTH_M + 0.1
    around = [(right, low), (right, top), (low, top)]
    if gates:
        lines = [[(low, 6.0), (low, low), *around, (low, 30.0)], [(low, 26.0), (low, 10.0)]]
    else:
        middle = (width / 2, low)
        lines = [[middle, *around, (low, low), middle]]
    draft.walls(level, "wall", lines)


def west_side(draft: Draft, level: str, width: float, *, gates: bool) -> None:
    """Fill the west side: stalls all along, or fewer and the lanes and barriers of a way in and a way out."""
    outer_walls(draft, level, width, gates=gates)
    if not gates:
        bays(draft, level, "W", [(5.0, y) for y in (6.25, 14.25, 22.25)], 90.0)
        return
    draft.add(
        stall_row(level, "W1", (5.0, 11.25), 90.0, count=1),
        stall_row(level, "W2", (5.0, 14.25), 90.0, first=2),
        stall_row(level, "W3", (5.0, 22.25), 90.0, count=1, first=5),
        stall_row(level, "M2", (0.3, 31.0), 0.0, count=4, width=0.95, depth=2.4, kind="motorcycle"),
    )
    for name, y, direction in (("gate in", 28.0, "in"), ("gate out", 8.0, "out")):
        line = ((0.6, y - 1.75), (0.6, y + 1.75))
        draft.put(Gate, id=f"{level}-{name}", level=level, line=line, direction=direction)
    into = draft.lane(level, "lane in", [(0.0, 28.0), (CORNER_M, 28.0)])
    out = draft.lane(level, "lane out", [(CORNER_M, 8.0), (0.0, 8.0)])
    draft.link(into, f"{level}-lane B")
    draft.link(f"{level}-lane A", out)


def loop(draft: Draft, level: str, width: float, *, west: Iterable[float] = (), east: Iterable[float] = ()) -> None:
    """Add the lanes around the island, clockwise; ``west`` and ``east`` are the y at which those sides are divided."""
    near, far = CORNER_M, width - CORNER_M
    low, high = 11.2, 24.8
    west_y, east_y = [low, *west, high], [high, *sorted(east, reverse=True), low]
    lanes = [draft.lane(level, "lane A", [(far, 8.0), (near, 8.0)], speed_mps=4.0)]
    for index, (start, end) in enumerate(pairwise(west_y), start=1):
        lanes.append(draft.lane(level, f"lane W{index}", [(8.0, start), (8.0, end)]))
    lanes.append(draft.lane(level, "lane B", [(near, 28.0), (far, 28.0)], speed_mps=4.0))
    for index, (start, end) in enumerate(pairwise(east_y), start=1):
        lanes.append(draft.lane(level, f"lane E{index}", [(width - 8, start), (width - 8, end)]))
    draft.link(*lanes, lanes[0])


def loop_walk(draft: Draft, level: str, width: float, *, start: tuple[float, float]) -> None:
    """Add a walk around the loop that begins and ends at ``start``, on its west or east side."""
    corners = [(8.0, 28.0), (width - 8, 28.0), (width - 8, 8.0), (8.0, 8.0)]
    if start[0] > width / 2:
        corners = corners[2:] + corners[:2]
    draft.add(WalkPath(id=f"{level}-walk", level=level, line=(start, *corners, start)))
