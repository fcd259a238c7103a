from pathlib import Path

import numpy as np
import pytest
import shapely

from benchmarks.oblique_yard import oblique_yard
from benchmarks.surfaces_stalls import judge_lanes, judge_stalls
from geometry import FloorPlan, read_plan, write_plan
from geometry.errors import InputError
from geometry.floorplan import Lane, Level
from perception import StallProposals
from scenes import floor_plan
from scenes.facility import StallRow
from scenes.plan import row_polygons
from tests.perception.painted_floors import PaintedFloor
from twin.layout import MarkedFloor, Ortho, propose_plan, read_marks
from twin.layout.lanes import LaneProposal, propose_lanes
from twin.layout.proposal import _linked

CAR_M = (4.3, 1.8)


def _painted_yard(rng: np.random.Generator, cars: float) -> tuple[MarkedFloor, FloorPlan]:
    """Draw the oblique yard with its arrows from above, hide the share ``cars`` of its stalls; with its plan."""
    facility = oblique_yard()
    floor = PaintedFloor(44, 31)
    for row in facility.rows:
        _paint_row(floor, row, rng, cars)
    for lane in facility.lanes:
        if lane.arrows:
            start, end = np.array(lane.line[0]), np.array(lane.line[-1])
            angle = float(np.degrees(np.arctan2(*(end - start)[::-1])))
            for share in (0.2, 0.5, 0.8):
                floor.arrow((start + share * (end - start)).tolist(), angle)
    gray = floor.gray(rng, noise=3.0, worn=0.07)
    spread = np.where(floor.seen, 2.0, 60.0).astype(np.float32)
    views = np.where(floor.seen, 9, 1).astype(np.uint8)
    ortho = Ortho(pixels=np.dstack([gray] * 3), views=views, spread=spread, top_left=(0.0, 31.0), m_per_px=0.02)
    plan = floor_plan(facility)
    level = Level(id="D", elevation=0.0, outline=shapely.box(0, 0, 44, 31))
    return MarkedFloor(level=level, ortho=ortho, marks=read_marks(ortho)), plan


def _paint_row(floor: PaintedFloor, row: StallRow, rng: np.random.Generator, cars: float) -> None:
    polygons = row_polygons(row)
    for start, end in [*zip(polygons[:, 0], polygons[:, 3], strict=True), (polygons[-1, 1], polygons[-1, 2])]:
        floor.line(start, end)
    for polygon in polygons[rng.random(len(polygons)) < cars]:
        inward = polygon[3] - polygon[0]
        length = float(np.linalg.norm(inward))
        inward = inward / length
        side = 0.5 * min(CAR_M[1], 0.7 * row.width) * np.array([-inward[1], inward[0]])
        middle = polygon.mean(axis=0)
        reach = 0.5 * min(CAR_M[0], 0.8 * length) * inward
        floor.fill(
            [middle - reach - side, middle + reach - side, middle + reach + side, middle - reach + side], hide=True
        )
        if rng.random() < 0.2:  # a car beside its separator hides that as well
            beside = polygon[[0, 3]].mean(axis=0)
            floor.fill(
                [beside - reach - side, beside + reach - side, beside + reach + side, beside - reach + side], hide=True
            )


@pytest.mark.parametrize(("cars", "recall"), [(0.0, 1.0), (0.5, 0.85)])
def test_a_layout_nobody_tuned_to(cars: float, recall: float) -> None:
    floor, truth = _painted_yard(np.random.default_rng(11), cars)
    proposed = propose_plan([floor])
    judged = judge_stalls(proposed, truth)
    assert (
        judged["recall"] >= recall
    )  # measured 1.0, and 0.90 with half of the stalls taken, a fifth of these over a line
    assert judged["precision"] >= 0.95  # measured 1.0
    assert judged["oriented"] >= 0.95  # measured 1.0 and 0.98
    lanes = judge_lanes(proposed, truth)
    assert lanes["recall"] > 0.9
    assert lanes["directed"] == 2
    assert lanes["directions_right"] == 1.0


def test_the_proposal_is_a_plan_with_a_probability_for_each_element(tmp_path: Path) -> None:
    floor, _ = _painted_yard(np.random.default_rng(12), 0.3)
    proposed = propose_plan([floor])
    write_plan(tmp_path / "plan.json", proposed)
    assert read_plan(tmp_path / "plan.json") == proposed
    meta = proposed.meta["proposed"]
    assert set(meta["stalls"]) == {stall.id for stall in proposed.stalls}
    assert set(meta["lanes"]) == {lane.id for lane in proposed.lanes}
    assert all(0 < entry["probability"] <= 1 for entry in meta["stalls"].values())
    assert proposed.stalls[0].id == "D-R1-01"


def test_a_bare_floor_proposes_nothing() -> None:
    ortho = Ortho(
        pixels=np.full((200, 300, 3), 120, np.uint8),
        views=np.full((200, 300), 5, np.uint8),
        spread=np.zeros((200, 300), np.float32),
        top_left=(0.0, 4.0),
        m_per_px=0.02,
    )
    level = Level(id="P1", elevation=0.0, outline=shapely.box(0, 0, 6, 4))
    floor = MarkedFloor(level=level, ortho=ortho, marks=read_marks(ortho))
    proposed = propose_plan([floor])
    assert proposed.stalls == ()
    assert proposed.lanes == ()
    with pytest.raises(InputError, match="two floors"):
        propose_plan([floor, floor])


def test_judging_a_plan_by_itself_is_perfect_and_by_a_moved_one_is_not() -> None:
    floor, truth = _painted_yard(np.random.default_rng(11), 0.0)
    proposed = propose_plan([floor])
    assert judge_stalls(proposed, proposed)["recall"] == 1.0
    moved = tuple(
        stall.model_copy(update={"polygon": shapely.transform(stall.polygon, lambda xy: xy + 0.2)})
        for stall in truth.stalls
    )
    judged = judge_stalls(proposed, truth.model_copy(update={"stalls": moved}))
    assert judged["recall"] == judged["precision"] == 0.0
    back = tuple(
        Lane.model_validate(lane.model_dump() | {"line": lane.line.reverse()}) if lane.oneway else lane
        for lane in proposed.lanes
    )
    turned = proposed.model_copy(update={"lanes": back})
    assert judge_lanes(turned, truth)["directions_right"] == 0.0


def test_lanes_are_joined_where_they_meet() -> None:
    """A one-way lane into the middle of a two-way one, and a lane of another level that begins at the same place."""
    proposals = [
        (LaneProposal(line=np.array([[0.0, 0], [10, 0]]), width=3.0, oneway=True, confidence=0.9), "P1"),
        (LaneProposal(line=np.array([[10.3, -8.0], [10.3, 8]]), width=6.0, oneway=False, confidence=0.7), "P1"),
        (LaneProposal(line=np.array([[10.0, 8.2], [10, 18]]), width=3.0, oneway=True, confidence=0.8), "P2"),
    ]
    proposed: dict[str, dict[str, float]] = {}
    lanes = {lane.id: lane for lane in _linked(proposals, (), proposed)}
    assert {id: set(lane.to) for id, lane in lanes.items()} == {
        "P1-lane 1": {"P1-lane 2", "P1-lane 3"},
        "P1-lane 2": {"P1-lane 3"},
        "P1-lane 3": set(),
        "P2-lane 1": set(),
    }
    assert {id: entry["confidence"] for id, entry in proposed.items()} == {
        "P1-lane 1": 0.9, "P1-lane 2": 0.7, "P1-lane 3": 0.7, "P2-lane 1": 0.8,
    }  # fmt: skip
    assert sum(lane.line.length for lane in lanes.values()) == pytest.approx(35.8)
    assert _linked([], (), {}) == []


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_order_of_a_rows_stalls_does_not_matter(order: list[int]) -> None:
    stall = np.array([[0.0, 5.0], [2.5, 5.0], [2.5, 10.0], [0.0, 10.0]])
    corners = np.stack([stall, stall + np.array([2.5, 0.0])])[order]
    row = StallProposals(
        corners=corners, probability=np.ones(2), row=np.zeros(2, np.int64), kind=("standard",) * 2,
        inferred=np.zeros(2, np.int64),
    )  # fmt: skip
    (lane,) = propose_lanes(row, np.zeros((0, 2, 2)), lambda points: np.ones(len(points)))
    assert {round(float(y), 6) for y in lane.line[:, 1]} == {2.0}, "before the stalls, half an aisle away"
    assert np.ptp(lane.line[:, 0]) > 5.0
