import doctest

import numpy as np
import pytest
import shapely

import scenes.drafting
from geometry.errors import InputError
from geometry.lane_graph import lane_graph, pieces
from scenes.drafting import Draft, box_ring
from scenes.facility import Gate, Level, Pillar, Ramp, Sign, Wall
from scenes.plan import floor_plan


def draft() -> Draft:
    started = Draft("yard", seed=3)
    started.add(Level(id="P1", elevation=0.0, ceiling=3.0, outline=box_ring(0, 0, 40, 20)))
    return started


def test_the_example_holds() -> None:
    assert doctest.testmod(scenes.drafting).failed == 0


def test_linked_lanes_meet_in_curves_without_kinks() -> None:
    yard = draft()
    east = yard.lane("P1", "east", [(5, 5), (20, 5)])
    north = yard.lane("P1", "north", [(24, 9), (24, 18)])
    yard.link(east, north)
    lanes = {lane.id: lane for lane in yard.facility().lanes}
    curve = lanes["P1-east+P1-north"]
    assert lanes[east].to == (curve.id,)
    assert curve.to == (north,)
    assert not curve.arrows
    assert curve.line[0] == (20, 5)
    assert curve.line[-1] == (24, 9)
    steps = np.diff([(5, 5), *curve.line, (24, 18)], axis=0)
    headings = np.degrees(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0])))
    assert np.diff(headings).min() > 0
    assert np.diff(headings).max() < 15  # measured 12.0 degrees between the pieces of a quarter turn
    radius = [shapely.distance(shapely.Point(20, 9), shapely.Point(point)) for point in curve.line]
    np.testing.assert_allclose(radius, 4.0, atol=0.01)  # measured 0.001 off a circle


def test_lanes_that_touch_are_linked_directly() -> None:
    yard = draft()
    first, second = yard.lane("P1", "a", [(5, 5), (20, 5)]), yard.lane("P1", "b", [(20, 5), (30, 5)])
    yard.link(first, second)
    facility = yard.facility()
    assert len(facility.lanes) == 2
    assert pieces(lane_graph(floor_plan(facility))) == [{first, second}]


def test_a_camera_looks_at_the_floor_where_it_is_told() -> None:
    yard = draft()
    yard.camera("cam", "P1", (3.0, 4.0), (9.0, 12.0), height=2.5, model="PINHOLE", params=(400, 400, 320, 240))
    camera = yard.facility().cameras[0]
    assert camera.yaw_deg == pytest.approx(np.degrees(np.arctan2(8, 6)), abs=0.01)
    assert camera.pitch_deg == pytest.approx(-np.degrees(np.arctan2(2.5, 10)), abs=0.01)


def test_a_copied_level_has_everything_under_new_names() -> None:
    yard = draft()
    yard.add(Pillar(id="P1-7", level="P1", at=(3, 3), text="A7"))
    yard.add(Sign(id="P1-s", level="P1", at=(3, 3), height=2.0, facing_deg=0, size=(1, 1), text="P1 → P10"))
    yard.link(yard.lane("P1", "a", [(5, 5), (20, 5)]), yard.lane("P1", "b", [(24, 9), (24, 15)]))
    yard.tag("P1", (3, 3.3), 90)
    yard.lights("P1", "lamp", (3.0, 9.0), (5.0,), off=(2,), height=2.9)
    yard.copy_level("P1", "P2", elevation=4.0, name="Two")
    copied = yard.facility()
    assert [(level.id, level.elevation) for level in copied.levels] == [("P1", 0.0), ("P2", 4.0)]
    assert [pillar.text for pillar in copied.pillars] == ["A7", "A7"]
    assert copied.signs[1].text == "P2 → P10"
    assert [tag.id for tag in copied.tags] == [0, 1]
    assert [light.on for light in copied.lights] == [True, False, True, False]
    assert {lane.id for lane in copied.lanes if lane.level == "P2"} == {"P2-a", "P2-a+P2-b", "P2-b"}
    assert len(pieces(lane_graph(floor_plan(copied)))) == 2


def test_a_ramp_joins_lanes_of_two_levels() -> None:
    yard = draft()
    yard.copy_level("P1", "P2", elevation=3.0, name="Two")
    corners = ((10, 12), (10, 8), (30, 8), (30, 12))
    yard.put(Ramp, id="r", from_level="P1", to_level="P2", polygon=corners, profile=((0, 0), (20, 3)))
    down = yard.lane("P2", "down", [(30, 10), (10, 10)])
    out = yard.lane("P1", "out", [(6, 6), (6, 1)])
    yard.link(down, out)
    curve = next(lane for lane in yard.facility().lanes if "+" in lane.id)
    assert curve.level == "P1"


def test_what_is_wrong_is_named() -> None:
    yard = draft()
    with pytest.raises(InputError, match=r"Gate 'g': direction: .*'in', 'out' or 'both'"):
        yard.put(Gate, id="g", level="P1", line=((0, 0), (1, 0)), direction="up")
    with pytest.raises(InputError, match=r"Wall 'w': hight: .*Did you mean 'height'"):
        yard.put(Wall, id="w", level="P1", line=((0, 0), (1, 0)), hight=2.0)
    yard.walls("P1", "w", [((30, 0), (30, 20))])
    yard.lane("P1", "a", [(5, 5), (35, 5)])
    with pytest.raises(InputError, match="lane P1-a passes through wall P1-w-1"):
        yard.facility()
