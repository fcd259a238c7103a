import networkx as nx
import numpy as np
import pytest
import shapely

from geometry.errors import InputError
from geometry.lane_graph import Drive, lane_graph, pieces
from geometry.location import lane_path, locate
from scenes.facility import Element, Facility
from scenes.library import SCENES, bumped_cameras, facility
from scenes.plan import floor_plan

LARGE = 2.0
REACH_M = 5.0
"""From a lane's middle to a stall's open edge; measured at most 4.62."""
CORNER_REACH_M = 9.0
"""The same for motorcycles, which stand in corners; measured at most 8.62."""


def ids(scene: Facility, field: str, level: str) -> list[Element]:
    return [element for element in getattr(scene, field) if element.level == level]


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("size", [1.0, LARGE])
def test_every_scene_passes_its_checks_and_has_a_plan(name: str, size: float) -> None:
    scene = facility(name, size=size, seed=5)
    plan = floor_plan(scene)
    assert scene.name == name
    assert scene == facility(name, size=size, seed=5)
    assert plan.stalls
    for level in scene.levels:
        assert len(ids(scene, "tags", level.id)) >= 4
        assert ids(scene, "cameras", level.id)
        assert ids(scene, "lights", level.id)
        assert ids(scene, "signs", level.id)
        assert ids(scene, "walks", level.id)


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("size", [1.0, LARGE])
def test_every_lane_can_be_reached_from_a_gate_and_left_to_one(name: str, size: float) -> None:
    plan = floor_plan(facility(name, size=size))
    graph = lane_graph(plan)
    gates = {way: [gate for gate in plan.gates if gate.direction in (way, "both")] for way in ("in", "out")}
    assert len(pieces(graph)) == (3 if name == "garage-twins" else 1)
    crossed = {
        way: {
            lane.id
            for lane in plan.lanes
            for gate in gates[way]
            if lane.level == gate.level and lane.line.crosses(gate.line)
        }
        for way in gates
    }
    reached = {drive for lane in crossed["in"] for drive in {Drive(lane)} | nx.descendants(graph, Drive(lane))}
    leaving = {drive for lane in crossed["out"] for drive in {Drive(lane)} | nx.ancestors(graph, Drive(lane))}
    assert {drive.lane for drive in reached} == {lane.id for lane in plan.lanes}
    assert {drive.lane for drive in leaving} == {lane.id for lane in plan.lanes}


@pytest.mark.parametrize("name", SCENES)
def test_every_stall_opens_to_a_lane_of_its_level(name: str) -> None:
    plan = floor_plan(facility(name))
    for level in plan.levels:
        lanes = shapely.union_all([lane.line for lane in plan.lanes if lane.level == level.id])
        for stall in (stall for stall in plan.stalls if stall.level == level.id):
            front = shapely.LineString(stall.polygon.exterior.coords[:2])
            reach = CORNER_REACH_M if stall.kind == "motorcycle" else REACH_M
            assert front.distance(lanes) < reach, stall.id
            assert front.distance(lanes) < stall.polygon.centroid.distance(lanes), stall.id


@pytest.mark.parametrize("name", SCENES)
def test_positions_on_lanes_and_in_stalls_are_located_there(name: str) -> None:
    plan = floor_plan(facility(name))
    elevation = {level.id: level.elevation for level in plan.levels}
    centres = [(*stall.polygon.centroid.coords[0], elevation[stall.level]) for stall in plan.stalls]
    np.testing.assert_array_equal(locate(plan, centres).stall, np.arange(len(plan.stalls)))
    for lane in plan.lanes:
        path = lane_path(plan, lane)
        assert (locate(plan, path).lane >= 0).all(), lane.id


def test_the_garage_is_as_described() -> None:
    scene = facility("garage")
    plan = floor_plan(scene)
    assert len(plan.stalls) == 150
    assert [level.id for level in scene.levels] == ["P1", "P2"]
    np.testing.assert_allclose(scene.levels[0].outline[2], (60.2, 36.2))
    assert [len(ids(scene, "cameras", level)) for level in ("P1", "P2")] == [4, 4]
    assert {camera.model for camera in scene.cameras} == {"PINHOLE", "SIMPLE_RADIAL", "OPENCV_FISHEYE"}
    assert all(2.4 <= camera.height <= 3.2 for camera in scene.cameras)
    assert not all(light.on for light in scene.lights)
    assert scene.traffic.vehicles == 12


def test_the_twins_differ_in_names_signs_tags_and_wear_only() -> None:
    scene = facility("garage-twins")
    assert len({level.look for level in scene.levels}) == 1
    for field in ("walls", "pillars", "rows", "doors", "fixtures", "lights", "crossings", "lanes"):
        first, *others = (
            [e.model_dump(exclude={"id", "level", "to"}) | {"text": ""} for e in ids(scene, field, level.id)]
            for level in scene.levels
        )
        assert all(other == first for other in others), field
    pillars = [[pillar.text for pillar in ids(scene, "pillars", level.id)] for level in scene.levels]
    assert pillars[0] == pillars[1] == pillars[2]
    for level in scene.levels:
        area = sum(mark.size[0] * mark.size[1] for mark in ids(scene, "wear", level.id))
        assert 0 < area < 0.05 * shapely.Polygon(level.outline).area  # measured 5.6 to 7.6 of 2199 square metres


def test_three_cameras_of_the_bumped_garage_move_a_little() -> None:
    before, after = bumped_cameras(facility("garage-bumped"))
    moved = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert len(moved) == 3
    for a, b in moved:
        turned = np.abs([a.yaw_deg - b.yaw_deg, a.pitch_deg - b.pitch_deg, a.roll_deg - b.roll_deg])
        assert 1.0 < turned.max() < 6.0
        assert abs(a.height - b.height) < 0.1
        assert a.params == b.params


def test_more_size_means_more_stalls() -> None:
    for name in SCENES:
        assert len(floor_plan(facility(name, size=LARGE)).stalls) > 1.5 * len(floor_plan(facility(name)).stalls)


def test_unknown_scenes_and_sizes_are_refused() -> None:
    with pytest.raises(InputError, match=r"there is no scene 'garge'\. Did you mean 'garage'"):
        facility("garge")
    for size in (0.5, 21.0, np.nan):
        with pytest.raises(InputError, match="1 to 20"):
            facility("room", size=size)
