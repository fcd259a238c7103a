"""The library's room on its two days, built once for the tests of captures."""

from functools import cache

import numpy as np

from geometry.floorplan import FloorPlan
from scenes.building import Building, build_facility
from scenes.captures.day import OTHER_DAY, SURVEY_DAY, Day, draw_day, world_of
from scenes.captures.options import CaptureOptions
from scenes.captures.views import View
from scenes.captures.walk import walk_views
from scenes.facility import Facility
from scenes.library import facility
from scenes.plan import floor_plan
from scenes.rendering import LightOptions, World

PHONE = CaptureOptions(width=160, height=120).phone
COARSE = LightOptions(lumels_per_m=1.0, lamps=2, rays=4)


@cache
def room() -> Facility:
    return facility("room").model_copy(update={"px_per_m": 16.0})


@cache
def plan() -> FloorPlan:
    return floor_plan(room())


@cache
def building() -> Building:
    return build_facility(room())


@cache
def survey_day() -> Day:
    return draw_day(room(), plan(), building(), np.random.default_rng(1), SURVEY_DAY)


@cache
def other_day() -> Day:
    return draw_day(room(), plan(), building(), np.random.default_rng(2), OTHER_DAY)


@cache
def survey_world() -> World:
    return world_of(room(), building(), survey_day(), COARSE)


@cache
def other_world() -> World:
    return world_of(room(), building(), other_day(), COARSE)


@cache
def walk() -> list[View]:
    return walk_views(room(), plan(), PHONE, np.random.default_rng(0))
