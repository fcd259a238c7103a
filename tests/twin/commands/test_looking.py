"""What the options of commands that look at videos make of a plan and calibrated cameras."""

from dataclasses import fields

import pytest

from tests.perception.sites import cameras
from tests.twin.live.conftest import plan
from twin.commands.looking import Looking


def looking(**more: object) -> Looking:
    given: dict[str, object] = {field.name: None for field in fields(Looking)}
    return Looking(**given | {"detector": "tiepoint", "providers": (), "start": 0.0, "every": 0.0} | more)  # type: ignore[arg-type]


@pytest.mark.parametrize("has_stalls", [True, False])
def test_with_a_plan_cameras_measure_vehicles(has_stalls: bool) -> None:
    known = plan() if has_stalls else plan().model_copy(update={"stalls": ()})
    options = looking().detection_options(known, cameras())
    assert {camera: floor.elevation for camera, floor in options.floors.items()} == {
        "west": 0.0, "south": 0.0, "east": 0.0,
    }  # fmt: skip
    assert bool(options.sights) == has_stalls


def test_without_a_plan_nobody_knows_where_the_floor_is() -> None:
    assert looking().detection_options().floors == {}
