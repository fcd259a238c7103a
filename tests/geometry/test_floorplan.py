import json
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from geometry.errors import InputError
from geometry.floorplan import (
    Exclusion,
    FloorPlan,
    Gate,
    Lane,
    Level,
    Pillar,
    Ramp,
    Sign,
    Stall,
    Wall,
    Zone,
    read_plan,
    write_plan,
)
from tests.support import reals

UPPER = 3.0


def small_plan(**changes: Any) -> FloorPlan:
    """Return two floors of 40 x 20 m and a ramp between them from x = 10 to 30, at y = 8 to 12."""
    fields: dict[str, Any] = {
        "levels": (
            Level(id="P1", elevation=0.0, ceiling=2.7, outline=shapely.box(0, 0, 40, 20)),
            Level(id="P2", elevation=UPPER, ceiling=2.7, outline=shapely.box(0, 0, 40, 20)),
        ),
        "ramps": (
            Ramp(
                **{"from": "P1", "to": "P2"},
                id="ramp",
                polygon=shapely.Polygon([(10, 12), (10, 8), (30, 8), (30, 12)]),
                profile=((0.0, 0.0), (20.0, UPPER)),
            ),
        ),
        "stalls": (
            Stall(id="A-1", level="P1", polygon=shapely.box(0, 0, 2.5, 5)),
            Stall(id="A-2", level="P1", polygon=shapely.box(2.5, 0, 5, 5), kind="electric"),
            Stall(id="B-1", level="P2", polygon=shapely.box(0, 0, 2.5, 5)),
        ),
        "lanes": (
            Lane(id="in", level="P1", line=shapely.LineString([(0, 10), (10, 10)]), to=("up",)),
            Lane(id="up", level="P1", line=shapely.LineString([(10, 10), (30, 10)]), to=("top",), speed_mps=2.0),
            Lane(id="top", level="P2", line=shapely.LineString([(30, 10), (38, 10)]), oneway=False),
        ),
        "walls": (Wall(level="P1", line=shapely.LineString([(0, 0), (40, 0)]), height=2.7),),
        "pillars": (Pillar(id="7", level="P1", polygon=shapely.box(6, 6, 6.5, 6.5)),),
        "zones": (
            Zone(id="all", level="P1", polygon=shapely.box(0, 0, 40, 20)),
            Zone(id="west", level="P1", polygon=shapely.box(0, 0, 20, 20), name="West"),
        ),
        "gates": (Gate(id="gate", level="P1", line=shapely.LineString([(0.5, 8), (0.5, 12)]), direction="both"),),
        "signs": (
            Sign(
                id="s",
                level="P1",
                position=shapely.Point(1, 0, 2.2),
                normal=(0.0, 1.0, 0.0),
                text="P1 →",
                width=1.0,
                height=0.5,
            ),
        ),
        "exclusions": (Exclusion(id="crate", level="P2", polygon=shapely.box(6, 16, 8, 18)),),
        "meta": {"by": "hand"},
    }
    return FloorPlan(**(fields | changes))


def test_a_plan_round_trips(tmp_path: Path) -> None:
    plan = small_plan()
    write_plan(tmp_path / "plan.json", plan)
    assert read_plan(tmp_path / "plan.json") == plan


@given(x=reals(1e6), y=reals(1e6), size=st.floats(0.1, 1e3))
def test_coordinates_round_trip_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, x: float, y: float, size: float
) -> None:
    outline = shapely.box(x, y, x + size, y + size)
    plan = FloorPlan(levels=(Level(id="ü 1", elevation=y, outline=outline),))
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    write_plan(path, plan)
    assert read_plan(path) == plan


def test_geometries_are_geojson_objects(tmp_path: Path) -> None:
    write_plan(tmp_path / "plan.json", small_plan())
    content = json.loads((tmp_path / "plan.json").read_text())
    assert content["format"] == 1
    assert content["units"] == "m"
    assert content["ramps"][0]["from"] == "P1"
    assert content["signs"][0]["position"] == {"type": "Point", "coordinates": [1.0, 0.0, 2.2]}
    assert content["lanes"][0]["line"] == {"type": "LineString", "coordinates": [[0.0, 10.0], [10.0, 10.0]]}
    for ring in (content["stalls"][0]["polygon"]["coordinates"][0], content["levels"][0]["outline"]["coordinates"][0]):
        assert ring[0] == ring[-1]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"kind": "electric"', '"kinf": "electric"', "stall 'A-2': unknown key 'kinf'. Did you mean 'kind'"),
        ('"stalls":', '"stals":', "unknown key 'stals'. Did you mean 'stalls'"),
        ('"format": 1', '"format": 2', "not format 1"),
        ('"units": "m"', '"units": "ft"', "'units'"),
        ('"text": "P1 \\u2192", ', "", "sign 's': 'text' is missing"),
        ('"id": "A-2"', '"id": "A-1"', "stall 'A-1': the id occurs twice"),
        ('"id": "A-2", "level": "P1"', '"id": "A-2", "level": "P9"', "stall 'A-2': there is no level 'P9'"),
        ('"to": ["up"]', '"to": ["upp"]', "there is no lane 'upp' to go on to. Did you mean 'up'"),
        ('"to": "P2"', '"to": "P3"', "ramp 'ramp': there is no level 'P3'"),
        ("[8.0, 18.0]", "[4.0, 17.0]", "exclusion 'crate': the polygon is not simple"),
        ("[5.0, 5.0]", "[5.0, -5.0]", "stall 'A-2'"),
        ("[40.0, 20.0]", "[1e300, 20.0]", "level 'P1': outline"),
        ("[40.0, 20.0]", '["40", 20.0]', "level 'P1': outline"),
        ("[40.0, 20.0]", "[40.0, 20.0, 0.0]", "level 'P1': outline"),
        ('"type": "Polygon"', '"type": "MultiPolygon"', "expected a GeoJSON object"),
        ("[0.0, 1.0, 0.0]", "[0.0, 2.0, 0.0]", "sign 's': the normal is not of unit length"),
        ("[[0.0, 0.0], [20.0, 3.0]]", "[[0.0, 0.0], [-1.0, 3.0]]", "ramp 'ramp': the profile is not in order"),
        ('"elevation": 0.0', '"elevation": NaN', "level 'P1'"),
        ('"direction": "both"', '"direction": "up"', "gate 'gate': direction"),
        ('"format": 1', '"format": 1,,', "JSON"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "plan.json"
    write_plan(path, small_plan())
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        read_plan(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_a_plan_made_in_python_is_checked_alike() -> None:
    outside = Stall(id="far", level="P1", polygon=shapely.box(39, 0, 42, 5))
    with pytest.raises(InputError, match="stall 'far': it lies outside level 'P1'"):
        small_plan(stalls=(outside,))
    with pytest.raises(ValidationError, match="GeoJSON"):
        Stall(id="far", level="P1", polygon=shapely.Point(0, 0))


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"meta": ' + "[" * 100_000 + "]" * 100_000 + ', "levels": []}')
    with pytest.raises(InputError):
        read_plan(path)
