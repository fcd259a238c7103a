import shutil

import pytest

from geometry import InputError, write_cameras_json
from tests.perception.sites import cameras
from tests.twin.service.clients import TestClient
from tests.twin.service.conftest import settings_for
from tests.twin.service.test_uploads import zipped
from twin.service.app import create_app
from twin.service.catalog import Catalog
from twin.service.problems import ServiceError


def test_a_version_is_uploaded_served_and_taken_back(served, small_twin):
    archive = {"archive": ("room.zip", zipped(small_twin).getvalue())}
    made = served.post("/v1/twins/room/versions", files=archive)
    assert made.status_code == 201, made.text
    version = made.json()["version"]
    assert made.json()["landmarks"] > 0
    assert served.get("/v1/twins/room").json()["version"] == "given"
    assert served.get("/v1/twins/room").json()["versions"] == ["given", version]
    published = served.post("/v1/twins/room/publish", json={"version": version}).json()
    assert (published["version"], published["before"]) == (version, ["given"])
    assert published["georeference"] is None  # of the uploaded one
    assert served.delete(f"/v1/twins/room/versions/{version}").status_code == 409
    back = served.post("/v1/twins/room/rollback").json()
    assert (back["version"], back["before"]) == ("given", [])
    assert served.post("/v1/twins/room/rollback").status_code == 409
    assert served.delete(f"/v1/twins/room/versions/{version}").status_code == 204
    assert served.delete(f"/v1/twins/room/versions/{version}").status_code == 404
    actions = [row["action"] for row in served.get("/v1/audit").json()["rows"]]
    assert actions[:4] == ["delete", "roll back", "publish", "upload"]


def test_a_new_twin_is_there_once_it_is_published(served, small_twin):
    archive = {"archive": ("room.zip", zipped(small_twin).getvalue())}
    version = served.post("/v1/twins/another/versions", files=archive).json()["version"]
    assert served.get("/v1/twins/another").status_code == 404
    assert served.post("/v1/twins/another/publish", json={"version": version}).status_code == 200
    assert "another" in {twin["name"] for twin in served.get("/v1/twins").json()["twins"]}


def test_what_is_no_twin_leaves_nothing(served):
    folder = served.app.state.service.settings.data / "twins"
    before = sorted(path.name for path in folder.rglob("*"))
    assert served.post("/v1/twins/junk/versions", files={"archive": ("a.zip", b"junk")}).status_code == 422
    assert sorted(path.name for path in folder.rglob("*")) == before


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b", "a b", "x" * 65, ""])
def test_names_that_lead_elsewhere_are_none(tmp_path, site, name):
    with pytest.raises(InputError):
        Catalog(tmp_path, {name: site}, {})
    catalog = Catalog(tmp_path, {"site": site}, {})
    with pytest.raises(ServiceError):
        catalog.home(name)
    with pytest.raises(ServiceError):
        catalog.publish("site", name)


def test_the_choice_of_a_version_survives_a_restart(tmp_path, site):
    catalog = Catalog(tmp_path, {"site": site}, {})
    shutil.copytree(site, catalog.home("site") / "v2")
    catalog.publish("site", "v2")
    again = Catalog(tmp_path, {"site": site}, {})
    assert again.get("site").version == "v2"
    assert again.roll_back("site").version == "given"


def test_a_damaged_version_is_refused_and_not_chosen(tmp_path, site):
    catalog = Catalog(tmp_path, {"site": site}, {})
    shutil.copytree(site, catalog.home("site") / "v2")
    (catalog.home("site") / "v2" / "plan.json").write_text("{")
    with pytest.raises(ServiceError) as refused:
        catalog.publish("site", "v2")
    assert (refused.value.status, str(tmp_path) in str(refused.value)) == (422, False)
    assert catalog.get("site").version == Catalog(tmp_path, {"site": site}, {}).get("site").version == "given"


@pytest.mark.parametrize("told", [{"videos": {"site": {"west": "a.mp4"}}}, {"groups": {"site": {"one": ["west"]}}}])
def test_a_version_without_a_camera_that_is_looked_at_is_refused_and_not_chosen(tmp_path, site, told):
    app = create_app(settings_for(tmp_path, site, detector="background", **told))
    service = app.state.service
    home = service.catalog.home("site")
    shutil.copytree(site, home / "v2")
    write_cameras_json(home / "v2" / "cameras.json", [each for each in cameras() if each.id != "west"])
    answer = TestClient(app, base_url="http://127.0.0.1").post("/v1/twins/site/publish", json={"version": "v2"})
    assert answer.status_code == 422
    assert "west" in answer.json()["detail"]
    assert service.catalog.get("site").version == "given"
    assert not (home / "current.json").exists()
    service.stop()


def test_a_version_that_is_half_deleted_is_none(tmp_path, site, monkeypatch):
    catalog = Catalog(tmp_path, {"site": site}, {})
    shutil.copytree(site, catalog.home("site") / "v2")

    def killed(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        catalog.delete("site", "v2")
    assert catalog.versions("site") == ["given"]


def test_a_damaged_choice_is_refused_by_name(tmp_path, site):
    catalog = Catalog(tmp_path, {"site": site}, {})
    (catalog.home("site") / "current.json").write_text("{")
    with pytest.raises(InputError, match="current"):
        Catalog(tmp_path, {"site": site}, {})


def test_the_plan_comes_as_geojson(served):
    plan = served.get("/v1/twins/site/plan")
    assert plan.headers["content-type"] == "application/geo+json"
    assert plan.json()["type"] == "FeatureCollection"
    assert {f["properties"]["element"] for f in plan.json()["features"]} == {"level", "stall", "zone"}
    assert served.get("/v1/twins/site/plan", params={"frame": "wgs84"}).status_code == 409
