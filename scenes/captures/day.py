"""A place on a day: who is parked, who stands about, which lamps are off, where the floor is wet, where the sun is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry.floorplan import FloorPlan
from scenes.building import Building, site_lighting
from scenes.building.solids import flat, shape_of
from scenes.facility import Facility
from scenes.objects import draw_person_spec, person
from scenes.rendering import Finish, Instance, Lighting, LightOptions, Shape, World, build_world
from scenes.traffic import Episode, instances_at, simulate, site_from_model
from scenes.traffic.boxes import footprints

Array = NDArray[np.float64]

WATER = Finish(mirror=0.05)
PUDDLE_ABOVE_M = 0.001
SMALLEST_PUDDLE_M2 = 0.05
STANDING_M = 0.5
"""Kept between people, and from parked vehicles and walls."""


@dataclass(frozen=True, kw_only=True)
class DayOptions:
    """What differs from the facility as it is authored.

    people_per_100m2: who stand about, at least two where it is not 0; puddles_per_100m2: wet patches of the floor;
    lamps_off: share of the lamps that fail;
    stops: standard deviation of the phone's exposure, in doublings, from one picture to the next; hours: by which the
    sun moves on
    """

    people_per_100m2: float = 0.0
    lamps_off: float = 0.0
    puddles_per_100m2: float = 0.0
    stops: float = 0.15
    hours: float = 0.0


SURVEY_DAY = DayOptions()
OTHER_DAY = DayOptions(people_per_100m2=0.7, lamps_off=0.15, puddles_per_100m2=1.2, stops=0.5, hours=3.5)


@dataclass(frozen=True, kw_only=True, eq=False)
class Day:
    """A place on a day.

    instances: what stands, people last; people: (P, 3) where they stand, and people_levels: P level ids
    room: by level, where somebody with a camera can stand; puddles: by level, where the floor is wet
    """

    instances: tuple[Instance, ...]
    lighting: Lighting
    people: Array
    people_levels: tuple[str, ...]
    room: Mapping[str, shapely.Geometry]
    puddles: Mapping[str, shapely.Geometry]
    options: DayOptions


def draw_day(
    facility: Facility, plan: FloorPlan, building: Building, rng: np.random.Generator, options: DayOptions
) -> Day:
    """Draw a day; vehicles are parked as ``facility.traffic`` says, others than on any other day."""
    parked = simulate(facility, plan, rng, seconds=0.0)
    room = _room(plan, building, parked)
    spots, levels = _spots(plan, room, rng, _people_count(building, options))
    stand = [
        Instance(
            object=f"person {number}",
            model=person(draw_person_spec(rng)),
            site_from_model=site_from_model(spot, float(rng.uniform(-np.pi, np.pi)), 0.0),
        )
        for number, spot in enumerate(spots, start=1)
    ]
    for spot, level in zip(spots, levels, strict=True):
        room[level] = room[level] - shapely.Point(spot).buffer(STANDING_M)
    return Day(
        instances=(*instances_at(parked, 0.0), *stand),
        lighting=_lighting(facility, building, rng, options),
        people=spots,
        people_levels=levels,
        room=room,
        puddles={level: _puddles(area, rng, options) for level, area in building.free_space.items()},
        options=options,
    )


def world_of(facility: Facility, building: Building, day: Day, options: LightOptions) -> World:
    """Build what is to be rendered on a day."""
    return build_world(shapes_of(facility, building, day), day.instances, day.lighting, options)


def shapes_of(facility: Facility, building: Building, day: Day) -> list[Shape]:
    """Return the building's shapes with dark lamps and with puddles, "LEVEL/floor/puddles"."""
    lamps = {lamp.id: lamp.on for lamp in day.lighting.lamps}
    dark = {f"{light.level}/lamp {light.id}" for light in facility.lights if not lamps[light.id]}
    shapes = [replace(shape, finish=Finish()) if shape.name in dark else shape for shape in building.shapes]
    floors = {shape.name: shape for shape in shapes}
    for level in facility.levels:
        if not day.puddles[level.id].is_empty:
            corner = float(np.min(level.outline, axis=0)[0]), float(np.max(level.outline, axis=0)[1])
            patch = flat(day.puddles[level.id], level.elevation + PUDDLE_ABOVE_M, up=True, origin=corner)
            shapes.append(shape_of(f"{level.id}/floor/puddles", patch, floors[f"{level.id}/floor"].texture, WATER))
    return shapes


def random_point(area: shapely.Geometry, rng: np.random.Generator) -> Array | None:
    """Return a point (2,) evenly distributed over ``area``, None if 4096 draws in its box all miss it."""
    if area.is_empty:
        return None
    low, high = np.array(area.bounds).reshape(2, 2)
    points = rng.uniform(low, high, (4096, 2))
    inside = np.flatnonzero(shapely.contains_xy(area, points[:, 0], points[:, 1]))
    return points[inside[0]] if len(inside) else None


def _room(plan: FloorPlan, building: Building, parked: Episode) -> dict[str, shapely.Geometry]:
    states = parked.states
    sizes = np.array([thing.size[:2] for thing in parked.objects]).reshape(-1, 2)
    room: dict[str, shapely.Geometry] = {}
    for index, level in enumerate(plan.levels):
        here = np.flatnonzero(states.present[0] & (states.level[0] == index))
        boxes = [footprints(states.position[0, [i], :2], states.heading[0, [i]], sizes[i])[0] for i in here]
        taken = shapely.union_all(shapely.polygons(boxes)) if boxes else shapely.Polygon()
        room[level.id] = building.free_space[level.id].buffer(-STANDING_M) - taken.buffer(STANDING_M)
    return room


def _people_count(building: Building, options: DayOptions) -> int:
    area = sum(free.area for free in building.free_space.values())
    return max(2, round(options.people_per_100m2 * area / 100)) if options.people_per_100m2 else 0


def _spots(
    plan: FloorPlan, room: Mapping[str, shapely.Geometry], rng: np.random.Generator, count: int
) -> tuple[Array, tuple[str, ...]]:
    """Return where people stand (P, 3), on the levels in turn."""
    spots, levels = [], []
    for number in range(count):
        level = plan.levels[number % len(plan.levels)]
        point = random_point(room[level.id], rng)
        if point is not None:
            spots.append([*point, level.elevation])
            levels.append(level.id)
    return np.array(spots).reshape(-1, 3), tuple(levels)


def _lighting(facility: Facility, building: Building, rng: np.random.Generator, options: DayOptions) -> Lighting:
    fails = rng.random(len(building.lamps)) < options.lamps_off
    lamps = tuple(replace(lamp, on=lamp.on and not fail) for lamp, fail in zip(building.lamps, fails, strict=True))
    if facility.sun is None:
        return site_lighting(facility, lamps)
    sun = facility.sun.model_copy(update={"hour": (facility.sun.hour + options.hours) % 24.0})
    return site_lighting(facility.model_copy(update={"sun": sun}), lamps)


def _puddles(area: shapely.Geometry, rng: np.random.Generator, options: DayOptions) -> shapely.Geometry:
    """Return wet patches: blobs of a few discs each."""
    discs = []
    for _ in range(rng.poisson(options.puddles_per_100m2 * area.area / 100)):
        point = random_point(area, rng)
        if point is not None:
            centres, radii = point + rng.normal(0, 0.6, (5, 2)), rng.uniform(0.3, 0.9, 5)
            discs += list(shapely.buffer(shapely.points(centres), radii, quad_segs=6))
    wet = shapely.get_parts(shapely.intersection(shapely.union_all(discs), area))
    return shapely.MultiPolygon(
        [part for part in wet if part.geom_type == "Polygon" and part.area > SMALLEST_PUDDLE_M2]
    )
