"""Answers in words: the level, zone and stall that a plan gives a pose."""

from pathlib import Path

import numpy as np
import pytest

from geometry import TwinDamagedError, write_plan
from scenes.library import facility
from scenes.plan import floor_plan
from tests.conftest import Rendered
from tests.twin.worlds import looking
from twin import Twin, map_images
from twin.localization import Place, localized, refusal, with_place
from twin.mapping import MapInputs

GARAGE = floor_plan(facility("garage"))
COARSE = (
    Place(position=(30.0, 8.0, 5.1), radius_m=2.0, probability=0.6),
    Place(position=(0.0, 0.0, -50.0), radius_m=2.0, probability=0.4),
)


def test_a_pose_gets_its_level_zone_and_stall() -> None:
    stall = next(s for s in GARAGE.stalls if s.level == "P2")
    x, y = stall.polygon.centroid.coords[0]
    answer = with_place(
        localized("a", looking((x, y, 3.5 + 1.6), 0.0), 1e-4 * np.eye(6), confidence=1.0, inliers=9, coarse=COARSE),
        GARAGE,
    )
    assert (answer.level, answer.stall) == ("P2", stall.id)
    assert answer.zone in ("P2-zone-A", "P2-zone-B")
    assert [place.level for place in answer.coarse] == ["P2", None]


def test_a_pose_that_may_be_in_two_stalls_is_in_none() -> None:
    stall = next(s for s in GARAGE.stalls if s.level == "P2")
    x, y = stall.polygon.centroid.coords[0]
    vague = localized("a", looking((x, y, 5.1), 0.0), np.diag([1e-4] * 3 + [1.0] * 3), confidence=0.1, inliers=9)
    answer = with_place(vague, GARAGE)
    assert (answer.level, answer.stall) == ("P2", None)  # two metres to either side are other stalls


def test_a_refusal_keeps_its_guesses_with_their_levels() -> None:
    answer = with_place(refusal("a", "dark", coarse=COARSE), GARAGE)
    assert (answer.status, answer.level) == ("refused", None)
    assert [place.level for place in answer.coarse] == ["P2", None]


def test_a_twin_keeps_its_plan(rendered: Rendered, tmp_path: Path) -> None:
    write_plan(tmp_path / "plan.json", GARAGE)
    inputs = rendered.inputs()
    map_images(
        MapInputs(images=inputs.images, cameras=inputs.cameras, poses=inputs.poses, plan=tmp_path / "plan.json"),
        tmp_path / "twin",
    )
    assert Twin.open(tmp_path / "twin", verify=True).plan == GARAGE
    (tmp_path / "twin" / "plan.json").write_text("{}")
    with pytest.raises(TwinDamagedError):
        _ = Twin.open(tmp_path / "twin").plan
