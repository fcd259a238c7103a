"""A garage unlike the library's, to judge proposed layouts by: oblique and square stalls of several widths."""

from scenes.drafting import Draft, box_ring
from scenes.facility import Crossing, Facility, Level, StallRow, Traffic, WalkPath

LENGTH_M, DEPTH_M = 44.0, 31.0


def oblique_yard(seed: int = 0) -> Facility:
    """Build a deck with rows at 60, 45 and 90 degrees along two one-way lanes, and a short row of motorcycles."""
    draft = Draft("oblique-yard", seed)
    outline = box_ring(-0.2, -0.2, LENGTH_M + 0.2, DEPTH_M + 0.2)
    draft.add(
        Level(id="D", name="Deck", elevation=0.0, ceiling=3.0, outline=outline),
        StallRow(id="D-A", level="D", start=(38.0, 5.2), along_deg=180, count=11, width=2.6, depth=5.2, angle_deg=60),
        StallRow(id="D-B", level="D", start=(6.0, 10.2), along_deg=0, count=9, width=2.4, depth=4.8, angle_deg=45),
        StallRow(
            id="D-C", level="D", start=(39.0, 19.6), along_deg=180, count=5, width=3.0, depth=4.6, kind="disabled"
        ),
        StallRow(id="D-E", level="D", start=(22.0, 19.6), along_deg=180, count=6, width=2.4, depth=4.6),
        StallRow(id="D-F", level="D", start=(6.0, 25.6), along_deg=0, count=13, width=2.45, depth=5.4, numbered=False),
        StallRow(
            id="D-M",
            level="D",
            start=(38.6, 28.6),
            along_deg=0,
            count=4,
            width=1.1,
            depth=2.2,
            kind="motorcycle",
        ),
        Crossing(id="D-zebra", level="D", polygon=box_ring(40.0, 11.0, 43.0, 15.0)),
        WalkPath(id="D-walk", level="D", line=((4, 7.7), (41, 7.7), (41, 22.6), (3.5, 22.6), (4, 7.7))),
    )
    south = draft.lane("D", "lane S", [(38, 7.7), (6, 7.7)], width=3.5)
    north = draft.lane("D", "lane N", [(6, 22.6), (38, 22.6)], width=3.5)
    draft.link(south, north, south)
    draft.walls("D", "wall", [[(-0.1, -0.1), (44.1, -0.1), (44.1, 31.1), (-0.1, 31.1), (-0.1, -0.1)]])
    draft.lights("D", "lamp", xs=(6, 14, 22, 30, 38), ys=(7.7, 15.5, 22.6), height=2.9)
    return draft.facility(traffic=Traffic(vehicles=4, people=2, parked=0.5))
