import json
from pathlib import Path
from unittest.mock import patch

import pytest

from geometry import tables
from geometry.errors import InputError
from geometry.floorplan import write_plan
from geometry.plan_import import import_plan
from geometry.plan_layers import DEFAULT_LAYERS, LayerMap, read_layer_map
from tests.geometry.drawn_plans import draw
from tests.geometry.test_plan_checks import PLAN


def test_a_plan_json_is_read(tmp_path: Path) -> None:
    write_plan(tmp_path / "plan.json", PLAN)
    assert import_plan(tmp_path / "plan.json") == PLAN
    (tmp_path / "bom.json").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "plan.json").read_bytes())
    assert import_plan(tmp_path / "bom.json") == PLAN


def test_a_plan_json_in_feet_is_noticed_and_read_when_said(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(path, PLAN)
    content = json.loads(path.read_text())
    for stall in content["stalls"]:
        stall["polygon"]["coordinates"] = [
            [[x * 3, y * 3] for x, y in ring] for ring in stall["polygon"]["coordinates"]
        ]
    for level in content["levels"]:
        level["outline"]["coordinates"] = [[[0, 0], [120, 0], [120, 60], [0, 60], [0, 0]]]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"median stall is 7\.5 m wide if the unit is m; it looks like ft"):
        import_plan(path)
    assert import_plan(path, units="ft").stalls[0].polygon.area == pytest.approx(7.5 * 15 * 0.3048**2)
    assert import_plan(path, units="m").stalls[0].polygon.area == pytest.approx(7.5 * 15)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is not JSON"),
        (b'{"levels": [', "it is not JSON"),
        (b"[1, 2]", "neither a plan.json nor a GeoJSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b'{"type": "FeatureCollection", "frame": "site"}', "'features' is not a list"),
        (b'{"type": "Feature"}', "unknown key 'type'"),
        (b"\xff\xfe\x00", "it is not JSON"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(InputError, match=message):
        import_plan(tmp_path / "plan.json")


@pytest.mark.parametrize("name", ["plan.json", "plan.geojson", "plan.dxf"])
def test_huge_and_absent_files_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b" " * 2000)
    with patch.object(tables, "MAX_FILE_BYTES", 1000), pytest.raises(InputError, match="longer than"):
        import_plan(tmp_path / name)
    with pytest.raises(InputError, match="can't read the file"):
        import_plan(tmp_path / f"no-{name}")


MAP = """
units: ft
levels:
  P1: {elevation: 1.5, ceiling: 2.4, name: Ground}
layers:
- {layer: "A-*-BOUNDARY", element: level, level: P1}
- {layer: "{level}-parking-{kind}", element: stall}
"""


def test_a_layer_map_is_read(tmp_path: Path) -> None:
    (tmp_path / "layers.yaml").write_text(MAP)
    layers = read_layer_map(tmp_path / "layers.yaml")
    rule, said = layers.find("a-slab-boundary") or (None, {})
    assert rule is not None
    assert (rule.element, said) == ("level", {"level": "P1"})
    assert (layers.find("P1-PARKING-EV") or (None, {}))[1] == {"level": "P1", "kind": "EV"}
    assert layers.find("P1-PARKING") is None
    assert (DEFAULT_LAYERS.find("Level 2-stalls") or (None, {}))[1] == {"level": "Level 2"}
    (tmp_path / "layers.json").write_text(layers.model_dump_json(by_alias=True))
    assert read_layer_map(tmp_path / "layers.json") == layers
    draw(tmp_path / "plan.dxf", PLAN)
    with pytest.raises(InputError, match=r"such as 'A-\*-BOUNDARY'"):
        import_plan(tmp_path / "plan.dxf", layers=tmp_path / "layers.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layers: [", "it is not YAML"),
        ("3", "layer map: Input should be"),
        ("layers: []\nlevel: {}", "unknown key. Did you mean 'levels'"),
        ("layers:\n- {layer: x, element: stal}", "layers.0.element: Input should be 'level', 'ramp', 'stall'"),
        ("layers:\n- {layer: x, element: stall, with: 3}", "layers.0.with: unknown key"),
        ("layers:\n- {layer: x, element: wall, height: .nan}", "layers.0.height"),
        ("layers: &a []\nlevels: {x: *a}", "it has an alias"),
        ("#" * 2**19, "not longer than 256 KiB"),
        ("layers: []\nunits: foot", "there is no unit 'foot'"),
    ],
)
def test_what_is_wrong_with_a_layer_map_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "layers.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        read_layer_map(tmp_path / "layers.yaml")
    assert message in str(error.value)
    assert "layers.yaml" in str(error.value)


def test_patterns_say_only_what_they_name() -> None:
    with pytest.raises(ValueError, match="literal_error"):
        LayerMap.model_validate({"layers": [{"layer": "x", "element": "x"}]})
