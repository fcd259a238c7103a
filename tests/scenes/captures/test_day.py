"""Days: what stands where, what shines, what is wet."""

from dataclasses import replace

import numpy as np
import shapely

from scenes.building import site_lighting
from scenes.captures.day import DayOptions, draw_day, random_point, shapes_of
from scenes.library import facility
from scenes.plan import floor_plan
from tests.scenes.captures.surveyed_room import building, other_day, plan, room, survey_day


def test_two_days_have_other_vehicles_and_one_of_them_people() -> None:
    names = [{instance.object for instance in day.instances} for day in (survey_day(), other_day())]
    assert not any(name.startswith("person") for name in names[0])
    assert sum(name.startswith("person") for name in names[1]) == len(other_day().people) == 2
    places = [
        np.array([i.site_from_model.translation for i in day.instances if i.object.startswith("v")])
        for day in (survey_day(), other_day())
    ]
    assert places[0].shape != places[1].shape or np.abs(places[0] - places[1]).max() > 1.0


def test_there_is_room_to_stand_only_clear_of_everything() -> None:
    day = other_day()
    for instance in day.instances:
        x, y = instance.site_from_model.translation[:2]
        assert day.room["G"].distance(shapely.Point(x, y)) > 0.4
    assert building().free_space["G"].covers(day.room["G"])


def test_puddles_lie_on_the_floor_and_failed_lamps_are_dark() -> None:
    day = other_day()
    failing = draw_day(
        room(), plan(), building(), np.random.default_rng(0), DayOptions(lamps_off=1.0, puddles_per_100m2=3.0)
    )
    shapes = {shape.name: shape for shape in shapes_of(room(), building(), failing)}
    assert all(shapes[f"G/lamp {lamp.id}"].finish.emission == 0 for lamp in failing.lighting.lamps)
    assert not any(lamp.on for lamp in failing.lighting.lamps)
    floor, water = shapes["G/floor"], shapes["G/floor/puddles"]
    assert water.texture is floor.texture
    assert np.allclose(water.uv - water.vertices[:, :2] * (1, -1), (floor.uv - floor.vertices[:, :2] * (1, -1))[0])
    assert building().free_space["G"].buffer(1e-6).covers(failing.puddles["G"])
    assert day.puddles["G"].area < 0.2 * building().free_space["G"].area


def test_the_sun_moves_on() -> None:
    lot = facility("lot")
    built = replace(building(), lighting=site_lighting(lot, ()), free_space={"L": shapely.box(0, 0, 1, 1)})
    early, late = (
        draw_day(lot, floor_plan(lot), built, np.random.default_rng(0), DayOptions(hours=hours)).lighting.sun
        for hours in (0.0, 4.0)
    )
    assert early is not None
    assert late is not None
    assert np.dot(early.direction, late.direction) < 0.9


def test_random_points_are_inside_or_none() -> None:
    rng = np.random.default_rng(0)
    ring = shapely.Point(0, 0).buffer(2) - shapely.Point(0, 0).buffer(1.9)
    assert all(ring.contains(shapely.Point(random_point(ring, rng))) for _ in range(50))
    assert random_point(shapely.Polygon(), rng) is None
    assert random_point(shapely.LineString([(0, 0), (1, 1)]), rng) is None
