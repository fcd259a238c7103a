"""Lanes over ramps: a ramp from (0, 0) up to (20, 0), an aisle across before its foot and one beyond its head."""

import networkx as nx
import numpy as np
import shapely

from geometry import FloorPlan
from geometry.floorplan import Level, Ramp
from geometry.lane_graph import lane_graph
from twin.layout.lanes import LaneProposal
from twin.layout.proposal import _linked
from twin.layout.ramp_lanes import with_ramp_lanes

OnLevel = tuple[LaneProposal, str]


def lane(*points: tuple[float, float], level: str = "P1", oneway: bool = False) -> OnLevel:
    return LaneProposal(line=np.array(points), width=3.0, oneway=oneway, confidence=0.9), level


def ramp(width: float = 6.5, id: str = "ramp 1", at: float = 0.0, to: float = 20.0) -> Ramp:
    """Return a ramp along x whose first edge is its foot."""
    half = width / 2
    ring = [(at, half), (at, -half), (to, -half), (to, half)]
    profile = ((0.0, 3.5 * at / 20), (to - at, 3.5 * to / 20))
    return Ramp.model_validate(
        {"id": id, "from": "P1", "to": "P2", "polygon": shapely.Polygon(ring), "profile": profile}
    )


AISLES = [lane((-5.0, -20.0), (-5.0, 20.0)), lane((28.0, -20.0), (28.0, 20.0), level="P2")]
ARRIVING = lane((20.0, 1.6), (28.0, 1.6), level="P2", oneway=True)
LEAVING = lane((28.0, -1.6), (20.0, -1.6), level="P2", oneway=True)


def plan_of(lanes: list[OnLevel], ramps: list[Ramp]) -> FloorPlan:
    outline = shapely.box(-40, -40, 60, 40)
    levels = (Level(id="P1", elevation=0.0, outline=outline), Level(id="P2", elevation=3.5, outline=outline))
    return FloorPlan(levels=levels, ramps=tuple(ramps), lanes=tuple(_linked(lanes, ramps, {})))


def joined(plan: FloorPlan, start: str, end: str) -> bool:
    graph, level = lane_graph(plan), {each.id: each.level for each in plan.lanes}
    return any(level[b.lane] == end for a in graph if level[a.lane] == start for b in nx.descendants(graph, a))


def over(lanes: list[OnLevel]) -> list[OnLevel]:
    return [each for each in lanes if np.isclose(np.ptp(each[0].line[:, 0]), 20.0)]


def test_arrows_on_both_sides_make_a_lane_up_and_a_lane_down() -> None:
    found = with_ramp_lanes([*AISLES, ARRIVING, LEAVING], [ramp()])
    up, down = over(found)
    np.testing.assert_allclose(up[0].line, [(0, 1.6), (20, 1.6)])
    np.testing.assert_allclose(down[0].line, [(20, -1.6), (0, -1.6)])
    assert [up[1], down[1]] == ["P1", "P2"]
    assert up[0].oneway
    assert down[0].oneway
    plan = plan_of(found, [ramp()])
    assert joined(plan, "P1", "P2")
    assert joined(plan, "P2", "P1")


def test_a_ramp_between_two_aisles_is_driven_both_ways_in_its_middle() -> None:
    found = with_ramp_lanes(AISLES, [ramp()])
    ((only, level),) = over(found)
    np.testing.assert_allclose(only.line, [(0, 0), (20, 0)], atol=1e-9)
    assert level == "P1"
    assert not only.oneway
    assert only.confidence == 0.5
    plan = plan_of(found, [ramp()])
    assert joined(plan, "P1", "P2")
    assert joined(plan, "P2", "P1")


def test_where_one_direction_is_shown_the_other_has_the_other_side() -> None:
    found = with_ramp_lanes([*AISLES, LEAVING], [ramp()])
    (down, of_down), (up, of_up) = over(found)
    np.testing.assert_allclose(down.line, [(20, -1.6), (0, -1.6)])
    np.testing.assert_allclose(up.line, [(0, 1.6), (20, 1.6)])
    assert [of_down, of_up] == ["P2", "P1"]
    assert [down.confidence, up.confidence] == [0.9, 0.5]
    plan = plan_of(found, [ramp()])
    assert joined(plan, "P2", "P1")
    assert joined(plan, "P1", "P2")


def test_a_narrow_ramp_has_the_one_direction_that_is_shown() -> None:
    leaving = lane((28.0, -0.6), (20.0, -0.6), level="P2", oneway=True)
    found = with_ramp_lanes([*AISLES, leaving], [ramp(4.0)])
    ((only, level),) = over(found)
    np.testing.assert_allclose(only.line, [(20, -0.6), (0, -0.6)])
    assert level == "P2"
    assert only.oneway
    plan = plan_of(found, [ramp(4.0)])
    assert joined(plan, "P2", "P1")
    assert not joined(plan, "P1", "P2")


def test_lanes_end_where_a_ramp_takes_their_floor() -> None:
    across, onto = lane((10.0, -30.0), (10.0, 30.0)), lane((12.0, 1.6), (28.0, 1.6), level="P2", oneway=True)
    found = with_ramp_lanes([*AISLES, across, onto], [ramp()])
    area = shapely.buffer(ramp().polygon, -0.01)
    for each, _ in found:
        assert np.isclose(np.ptp(each.line[:, 0]), 20.0) or not shapely.LineString(each.line).intersects(area)
    assert sum(np.allclose(each.line[:, 0], 10.0) for each, _ in found) == 2
    assert len(over(found)) == 2


def test_what_leads_onto_a_ramp_begins_at_the_lane_behind_it() -> None:
    late = lane((24.0, -1.6), (20.0, -1.6), level="P2", oneway=True)
    found = with_ramp_lanes([*AISLES, ARRIVING, late], [ramp()])
    assert any(np.allclose(each.line, [(28, -1.6), (24, -1.6)]) for each, _ in found)
    assert joined(plan_of(found, [ramp()]), "P2", "P1")


def test_ramps_between_other_levels_leave_lanes_alone() -> None:
    above = [lane((10.0, -30.0), (10.0, 30.0), level="P3"), lane((2.0, 0.5), (18.0, 0.5), level="P3")]
    found = with_ramp_lanes([*AISLES, *above], [ramp()])
    assert [each for each, level in found if level == "P3"] == [each for each, _ in above]


def test_lanes_over_a_ramp_stay_on_it() -> None:
    wide = lane((28.0, -2.9), (20.0, -2.9), level="P2", oneway=True)
    for width in (6.5, 4.0):
        for each, _ in over(with_ramp_lanes([*AISLES, wide], [ramp(width)])):
            strip = shapely.buffer(shapely.LineString(each.line), each.width / 2, cap_style="flat")
            assert strip.difference(shapely.buffer(ramp(width).polygon, 1e-6)).is_empty


def test_a_ramp_with_a_bend_is_one() -> None:
    bent = Ramp.model_validate(
        {
            "id": "ramp 1.2",
            "from": "P1",
            "to": "P2",
            "polygon": shapely.Polygon([(10, 3.0), (10, -3.0), (22, 9.0), (16, 12.0)]),
            "profile": ((0.0, 1.75), (12.0, 3.5)),
        }
    )
    found = with_ramp_lanes(AISLES, [ramp(6.0, "ramp 1.1", 0.0, 10.0), bent])
    paths = [each.line for each, _ in found if len(each.line) == 3]
    assert len(paths) == 1
    np.testing.assert_allclose(paths[0], [(0, 0), (10, 0), (19, 10.5)], atol=1e-9)


def test_without_ramps_and_without_lanes_all_stays() -> None:
    assert with_ramp_lanes(AISLES, []) == AISLES
    ((alone, _),) = with_ramp_lanes([], [ramp()])
    assert len(alone.line) == 2
