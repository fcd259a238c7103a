"""What can't be in a facility, found before anything is built: each problem names its elements."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry.cameras import camera_from_params
from geometry.errors import InputError, nearest_known
from scenes.facility import Facility, Lane, Level, Ramp, WalkPath
from scenes.plan import obstacle_polygon, pillar_polygon, row_polygons, stall_ids, wall_height, wall_polygon

logger = logging.getLogger(__name__)

TOUCH_M = 0.02
"""Things that overlap by less than this touch."""
OUTSIDE_M = 0.5
"""How far something may stick out of its level: walls stand on the edge, signs hang on their outer side."""
VEHICLE_WIDTH_M = 1.8
JOINT_M = 0.5
"""Largest gap between the ends of lanes that follow each other."""
STEP_M = 0.05
STEEPEST = 0.25
CAMERA_HEIGHTS_M = (2.4, 3.5)
HEADROOM_M = 2.0
"""Walls that begin above this do not stand in the way."""
MAX_LISTED = 20


class Solids(NamedTuple):
    """What stands on floors: names, levels, polygons and tops above the floor, N each."""

    names: list[str]
    levels: NDArray[np.str_]
    polygons: NDArray[Any]
    tops: NDArray[np.float64]


def check(facility: Facility) -> None:
    """Raise one ``InputError`` that lists what is wrong with a facility, at most ``MAX_LISTED`` problems by name.

    Cameras at an unusual height are only logged.
    """
    problems = [*_repeated_ids(facility), *_unknown_levels(facility), *_crossed_rings(facility)]
    if not problems:
        solids = _solids(facility)
        problems = [
            *_outside(facility),
            *_stall_overlaps(facility, solids),
            *_blocked_ways(facility, solids),
            *_lane_joints(facility.lanes),
            *(problem for ramp in facility.ramps for problem in _ramp_problems(ramp, _by_id(facility.levels))),
            *_too_high(facility),
            *_camera_problems(facility, solids),
        ]
    if problems:
        more = f"; and {len(problems) - MAX_LISTED} more" if len(problems) > MAX_LISTED else ""
        remedy = "Correct the named elements; 'tiepoint scene show' draws the plan."
        raise InputError("; ".join(problems[:MAX_LISTED]) + more, where=f"facility '{facility.name}'", remedy=remedy)


def elements(facility: Facility) -> Iterator[tuple[str, Any]]:
    """Yield every element with its kind, "wall" or "pillar" and so on."""
    for field in type(facility).model_fields:
        value = getattr(facility, field)
        if isinstance(value, tuple):
            for element in value:
                yield ("wear" if field == "wear" else field[:-1]), element


def _by_id(levels: Iterable[Level]) -> dict[str, Level]:
    return {level.id: level for level in levels}


def _repeated_ids(facility: Facility) -> Iterator[str]:
    names = [(kind, str(element.id)) for kind, element in elements(facility)]
    names += [("stall", id) for row in facility.rows for id in stall_ids(row)]
    for (kind, id), count in Counter(names).items():
        if count > 1:
            yield f"the id of {kind} {id} occurs {count} times"


def _unknown_levels(facility: Facility) -> Iterator[str]:
    known = [level.id for level in facility.levels]
    for kind, element in elements(facility):
        for key in ("level", "from_level", "to_level"):
            level = getattr(element, key, None)
            if level is not None and level not in known:
                yield f"{kind} {element.id} is on level {level}, which does not exist ({nearest_known(level, known)})"


def _crossed_rings(facility: Facility) -> Iterator[str]:
    for kind, element in elements(facility):
        ring = getattr(element, "outline", None) or getattr(element, "polygon", None)
        if ring is not None and not shapely.Polygon(ring).is_valid:
            yield f"the corners of {kind} {element.id} are not in order around it"


def _solids(facility: Facility) -> Solids:
    levels = _by_id(facility.levels)
    walls = [wall for wall in facility.walls if wall.base < HEADROOM_M]
    standing: list[tuple[str, str, Any, float]] = [
        *((f"wall {w.id}", w.level, wall_polygon(w), w.base + wall_height(w, levels[w.level])) for w in walls),
        *((f"pillar {p.id}", p.level, pillar_polygon(p), np.inf) for p in facility.pillars),
        *((f"{o.kind} {o.id}", o.level, obstacle_polygon(o), o.size[2]) for o in facility.obstacles),
    ]
    columns: Any = tuple(zip(*standing, strict=True)) if standing else ((), (), (), ())
    names, on, polygons, tops = columns
    return Solids(list(names), np.array(on, dtype=np.str_), np.array(polygons, dtype=object), np.array(tops))


def _outside(facility: Facility) -> Iterator[str]:
    """Report what lies off its level; lanes and walks may be on a ramp."""
    ramps = [shapely.Polygon(ramp.polygon) for ramp in facility.ramps]
    ground = {
        level.id: shapely.union_all([shapely.Polygon(level.outline), *ramps]).buffer(OUTSIDE_M)
        for level in facility.levels
    }
    for area in ground.values():
        shapely.prepare(area)
    for kind, element in elements(facility):
        shape = _footprint(element)
        if shape is not None and not ground[element.level].covers(shape):
            yield f"{kind} {element.id} is outside level {element.level}"


def _footprint(element: Any) -> Any:
    """Return an element's place on its level, or None for levels and ramps."""
    if not hasattr(element, "level"):
        return None
    if hasattr(element, "at"):
        return shapely.Point(element.at)
    if hasattr(element, "line"):
        return shapely.LineString(element.line)
    return shapely.Polygon(element.polygon) if hasattr(element, "polygon") else shapely.MultiPoint(_corners(element))


def _corners(row: Any) -> NDArray[np.float64]:
    return row_polygons(row).reshape(-1, 2)


def _stall_overlaps(facility: Facility, solids: Solids) -> Iterator[str]:
    """Report stalls over solids, over one another and over ramps."""
    if not facility.rows:
        return
    names = [f"stall {id}" for row in facility.rows for id in stall_ids(row)]
    levels = np.concatenate([np.full(row.count, row.level) for row in facility.rows])
    stalls = shapely.buffer(shapely.polygons(np.concatenate([row_polygons(row) for row in facility.rows])), -TOUCH_M)
    for stall, solid in _pairs(stalls, levels, solids.polygons, solids.levels):
        yield f"{names[stall]} overlaps {solids.names[solid]}"
    for stall, other in _pairs(stalls, levels, stalls, levels):
        if stall < other:
            yield f"{names[stall]} overlaps {names[other]}"
    for ramp in facility.ramps:
        polygon = np.array([shapely.Polygon(ramp.polygon)])
        for level in (ramp.from_level, ramp.to_level):
            for stall, _ in _pairs(stalls, levels, polygon, np.array([level])):
                yield f"{names[stall]} overlaps ramp {ramp.id}"


def _pairs(a: NDArray[Any], a_levels: NDArray[Any], b: NDArray[Any], b_levels: NDArray[Any]) -> NDArray[np.int64]:
    """Return (P, 2) indices of shapes of one level that intersect."""
    first, second = shapely.STRtree(b).query(a, predicate="intersects")
    same = a_levels[first] == b_levels[second]
    return np.stack([first[same], second[same]], axis=1)


def _blocked_ways(facility: Facility, solids: Solids) -> Iterator[str]:
    """Report lanes and walks that solids stand in, off the ramps."""
    ways: list[tuple[str, Lane | WalkPath, float]] = [
        (f"lane {lane.id}", lane, VEHICLE_WIDTH_M) for lane in facility.lanes
    ]
    ways += [(f"walk {walk.id}", walk, 4 * TOUCH_M) for walk in facility.walks]
    parts = [(name, *part, width) for name, way, width in ways for part in _off_ramps(way, facility.ramps)]
    if not parts:
        return
    names, levels, lines, widths = zip(*parts, strict=True)
    strips = shapely.buffer(np.array(lines), np.array(widths) / 2, cap_style="flat")
    blocked = _pairs(shapely.buffer(strips, -TOUCH_M), np.array(levels), solids.polygons, solids.levels)
    for part, solid in dict.fromkeys((names[part], solids.names[solid]) for part, solid in blocked):
        yield f"{part} passes through {solid}"


def _off_ramps(way: Lane | WalkPath, ramps: Iterable[Ramp]) -> Iterator[tuple[str, Any]]:
    """Yield (level, line) for what of a way is on flat floor: behind a ramp that is the ramp's other level."""
    line = shapely.LineString(way.line)
    for ramp in ramps:
        slope = shapely.Polygon(ramp.polygon)
        if way.level in (ramp.from_level, ramp.to_level) and line.intersection(slope).length > JOINT_M:
            other = ramp.to_level if way.level == ramp.from_level else ramp.from_level
            for part in shapely.get_parts(line.difference(slope)):
                yield (way.level if part.distance(shapely.Point(way.line[0])) < TOUCH_M else other), part
            return
    yield way.level, line


def _lane_joints(lanes: Sequence[Lane]) -> Iterator[str]:
    """Report lanes that go on to unknown ones or to ones that begin elsewhere."""
    known = {lane.id: lane for lane in lanes}
    for lane in lanes:
        for id in lane.to:
            if id not in known:
                yield f"lane {lane.id} goes on to lane {id}, which does not exist ({nearest_known(id, known)})"
            elif _gap(lane, known[id]) > JOINT_M:
                yield f"lane {lane.id} ends {_gap(lane, known[id]):.1f} m from lane {id}, to which it goes on"


def _gap(lane: Lane, following: Lane) -> float:
    ends = shapely.MultiPoint([lane.line[-1]] if lane.oneway else [lane.line[0], lane.line[-1]])
    starts = [following.line[0]] if following.oneway else [following.line[0], following.line[-1]]
    return float(shapely.distance(ends, shapely.MultiPoint(starts)))


def _ramp_problems(ramp: Ramp, levels: dict[str, Level]) -> Iterator[str]:
    """Report a profile that is out of order, off its levels or its length, or too steep."""
    s, z = np.array(ramp.profile).T
    steps = np.diff(s)
    if s[0] != 0 or np.any(steps <= 0):
        yield f"the profile of ramp {ramp.id} must begin at s = 0 and go on with growing s"
        return
    for height, level in ((z[0], levels[ramp.from_level]), (z[-1], levels[ramp.to_level])):
        if abs(height - level.elevation) > STEP_M:
            yield f"ramp {ramp.id} is at {height:g} m where level {level.id} is at {level.elevation:g} m"
    corners = np.array(ramp.polygon)
    length = float(np.linalg.norm((corners[2:].sum(axis=0) - corners[:2].sum(axis=0)) / 2))
    if abs(length - s[-1]) > 0.02 * length:
        yield f"the profile of ramp {ramp.id} is {s[-1]:g} m long, its polygon {length:.2f} m"
    steepest = np.abs(np.diff(z) / steps).max()
    if steepest > STEEPEST:
        yield f"ramp {ramp.id} is too steep, {100 * steepest:.0f} % of at most {100 * STEEPEST:.0f} %"


def _too_high(facility: Facility) -> Iterator[str]:
    levels = _by_id(facility.levels)
    for kind, element in elements(facility):
        height = getattr(element, "height", None)
        if height is None or not hasattr(element, "at"):
            continue
        ceiling = levels[element.level].ceiling
        half = element.size[1] / 2 if hasattr(element, "size") else 0.0
        if ceiling is not None and height + half > ceiling + TOUCH_M:
            yield f"{kind} {element.id} reaches {height + half:.2f} m, above the ceiling at {ceiling:g} m"


def _camera_problems(facility: Facility, solids: Solids) -> Iterator[str]:
    """Report cameras inside solids and with impossible lenses."""
    points = np.array([shapely.Point(camera.at) for camera in facility.cameras], dtype=object)
    levels = np.array([camera.level for camera in facility.cameras], dtype=np.str_)
    for index, solid in _pairs(points, levels, solids.polygons, solids.levels):
        if facility.cameras[index].height < solids.tops[solid]:
            yield f"camera {facility.cameras[index].id} is inside {solids.names[solid]}"
    for camera in facility.cameras:
        if not CAMERA_HEIGHTS_M[0] <= camera.height <= CAMERA_HEIGHTS_M[1]:
            logger.warning("camera %s is mounted at %g m; usual is 2.4 to 3.5 m", camera.id, camera.height)
        try:
            camera_from_params(camera.model, camera.width, camera.image_height, camera.params)
        except InputError as error:
            yield f"camera {camera.id}: {error.what}"
