"""Query photos: from free spots, each by its own chance, some turned, close or with people."""

import numpy as np
import pytest
import shapely

from geometry.errors import InputError
from geometry.frames import position_of
from scenes.captures.queries import query_views
from scenes.captures.views import View
from scenes.rendering import cast
from tests.scenes.captures.surveyed_room import PHONE, other_day, other_world, plan


def photos(count: int, seed: int = 0) -> list[View]:
    return query_views(plan(), other_day(), other_world().raycaster, PHONE, seed=(seed,), count=count)


def test_they_are_taken_where_one_can_stand() -> None:
    views = photos(30)
    at = np.array([position_of(view.cam_from_site) for view in views])
    assert shapely.contains_xy(other_day().room["G"], at[:, 0], at[:, 1]).all()
    assert at[:, 2].min() > 1.1
    assert at[:, 2].max() < 2.0
    assert {view.level for view in views} == {"G"}


def test_some_are_turned_some_close_and_some_have_people_in_them() -> None:
    views = photos(40)
    down = np.array([view.cam_from_site.rotation.matrix() @ [0, 0, -1] for view in views])
    turned = np.abs(np.degrees(np.arctan2(down[:, 0], down[:, 1]))) > 60
    assert 2 <= turned.sum() <= 14  # measured 8
    seen = [cast(other_world(), view.camera, view.cam_from_site) for view in views]
    assert sum(np.median(each.depth) < 1.5 for each in seen) >= 2  # measured 5
    people = [i for i, name in enumerate(other_world().objects) if name.startswith("person")]
    assert sum(np.isin(each.instance_id, people).mean() > 0.005 for each in seen) >= 6  # measured 21


def test_a_photo_depends_on_the_seed_and_its_number_only() -> None:
    few, many, other = photos(4), photos(8), photos(4, seed=1)
    for a, b in zip(few, many, strict=False):
        assert a.cam_from_site == b.cam_from_site
    assert few[0].cam_from_site != other[0].cam_from_site


def test_no_room_and_no_level_are_refused() -> None:
    with pytest.raises(InputError, match="no room"):
        query_views(plan(), other_day(), other_world().raycaster, PHONE, seed=(0,), count=1, levels=["P9"])
