"""Signs of a plan that nobody read."""

import shapely

from geometry.floorplan import Sign
from twin.signs import SignLandmark, with_planned
from twin.signs.landmark import Kind
from twin.telltales.signs import LEAST_PROBABILITY


def planned(text: str, x: float, identifier: str = "a", normal: tuple[float, float, float] = (0.0, 1.0, 0.0)) -> Sign:
    return Sign(
        id=identifier, level="P1", position=shapely.Point(x, 0.0, 2.4), normal=normal,
        text=text, width=1.2, height=0.4,
    )  # fmt: skip


def read(text: str, x: float, z: float = 2.5, kind: Kind = "board") -> SignLandmark:
    return SignLandmark(
        id="s1", position=(x, 0.1, z), normal=(0.0, 1.0, 0.0), text=text, width=1.1, height=0.4, letter_height=0.25,
        probability=0.9, covariance=((1e-4, 0, 0), (0, 1e-4, 0), (0, 0, 1e-4)), views=4, kind=kind,
    )  # fmt: skip


def test_what_was_read_is_kept_and_what_was_not_is_added() -> None:
    seen = [read("STAIRS P1", 0.2)]
    found = with_planned(seen, [planned("Stairs P1", 0.0), planned("P1", 0.0, "b"), planned("STAIRS P1", 9.0, "c")])
    assert found[:1] == tuple(seen)
    assert [(sign.id, sign.text) for sign in found[1:]] == [("b", "P1"), ("c", "STAIRS P1")]
    added = found[2]
    assert (added.level, added.position, added.kind) == ("P1", (9.0, 0.0, 2.4), "board")
    assert 0.15 < added.letter_height <= 0.4
    assert added.probability < seen[0].probability


def test_the_same_text_on_another_storey_is_another_sign() -> None:
    assert len(with_planned([read("P1", 0.0, z=6.0)], [planned("P1", 0.0)])) == 2


def test_without_a_text_there_is_nothing_to_look_for() -> None:
    assert with_planned([], [planned("→", 0.0)]) == ()


def test_a_misreading_of_a_planned_sign_is_no_other_sign() -> None:
    assert len(with_planned([read("STARS P1", 0.1)], [planned("STAIRS P1", 0.0)])) == 1
    assert len(with_planned([read("P2", 0.1)], [planned("STAIRS P1", 0.0)])) == 2


def test_the_other_face_of_a_board_and_what_a_vehicle_says_are_other_signs() -> None:
    assert len(with_planned([read("P1", 0.1)], [planned("P1", 0.0, normal=(0.0, -1.0, 0.0))])) == 2
    assert len(with_planned([read("P1", 0.1, kind="vehicle")], [planned("P1", 0.0)])) == 2


def test_what_faces_up_is_left_out_and_spaces_are_no_letters() -> None:
    assert with_planned([], [planned("P1", 0.0, normal=(0.0, 0.0, 1.0))]) == ()
    (padded,), (plain,) = (with_planned([], [planned(text, 0.0)]) for text in (" P1" + " " * 200, "P1"))
    assert padded == plain


def test_telltales_take_what_only_the_plan_lists() -> None:
    assert with_planned([], [planned("P1", 0.0)])[0].probability >= LEAST_PROBABILITY
