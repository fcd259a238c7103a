"""What is said of a map in words."""

import pytest

from twin.quality_remarks import TORN_M, TORN_OF, remarks


def left_out(p90: float, localized: int = 22) -> dict[str, object]:
    return {"images": 40, "localized": localized, "position_error_m": {"median": p90 / 10, "p90": p90, "max": 2 * p90}}


def test_a_map_that_disagrees_with_itself_says_so() -> None:
    lines = remarks({"left_out": left_out(1.17)})
    assert lines[0].startswith("TORN: of 22 photos")
    assert "1.2 m" in lines[0]


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"left_out": {"images": 0, "localized": 0, "position_error_m": None}},
        {"left_out": left_out(TORN_M)},
        {"left_out": left_out(5.0, TORN_OF - 1)},
    ],
)
def test_a_sound_one_and_one_of_few_photos_do_not(found: dict[str, object]) -> None:
    assert not any(line.startswith("TORN") for line in remarks(found))


def test_a_map_that_jumps_is_called_folded() -> None:
    (line,) = remarks({"jumps": ["0019.jpg", "0025.jpg"], "folded": []})
    assert line.startswith("FOLDED")
    assert "0019.jpg" in line


def test_a_map_of_places_on_each_other_is_called_folded() -> None:
    (line,) = remarks({"look_alikes": 89, "jumps": [], "folded": []})
    assert line.startswith("FOLDED")
    assert "89 pairs" in line


def test_tags_that_are_elsewhere_are_named() -> None:
    (line,) = remarks({"elsewhere": ["tag36h11 5"], "folded": []})
    assert "tag36h11 5" in line
    (line,) = remarks({"elsewhere": ["tag36h11 5", "tag36h11 6"], "folded": ["tag36h11 5", "tag36h11 6"]})
    assert line.startswith("FOLDED")
