"""The walk: every path, both ways, on the floor and clear of what stands."""

import numpy as np
import pytest
import shapely

from geometry.errors import InputError
from geometry.frames import position_of
from geometry.location import floor_height
from scenes.captures.walk import HEIGHTS_M, walk_views
from scenes.library import facility
from scenes.plan import floor_plan
from tests.scenes.captures.surveyed_room import PHONE

GARAGE = facility("garage")
PLAN = floor_plan(GARAGE)


def positions(views: list) -> np.ndarray:
    return np.array([position_of(view.cam_from_site) for view in views])


@pytest.fixture(scope="module")
def walk() -> list:
    return walk_views(GARAGE, PLAN, PHONE, np.random.default_rng(0))


def test_it_is_like_a_video_a_step_apart_and_turning_slowly(walk: list) -> None:
    for name in {view.sequence for view in walk}:
        views = [view for view in walk if view.sequence == name]
        steps = np.linalg.norm(np.diff(positions(views), axis=0), axis=1)
        assert steps.max() < 0.75  # measured 0.71
        assert np.median(steps) > 0.6  # measured 0.70
        axes = np.array([view.cam_from_site.inverse().rotation.matrix()[:, 2] for view in views])
        turns = np.degrees(np.arccos(np.clip((axes[1:] * axes[:-1]).sum(axis=1), -1, 1)))
        assert turns.max() < 40.0  # measured 32: less than half of the picture
        assert (np.diff([view.time for view in views]) > 0).all()
    assert [view.image for view in walk] == [f"{i:04d}.jpg" for i in range(len(walk))]


def test_every_path_is_walked_both_ways(walk: list) -> None:
    for path in GARAGE.walks:
        along = positions([view for view in walk if view.sequence == path.id])
        corners = np.array(path.line)
        reached = np.linalg.norm(along[:, None, :2] - corners, axis=2)
        assert reached.min(axis=0).max() < 2.0  # measured 0.9: corners are rounded
        assert np.linalg.norm(along[-1] - along[0]) < 1.0
        assert 2 * shapely.LineString(path.line).length == pytest.approx(
            np.linalg.norm(np.diff(along, axis=0), axis=1).sum(), rel=0.06
        )


def test_eyes_are_above_the_floor_also_on_the_ramp(walk: list) -> None:
    index = {level.id: i for i, level in enumerate(PLAN.levels)}
    at = positions(walk)
    floor = floor_height(PLAN, at[:, :2], [index[view.level] for view in walk])
    above = at[:, 2] - floor
    assert above.min() > HEIGHTS_M[0] - 0.03  # swaying sideways on a slope
    assert above.max() < HEIGHTS_M[1] + 0.03
    ramp = [view.level for view in walk if view.sequence == "P1-walk ramp"]
    assert set(ramp) == {"P1", "P2"}


def test_nothing_is_walked_through(walk: list) -> None:
    for level in PLAN.levels:
        solid = [pillar.polygon for pillar in PLAN.pillars if pillar.level == level.id]
        solid += [stall.polygon for stall in PLAN.stalls if stall.level == level.id]
        solid += [wall.line.buffer(wall.thickness / 2) for wall in PLAN.walls if wall.level == level.id]
        at = positions([view for view in walk if view.level == level.id and "ramp" not in view.sequence])
        assert shapely.distance(shapely.union_all(solid), shapely.points(at[:, :2])).min() > 0.5  # measured 1.2


def test_a_limit_spreads_pictures_over_all_paths_and_levels_leave_some_out() -> None:
    few = walk_views(GARAGE, PLAN, PHONE, np.random.default_rng(0), limit=60)
    assert 55 <= len(few) <= 60
    assert {view.sequence for view in few} == {path.id for path in GARAGE.walks}
    upper = walk_views(GARAGE, PLAN, PHONE, np.random.default_rng(0), limit=60, levels=["P2"])
    assert {view.sequence for view in upper} == {"P2-walk"}
    assert {view.level for view in upper} == {"P2"}


def test_the_same_seed_gives_the_same_walk(walk: list) -> None:
    again = walk_views(GARAGE, PLAN, PHONE, np.random.default_rng(0))
    assert (positions(again) == positions(walk)).all()


@pytest.mark.parametrize(("options", "match"), [({"levels": []}, "no path"), ({"limit": 2}, "too few")])
def test_impossible_walks_are_refused(options: dict, match: str) -> None:
    with pytest.raises(InputError, match=match):
        walk_views(GARAGE, PLAN, PHONE, np.random.default_rng(0), **options)
