"""Gates as lines: which side is inside, and who can't have come by them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.floorplan import FloorPlan
from tests.twin.events.places import plan
from twin.gate_lines import at_gates, gate_line, turns_back
from twin.tracking import least_times

PLAN: FloorPlan = plan()


def at(x: float, y: float = 10.0, z: float = 0.0) -> np.ndarray:
    return np.array([[x, y, z]])


@given(x=st.floats(-5, 45), y=st.floats(0, 20))
def test_places_are_inside_by_the_way_of_the_lane_and_beside_by_the_ends(x: float, y: float) -> None:
    way_in, way_out = (gate_line(gate, PLAN) for gate in PLAN.gates)
    assert way_in.place(np.array([x, y])) == pytest.approx((x, max(0.0, abs(y - 10) - 2)))
    assert way_out.place(np.array([x, y])) == pytest.approx((40 - x, max(0.0, abs(y - 10) - 2)))
    some = np.array([[x, y], [y, x]])
    inside, beside = way_in.places(some)
    assert [(inside[k], beside[k]) for k in range(2)] == [way_in.place(each) for each in some]


def test_who_is_at_a_gate_is_on_its_level_near_its_line_and_between_its_ends() -> None:
    there = np.vstack([at(0.5), at(-1.0), at(0.5, 12.5), at(3.0), at(0.5, 14.0), at(0.5, z=3.0), at(39.5)])
    assert at_gates(PLAN, there, "in").tolist() == [True, True, True, False, False, False, False]
    assert at_gates(PLAN, there, "out").tolist() == [False] * 6 + [True]


@pytest.mark.parametrize(
    ("start", "end", "turns"),
    [
        (at(12.0), at(0.5), True),  # from inside to the gate by which one comes in
        (at(0.8), at(0.5), False),  # that waits there
        (at(0.5), at(12.0), False),  # that goes on
        (at(12.0, 5.0), at(0.5), True),  # from a stall
        (at(39.5), at(30.0), True),  # from the gate by which one leaves back into the lot
        (at(30.0), at(39.5), False),
        (at(12.0), at(0.5, 16.0), False),  # beside the gate
        (at(39.5), at(0.5), False),  # out and, by the street, in again
    ],
)
def test_nobody_comes_back_through_a_one_way_gate(start: np.ndarray, end: np.ndarray, turns: bool) -> None:
    assert turns_back(PLAN, start, end).tolist() == [turns]
    if turns:
        assert np.isinf(least_times(PLAN)("vehicle", start, end)[0])
    assert np.isfinite(least_times(PLAN)("person", start, end)[0]), "people walk where they like"


def test_by_gates_that_lead_both_ways_one_comes_back() -> None:
    both = tuple(gate.model_copy(update={"direction": "both"}) for gate in PLAN.gates)
    lot = PLAN.model_copy(update={"gates": both})
    assert turns_back(lot, at(12.0), at(0.5)).tolist() == [False]
    assert not at_gates(lot, at(0.5), "in").any()
    assert turns_back(lot, np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)
