"""A small walled parking room full of things to see: seconds to render, for tests and small demos.

The origin is the south-west corner of the floor. One gate in the west leads to a lane that serves six stalls in the
north; the south side is for storage.
"""

from typing import Any

from scenes.drafting import Draft, box_ring
from scenes.facility import (
    Door,
    Facility,
    Fixture,
    Gate,
    Level,
    Obstacle,
    Pillar,
    Sign,
    Traffic,
    WalkPath,
    Wear,
    Zone,
)
from scenes.library.parking_deck import stall_row

DEPTH_M = 12.0
PAIR_M = 5.4
CEILING_M = 3.2
OCHRE, RED, PETROL = (196, 140, 34), (150, 52, 44), (30, 96, 108)
FACING = {"south": 90.0, "north": 270.0, "west": 0.0, "east": 180.0}


def room(size: float = 1.0, seed: int = 0) -> Facility:
    """Build the room, 16.2 x 12 m; ``size`` from 1 multiplies its pairs of stalls."""
    pairs = max(3, round(3 * size))
    width = PAIR_M * pairs
    draft = Draft("room", seed)
    outline = box_ring(-0.2, -0.2, width + 0.2, DEPTH_M + 0.2)
    draft.add(
        Level(id="G", name="Ground", elevation=0.0, ceiling=CEILING_M, outline=outline),
        Zone(id="G-zone-A", level="G", polygon=box_ring(0, 6.8, width, DEPTH_M), name="A"),
        Zone(id="G-zone-B", level="G", polygon=box_ring(0, 0, width, 6.8), name="B"),
    )
    _walls(draft, width)
    _parking(draft, width, pairs)
    _things_on_walls(draft, width)
    _storage(draft, width)
    _tags_and_cameras(draft, width)
    draft.lights("G", "lamp", [PAIR_M * (pair + 0.5) for pair in range(pairs)], (2.6, 8.6), height=3.1)
    return draft.facility(traffic=Traffic(vehicles=2, people=2, parked=0.5))


def _walls(draft: Draft, width: float) -> None:
    low, right, top = -0.1, width + 0.1, DEPTH_M + 0.1
    draft.walls("G", "south", [[(low, low), (right, low)]], material="brick")
    draft.walls("G", "east", [[(right, 0.0), (right, DEPTH_M)]], material="plaster", dado=PETROL)
    draft.walls("G", "north", [[(right, top), (low, top)]], material="concrete")
    west = [[(low, DEPTH_M), (low, 5.9)], [(low, 2.5), (low, 0.0)]]
    draft.walls("G", "west", west, material="plaster", dado=RED)


def _parking(draft: Draft, width: float, pairs: int) -> None:
    """Mark pairs of stalls with pillars between them, and a lane in and out."""
    for pair in range(pairs):
        x = 0.25 + PAIR_M * pair
        draft.add(stall_row("G", f"A{pair + 1}", (x, 7.0), 0.0, count=2, width=2.45, first=1 + 2 * pair))
        if pair:
            text = chr(ord("A") + (pair - 1) % 26)
            at = (PAIR_M * pair, 8.3)
            draft.add(Pillar(id=f"G-pillar {pair}", level="G", at=at, size=(0.4, 0.4), band=OCHRE, text=text))
    for number, x in enumerate((3.6, width - 3.6), start=1):
        draft.add(Pillar(id=f"G-column {number}", level="G", at=(x, 2.1), size=(0.45, 0.45), round=True, band=RED))
    draft.lane("G", "lane", [(0.0, 4.2), (width - 1.5, 4.2)], oneway=False, width=3.2)
    draft.add(
        Gate(id="G-gate", level="G", line=((0.4, 2.5), (0.4, 5.9)), direction="both", barrier=False),
        WalkPath(
            id="G-walk",
            level="G",
            line=((1.8, 3.3), (width - 2, 3.3), (width - 2, 5.9), (1.8, 5.9), (1.8, 3.3)),
        ),
    )


def _things_on_walls(draft: Draft, width: float) -> None:
    """Hang posters, windows, pipes and so on: kind, wall, place along it, height, size, depth, text."""
    things = (
        ("window", "south", 1.6, 1.9, (1.3, 1.2), 0.1, ""),
        ("poster", "south", 5.0, 1.6, (0.9, 1.3), 0.02, "JAZZ NIGHTS"),
        ("poster", "south", 6.2, 1.7, (0.8, 1.1), 0.02, "FLEA MARKET"),
        ("notice", "south", 7.4, 1.6, (0.6, 0.8), 0.02, "ROOM RULES"),
        ("window", "south", 9.6, 1.9, (1.3, 1.2), 0.1, ""),
        ("pipe", "south", 11.2, 1.6, (0.12, 3.2), 0.12, ""),
        ("poster", "south", 13.6, 1.6, (1.0, 1.4), 0.02, "CIRCUS"),
        ("poster", "north", 1.4, 2.0, (0.9, 1.3), 0.02, "TIDE TABLES"),
        ("cabinet", "north", 4.0, 1.3, (0.8, 1.2), 0.25, ""),
        ("poster", "north", 6.8, 2.0, (1.1, 1.5), 0.02, "SUMMER FAIR"),
        ("hydrant", "north", 9.4, 1.2, (0.7, 0.9), 0.2, ""),
        ("poster", "north", 12.3, 2.0, (0.9, 1.3), 0.02, "CHOIR"),
        ("pipe", "north", 15.6, 1.6, (0.12, 3.2), 0.12, ""),
        ("poster", "west", 7.4, 1.9, (0.9, 1.2), 0.02, "OPEN STUDIOS"),
        ("cabinet", "west", 1.2, 1.4, (0.6, 0.9), 0.2, ""),
        ("shutter", "east", 4.2, 1.35, (2.8, 2.7), 0.08, ""),
        ("poster", "east", 8.6, 1.9, (1.0, 1.4), 0.02, "THE HARBOUR 1924"),
        ("notice", "east", 6.4, 1.6, (0.5, 0.7), 0.02, "400 V"),
    )
    for number, (kind, wall, along, height, size, depth, text) in enumerate(things, start=1):
        place = {
            "level": "G",
            **_on_wall(wall, along, width),
            "height": height,
            "size": size,
            "depth": depth,
        }
        draft.put(Fixture, id=f"G-{kind} {number}", kind=kind, text=text, **place)
    blue, green = ((20, 62, 140), (250, 250, 250)), ((12, 110, 70), (248, 252, 248))
    signs = (
        ("level", "east", 2.0, 2.6, (1.0, 0.5), "GROUND", blue),
        ("exit", "west", 4.2, 2.95, (1.3, 0.36), "EXIT", green),
        ("zone A", "north", 8.1, 2.75, (1.0, 0.5), "ZONE A", blue),
        ("zone B", "south", 8.3, 2.75, (1.0, 0.5), "ZONE B", blue),
    )
    for name, wall, along, height, size, text, colours in signs:
        place = {"level": "G", **_on_wall(wall, along, width), "height": height, "size": size}
        draft.put(Sign, id=f"G-sign {name}", text=text, colours=colours, **place)
    for name, wall, along in (("workshop", "east", 10.6), ("stairs", "south", 3.0)):
        place = {"level": "G", **_on_wall(wall, along, width), "height": 1.05, "size": (1.0, 2.1)}
        draft.put(Door, id=f"G-door {name}", text=name.upper(), **place)


def _on_wall(wall: str, along: float, width: float) -> dict[str, Any]:
    """Return where on a wall's inner face something hangs, ``along`` metres from the south or west."""
    at = {"south": (along, 0.0), "north": (along, DEPTH_M), "west": (0.0, along), "east": (width, along)}
    return {"at": at[wall], "facing_deg": FACING[wall]}


def _storage(draft: Draft, width: float) -> None:
    """Leave crates and planters along the south wall, and stains on the floor."""
    boxes = (
        ("crate 1", (5.6, 0.9), (1.2, 0.9, 0.85), 10.0, "crate"),
        ("crate 2", (6.9, 0.8), (0.8, 0.8, 0.7), -16.0, "crate"),
        ("crate 3", (width - 1.2, 0.9), (1.0, 1.0, 0.95), 12.0, "crate"),
        ("planter 1", (9.6, 0.6), (1.6, 0.6, 0.55), 0.0, "planter"),
        ("planter 2", (width - 0.6, 7.5 - 1.2), (0.6, 0.6, 0.55), 0.0, "planter"),
        ("machine", (1.1, 1.0), (1.2, 0.9, 1.3), 0.0, "machine"),
    )
    for name, at, size, yaw, kind in boxes:
        draft.put(Obstacle, id=f"G-{name}", level="G", at=at, size=size, yaw_deg=yaw, kind=kind)
    stains = (((4.8, 4.9), (1.1, 0.8), "stain"), ((11.4, 3.6), (1.6, 1.0), "repair"), ((8.2, 9.6), (0.9, 0.9), "stain"))
    for number, (at, area, kind) in enumerate(stains, start=1):
        draft.put(Wear, id=f"G-wear {number}", level="G", at=at, size=area, kind=kind)


def _tags_and_cameras(draft: Draft, width: float) -> None:
    for wall, along in (("south", 4.3), ("south", 12.4), ("north", 8.1), ("north", 13.4), ("west", 6.4), ("east", 7.2)):
        place = _on_wall(wall, along, width)
        draft.tag("G", place["at"], place["facing_deg"], height=1.7)
    lens = {"model": "SIMPLE_RADIAL", "params": (380.0, 320.0, 240.0, -0.1)}
    draft.camera("cam1", "G", (0.4, 6.6), (8.5, 5.5), height=2.7, **lens)
    draft.camera("cam2", "G", (width - 0.4, 0.5), (7.0, 6.0), height=2.8, clock_offset_s=0.4, **lens)
