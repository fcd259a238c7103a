"""Floors and ceilings of a map: which are rectified, at what height, and what is found on them."""

from typing import Any

import numpy as np
import pytest
import shapely

from geometry import DegenerateError, FloorPlan, Floors, find_floors, plan_levels
from geometry.floorplan import Sign
from tests.geometry.garage_points import floor, garage
from tests.twin.telltales.test_surfaces import STAIN, alike, surfaces
from twin.layout import Ortho, OrthoOptions
from twin.mapping.meaning_stages import MeaningStages
from twin.mapping.rectified_levels import RectifiedLevel, rectify_levels
from twin.mapping.telltales import find_telltales
from twin.mapping.textures import find_textures
from twin.progress import silent


class _Landmarks:
    def __init__(self, points: Any) -> None:
        self.points = points


class _Stages(MeaningStages):
    """Orthophotos that are drawn: a stain on the upper floor, a leak in the lower ceiling."""

    def __init__(self) -> None:
        super().__init__(None)
        object.__setattr__(self, "asked", [])

    def ortho(  # type: ignore[override]
        self, photos: Any, height: Any, extent: shapely.Polygon, options: OrthoOptions, on_progress: Any
    ) -> Ortho:
        middle = float(height(np.array([[20.0, 5.0]]))[0])
        self.asked.append((middle, options.from_below))  # type: ignore[attr-defined]
        grey = alike(2)
        upper = middle > 3.0 + 2.0 * options.from_below
        if upper != options.from_below:
            grey[int(upper)][STAIN] *= 0.7
        return surfaces(grey)[int(upper)].ortho


def rectified(stages: Any, floors: Floors, plan: FloorPlan, landmarks: Any) -> list[RectifiedLevel]:
    return rectify_levels(stages, [], floors, plan.levels, _Landmarks(landmarks), silent)  # type: ignore[arg-type]


def test_floors_and_ceilings_of_all_levels_are_compared() -> None:
    place = garage(np.random.default_rng(0))
    floors = find_floors(place.cameras, place.landmarks, place.covariances, seen_from=place.seen_from)
    levels, _ = plan_levels(floors)
    stages: Any = _Stages()
    plan = FloorPlan(levels=levels)
    found = find_telltales(rectified(stages, floors, plan, place.landmarks), plan, [], [])
    heights = np.array([height for height, _ in stages.asked])
    upper = float(floor(np.array([[20.0, 5.0]]), 1)[0])
    np.testing.assert_allclose(heights, [0.0, 2.9, upper, upper + 2.9], atol=0.03)
    assert [below for _, below in stages.asked] == [False, True, False, True]
    assert [each.name.split()[0] for each in found] == ["floor", "ceiling"]
    np.testing.assert_allclose(found[1].origin[:, 2], [2.9, upper + 2.9], atol=0.2)  # the upper floor slopes


def test_signs_that_only_the_plan_lists_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    place = garage(np.random.default_rng(0))
    floors = find_floors(place.cameras, place.landmarks, place.covariances, seen_from=place.seen_from)
    levels, _ = plan_levels(floors)
    sign = Sign(
        id="s", level=levels[1].id, position=shapely.Point(20.0, 5.0, levels[1].elevation + 2.0),
        normal=(0.0, 1.0, 0.0), text=f"STAIRS {levels[1].id}", width=1.2, height=0.4,
    )  # fmt: skip
    plan = FloorPlan(levels=levels, signs=(sign,))
    asked: list[str] = []
    monkeypatch.setattr(
        "twin.mapping.telltales.telltale_signs", lambda signs, *rest: asked.extend(each.text for each in signs) or ()
    )
    find_telltales(rectified(_Stages(), floors, plan, place.landmarks), plan, [], [])
    assert asked == [sign.text]


def test_a_single_level_has_none() -> None:
    place = garage(np.random.default_rng(0))
    floors = find_floors(place.cameras, place.landmarks, place.covariances, seen_from=place.seen_from)
    levels, _ = plan_levels(floors)
    for plan in (FloorPlan(levels=levels[:1]), FloorPlan(levels=(*levels, levels[0].model_copy(update={"id": "P9"})))):
        with pytest.raises(DegenerateError, match="two or more"):
            find_telltales(rectified(_Stages(), floors, plan, place.landmarks), plan, [], [])


def test_levels_beside_each_other_have_none() -> None:
    place = garage(np.random.default_rng(0))
    floors = find_floors(place.cameras, place.landmarks, place.covariances, seen_from=place.seen_from)
    levels, _ = plan_levels(floors)
    away = levels[1].model_copy(update={"outline": shapely.box(500, 500, 520, 520)})
    plan = FloorPlan(levels=(levels[0], away))
    with pytest.raises(DegenerateError, match="over each other"):
        find_telltales(rectified(_Stages(), floors, plan, place.landmarks), plan, [], [])


def test_textures_are_cut_from_all_floors_and_ceilings_at_their_heights() -> None:
    place = garage(np.random.default_rng(0))
    floors = find_floors(place.cameras, place.landmarks, place.covariances, seen_from=place.seen_from)
    levels, _ = plan_levels(floors)
    found = find_textures(rectified(_Stages(), floors, FloorPlan(levels=levels), place.landmarks))
    upper = float(floor(np.array([[8.0, 6.0]]), 1)[0])
    for base in (0.0, upper):
        for facing, height in ((1, base), (-1, base + 2.9)):
            heights = found.centres[found.facing == facing, 2]
            assert (np.abs(heights - height) < 0.5).sum() > 20


def test_a_level_that_the_map_does_not_show_has_no_textures() -> None:
    place = garage(np.random.default_rng(0))
    floors = find_floors(place.cameras, place.landmarks, place.covariances, seen_from=place.seen_from)
    levels, _ = plan_levels(floors)
    below = levels[0].model_copy(update={"id": "P0", "elevation": -3.5})
    found = find_textures(rectified(_Stages(), floors, FloorPlan(levels=(*levels, below)), place.landmarks))
    assert found.centres[:, 2].min() > -0.5
    with pytest.raises(DegenerateError, match="none of the levels"):
        rectified(_Stages(), floors, FloorPlan(levels=(below,)), place.landmarks)
