"""Vehicles that stand in stalls, by looks at these, and the tracks of what drives, as one: who came is who stands there.

Looks tell from when to when a stall was taken. A box around something that does not move adds no identity to that; it
tells the kind, and is the observation that shows it. A track that comes to a stand where a stay begins, or starts where
one ends, is that vehicle's. What is left of tracks that stand in a stall, but for a stay, is a box around nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import networkx as nx
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from geometry.cameras import project
from geometry.errors import InputError, nearest_known
from geometry.floorplan import FloorPlan
from geometry.frames import transform_points
from geometry.parking_places import ParkingPlaces
from geometry.records import FixedCamera
from geometry.solids import size_prior
from geometry.track_records import FrameRecord, Observation, TrackRow
from perception.occupancy.looks import StallLooks
from perception.tracking.instant import STILL_SHARE
from perception.tracking.parking import ACROSS_SIGMA_M, ALONG_SIGMA_M, MIN_WIDTH_M
from twin.track_rows import FLOOR_SIGMA_M

Array = NDArray[np.float64]

TAKEN_ODDS = 1.4
"""Log-odds from which a stall is taken, and below whose negative it is free; in between it stays what it was."""
SHORTEST_S = 2.0
"""A shorter stay is a look gone wrong, or a vehicle that drives through."""
STANDS_MPS = 0.4
RUN_GAP_S = 2.0
WENT_M = 2.5
"""A run of a track that never gets so far from where it begins is nothing that drives."""
NEAR_M, EARLY_S, LATE_S = 4.0, 8.0, 3.0
"""How far from a stall's middle a track ends that comes to stand there, and how long before and after it looks taken."""
M_PER_S = 0.5
"""What a second apart counts for, beside metres, where several tracks come in question."""
LIKE = 0.3
"""Overlap of a box with where a vehicle in the stall would show, from which it shows that."""
USUAL_M = (4.4, 1.8, 1.5)


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
class Parked:
    """The stays of a recording, and which stalls (S,) of the plan's ``ParkingPlaces`` were looked at."""

    stays: Sequence[Stay]
    looked: NDArray[np.bool_]


def find_parked(
    frames: Sequence[FrameRecord], cameras: Mapping[str, FixedCamera], plan: FloorPlan
) -> tuple[list[FrameRecord], Parked]:
    """Return who is parked by looks at stalls, and the frames without the boxes that show it.

    Raises ``InputError`` for a frame of an unknown camera.
    """
    if unknown := {frame.camera for frame in frames} - set(cameras):
        name = min(unknown)
        raise InputError(f"there is no camera '{name}'", remedy=nearest_known(name, cameras))
    timed = sorted(((cameras[frame.camera].utc(frame.time), frame) for frame in frames), key=lambda each: each[0])
    places = ParkingPlaces.of(plan)
    stays, looked = stays_of(timed, places)
    floors = np.array([level.elevation for level in plan.levels])
    left = note_boxes(stays, timed, tuple(cameras.values()), places, floors)
    return left, Parked(stays=stays, looked=looked)


def stays_of(
    frames: Sequence[tuple[float, FrameRecord]], places: ParkingPlaces
) -> tuple[list[Stay], NDArray[np.bool_]]:
    """Return the stays that looks tell of, and which stalls (S,) were looked at.

    frames: with their times by the common clock, in that order
    """
    looks = StallLooks(places.stalls)
    begin = np.full(len(places), np.nan)
    was_free = np.zeros(len(places), dtype=np.bool_)
    stays: list[Stay] = []
    last = frames[-1][0] if frames else 0.0
    for time, group in groupby(frames, key=lambda each: round(each[0], 1)):
        for _, frame in group:
            looks.update(frame.camera, time, frame.stalls or {})
        odds = looks.log_odds(time)
        inside = np.isfinite(begin)
        begin[~inside & (odds > TAKEN_ODDS)] = time
        for stall in np.flatnonzero(inside & (odds < -TAKEN_ODDS)).tolist():
            if time - begin[stall] >= SHORTEST_S:
                stays.append(_stay(stall, float(begin[stall]), time, bool(was_free[stall]), ended=True))
            begin[stall] = np.nan
        was_free |= odds < -TAKEN_ODDS
    for stall in np.flatnonzero(np.isfinite(begin)).tolist():
        stays.append(_stay(stall, float(begin[stall]), last, bool(was_free[stall]), ended=False))
    return stays, looks.seen


def _stay(stall: int, begin: float, end: float, begun: bool, *, ended: bool) -> Stay:
    return Stay(stall=stall, begin=begin, end=end, begun=begun, ended=ended)


def note_boxes(
    stays: Sequence[Stay],
    frames: Sequence[tuple[float, FrameRecord]],
    cameras: Sequence[FixedCamera],
    places: ParkingPlaces,
    floors: Array,
) -> list[FrameRecord]:
    """Give stays the boxes that show them: in each frame the best choice of boxes for the stalls taken then.

    Returns the frames, in their order, without boxes in which nothing moves and that lie where a parked vehicle shows.
    floors: (L,) heights of the levels, site metres
    """
    left: list[FrameRecord] = []
    expected = {camera.id: _expected(camera, places, floors) for camera in cameras}
    row = {stall: number for number, stall in enumerate(places.stalls)}
    by_stall: dict[int, list[Stay]] = {}
    sights: dict[str, set[int]] = {}
    for stay in stays:
        by_stall.setdefault(stay.stall, []).append(stay)
    for time, frame in frames:
        sights.setdefault(frame.camera, set()).update(row[stall] for stall in frame.stalls or {} if stall in row)
        there = [
            stay for stall in sights[frame.camera] for stay in by_stall.get(stall, ()) if stay.begin <= time <= stay.end
        ]
        found = [each for each in frame.detections if size_prior(each.kind).family == "vehicle"]
        left.append(frame)
        if not there or not found:
            continue
        alike = _overlap(
            expected[frame.camera][[stay.stall for stay in there]], np.array([each.bbox for each in found])
        )
        for i, j in zip(*linear_sum_assignment(alike, maximize=True), strict=True):
            if alike[i, j] >= LIKE:
                box = found[j]
                there[i].kinds[box.kind] = there[i].kinds.get(box.kind, 0.0) + box.score
                there[i].seen.append((time, Observation(camera=frame.camera, time=frame.time, bbox=box.bbox)))
        shown = {id(found[j]) for j in np.flatnonzero(alike.max(axis=0) >= LIKE).tolist()}
        rest = tuple(e for e in frame.detections if id(e) not in shown or (e.changed or 0.0) >= STILL_SHARE)
        left[-1] = frame.model_copy(update={"detections": rest})
    return left


def with_parked(rows: Iterable[TrackRow], parked: Parked, plan: FloorPlan, rows_per_s: float) -> list[TrackRow]:
    """Return rows of what drives and what is parked, numbered from 1 on in the order in which they come up.

    rows: of tracks of what moves, as ``twin.tracking`` makes them
    """
    stays = parked.stays
    places = ParkingPlaces.of(plan)
    told = {places.stalls[k] for k in np.flatnonzero(parked.looked).tolist()}
    people, runs = _runs(rows, told)
    middles = np.column_stack([places.middles, [_floor(plan, level) for level in places.levels.tolist()]])
    arriving = _joined([stay for stay in stays if stay.begun], runs, middles, came=True)
    leaving = _joined([stay for stay in stays if stay.ended], runs, middles, came=False)
    same = nx.utils.UnionFind()
    stretched: list[tuple[object, list[TrackRow]]] = []
    for number, stay in enumerate(stays):
        name = ("stay", number)
        same.union(name)
        begin, end = stay.begin, stay.end
        if (run := arriving.get(id(stay))) is not None:
            same.union(name, ("track", runs[run][0].track))
            begin = runs[run][-1].time + 0.5 / rows_per_s
        if (run := leaving.get(id(stay))) is not None:
            same.union(name, ("track", runs[run][0].track))
            end = runs[run][0].time - 0.5 / rows_per_s
        stretched.append((name, _rows_of(replace(stay, begin=begin, end=end), places, plan, rows_per_s)))
    named = [(("track", row.track), row) for part in (*runs, people) for row in part]
    named += [(name, row) for name, part in stretched for row in part]
    named.sort(key=lambda each: each[1].time)
    numbers: dict[object, int] = {}
    kept: dict[tuple[float, int], TrackRow] = {}
    for name, row in named:
        number = numbers.setdefault(same[name], len(numbers) + 1)
        kept.setdefault((row.time, number), row.model_copy(update={"track": number}))
    return sorted(kept.values(), key=lambda row: (row.time, row.track))


def _runs(rows: Iterable[TrackRow], told: set[str]) -> tuple[list[TrackRow], list[list[TrackRow]]]:
    """Return the rows of people, and those of vehicles in runs without gaps, as far as they drive."""
    people: list[TrackRow] = []
    tracks: dict[int, list[TrackRow]] = {}
    for row in rows:
        if size_prior(row.kind).family == "person":
            people.append(row)
        elif not (row.stall in told and float(np.hypot(*(row.velocity or (0.0, 0.0))[:2])) < STANDS_MPS):
            tracks.setdefault(row.track, []).append(row)
    runs: list[list[TrackRow]] = []
    for own in tracks.values():
        own.sort(key=lambda row: row.time)
        breaks = np.flatnonzero(np.diff([row.time for row in own]) > RUN_GAP_S) + 1
        for part in np.split(np.arange(len(own)), breaks):
            positions = np.array([own[i].position[:2] for i in part.tolist()])
            if np.linalg.norm(positions - positions[0], axis=1).max(initial=0.0) >= WENT_M:
                runs.append([own[i] for i in part.tolist()])
    return people, runs


def _joined(stays: Sequence[Stay], runs: Sequence[Sequence[TrackRow]], middles: Array, *, came: bool) -> dict[int, int]:
    """Return of stays, by their ``id``, the run that ends in them (``came``), or that begins in them."""
    if not stays or not runs:
        return {}
    ends = [run[-1] if came else run[0] for run in runs]
    positions, times = np.array([row.position for row in ends]), np.array([row.time for row in ends])
    targets = middles[[stay.stall for stay in stays]]
    moments = np.array([stay.begin if came else stay.end for stay in stays])
    apart = np.linalg.norm(positions[None] - targets[:, None], axis=2)
    late = times[None] - moments[:, None] if came else moments[:, None] - times[None]
    fits = (apart <= NEAR_M) & (late <= LATE_S) & (late >= -EARLY_S)
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


def _expected(camera: FixedCamera, places: ParkingPlaces, floors: Array) -> Array:
    """Return the boxes (S, 4) px in which vehicles in the middles of stalls would show; NaN where they don't."""
    length, width, height = USUAL_M
    along = places.directions
    across = np.column_stack([-along[:, 1], along[:, 0]])
    corners = np.array([(a, b, c) for a in (-0.5, 0.5) for b in (-0.5, 0.5) for c in (0.0, 1.0)])
    xy = (
        places.middles[:, None]
        + length * corners[None, :, :1] * along[:, None]
        + width * corners[None, :, 1:2] * across[:, None]
    )
    z = floors[places.levels][:, None] + height * corners[None, :, 2]
    points = np.concatenate([xy, z[..., None]], axis=2).reshape(-1, 3)
    pixels, known = project(camera.camera(), transform_points(camera.pose(), points))
    pixels[~known] = np.nan
    pixels = np.clip(pixels.reshape(len(places), 8, 2), 0, (camera.width, camera.height))
    return np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)


def _overlap(first: Array, second: Array) -> Array:
    """Return intersection over union of boxes (N, 4) and (M, 4): (N, M), 0 for NaN."""
    low, high = np.maximum(first[:, None, :2], second[None, :, :2]), np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(each[:, 2:] - each[:, :2]).prod(axis=1) for each in (first, second)]
    union = areas[0][:, None] + areas[1][None] - common
    return np.asarray(np.nan_to_num(common / np.maximum(union, 1e-9)))
