import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from geometry import write_cameras_json, write_plan
from tests.perception.sites import cameras
from tests.twin.live.conftest import database, plan, postgres_url
from tests.twin.service.clients import TestClient
from twin.service.app import create_app
from twin.service.settings import Limits, Settings

__all__ = ["database", "postgres_url"]

GEOREFERENCE = {"latitude_deg": 52.5, "longitude_deg": 13.4, "height_m": 80.0, "heading_deg": 30.0}


def settings_for(folder: Path, *twins: Path, **more: object) -> Settings:
    limits = Limits(stream_seconds=1.0, body_s=5.0, waiting=2)
    return Settings(twins=twins, data=folder / "data", workers=1, limits=limits, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with a plan and three cameras, and no map."""
    folder = tmp_path_factory.mktemp("sites") / "site"
    folder.mkdir()
    write_cameras_json(folder / "cameras.json", cameras())
    write_plan(folder / "plan.json", plan())
    return folder


@pytest.fixture(scope="session")
def mapped(small_twin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A twin with a map and a georeference."""
    folder = tmp_path_factory.mktemp("mapped") / "room"
    shutil.copytree(small_twin, folder)
    manifest = yaml.safe_load((folder / "twin.yaml").read_text("utf-8"))
    (folder / "twin.yaml").write_text(yaml.safe_dump({**manifest, "georeference": GEOREFERENCE}), "utf-8")
    return folder


@pytest.fixture(scope="session")
def served(site: Path, mapped: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A running service of both, on SQLite, without keys, as seen from its own machine."""
    settings = settings_for(tmp_path_factory.mktemp("service"), site, mapped)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def guarded(site: Path, tmp_path: Path) -> Iterator[tuple[TestClient, dict[str, str]]]:
    """A service with keys whose processes don't run, and the keys."""
    settings = replace(settings_for(tmp_path, site), limits=Limits(query="5/minute", failed="4/minute"))
    app = create_app(settings)
    service = app.state.service
    keys = {scope: service.keys.make(scope, [scope]) for scope in ("query", "ingest", "admin")}
    yield TestClient(app, base_url="http://127.0.0.1"), keys
    service.stop()


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}
