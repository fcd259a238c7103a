"""Who is parked and who drives, as one: a track that comes to a stand where a stay begins is that vehicle's.

Looks tell from when to when a stall was taken. A box around something that does not move adds no identity to that; it
tells the kind, and is the observation that shows it. What is left of tracks that stand in a stall, but for a stay, is a
box around nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import networkx as nx
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from geometry.floorplan import FloorPlan
from geometry.parking_places import ParkingPlaces
from geometry.solids import size_prior
from geometry.track_records import Observation, TrackRow
from perception.tracking.parking import ACROSS_SIGMA_M, ALONG_SIGMA_M, MIN_WIDTH_M
from twin.gate_lines import at_gates
from twin.parked.finding import Parked
from twin.parked.stays import Stay
from twin.track_rows import FLOOR_SIGMA_M

Array = NDArray[np.float64]

STANDS_MPS = 0.4
RUN_GAP_S = 2.0
WENT_M = 2.5
"""A run of a track that never gets so far from where it begins is nothing that drives."""
NEAR_M, EARLY_S, LATE_S = 4.0, 8.0, 3.0
"""How far from a stall's middle a track ends that comes to stand there; how long before and after it looks taken."""
GOES_MPS = 2.0
"""How much further away one is for each second that nobody saw it between a track and a stall."""
M_PER_S = 0.5
"""What a second apart counts for, beside metres, where several tracks come in question."""


def with_parked(
    rows: Iterable[TrackRow],
    parked: Parked,
    plan: FloorPlan,
    rows_per_s: float,
    unsure: Iterable[TrackRow] = (),
) -> tuple[list[TrackRow], list[TrackRow]]:
    """Return rows of what drives and what is parked, numbered from 1 on in the order in which they come up, and those
    that are unsure, by the same numbers.

    rows: of tracks of what moves, as ``twin.tracking`` makes them; unsure: others of these tracks, which join nothing
    """
    stays = parked.stays
    places = ParkingPlaces.of(plan)
    told = {places.stalls[k] for k in np.flatnonzero(parked.looked).tolist()}
    rows = list(rows)
    people, runs = _runs(rows, told, parked.lookers)
    middles = np.column_stack([places.middles, [_floor(plan, level) for level in places.levels.tolist()]])
    arriving = _joined([stay for stay in stays if stay.begun], runs, places, middles, plan, came=True)
    leaving = _joined([stay for stay in stays if stay.ended], runs, places, middles, plan, came=False)
    same = nx.utils.UnionFind()
    stands: dict[int, tuple[float, float]] = {}
    named: list[tuple[object, TrackRow]] = [(("person", row.track), row) for row in people]
    for number, stay in enumerate(stays):
        begin, end = stay.begin, stay.end
        came, left = arriving.get(id(stay)), leaving.get(id(stay))
        for joined in (came, left):
            if joined is not None:
                same.union(("stay", number), ("run", joined))
                stands[joined] = (begin, end)
        if came is not None and _is_near(runs[came][-1], middles[stay.stall]):
            begin = runs[came][-1].time + 0.5 / rows_per_s
        if left is not None and _is_near(runs[left][0], middles[stay.stall]):
            end = runs[left][0].time - 0.5 / rows_per_s
        own = _rows_of(replace(stay, begin=begin, end=end), places, plan, rows_per_s)
        named += [(("stay", number), row) for row in own]
    for number, run in enumerate(runs):
        named += [(("run", number), row) for row in run]
        if number and runs[number - 1][0].track == run[0].track and not _stood_between(number, runs, stands):
            same.union(("run", number - 1), ("run", number))
    beside = _owned(unsure, runs, {row.track for row in rows}, told)
    numbers: dict[object, int] = {}

    def numbered(named: Iterable[tuple[object, TrackRow]]) -> list[TrackRow]:
        found = []
        for owner, row in sorted(named, key=lambda each: each[1].time):
            number = numbers.setdefault(same[owner], len(numbers) + 1)
            found.append(row.model_copy(update={"track": number}))
        return sorted(found, key=lambda row: (row.time, row.track))

    return numbered(named), numbered(beside)


def _owned(
    unsure: Iterable[TrackRow], runs: Sequence[Sequence[TrackRow]], sure: set[int], told: set[str]
) -> list[tuple[object, TrackRow]]:
    """Return whose unsure rows are: the run of their track that is nearest in time, or a track of their own.

    Left out are those of ``sure`` tracks of which no run was kept, and what stands where looks tell.
    """
    by_track: dict[int, list[int]] = {}
    for number, run in enumerate(runs):
        by_track.setdefault(run[0].track, []).append(number)
    found: list[tuple[object, TrackRow]] = []
    for row in unsure:
        own = by_track.get(row.track)
        if size_prior(row.kind).family == "person":
            found.append((("person", row.track), row))
        elif own:
            late = [max(runs[n][0].time - row.time, row.time - runs[n][-1].time) for n in own]
            found.append((("run", own[int(np.argmin(late))]), row))
        elif row.track not in sure and not _stands(row, told):
            found.append((("unsure", row.track), row))
    return found


def _stands(row: TrackRow, told: set[str]) -> bool:
    """Tell whether a row stands in a stall that looks tell about."""
    return row.stall in told and float(np.hypot(*(row.velocity or (0.0, 0.0))[:2])) < STANDS_MPS


def _goes_on(runs: Sequence[Sequence[TrackRow]], number: int, *, after: bool) -> bool:
    """Tell whether a run's track has another one after it, or before it: it was elsewhere, not in a stall."""
    other = number + 1 if after else number - 1
    return 0 <= other < len(runs) and runs[other][0].track == runs[number][0].track


def _is_near(row: TrackRow, middle: Array) -> bool:
    """Tell whether a track that ends here, or begins, leaves nothing of the way to a stall out."""
    return float(np.linalg.norm(row.position - middle)) <= NEAR_M


def _stood_between(number: int, runs: Sequence[Sequence[TrackRow]], stands: Mapping[int, tuple[float, float]]) -> bool:
    """Tell whether a run's vehicle, or that of the run before on the same track, was parked while the other drove."""
    before, after = runs[number - 1], runs[number]
    came, went = stands.get(number - 1), stands.get(number)
    return (came is not None and came[1] > after[0].time) or (went is not None and went[0] < before[-1].time)


def _runs(
    rows: Iterable[TrackRow], told: set[str], lookers: frozenset[str]
) -> tuple[list[TrackRow], list[list[TrackRow]]]:
    """Return the rows of people, and those of vehicles in runs without gaps, track by track.

    Rows that stand in stalls that looks tell about are left out; so are runs that go nowhere, but for what a camera
    saw that looks at no stalls.
    """
    people: list[TrackRow] = []
    tracks: dict[int, list[TrackRow]] = {}
    for row in rows:
        if size_prior(row.kind).family == "person":
            people.append(row)
        elif not _stands(row, told):
            tracks.setdefault(row.track, []).append(row)
    runs: list[list[TrackRow]] = []
    for own in tracks.values():
        own.sort(key=lambda row: row.time)
        breaks = np.flatnonzero(np.diff([row.time for row in own]) > RUN_GAP_S) + 1
        for part in np.split(np.arange(len(own)), breaks):
            run = [own[i] for i in part.tolist()]
            offset = np.array([row.position[:2] for row in run]) - run[0].position[:2]
            goes = np.linalg.norm(offset, axis=1).max() >= WENT_M
            if goes or any(each.camera not in lookers for row in run for each in row.observations):
                runs.append(run)
    return people, runs


def _joined(
    stays: Sequence[Stay],
    runs: Sequence[Sequence[TrackRow]],
    places: ParkingPlaces,
    middles: Array,
    plan: FloorPlan,
    *,
    came: bool,
) -> dict[int, int]:
    """Return of stays, by their ``id``, the run that ends in them (``came``), or that begins in them.

    What begins at a gate by which one only comes in was not parked, and what ends where one only leaves does not park.

    middles: (S, 3) of stalls, site metres
    """
    if not stays or not runs:
        return {}
    ends = [run[-1] if came else run[0] for run in runs]
    positions, times = np.array([row.position for row in ends]), np.array([row.time for row in ends])
    targets = middles[[stay.stall for stay in stays]]
    moments = np.array([stay.begin if came else stay.end for stay in stays])
    apart = np.linalg.norm(positions[None] - targets[:, None], axis=2)
    late = times[None] - moments[:, None] if came else moments[:, None] - times[None]
    at_end = np.array([not _goes_on(runs, number, after=came) for number in range(len(runs))], dtype=np.bool_)
    levels = [plan.levels[int(places.levels[stay.stall])].id for stay in stays]
    alike = np.array([[row.level == level for row in ends] for level in levels], dtype=np.bool_)
    reach = NEAR_M + np.where(alike & at_end, GOES_MPS * np.maximum(-late, 0.0), 0.0)
    fits = (apart <= reach) & (late <= LATE_S) & (late >= -EARLY_S)
    fits &= ~at_gates(plan, positions, "out" if came else "in")
    cost = np.where(fits, apart + M_PER_S * np.abs(late), 1e6)
    chosen = zip(*linear_sum_assignment(cost), strict=True)
    return {id(stays[i]): int(j) for i, j in chosen if fits[i, j]}


def _rows_of(stay: Stay, places: ParkingPlaces, plan: FloorPlan, rows_per_s: float) -> list[TrackRow]:
    """Return the rows of a stay: in the middle of its stall, as unsure as vehicles stand in theirs."""
    ticks = np.arange(np.ceil(stay.begin * rows_per_s - 1e-6), np.floor(stay.end * rows_per_s + 1e-6) + 1)
    kind = max(sorted(stay.kinds), key=stay.kinds.__getitem__) if stay.kinds else _usual_kind(places, stay.stall)
    along = places.directions[stay.stall]
    across = np.array([-along[1], along[0]])
    spread = ALONG_SIGMA_M**2 * np.outer(along, along) + ACROSS_SIGMA_M**2 * np.outer(across, across)
    covariance = np.zeros((3, 3))
    covariance[:2, :2], covariance[2, 2] = spread, FLOOR_SIGMA_M**2
    x, y = places.middles[stay.stall].tolist()
    level = plan.levels[int(places.levels[stay.stall])]
    zone = next(
        (each.id for each in plan.zones if each.level == level.id and each.polygon.covers(shapely.Point(x, y))), None
    )
    shown: dict[int, list[Observation]] = {}
    for time, seen in stay.seen:
        shown.setdefault(round(time * rows_per_s), []).append(seen)
    return [
        TrackRow.model_construct(
            time=tick / rows_per_s,
            track=0,
            kind=kind,
            level=level.id,
            zone=zone,
            stall=places.stalls[stay.stall],
            position=(x, y, level.elevation),
            position_covariance=tuple(map(tuple, covariance.round(8).tolist())),
            velocity=(0.0, 0.0, 0.0),
            heading=float(np.arctan2(along[1], along[0])),
            size=tuple(size_prior(kind).size),
            observations=tuple(shown.get(round(tick), ())),
        )
        for tick in ticks.tolist()
    ]


def _usual_kind(places: ParkingPlaces, stall: int) -> str:
    return "motorcycle" if places.sizes[stall, 1] < MIN_WIDTH_M else "vehicle"


def _floor(plan: FloorPlan, level: int) -> float:
    return plan.levels[level].elevation
