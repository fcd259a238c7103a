"""Three decks that only their signs, tags and a little listed wear tell apart: where places are confused for real.

Each deck has its own gates, as in a garage on a slope; the levels share a ``look``, and so every texel that is not
on a sign, a tag or a ``Wear``.
"""

import numpy as np

from scenes.drafting import Draft
from scenes.facility import Facility, Traffic, Wear
from scenes.library.garage import LENSES, RISE_M
from scenes.library.parking_deck import BAY_M, TAG_M, bays, loop, loop_walk, parking_deck, stall_row, west_side

OCHRE = (188, 128, 28)
MARKS = 5
"""Wear marks a level, at most 3 m2 each: under 1 % of its floor."""


def garage_twins(size: float = 1.0, seed: int = 0) -> Facility:
    """Build the three decks; ``size`` from 1 multiplies the number of bays along them."""
    draft = Draft("garage-twins", seed)
    width = 20.0 + BAY_M * max(5, round(5 * size))
    parking_deck(draft, "P1", width, elevation=0.0, colour=OCHRE, look="deck")
    loop(draft, "P1", width)
    west_side(draft, "P1", width, gates=True)
    bays(draft, "P1", "F", [(x, 11.0) for x in np.arange(14.25, width - 15.0, BAY_M)], 0.0)
    for name, x in (("D3", 11.25), ("D4", width - 13.75)):
        draft.add(stall_row("P1", name, (x, 11.0), 0.0, count=1, kind="disabled"))
    loop_walk(draft, "P1", width, start=(8.0, 18.0))
    for x in (14.0, width - 22.0):
        draft.tag("P1", (x, 4.25), 90.0, size_m=TAG_M)
        draft.tag("P1", (x, 31.75), 270.0, size_m=TAG_M)
    draft.camera("P1-cam1", "P1", (12.0, 10.7), (24.0, 7.5), height=2.8, **LENSES["pinhole"])
    draft.camera("P1-cam2", "P1", (37.0, 10.7), (25.0, 7.5), height=2.6, **LENSES["pinhole"])
    draft.copy_level("P1", "P2", elevation=RISE_M, name="Level P2")
    draft.copy_level("P1", "P3", elevation=2 * RISE_M, name="Level P3")
    for number, level in enumerate(("P1", "P2", "P3")):
        _wear(draft, level, width, np.random.default_rng([seed, number]))
    return draft.facility(traffic=Traffic(vehicles=12, people=8, parked=0.5))


def _wear(draft: Draft, level: str, width: float, rng: np.random.Generator) -> None:
    """Leave marks on the aisles, each level its own."""
    for number in range(1, MARKS + 1):
        x, dy, length, breadth = rng.uniform((12.0, -2.0, 0.8, 0.6), (width - 12.0, 2.0, 2.0, 1.5)).round(2).tolist()
        at, size = (x, (8.0, 28.0)[number % 2] + dy), (length, breadth)
        kind = ("stain", "repair", "leak")[int(rng.integers(3))]
        on = "ceiling" if kind == "leak" else "floor"
        draft.put(Wear, id=f"{level}-wear {number}", level=level, on=on, at=at, size=size, kind=kind)
