"""From when to when stalls were taken, as looks at them tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geometry.parking_places import ParkingPlaces
from geometry.track_records import FrameRecord, Observation
from perception.occupancy.looks import FORGET_S, FREE_ODDS, StallLooks

BEGIN_ODDS = 1.4
"""Log-odds from which a stay begins: surer than a stall is told to be taken, as a false one is a vehicle too many."""
SHORTEST_S = 2.0
"""A shorter stay is a look gone wrong, or a vehicle that drives through."""


class Look(NamedTuple):
    """What one frame of a camera, at a time by the common clock, tells of stalls: the probability of being taken."""

    camera: str
    time: float
    told: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Stay:
    """Somebody in a stall, as an index of the plan's ``ParkingPlaces``, for some time.

    begun, ended: whether its beginning and its end were seen, and not only that it was there when the recording began
    kinds: how much of each kind its boxes say; seen: the boxes that show it
    """

    stall: int
    begin: float
    end: float
    begun: bool
    ended: bool
    kinds: dict[str, float] = field(default_factory=dict)
    seen: list[tuple[float, Observation]] = field(default_factory=list)


def stays_of(
    frames: Sequence[tuple[float, FrameRecord]], places: ParkingPlaces
) -> tuple[list[Stay], NDArray[np.bool_]]:
    """Return the stays that looks tell of, and which stalls (S,) were looked at.

    frames: with their times by the common clock, in that order
    """
    looks = StallLooks(stalls=places.stalls)
    begin = np.full(len(places), np.nan)
    was_free = np.zeros(len(places), dtype=np.bool_)
    stays: list[Stay] = []
    for time, group in groupby(frames, key=lambda each: round(each[0], 1)):
        for _, frame in group:
            looks.update(frame.camera, time, frame.stalls or {})
        odds, inside = looks.log_odds(time), np.isfinite(begin)
        last = looks.last_seen()
        for stall in np.flatnonzero(inside & (time - last > FORGET_S)).tolist():  # nobody looked: who knows how long
            stays.append(_stay(stall, float(begin[stall]), float(last[stall]), bool(was_free[stall]), ended=False))
            begin[stall], was_free[stall], inside[stall] = np.nan, False, False
        begin[~inside & (odds > BEGIN_ODDS)] = time
        for stall in np.flatnonzero(inside & (odds < FREE_ODDS)).tolist():
            if time - begin[stall] >= SHORTEST_S:
                stays.append(_stay(stall, float(begin[stall]), time, bool(was_free[stall]), ended=True))
            begin[stall] = np.nan
        was_free |= odds < FREE_ODDS
    last = looks.last_seen()
    for stall in np.flatnonzero(np.isfinite(begin)).tolist():
        stays.append(_stay(stall, float(begin[stall]), float(last[stall]), bool(was_free[stall]), ended=False))
    return stays, np.isfinite(last)


def _stay(stall: int, begin: float, end: float, begun: bool, *, ended: bool) -> Stay:
    return Stay(stall=stall, begin=begin, end=end, begun=begun, ended=ended)
