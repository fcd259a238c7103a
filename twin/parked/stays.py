"""From when to when stalls were taken, as looks at them tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geometry.parking_places import ParkingPlaces
from geometry.track_records import FrameRecord, Observation
from perception.occupancy.decoding import decoded, levelled
from perception.occupancy.looks import FREE_ODDS, TAKEN_ODDS, StallLooks

Array = NDArray[np.float64]

CLEAR_ODDS, CLEAR_S = 2.0, 5
"""Log-odds that the surest so many seconds of a stay have on average, and it may be hidden for the rest: more than a
stall needs to be told to be taken, as a false stay is a vehicle too many."""
NEITHER_ODDS = (TAKEN_ODDS + FREE_ODDS) / 2
LONGEST_STEP_S = 2.0
SHORTEST_S = 2.0
"""A shorter stay is a look gone wrong, or a vehicle that drives through."""


class Look(NamedTuple):
    """What is told of stalls at a time by the common clock: the probability of being taken.

    camera: whose picture tells it, "" for all together
    """

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """What looks at S stalls told over T seconds that had any.

    times: (T,) by the common clock; odds: (T, S) log-odds of being taken
    seen: (T, S) whether some camera looked lately
    """

    times: Array
    odds: Array
    seen: NDArray[np.bool_]

    @property
    def steps(self) -> Array:
        """Return the seconds (T,) that each row stands for."""
        return np.minimum(np.diff(self.times, prepend=self.times[:1] - 1.0), LONGEST_STEP_S)


def course_of(frames: Sequence[tuple[float, FrameRecord]], places: ParkingPlaces) -> Course:
    """Return what the looks of frames, with their times by the common clock and in that order, tell."""
    looks = StallLooks(stalls=places.stalls)
    times, odds, seen = [], [], []
    looking = ((time, frame) for time, frame in frames if frame.stalls)
    for second, group in groupby(looking, key=lambda each: float(round(each[0]))):
        for time, frame in group:
            looks.update(frame.camera, time, frame.stalls or {})
        times.append(second)
        odds.append(looks.log_odds(second))
        seen.append(looks.seen(second))
    shape = (len(times), len(places))
    return Course(
        times=np.array(times), odds=np.array(odds).reshape(shape), seen=np.array(seen, dtype=np.bool_).reshape(shape)
    )


def stays_of(course: Course) -> list[Stay]:
    """Return the stays that looks tell of, of which they are clear at some time."""
    states = decoded(course.odds, course.steps, NEITHER_ODDS) & course.seen
    edges = np.diff(states.astype(np.int8), axis=0, prepend=0, append=0)
    stays = []
    for stall in np.flatnonzero(states.any(axis=0)).tolist():
        firsts, beyonds = (np.flatnonzero(edges[:, stall] == sign).tolist() for sign in (1, -1))
        for first, beyond in zip(firsts, beyonds, strict=True):
            ended = beyond < len(states) and bool(course.seen[beyond, stall])
            stay = Stay(
                stall=stall,
                begin=float(course.times[first]),
                end=float(course.times[beyond if ended else beyond - 1]),
                begun=first > 0 and bool(course.seen[first - 1, stall]),
                ended=ended,
            )
            surest = np.sort(course.odds[first:beyond, stall])[-CLEAR_S:]
            if stay.end - stay.begin >= SHORTEST_S and surest.mean() >= CLEAR_ODDS:
                stays.append(stay)
    return sorted(stays, key=lambda stay: (stay.begin, stay.stall))


def looks_of(course: Course, places: ParkingPlaces) -> tuple[Look, ...]:
    """Return, second by second, how probably stalls are taken by all looks of the recording, those to come too."""
    states = decoded(course.odds, course.steps, NEITHER_ODDS)
    share = 1 / (1 + np.exp(-levelled(course.odds, states)))
    return tuple(
        Look("", time, {places.stalls[k]: float(share[row, k]) for k in np.flatnonzero(course.seen[row]).tolist()})
        for row, time in enumerate(course.times.tolist())
    )
