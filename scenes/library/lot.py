"""An outdoor asphalt lot of about 50 x 35 m with 60 stalls, kerbs, planters, lamp poles and a hut, in the sun."""

from collections.abc import Sequence

from scenes.drafting import Draft, box_ring
from scenes.facility import (
    Crossing,
    Facility,
    Gate,
    Level,
    Light,
    Obstacle,
    Sign,
    Sun,
    Traffic,
    WalkPath,
    Zone,
)
from scenes.library.parking_deck import stall_row

DEPTH_M = 35.0
STALL_M = 2.5
SOUTH_Y, NORTH_Y = 8.25, 24.75
TURN_M = 3.5
TAG_M, TAG_HEIGHT_M = 0.6, 2.4
POLE_ASIDE_M, POLE_M = 0.3, 0.08
"""Where a lamp's pole stands beside its head, and half its width with the clamp of a tag."""


def lot(size: float = 1.0, seed: int = 0) -> Facility:
    """Build the lot; ``size`` from 1 multiplies its length."""
    columns = max(18, round(18 * size))
    width = 5.0 + STALL_M * columns
    draft = Draft("lot", seed)
    draft.add(
        Level(id="L", name="Lot", elevation=0.0, outline=box_ring(-1, -1, width + 1, DEPTH_M + 1), floor="asphalt"),
        Zone(id="L-zone-S", level="L", polygon=box_ring(0, 0, width, 16.5), name="South"),
        Zone(id="L-zone-N", level="L", polygon=box_ring(0, 16.5, width, DEPTH_M), name="North"),
        stall_row("L", "S", (width - 2.5, 5.0), 180.0, count=columns),
        stall_row("L", "N", (2.5, 28.0), 0.0, count=columns),
        stall_row("L", "A", (10.0, 11.5), 0.0, count=columns - 6),
        stall_row("L", "B", (width - 10.0, 21.5), 180.0, count=columns - 6, kind="electric"),
        Crossing(id="L-zebra", level="L", polygon=box_ring(width - 13.5, 5.1, width - 11.0, 11.4)),
    )
    _edges(draft, width)
    _roads(draft, width)
    _things(draft, width)
    _cameras(draft, width)
    return draft.facility(sun=Sun(hour=10.0), traffic=Traffic(vehicles=8, people=6, parked=0.5))


def _edges(draft: Draft, width: float) -> None:
    """Build a brick wall in the south, a mesh fence in the north and kerbs at both sides."""
    gaps = [(SOUTH_Y - 2.2, SOUTH_Y + 2.2), (NORTH_Y - 2.2, NORTH_Y + 2.2)]
    draft.walls("L", "wall", [[(-0.3, -0.1), (width + 0.3, -0.1)]], height=1.9, material="brick")
    draft.walls("L", "fence", [[(width + 0.3, 35.2), (-0.3, 35.2)]], height=2.0, material="mesh", thickness=0.05)
    west = [
        [(-0.2, 0.0), (-0.2, gaps[0][0])],
        [(-0.2, gaps[0][1]), (-0.2, gaps[1][0])],
        [(-0.2, gaps[1][1]), (-0.2, 35)],
    ]
    east = [[(width + 0.2, 35.0), (width + 0.2, 0.0)]]
    strip = [[(0.0, 33.2), (width, 33.2)]]
    draft.walls("L", "kerb", west + east + strip, height=0.15)


def _roads(draft: Draft, width: float) -> None:
    """Run a one-way loop clockwise around the middle rows, with gates in the west."""
    near, far = 6.0, width - 6.0
    south = draft.lane("L", "lane S", [(far - TURN_M, SOUTH_Y), (near + TURN_M, SOUTH_Y)])
    west = draft.lane("L", "lane W", [(near, SOUTH_Y + TURN_M), (near, NORTH_Y - TURN_M)])
    north = draft.lane("L", "lane N", [(near + TURN_M, NORTH_Y), (far - TURN_M, NORTH_Y)])
    east = draft.lane("L", "lane E", [(far, NORTH_Y - TURN_M), (far, SOUTH_Y + TURN_M)])
    into = draft.lane("L", "lane in", [(-0.5, NORTH_Y), (near + TURN_M, NORTH_Y)])
    out = draft.lane("L", "lane out", [(near + TURN_M, SOUTH_Y), (-0.5, SOUTH_Y)])
    draft.link(south, west, north, east, south)
    draft.link(into, north)
    draft.link(south, out)
    for name, y, direction in (("in", NORTH_Y, "in"), ("out", SOUTH_Y, "out")):
        line = ((0.5, y - 1.75), (0.5, y + 1.75))
        draft.put(Gate, id=f"L-gate {name}", level="L", line=line, direction=direction)
    corners = ((near, SOUTH_Y), (near, NORTH_Y), (far, NORTH_Y), (far, SOUTH_Y), (near, SOUTH_Y))
    draft.add(WalkPath(id="L-walk", level="L", line=corners))


def _things(draft: Draft, width: float) -> None:
    boxes = (
        ("hut", "hut", (2.0, 16.5), (2.4, 3.0, 2.5)),
        ("planter 1", "planter", (9.2, 16.5), (1.0, 7.0, 0.5)),
        ("planter 2", "planter", (width - 9.2, 16.5), (1.0, 7.0, 0.5)),
        ("planter 3", "planter", (width / 2, 34.2), (6.0, 0.8, 0.6)),
    )
    for name, kind, at, size in boxes:
        draft.put(Obstacle, id=f"L-{name}", level="L", at=at, size=size, kind=kind)
    poles = (12.0, width / 2 + 4, width - 12.0)
    for number, x in enumerate(poles, start=1):
        pole = {"level": "L", "height": 5.0, "kind": "pole", "flux": 30.0, "on": False}
        draft.put(Light, id=f"L-pole N{number}", at=(x, 34.2), **pole)
        draft.put(Light, id=f"L-pole S{number}", at=(x, -0.5), **pole)
    board = {"level": "L", "size": (1.2, 0.8)}
    draft.put(Sign, id="L-sign hut", at=(3.2, 16.5), height=2.0, facing_deg=0.0, text="PAY HERE", **board)
    draft.put(
        Sign, id="L-sign in", at=(0.2, 30.0), height=2.2, facing_deg=180.0, text="P LOT", **board, double_sided=True
    )
    draft.put(Sign, id="L-sign wall", at=(width / 2, 0.0), height=1.3, facing_deg=90.0, text="SOUTH", **board)
    draft.put(Sign, id="L-sign fence", at=(width / 2, 35.15), height=1.5, facing_deg=270.0, text="NORTH", **board)
    _tags(draft, width, poles)


def _tags(draft: Draft, width: float, poles: Sequence[float]) -> None:
    """Hang tags as large as a sheet of A1 on the lamps' poles, above the roofs of parked cars, and on the hut's sides.

    What is walked by at 8 to 15 m in pictures of 640 x 480 must be that large for its bits to have some pixels each.
    """
    for x in poles:
        draft.tag("L", (x + POLE_ASIDE_M, -0.5 + POLE_M), 90.0, height=TAG_HEIGHT_M, size_m=TAG_M)
        draft.tag("L", (x + POLE_ASIDE_M, 34.2 - POLE_M), 270.0, height=TAG_HEIGHT_M, size_m=TAG_M)
    for y, facing in ((15.0, 270.0), (18.0, 90.0)):
        draft.tag("L", (2.0, y), facing, height=1.5, size_m=TAG_M)


def _cameras(draft: Draft, width: float) -> None:
    """Mount four cameras on masts of 3.5 m, one in each corner; their views overlap in pairs."""
    pinhole = {"model": "PINHOLE", "params": (400.0, 400.0, 320.0, 240.0)}
    radial = {"model": "SIMPLE_RADIAL", "params": (360.0, 320.0, 240.0, -0.1)}
    views = (
        ((1.2, 4.0), (16.0, 9.0), radial),
        ((width - 1.2, 4.0), (width - 16.0, 9.0), pinhole),
        ((1.2, 32.0), (16.0, 25.0), pinhole),
        ((width - 1.2, 32.0), (width - 16.0, 25.0), radial),
    )
    for number, (at, look_at, lens) in enumerate(views, start=1):
        draft.camera(f"cam{number}", "L", at, look_at, height=3.5, clock_offset_s=0.3 * (number - 1), **lens)
