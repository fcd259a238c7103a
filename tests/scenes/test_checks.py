import logging
from typing import Any

import pytest

from geometry.errors import InputError
from scenes.checks import MAX_LISTED, check
from scenes.facility import (
    Facility,
    FixedCamera,
    Lane,
    Level,
    Light,
    Obstacle,
    Pillar,
    Ramp,
    StallRow,
    Tag,
    WalkPath,
    Wall,
)

OUTLINE = ((0, 0), (40, 0), (40, 20), (0, 20))
GOOD: dict[str, Any] = {
    "name": "yard",
    "levels": (
        Level(id="P1", elevation=0.0, ceiling=2.8, outline=OUTLINE),
        Level(id="P2", elevation=3.0, ceiling=2.8, outline=OUTLINE),
    ),
    "rows": (StallRow(id="B", level="P1", start=(10, 5), along_deg=180, count=4),),
    "pillars": (Pillar(id="7", level="P1", at=(10.5, 4)),),
    "walls": (Wall(id="w", level="P1", line=((0, 0), (40, 0)), thickness=0.001),),
    "lanes": (
        Lane(id="a", level="P1", line=((1, 8), (20, 8)), to=("b",)),
        Lane(id="b", level="P1", line=((20, 8), (38, 8))),
    ),
    "ramps": (
        Ramp(
            **{"from": "P1", "to": "P2"},
            id="r",
            polygon=((12, 12), (12, 16), (32, 16), (32, 12))[::-1],
            profile=((0, 0), (20, 3)),
        ),
    ),
    "walks": (WalkPath(id="walk", level="P1", line=((2, 7), (30, 7))),),
    "cameras": (FixedCamera(id="cam", level="P1", at=(2, 6), yaw_deg=0, params=(400, 320, 240, 0)),),
    "tags": (Tag(id=3, level="P1", at=(30, 10), facing_deg=0),),
}


def with_camera(**changes: Any) -> dict[str, Any]:
    return {"cameras": (GOOD["cameras"][0].model_copy(update=changes),)}


def with_ramp(**changes: Any) -> dict[str, Any]:
    return {"ramps": (GOOD["ramps"][0].model_copy(update=changes),)}


def with_lane(**changes: Any) -> dict[str, Any]:
    return {"lanes": (GOOD["lanes"][0].model_copy(update=changes), GOOD["lanes"][1])}


def row(**changes: Any) -> StallRow:
    return GOOD["rows"][0].model_copy(update=changes)


def test_a_good_facility_passes() -> None:
    check(Facility(**GOOD))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pillars": (Pillar(id="7", level="P1", at=(8.8, 4)),)}, "stall B-01 overlaps pillar 7"),
        ({"walls": (Wall(id="w", level="P1", line=((1, 2), (1, 9))),)}, "stall B-04 overlaps wall w"),
        ({"obstacles": (Obstacle(id="c", level="P1", at=(6, 2), size=(1, 1, 1)),)}, "stall B-02 overlaps crate c"),
        ({"rows": (row(), row(id="C", start=(9, 5), count=1))}, "stall B-01 overlaps stall C-01"),
        ({"rows": (row(start=(30, 14)),)}, "stall B-01 overlaps ramp r"),
        ({"rows": (row(start=(5, 5)),)}, "row B is outside level P1"),
        ({"rows": (row(), row(count=1))}, "the id of row B occurs 2 times"),
        (
            {"rows": (row(), row(id="B-0", count=1, first=1, level="P2", start=(9, 5)), row(id="B-0-0", count=1))},
            "overlaps",
        ),
        ({"pillars": (Pillar(id="7", level="P3", at=(8, 9)),)}, "pillar 7 is on level P3, which does not exist"),
        ({"walls": (Wall(id="w", level="P1", line=((0, 0), (50, 0))),)}, "wall w is outside level P1"),
        ({"pillars": (Pillar(id="7", level="P1", at=(15, 8)),)}, "lane a passes through pillar 7"),
        ({"walls": (Wall(id="w", level="P1", line=((30, 6.5), (30, 12))),)}, "lane b passes through wall w"),
        ({"walls": (Wall(id="w", level="P1", line=((25, 4), (25, 7.04))),)}, "walk walk passes through wall w"),
        (with_lane(to=("c",)), "lane a goes on to lane c, which does not exist"),
        (with_lane(line=((1, 8), (15, 8))), "lane a ends 5.0 m from lane b"),
        (with_ramp(profile=((0, 0.5), (20, 3))), "ramp r is at 0.5 m where level P1 is at 0 m"),
        (with_ramp(profile=((0, 0), (20, 2.5))), "ramp r is at 2.5 m where level P2 is at 3 m"),
        (with_ramp(profile=((0, 0), (10, 0), (20, 3))), "ramp r is too steep, 30 % of at most 25 %"),
        (with_ramp(profile=((0, 0), (25, 3))), "the profile of ramp r is 25 m long, its polygon 20.00 m"),
        (with_ramp(profile=((0, 0), (0, 1), (20, 3))), "the profile of ramp r must begin"),
        (with_ramp(polygon=((12, 12), (32, 16), (32, 12), (12, 16))), "the corners of ramp r are not in order"),
        (with_camera(at=(10.5, 4.0)), "camera cam is inside pillar 7"),
        (with_camera(height=3.0), "camera cam reaches 3.00 m, above the ceiling at 2.8 m"),
        (with_camera(params=(400.0,)), "camera cam: "),
        (with_camera(model="NO_SUCH"), "camera cam: "),
        ({"lights": (Light(id="l", level="P1", at=(3, 3), height=2.9),)}, "light l reaches 2.90 m"),
        ({"tags": (GOOD["tags"][0], GOOD["tags"][0])}, "the id of tag 3 occurs 2 times"),
        ({"levels": (GOOD["levels"][0], GOOD["levels"][0], GOOD["levels"][1])}, "the id of level P1 occurs 2 times"),
    ],
)
def test_each_problem_names_its_elements(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        check(Facility(**(GOOD | changes)))
    assert message in str(error.value)
    assert "facility 'yard'" in str(error.value)


def test_all_problems_are_listed_at_once_up_to_a_bound() -> None:
    pillars = tuple(Pillar(id=f"p{i}", level="P1", at=(1 + 0.35 * i, 3)) for i in range(MAX_LISTED + 5))
    with pytest.raises(InputError, match=r"stall B-01 overlaps pillar p18; .*; and \d+ more"):
        check(Facility(**(GOOD | {"pillars": pillars})))


def test_things_on_other_levels_and_overhead_are_not_in_the_way() -> None:
    beam = Wall(id="beam", level="P1", line=((15, 4), (15, 9)), base=2.2)
    above = Pillar(id="above", level="P2", at=(15, 8))
    check(Facility(**(GOOD | {"walls": (beam,), "pillars": (above,)})))


def test_a_lane_up_a_ramp_is_on_the_other_level_behind_it() -> None:
    up = Lane(id="up", level="P1", line=((35, 14), (5, 14)))
    before = Pillar(id="before", level="P2", at=(34, 14))
    check(Facility(**(GOOD | {"lanes": (up,), "pillars": (before,)})))
    behind = Pillar(id="behind", level="P2", at=(8, 14))
    with pytest.raises(InputError, match="lane up passes through pillar behind"):
        check(Facility(**(GOOD | {"lanes": (up,), "pillars": (behind,)})))


def test_an_unusual_camera_height_is_logged_only(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check(Facility(**(GOOD | with_camera(height=1.5))))
    assert "camera cam is mounted at 1.5 m" in caplog.text
