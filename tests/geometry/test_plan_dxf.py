import builtins
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.errors import InputError, MissingExtraError
from geometry.lane_graph import lane_graph, pieces
from geometry.plan_checks import plan_warnings
from geometry.plan_geojson import GEOMETRY
from geometry.plan_import import import_plan
from geometry.plan_layers import DEFAULT_LAYERS, LayerMap, LayerRule, LevelRule
from geometry.travel_times import TravelTimes
from scenes import floor_plan
from scenes.library import facility
from tests.geometry.drawn_plans import draw, new_drawing, text
from tests.geometry.test_plan_checks import PLAN

GARAGE = floor_plan(facility("garage"))


@pytest.mark.parametrize("unit", ["m", "mm", "cm", "in", "ft"])
def test_a_plan_drawn_in_any_unit_comes_back(tmp_path: Path, unit: str) -> None:
    draw(tmp_path / "plan.dxf", GARAGE, unit)
    plan = import_plan(tmp_path / "plan.dxf")
    assert [stall.id for stall in plan.stalls] == [stall.id for stall in GARAGE.stalls]
    assert [stall.kind for stall in plan.stalls] == [stall.kind for stall in GARAGE.stalls]
    for kind in ("levels", "stalls", "walls", "zones", "pillars", "ramps", "exclusions", "gates"):
        field = GEOMETRY.get(kind, "polygon")
        found, drawn = ([getattr(each, field) for each in getattr(plan_, kind)] for plan_ in (plan, GARAGE))
        assert shapely.hausdorff_distance(found, drawn).max() < 1e-6, kind
    assert [level.elevation for level in plan.levels] == pytest.approx([0.0, 3.5])
    np.testing.assert_allclose([sign.normal for sign in plan.signs], [sign.normal for sign in GARAGE.signs], atol=1e-9)
    assert [sign.text for sign in plan.signs] == [" ".join(sign.text.split()) for sign in GARAGE.signs]
    assert plan.meta == {"unit": unit, "left_out": {}}


def test_lanes_are_joined_as_they_meet(tmp_path: Path) -> None:
    """The drawing has no ``to``: the graph of the garage is found again, with the same times between stalls."""
    draw(tmp_path / "plan.dxf", GARAGE)
    plan = import_plan(tmp_path / "plan.dxf")
    assert len(pieces(lane_graph(plan))) == 1
    assert {warning.element for warning in plan_warnings(plan)} == {w.element for w in plan_warnings(GARAGE)}
    rng = np.random.default_rng(7)
    centres = np.array([[*stall.polygon.centroid.coords[0], 3.5 * (stall.level == "P2")] for stall in GARAGE.stalls])
    starts, ends = centres[rng.integers(0, 150, (2, 2000))]
    before, after = TravelTimes.of(GARAGE).between(starts, ends), TravelTimes.of(plan).between(starts, ends)
    # The drawing says nothing about speeds, 3 m/s each, where the garage has 2.5 to 4.
    assert np.median(after / np.maximum(before, 1e-9)) == pytest.approx(1.10, abs=0.03)  # 1.103
    assert (np.isfinite(after)).all()


def boxes(unit: str | None = "m", **more: Any) -> Any:
    """Return a drawing of a level P1 of 40 x 20 m."""
    document = new_drawing(unit)
    closed(document, "P1-OUTLINE", (0, 0), (40, 0), (40, 20), (0, 20))
    return document


def closed(document: Any, layer: str, *points: tuple[float, ...], close: bool = True) -> None:
    document.modelspace().add_lwpolyline(points, close=close, dxfattribs={"layer": layer})


def imported(document: Any, path: Path, **options: Any) -> Any:
    document.saveas(path / "plan.dxf")
    return import_plan(path / "plan.dxf", **options)


def test_stalls_as_blocks_with_attributes_and_open_shapes(tmp_path: Path) -> None:
    document = boxes()
    block = document.blocks.new("STALL")
    block.add_lwpolyline([(0, 0), (2.5, 0), (2.5, 5), (0, 5)], close=True, dxfattribs={"layer": "0"})
    block.add_lwpolyline([(0.3, 4), (2.2, 4), (2.2, 4.2), (0.3, 4.2)], close=True, dxfattribs={"layer": "0"})
    block.add_attdef("NUMBER", (1, 1), dxfattribs={"layer": "0"})
    space = document.modelspace()
    space.add_line((0, 8), (30, 8), dxfattribs={"layer": "p1-lanes"})
    for number, x in enumerate((2.0, 4.5)):
        space.add_blockref("STALL", (x, 1.0), dxfattribs={"layer": "P1-STALLS"}).add_auto_attribs(
            {"NUMBER": f"{number}"}
        )
    space.add_blockref("STALL", (10, 15), dxfattribs={"layer": "P1-STALLS-Disabled", "rotation": 180})
    closed(document, "P1-STALLS", (20, 6), (20, 1), (22.5, 1), (22.5, 6), close=False)  # a U, open to the lane
    space.add_mtext("X\\P7", dxfattribs={"layer": "P1-STALLS", "insert": (21, 3)})
    plan = imported(document, tmp_path)
    assert [stall.id for stall in plan.stalls[:2]] == ["P1-0", "P1-1"]
    assert plan.stalls[2].kind == "disabled"
    assert plan.stalls[3].id == "P1-X 7"
    for stall in plan.stalls:
        assert stall.polygon.area == pytest.approx(12.5)
        assert stall.polygon.exterior.is_ccw
        first = np.array(stall.polygon.exterior.coords)[:2]
        assert stall.polygon.distance(plan.lanes[0].line) == pytest.approx(abs(first[:, 1] - 8).max())


def test_circles_arcs_and_crossings(tmp_path: Path) -> None:
    document = boxes()
    space = document.modelspace()
    space.add_circle((5, 5), 0.3, dxfattribs={"layer": "P1-PILLARS"})
    space.add_arc((20, 10), 5, 0, 90, dxfattribs={"layer": "P1-WALLS"})
    space.add_lwpolyline([(0, 10), (20, 10)], dxfattribs={"layer": "P1-LANES"})
    space.add_lwpolyline([(10, 0), (10, 20)], dxfattribs={"layer": "P1-LANES-TWOWAY"})
    plan = imported(document, tmp_path)
    assert plan.pillars[0].polygon.area == pytest.approx(np.pi * 0.09, rel=0.1)
    assert plan.walls[0].line.length == pytest.approx(2.5 * np.pi, rel=0.01)
    graph = lane_graph(plan)
    assert len(plan.lanes) == 4
    assert len(pieces(graph)) == 1
    assert {lane.line.length for lane in plan.lanes} == {10.0}
    entering = next(lane for lane in plan.lanes if lane.oneway and lane.line.coords[0] == (0, 10))
    assert len(entering.to) == 3  # straight on, left and right


def test_levels_side_by_side_are_put_over_each_other(tmp_path: Path) -> None:
    document = boxes("ft")
    closed(document, "upper", (100, 0), (140, 0), (140, 20), (100, 20))
    closed(document, "upper stalls", (100, 0), (108.5, 0), (108.5, 18), (100, 18))
    rules = (
        LayerRule(layer="upper", element="level", level="P2"),
        LayerRule(layer="upper*", element="stall", level="P2"),
    )
    levels = {"P2": LevelRule(elevation=3.2, ceiling=2.4, offset=(-100.0, 0.0)), "P1": LevelRule(name="Ground")}
    plan = imported(document, tmp_path, layers=LayerMap(layers=(*rules, *DEFAULT_LAYERS.layers), levels=levels))
    assert [level.name for level in plan.levels] == ["Ground", ""]
    assert plan.levels[1].elevation == 3.2
    assert plan.levels[0].outline.equals_exact(plan.levels[1].outline, 1e-9)
    assert plan.stalls[0].polygon.bounds == pytest.approx((0, 0, 8.5 * 0.3048, 18 * 0.3048))


def test_layers_without_meaning_are_left_out_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    document = boxes()
    closed(document, "FURNITURE", (1, 1), (2, 1))
    document.modelspace().add_point((1, 1), dxfattribs={"layer": "P1-WALLS"})
    with caplog.at_level(logging.WARNING):
        plan = imported(document, tmp_path)
    assert plan.meta["left_out"] == {"FURNITURE": 1, "P1-WALLS (POINT)": 1}
    assert "layer FURNITURE is not in the layer map" in caplog.text


def adding(layer: str, *points: tuple[float, ...], close: bool = True) -> Any:
    return lambda document: closed(document, layer, *points, close=close)


WALL = {"layer": "P1-WALLS"}
CASES: list[tuple[Any, dict[str, Any], str]] = [
    (adding("P1-STALLS", (0, 0), (2, 5), (2, 0), (0, 5)), {}, "'P1-STALLS': the outline is not simple"),
    (adding("P1-STALLS", (39, 0), (42, 0), (42, 5), (39, 5)), {}, "it lies outside level 'P1'. Move it"),
    (adding("P1-PILLARS", (1, 1), (2, 1), (2, 2), close=False), {}, "the outline is not closed. Close the"),
    (adding("P1-STALLS", (0, 0), (8.5, 0), (8.5, 18), (0, 18)), {}, "it looks like ft. Say units='ft'"),
    (adding("P2-STALLS", (0, 0), (2, 0), (2, 5), (0, 5)), {}, "level 'P2' has no outline. Known: P1"),
    (adding("P1-OUTLINE", (0, 0), (2, 0), (2, 5), (0, 5)), {}, "level 'P1' has two outlines"),
    (adding("P2-OUTLINE", (0, 0), (30, 0), (20, 20)), {}, "'P1' and 'P2' lie over each other at 0 m"),
    (adding("P1-RAMPS-P1", (0, 0), (2, 0), (2, 5)), {}, "a ramp has 4 corners, this has 3"),
    (adding("P1-WALLS", (1, 1), (1, 1)), {}, "LWPOLYLINE #"),
    (adding("P1-WALLS", (np.nan, 1), (1, 1)), {}, "'P1-WALLS': a coordinate is not finite"),
    (lambda d: d.modelspace().add_line((0, 0), (np.inf, 1), dxfattribs=WALL), {}, "not finite or above"),
    (lambda d: d.modelspace().add_circle((0, np.nan), 1, dxfattribs=WALL), {}, "not finite"),
    (lambda d: text(d.modelspace(), "EXIT", shapely.Point(np.nan, 1), 1.0, "P1-SIGNS"), {}, "not finite"),
    (lambda d: d.header.__setitem__("$INSUNITS", 0), {}, "it doesn't say in which unit it is drawn"),
    (lambda d: None, {"units": "foot"}, "there is no unit 'foot'"),
    (lambda d: None, {"layers": LayerMap(layers=(LayerRule(layer="PL-OUTLIN", element="level"),))},
     "no layer holds the outline of a level, such as 'PL-OUTLIN'. Did you mean 'P1-OUTLINE'?"),
    (lambda d: None, {"layers": LayerMap(layers=(LayerRule(layer="*", element="level"),))}, "say of which level"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "options", "message"), CASES, ids=[case[2][:40] for case in CASES])
def test_what_is_wrong_with_a_drawing_is_named(tmp_path: Path, change: Any, options: Any, message: str) -> None:
    document = boxes()
    change(document)
    with pytest.raises(InputError) as error:
        imported(document, tmp_path, **options)
    assert message in str(error.value)
    assert "plan.dxf" in str(error.value)


def test_said_units_overrule_the_header(tmp_path: Path) -> None:
    document = boxes("m")
    closed(document, "P1-STALLS", (0, 0), (8.5, 0), (8.5, 18), (0, 18))
    assert imported(document, tmp_path, units="ft").stalls[0].polygon.area == pytest.approx(8.5 * 18 * 0.3048**2)
    assert imported(document, tmp_path, units="m").stalls[0].polygon.area == pytest.approx(8.5 * 18)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a DXF"),
        (b"AC1032\x00\x00", "it is a DWG drawing. Save it as DXF"),
        (b"\x89PNG\r\n", "it is not a DXF drawing"),
        (b"0\nSECTION\n2\nENTITIES\n0\nLINE\n", "the drawing breaks off"),
        (b"0\nSECTION\nx\nENTITIES\n0\nEOF\n", "it is damaged"),
    ],
)
def test_what_is_no_drawing_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "plan.dxf").write_bytes(content)
    with pytest.raises(InputError, match=message):
        import_plan(tmp_path / "plan.dxf", units="m")


def test_a_drawing_that_breaks_off_anywhere_is_refused(tmp_path: Path) -> None:
    draw(tmp_path / "plan.dxf", PLAN)
    content = (tmp_path / "plan.dxf").read_bytes()
    for share in (0.1, 0.5, 0.9, 0.99):
        (tmp_path / "cut.dxf").write_bytes(content[: int(len(content) * share)])
        with pytest.raises(InputError, match="breaks off"):
            import_plan(tmp_path / "cut.dxf")


@given(at=st.floats(0, 1), value=st.sampled_from([b"nan", b"1e999", b"-1", b"x", b"", b"999999999999"]))
@settings(max_examples=25, deadline=None)
def test_damage_gives_a_plan_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, at: float, value: bytes
) -> None:
    path = tmp_path_factory.mktemp("dxf") / "plan.dxf"
    draw(path, PLAN)
    lines = path.read_bytes().split(b"\n")
    entities = lines.index(b"ENTITIES")
    lines[entities + int(at * (len(lines) - entities - 4))] = value
    path.write_bytes(b"\n".join(lines))
    try:
        import_plan(path)
    except InputError as error:
        refusal = str(error)
    else:
        refusal = str(path)
    assert str(path) in refusal


def test_blocks_within_blocks_are_bounded(tmp_path: Path) -> None:
    document = boxes()
    document.blocks.new("B0").add_line((0, 0), (1, 1))
    for depth in range(1, 25):
        block = document.blocks.new(f"B{depth}")
        block.add_blockref(f"B{depth - 1}", (0, 0))
        block.add_blockref(f"B{depth - 1}", (0, 0))
    document.modelspace().add_blockref("B24", (0, 0), dxfattribs={"layer": "P1-WALLS"})
    with pytest.raises(InputError, match="nested more than"):
        imported(document, tmp_path)


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plan.dxf").write_bytes(b"0\nSECTION\n0\nEOF\n")
    original = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.split(".")[0] == "ezdxf":
            raise ImportError(name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'tiepoint\[dxf\]'"):
        import_plan(tmp_path / "plan.dxf")
