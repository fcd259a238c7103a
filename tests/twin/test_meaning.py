"""What a map shows, put together: names of levels, plans given, fitted or proposed, and parts that can't be made."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import shapely

from geometry import (
    CancelledError,
    DegenerateError,
    FloorPlan,
    InputError,
    MissingExtraError,
    camera_from_params,
    transform_plan,
)
from geometry.floorplan import Level
from geometry.plan_transform import rigid_from_plane
from scenes import look
from tests.geometry.garage_points import Garage, garage
from tests.twin.test_floors import landmarks_of
from twin.layout import Ortho
from twin.mapping import meaning, meaning_stages
from twin.mapping.meaning import Meaning, MeaningOptions, find_meaning
from twin.mapping.meaning_files import write_meaning
from twin.photos import MapPhoto
from twin.store import SiteFrame

CAMERA = camera_from_params("PINHOLE", 640, 480, [500.0, 500.0, 320.0, 240.0])
SITE = SiteFrame(aligned_by=["tags"], metric=True)
MARKS = MeaningOptions(parts=("marks",))


@pytest.fixture(scope="module")
def place() -> Garage:
    return garage(np.random.default_rng(0))


@pytest.fixture(autouse=True)
def _bare_floors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Floors seen from above are bare: rectifying has tests of its own."""

    def rectify(photos: Any, height: Callable[..., Any], extent: shapely.Polygon, *_: Any) -> Ortho:
        x_min, y_min, x_max, y_max = extent.bounds
        shape = (max(8, int((y_max - y_min) / 0.1)), max(8, int((x_max - x_min) / 0.1)))
        assert np.isfinite(height(np.array([[x_min, y_min]]))).all()
        return Ortho(
            pixels=np.full((*shape, 3), 120, np.uint8), views=np.full(shape, 5, np.uint8),
            spread=np.zeros(shape, np.float32), top_left=(x_min, y_max), m_per_px=0.1,
        )  # fmt: skip

    monkeypatch.setattr(meaning_stages, "rectify_floor", rectify)


def found(place: Garage, plan: FloorPlan | None, options: MeaningOptions = MARKS, frame: SiteFrame = SITE) -> Meaning:
    photos = [
        MapPhoto(name=f"{k}.jpg", path=Path(f"{k}.jpg"), camera=CAMERA, cam_from_site=look(tuple(c), 0.0, 0.0, 0.0))
        for k, c in enumerate(place.cameras.tolist())
    ]
    return find_meaning(landmarks_of(place, place.cameras), photos, frame, plan, options)


def plan_of(levels: dict[str, float]) -> FloorPlan:
    outline = shapely.box(0, 0, 40, 30)
    return FloorPlan(levels=tuple(Level(id=k, elevation=z, ceiling=2.8, outline=outline) for k, z in levels.items()))


def test_without_a_plan_one_is_proposed_with_all_levels(place: Garage) -> None:
    made = found(place, None)
    assert made.floors is not None
    assert made.plan is not None
    assert [level.id for level in made.plan.levels] == [level.name for level in made.floors.levels] == ["P1", "P2"]
    # Nothing is painted here, but the ramp was walked on.
    assert made.plan.meta["proposed"] == {"stalls": {}, "lanes": {"P1-lane 1": {"confidence": 0.5}}}
    assert made.report["plan"]["source"] == "proposed"
    assert [floor.level.id for floor in made.marked] == ["P1", "P2"]


def test_a_given_plan_names_the_levels_it_has(place: Garage) -> None:
    heights = [level.elevation for level in found(place, None).floors.levels]  # type: ignore[union-attr]
    made = found(place, plan_of({"Deck": heights[1], "Roof": heights[1] + 9.0}))
    assert made.floors is not None
    assert [level.name for level in made.floors.levels] == ["P1", "Deck"]
    assert [floor.level.id for floor in made.marked] == ["Deck"]
    remarks = " ".join(made.report["plan"]["remarks"])
    assert "level P1: on the map" in remarks
    assert "level Roof: on the plan" in remarks


def test_levels_of_the_same_name_elsewhere_are_not_taken_for_each_other(place: Garage) -> None:
    made = found(place, plan_of({"P1": 40.0, "P2": 43.0}))
    assert made.floors is not None
    assert [level.name for level in made.floors.levels] == ["unplanned 1", "unplanned 2"]
    assert made.marked == ()


def test_a_fitted_plan_renames_what_was_marked_before(
    place: Garage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    heights = [level.elevation for level in found(place, None).floors.levels]  # type: ignore[union-attr]
    fitted = plan_of({"Upper": heights[1], "Lower": heights[0]})
    away = transform_plan(fitted, rigid_from_plane(1.0, np.array([5.0, -3.0]), 2.0))
    fit = SimpleNamespace(
        remarks=("a remark",), covariance=np.eye(4), site_from_plan=rigid_from_plane(0.0, np.zeros(2), 0.0),
        explained=0.9, runner_up=0.3, scale=1.0, height_residuals_m=np.zeros(2),
    )  # fmt: skip
    monkeypatch.setattr(meaning, "register_plan", lambda *_, **__: (fitted, fit, ()))
    made = found(place, away, MeaningOptions(parts=("marks",), fit_plan=True))
    assert [floor.level.id for floor in made.marked] == ["Lower", "Upper"]
    assert set(made.report["marks"]["levels"]) == {"Lower", "Upper"}
    assert made.report["plan"]["source"] == "fitted"
    assert made.plan is fitted
    write_meaning(tmp_path, made)
    assert {path.name for path in (tmp_path / "layout").glob("*.pgw")} == {"Lower.pgw", "Upper.pgw"}


def test_a_plan_that_cannot_be_fitted_is_never_published(place: Garage) -> None:
    fit = MeaningOptions(parts=(), fit_plan=True)
    untied = SiteFrame(aligned_by=[], metric=False, undetermined=["position, rotation and scale"])
    with pytest.raises(DegenerateError, match="not tied"):
        found(place, plan_of({"P1": 0.0}), fit, untied)
    few = SimpleNamespace(**{**vars(place), "cameras": place.cameras[:2]})
    with pytest.raises(DegenerateError, match="can't be fitted"):
        found(few, plan_of({"P1": 0.0}), fit)  # type: ignore[arg-type]


def test_an_untied_map_shows_nothing_and_says_so(place: Garage) -> None:
    untied = SiteFrame(aligned_by=[], metric=False, undetermined=["position, rotation and scale"])
    made = found(place, None, MARKS, untied)
    assert made.floors is None
    assert made.plan is None
    assert set(made.report) == {"floors", "marks"}


@pytest.mark.parametrize("error", [InputError("too far"), MissingExtraError("x", "pip install x")])
def test_a_part_that_cannot_be_made_leaves_the_others(
    place: Garage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(meaning_stages, "read_photos", fail)
    monkeypatch.setattr(meaning_stages, "TextReader", lambda: None)
    made = found(place, None, MeaningOptions(parts=("marks", "signs")))
    assert made.signs is None
    assert made.report["signs"] == {"skipped": str(error)}
    assert made.marked


def test_a_level_that_no_photo_shows_leaves_the_others(place: Garage, monkeypatch: pytest.MonkeyPatch) -> None:
    rectify, calls = meaning_stages.rectify_floor, []

    def first_fails(*parts: Any) -> Ortho:
        calls.append(parts)
        if len(calls) == 1:
            raise InputError("no photo shows the floor")
        return rectify(*parts)

    monkeypatch.setattr(meaning_stages, "rectify_floor", first_fails)
    made = found(place, None)
    assert [floor.level.id for floor in made.marked] == ["P2"]
    assert "no photo" in made.report["marks"]["levels"]["P1"]["skipped"]


def test_whoever_stops_it_stops_all_of_it(place: Garage, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise CancelledError("stop")

    monkeypatch.setattr(meaning_stages, "rectify_floor", stop)
    with pytest.raises(CancelledError):
        found(place, None)
