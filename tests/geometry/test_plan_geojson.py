import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.errors import InputError
from geometry.floorplan import KINDS
from geometry.georeference import Georeference
from geometry.plan_geojson import GEOMETRY, write_plan_geojson
from geometry.plan_import import import_plan
from scenes import floor_plan
from scenes.library import facility
from tests.geometry.test_floorplan import small_plan

PLAN = small_plan()
SITE = Georeference(latitude_deg=48.0, longitude_deg=11.0, height_m=500.0, heading_deg=30.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plan.geojson"


@pytest.mark.parametrize("plan", [PLAN, floor_plan(facility("garage")), small_plan(levels=PLAN.levels, meta={})])
def test_site_metres_round_trip(path: Path, plan: Any) -> None:
    write_plan_geojson(path, plan)
    assert import_plan(path) == plan
    assert import_plan(path, georeference=SITE) == plan  # the file says that it is the site's


@given(latitude=st.floats(-89, 89), longitude=st.floats(-179, 179), heading=st.floats(0, 360))
@settings(max_examples=20, deadline=None)
def test_wgs84_round_trips(
    tmp_path_factory: pytest.TempPathFactory, latitude: float, longitude: float, heading: float
) -> None:
    site = Georeference(latitude_deg=latitude, longitude_deg=longitude, height_m=300.0, heading_deg=heading)
    path = tmp_path_factory.mktemp("geojson") / "plan.geojson"
    write_plan_geojson(path, PLAN, georeference=site)
    found = import_plan(path, georeference=site)
    for kind in KINDS:
        field = GEOMETRY.get(kind, "polygon")
        for before, after in zip(getattr(PLAN, kind), getattr(found, kind), strict=True):
            assert after.model_copy(update={field: getattr(before, field)}) == before
            corners = [shapely.get_coordinates(getattr(each, field), include_z=True) for each in (before, after)]
            np.testing.assert_allclose(corners[1], corners[0], atol=1e-7)  # 4e-9 m in 60 draws


def test_wgs84_is_longitude_latitude(path: Path) -> None:
    write_plan_geojson(path, PLAN, georeference=SITE)
    collection = json.loads(path.read_text())
    outline = collection["features"][0]["geometry"]["coordinates"][0]
    np.testing.assert_allclose(outline[3], [11.0, 48.0], atol=1e-6)
    sign = next(each for each in collection["features"] if each["properties"]["element"] == "sign")
    np.testing.assert_allclose(sign["geometry"]["coordinates"][2], 502.2, atol=1e-4)


def changed(path: Path, change: Any) -> Path:
    """Write the small plan, and change what is in the file."""
    write_plan_geojson(path, PLAN)
    collection = json.loads(path.read_text())
    change(collection, {f["properties"].get("id"): f for f in collection["features"]})
    path.write_text(json.dumps(collection))
    return path


def test_what_gis_programs_do_to_a_file_is_understood(path: Path) -> None:
    """Absent properties as null, Multi- geometries, heights, ids outside of the properties, a crs."""

    def change(collection: dict, of: dict) -> None:
        collection["crs"] = {"type": "name"}
        stall = of["A-1"]
        stall["geometry"] = {"type": "MultiPolygon", "coordinates": [stall["geometry"]["coordinates"]], "bbox": [0]}
        stall["properties"] |= {"ceiling": None, "meta": {"surveyed": True}}
        stall["id"] = stall["properties"].pop("id")
        line = of["in"]["geometry"]["coordinates"]
        of["in"]["geometry"]["coordinates"] = [[*position, 1.5] for position in line]

    assert import_plan(changed(path, change)) == PLAN


def test_other_units_are_converted(path: Path) -> None:
    def to_feet(collection: dict, of: dict) -> None:
        collection["units"] = "ft"

    found = import_plan(changed(path, to_feet), units="m")
    assert found == PLAN
    scaled = import_plan(path, units="cm").stalls[0].polygon
    assert scaled.area == pytest.approx(12.5e-4)
    with pytest.raises(InputError, match=r"0\.762 m wide if the unit is ft; it looks like m\. Say units='m'"):
        import_plan(path)
    lengths = import_plan(path, units="ft")
    assert lengths.levels[1].elevation == pytest.approx(3 * 0.3048)
    assert lengths.ramps[0].profile[1] == pytest.approx((20 * 0.3048, 3 * 0.3048))
    assert lengths.signs[0].normal == (0.0, 1.0, 0.0)
    assert lengths.lanes[0].speed_mps == 3.0


def with_frame(frame: Any) -> Any:
    return lambda collection, of: collection.__setitem__("frame", frame)


CASES: list[tuple[Any, str]] = [
    (lambda c, f: c.pop("frame"), "it doesn't say whether its coordinates are the site's or WGS84. Add"),
    (with_frame("wgs84"), "the site's place on Earth is not known. Give the site's georeference"),
    (with_frame("WGS84"), "there is no frame 'WGS84'"),
    (lambda c, f: c.__setitem__("unit", "m"), "unknown key 'unit'. Did you mean 'units'"),
    (lambda c, f: c.__setitem__("units", "foot"), "there is no unit 'foot'"),
    (lambda c, f: c.__setitem__("features", 3), "'features' is not a list"),
    (lambda c, f: c["features"].append(3), "it is not a GeoJSON Feature"),
    (lambda c, f: f["A-1"]["properties"].pop("element"), "'A-1': the property 'element' is missing"),
    (lambda c, f: f["A-1"]["properties"].__setitem__("element", "stal"), "no element 'stal'. Did you mean 'stall'"),
    (lambda c, f: f["A-1"]["properties"].__setitem__("kinf", "x"), "stall 'A-1': unknown key 'kinf'. Did you mean"),
    (lambda c, f: f["A-1"]["properties"].__setitem__("level", "P9"), "stall 'A-1': there is no level 'P9'"),
    (lambda c, f: f["A-1"].__setitem__("geometry", None), "'A-1': the feature has no geometry"),
    (lambda c, f: f["A-1"]["geometry"].__setitem__("type", "LineString"), "stall 'A-1': polygon: expected a GeoJSON"),
    (lambda c, f: f["A-1"]["geometry"].update(type="MultiPolygon", coordinates=[1, 2]), "MultiPolygon has 2"),
    (lambda c, f: f["A-1"]["geometry"]["coordinates"][0][1].__setitem__(0, np.nan), "'A-1': polygon: a coordinate"),
    (lambda c, f: f["A-1"]["geometry"]["coordinates"][0][1].__setitem__(0, "x"), "stall 'A-1': polygon: a position"),
    (lambda c, f: f["A-1"]["geometry"].__setitem__("coordinates", [[[0, 0], [2, 5], [2, 0], [0, 5], [0, 0]]]),
     "stall 'A-1': the polygon is not simple"),
    (lambda c, f: f["A-1"]["geometry"].__setitem__("coordinates", [[[-9, 0], [2, 0], [2, 5], [-9, 0]]]),
     "stall 'A-1': it lies outside level 'P1'. Move it"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), CASES, ids=[case[1][:40] for case in CASES])
def test_what_is_wrong_with_a_file_is_named(path: Path, change: Any, message: str) -> None:
    changed(path, change)
    with pytest.raises(InputError) as error:
        import_plan(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_metres_taken_for_degrees_are_noticed(path: Path) -> None:
    changed(path, lambda c, f: (c.pop("frame"), f["P1"]["geometry"]["coordinates"][0][0].__setitem__(1, 400.0)))
    with pytest.raises(InputError, match=r"level 'P1': \(40\.0, 400\.0\) is not longitude and latitude"):
        import_plan(path, georeference=SITE)
    changed(path, lambda c, f: (c.pop("frame"), f["P1"]["geometry"].__setitem__("coordinates", [[[0], [1, 2]]])))
    with pytest.raises(InputError, match="level 'P1': a position is"):
        import_plan(path, georeference=SITE)
