"""The reference garage: two levels of about 60 x 36 m joined by a ramp, 150 stalls, 8 cameras.

Vehicles come in and go out by two gates in the west of the lower level. The ramp lies in the island: it begins at the
east side of P1 and arrives at the west side of P2, and has a lane each way.
"""

from typing import Any

import numpy as np

from scenes.drafting import Draft
from scenes.facility import Facility, Obstacle, Ramp, Sign, Traffic, WalkPath
from scenes.library.parking_deck import (
    BAY_M,
    CEILING_M,
    TAG_M,
    bays,
    loop,
    loop_walk,
    parking_deck,
    stall_row,
    west_side,
)

RISE_M = 3.5
RAMP_M = 26.5
RAMP_Y = (13.0, 19.5)
EASING_M = 3.0
UP_Y, DOWN_Y = 17.9, 14.6
BLUE, GREEN = (24, 78, 160), (26, 120, 74)
LENSES: dict[str, dict[str, Any]] = {
    "pinhole": {"model": "PINHOLE", "params": (430.0, 430.0, 320.0, 240.0)},
    "radial": {"model": "SIMPLE_RADIAL", "params": (360.0, 320.0, 240.0, -0.12)},
    "fisheye": {"model": "OPENCV_FISHEYE", "params": (225.0, 225.0, 320.0, 240.0, 0.02, -0.01, 0.0, 0.0)},
}


def garage(size: float = 1.0, seed: int = 0) -> Facility:
    """Build the garage; ``size`` from 1 multiplies the number of bays along it."""
    draft = Draft("garage", seed)
    width = 20.0 + BAY_M * max(5, round(5 * size))
    parking_deck(draft, "P1", width, elevation=0.0, colour=BLUE)
    parking_deck(draft, "P2", width, elevation=RISE_M, colour=GREEN)
    _lower(draft, width)
    _upper(draft, width)
    _ramp(draft, width)
    _tags(draft, width)
    _cameras(draft, width)
    return draft.facility(traffic=Traffic(vehicles=12, people=8, parked=0.5, look_alikes=4))


def _foot_and_head(width: float) -> tuple[float, float]:
    """Return the x of the ramp's lower and upper end."""
    return width - 11.0, width - 11.0 - RAMP_M


def _lower(draft: Draft, width: float) -> None:
    foot, head = _foot_and_head(width)
    loop(draft, "P1", width, east=(DOWN_Y - 3, UP_Y + 3))
    west_side(draft, "P1", width, gates=True)
    draft.add(stall_row("P1", "F0", (11.25, 11.0), 0.0, count=1, kind="family"))
    bays(draft, "P1", "F", [(x, 11.0) for x in np.arange(14.25, head - 7.4, BAY_M)], 0.0, kind="electric")
    y0, y1 = RAMP_Y[0] - 0.1, RAMP_Y[1] + 0.1
    draft.walls("P1", "ramp", [[(foot, y0), (head - 0.1, y0), (head - 0.1, y1), (foot, y1)]])
    guide = {"level": "P1", "height": 2.8, "size": (1.8, 0.4)}
    draft.put(Sign, id="P1-sign ramp", at=(width - 8, 23.4), facing_deg=90.0, text="P2 →", **guide)
    draft.put(Sign, id="P1-sign exit", at=(20.0, 8.0), facing_deg=0.0, text="EXIT ↑", **guide)
    draft.put(Obstacle, id="P1-planter", level="P1", at=(13.0, 18.6), size=(2.0, 0.7, 0.6), kind="planter")
    loop_walk(draft, "P1", width, start=(width - 8, 16.2))


def _upper(draft: Draft, width: float) -> None:
    foot, head = _foot_and_head(width)
    loop(draft, "P2", width, west=(DOWN_Y - 3, UP_Y + 3))
    west_side(draft, "P2", width, gates=False)
    y0, y1 = RAMP_Y[0] - 0.1, RAMP_Y[1] + 0.1
    parapet = [(head, y0), (foot + 0.1, y0), (foot + 0.1, y1), (head, y1)]
    draft.walls("P2", "parapet", [parapet], height=1.1)
    draft.lights("P2", "ramp", np.linspace(head + 3, foot - 3, 4).tolist(), (16.2,), height=CEILING_M - 0.1)
    guide = {"level": "P2", "height": 2.8, "size": (1.8, 0.4)}
    draft.put(Sign, id="P2-sign ramp", at=(8.0, 9.6), facing_deg=270.0, text="P1 EXIT →", **guide)
    draft.put(Obstacle, id="P2-machine", level="P2", at=(2.0, 33.8), size=(2.4, 2.4, 1.9), kind="machine")
    loop_walk(draft, "P2", width, start=(8.0, 16.2))


def _ramp(draft: Draft, width: float) -> None:
    """Join the levels: a slope with easings, and a lane each way that keeps to the right."""
    foot, head = _foot_and_head(width)
    eased = 0.5 * EASING_M * RISE_M / (RAMP_M - EASING_M)
    profile = ((0.0, 0.0), (EASING_M, eased), (RAMP_M - EASING_M, RISE_M - eased), (RAMP_M, RISE_M))
    corners = ((foot, RAMP_Y[0]), (foot, RAMP_Y[1]), (head, RAMP_Y[1]), (head, RAMP_Y[0]))
    draft.put(Ramp, id="ramp", from_level="P1", to_level="P2", polygon=corners, profile=profile)
    up = draft.lane("P1", "lane up", [(foot, UP_Y), (head, UP_Y)])
    arriving = draft.lane("P2", "lane arriving", [(head, UP_Y), (11.0, UP_Y)])
    leaving = draft.lane("P2", "lane leaving", [(11.0, DOWN_Y), (head, DOWN_Y)])
    down = draft.lane("P2", "lane down", [(head, DOWN_Y), (foot, DOWN_Y)])
    draft.link("P1-lane E1", up, arriving, "P2-lane W3")
    draft.link("P2-lane W1", leaving, down, "P1-lane E3")
    draft.add(WalkPath(id="P1-walk ramp", level="P1", line=((width - 8, 16.2), (8.0, 16.2))))


def _tags(draft: Draft, width: float) -> None:
    """Fix tags to the aisle side of every pillar along the island, and one at each end."""
    for level in ("P1", "P2"):
        for x in np.arange(14.0, width - 13.0, BAY_M).tolist():
            draft.tag(level, (x, 4.25), 90.0, size_m=TAG_M)
            draft.tag(level, (x, 31.75), 270.0, size_m=TAG_M)
        draft.tag(level, (4.25, 14.0), 0.0, size_m=TAG_M)
        draft.tag(level, (width - 4.25, 22.0), 180.0, size_m=TAG_M)


def _cameras(draft: Draft, width: float) -> None:
    """Mount a pair that overlaps on each level, single ones, and a fisheye at the foot of the ramp."""
    views = (
        ("P1", (12.0, 10.7), (24.0, 7.5), 2.8, "radial"),
        ("P1", (37.0, 10.7), (25.0, 7.5), 2.6, "pinhole"),
        ("P1", (width - 12.0, 25.6), (width - 26.0, 29.0), 2.9, "pinhole"),
        ("P1", (width - 5.2, 18.0), (width - 9.0, 17.0), 3.0, "fisheye"),
        ("P2", (12.0, 30.6), (24.0, 28.0), 2.6, "pinhole"),
        ("P2", (38.0, 30.6), (26.0, 28.0), 2.8, "radial"),
        ("P2", (8.6, 22.6), (16.0, 15.5), 3.0, "pinhole"),
        ("P2", (width - 14.0, 5.4), (width - 28.0, 8.6), 2.4, "pinhole"),
    )
    clocks = (
        (0.0, 0.0),
        (0.35, 12.0),
        (-1.2, -25.0),
        (2.4, 40.0),
        (0.08, 5.0),
        (-0.6, 60.0),
        (5.1, -15.0),
        (-3.3, 30.0),
    )
    for number, (view, clock) in enumerate(zip(views, clocks, strict=True), start=1):
        level, at, look_at, height, lens = view
        timing = {"clock_offset_s": clock[0], "clock_drift_ppm": clock[1]}
        draft.camera(f"cam{number}", level, at, look_at, height=height, **LENSES[lens], **timing)
