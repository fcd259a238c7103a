"""Wrong way, standing in a lane, people near what moves."""

import numpy as np
import pytest

from geometry.errors import InputError
from tests.twin.events.places import START, going, mixed, plan, standing, track
from twin.events import events_of
from twin.events.conduct import ConductOptions


def told(*tracks: list) -> list:  # type: ignore[type-arg]
    kinds = ("wrong_way", "stopped_in_lane", "person_near_vehicle")
    return [event for event in events_of(mixed(*tracks), plan()).events if event.kind in kinds]


def test_against_the_lane_is_told_once_after_some_metres() -> None:
    found = told(track(5, going(30.0, 10.5, -3.0), 0, 8))
    assert [(e.kind, e.track, e.where.lane) for e in found] == [("wrong_way", 5, "lane")]
    assert found[0].time - START == pytest.approx(8 / 3, abs=0.4)
    assert found[0].meta["speed_mps"] == pytest.approx(3.0)
    assert found[0].confidence > 0.9


@pytest.mark.parametrize(
    "where",
    [going(5.0, 10.0, 3.0), going(20.0, 9.0, 0.0, 2.0), going(30.0, 16.0, -3.0), lambda t: (20 - 1.5 * min(t, 4), 10)],
    ids=["with the lane", "across it", "beside it", "backwards a little, to park"],
)
def test_what_is_allowed_is_not_told(where: object) -> None:
    assert [e for e in told(track(5, where, 0, 5)) if e.kind == "wrong_way"] == []  # type: ignore[arg-type]


def test_standing_in_a_lane_is_told_once_and_in_a_stall_never() -> None:
    found = told(track(1, standing(20, 10.2), 0, 60, heading=0.0), track(2, standing(9.25, 5.5), 0, 60, heading=0.0))
    assert [(e.kind, e.track) for e in found] == [("stopped_in_lane", 1)]
    assert found[0].time - START == pytest.approx(15.0, abs=0.21)
    assert found[0].meta["since"] == START


def test_a_person_near_a_moving_vehicle_is_told_with_the_gap() -> None:
    walker = track(1, standing(20.0, 12.2), 0, 10, kind="person")
    far = track(2, standing(20.0, 16.0), 0, 10, kind="person")
    car = track(3, going(5.0, 10.0, 3.0), 0, 10)
    found = told(walker, far, car)
    assert [(e.kind, e.track, e.meta["vehicle"]) for e in found] == [("person_near_vehicle", 1, 3)]
    assert found[0].meta["gap_m"] == pytest.approx(1.5, abs=0.4)
    nose = (20.0 - 2.2 - 5.0) / 3
    assert found[0].time - START == pytest.approx(nose, abs=0.5)


def test_beside_a_vehicle_that_stands_nothing_is_told() -> None:
    assert told(track(1, standing(20, 7.5), 0, 5, kind="person"), track(3, standing(20, 9), 0, 5, heading=0.0)) == []


def test_a_distance_that_is_unsure_has_less_confidence() -> None:
    def confidence(sigma: float) -> float:
        walker = track(1, standing(20.0, 11.5), 0, 10, kind="person", sigma=sigma)
        return float(told(walker, track(3, going(5.0, 10.0, 3.0), 0, 10))[0].confidence)

    assert 0.5 <= confidence(1.0) < confidence(0.1) <= 1.0


def test_impossible_options_are_refused() -> None:
    with pytest.raises(InputError, match="out of range"):
        ConductOptions(stopped_s=-1.0)
    with pytest.raises(InputError, match="out of range"):
        ConductOptions(near_m=float(np.inf))
