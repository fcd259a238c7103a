"""The garage that the scenes benchmark looks at: 40 vehicles parked, some that move, light at full quality."""

from dataclasses import dataclass

import numpy as np

from geometry import FloorPlan
from geometry.records import FixedCamera
from scenes import Facility, floor_plan
from scenes.building import Building, build_facility
from scenes.captures import CaptureOptions
from scenes.captures.mounting import mounted_cameras
from scenes.captures.views import View
from scenes.captures.walk import walk_views
from scenes.library import facility
from scenes.rendering import DRAFT_LIGHT, LightOptions, World, build_world
from scenes.traffic import Episode, instances_at, simulate

PARKED, SECONDS = 40, 24.0
MOVING = {"vehicles": 24, "people": 12}
SEED = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Site:
    """A facility as rendered.

    episode: traffic of ``SECONDS``; world: building and all that stands still; walk: pictures of a surveyor's walk
    """

    facility: Facility
    building: Building
    plan: FloorPlan
    episode: Episode
    world: World
    cameras: tuple[FixedCamera, ...]
    walk: list[View]


def garage_site(*, quick: bool) -> Site:
    """Build the library's garage with ``PARKED`` vehicles; coarse light where ``quick``."""
    plain = facility("garage")
    stalls = sum(row.count for row in plain.rows)
    traffic = plain.traffic.model_copy(update={"parked": PARKED / stalls, **MOVING})
    place = plain.model_copy(update={"traffic": traffic})
    plan, building = floor_plan(place), build_facility(place)
    episode = simulate(place, plan, np.random.default_rng(SEED), seconds=SECONDS)
    still = instances_at(episode, 0.0, static=True)
    light = DRAFT_LIGHT if quick else LightOptions()
    return Site(
        facility=place,
        building=building,
        plan=plan,
        episode=episode,
        world=build_world(building.shapes, still, building.lighting, light),
        cameras=mounted_cameras(place).true,
        walk=walk_views(place, plan, CaptureOptions().phone, np.random.default_rng(SEED)),
    )
