import numpy as np
import pytest
import shapely

from geometry.floorplan import FloorPlan, Lane, Level, Pillar, Stall
from twin.signs.kinds import PLATE, kind_of, level_of, said_once

PLAN = FloorPlan(
    levels=(
        Level(id="P1", elevation=0.0, ceiling=3.0, outline=shapely.box(0, 0, 20, 10)),
        Level(id="P2", elevation=3.5, ceiling=3.0, outline=shapely.box(0, 0, 20, 10)),
    ),
    stalls=(Stall(id="A", level="P1", polygon=shapely.box(2, 0.2, 4.5, 5.2)),),
    lanes=(Lane(id="lane", level="P1", line=shapely.LineString([(0, 7), (20, 7)])),),
    pillars=(Pillar(id="one", level="P1", polygon=shapely.box(4.6, 4, 5.0, 4.4)),),
)
SIDEWAYS = np.array([0.0, 1.0, 0.0])


def kind(
    position: tuple[float, float, float],
    text: str,
    letters: float,
    plan: FloorPlan | None = PLAN,
    **more: bool,
) -> str:
    normal = np.array([0.0, 0.0, 1.0]) if more.pop("flat", False) else SIDEWAYS
    given = {"outlined": False} | more
    return kind_of(plan, position, normal, text=text, letter_height=letters, lowest_eye=1.6, **given)


@pytest.mark.parametrize(
    ("position", "text", "letters", "expected"),
    [
        ((3.0, 1.0, 0.5), "MUTD2013", 0.09, "vehicle"),
        ((3.0, 1.0, 1.5), "CITYGLASS", 0.3, "vehicle"),  # a van's flank, above a stall
        ((3.0, 7.0, 1.2), "TAXI", 0.2, "vehicle"),  # on a lane
        ((3.0, 7.0, 2.6), "EXIT", 0.3, "lettering"),  # hangs above a lane
        ((4.6, 4.2, 1.5), "A3", 0.3, "lettering"),
        ((3.0, 1.0, 0.02), "13", 0.3, "floor"),
        ((10.0, 0.0, 2.3), "P1", 0.6, "lettering"),
    ],
)
def test_the_plan_tells_what_text_is_on(
    position: tuple[float, float, float], text: str, letters: float, expected: str
) -> None:
    assert kind(position, text, letters) == expected


def test_outlined_texts_are_boards_unless_on_a_pillar_or_a_vehicle() -> None:
    assert kind((10.0, 0.0, 2.3), "P1", 0.6, outlined=True) == "board"
    assert kind((4.6, 4.2, 1.5), "A3", 0.3, outlined=True) == "lettering"
    assert kind((3.0, 1.0, 0.5), "MUTD2013", 0.09, outlined=True) == "vehicle"


def test_a_van_that_stands_out_of_its_stall_is_known_by_what_is_behind_its_text() -> None:
    assert kind((3.0, 5.3, 1.4), "CITYGLASS", 0.3) == "vehicle"
    assert kind((3.0, 0.15, 1.4), "EXIT", 0.3) == "lettering"  # on the wall at the stall's head, which is behind it


def test_without_a_plan_plates_are_told_by_size_and_pattern() -> None:
    assert kind((3.0, 1.0, 0.5), "MUTD2013", 0.09, None) == "vehicle"
    assert kind((3.0, 1.0, 0.5), "MUTD2013", 0.3, None) == "lettering"
    assert kind((3.0, 1.0, 2.5), "MUTD2013", 0.09, None) == "lettering"
    assert kind((3.0, 1.0, 0.5), "EXIT", 0.09, None) == "lettering"
    assert kind((3.0, 1.0, 0.5), "13", 0.3, None, flat=True) == "floor"


@pytest.mark.parametrize(("text", "plate"), [("MUTD2013", True), ("B7", False), ("STAIRSP1", False), ("123456", False)])
def test_plates_mix_letters_and_digits(text: str, plate: bool) -> None:
    assert (PLATE.fullmatch(text) is not None) == plate


def test_levels_of_signs_on_the_outer_wall() -> None:
    assert level_of(PLAN, (10.0, -0.1, 2.3)) == "P1"
    assert level_of(PLAN, (10.0, -0.1, 5.8)) == "P2"
    assert level_of(PLAN, (10.0, -5.0, 2.3)) == ""
    assert level_of(None, (10.0, 1.0, 2.3)) == ""


@pytest.mark.parametrize(
    ("text", "once"),
    [
        ("A3A3", "A3"),
        ("AA", "A"),
        ("A3", "A3"),
        ("A", "A"),
        ("", ""),
        ("A3A", "A3A"),
        ("B333", "B3"),
        ("AB", "AB"),
        ("EXIT", "EXIT"),
    ],
)
def test_what_is_said_twice(text: str, once: str) -> None:
    assert said_once(text) == once
