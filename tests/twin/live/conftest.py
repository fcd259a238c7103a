import secrets
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from shapely import box

from geometry import FloorPlan, write_cameras_json, write_plan
from geometry.floorplan import Level, Stall, Zone
from geometry.track_records import FrameRecord
from tests.perception.sites import cameras, walk
from tests.twin.live import databases
from twin.live.database.connection import Database
from twin.live.task import GroupTask, LiveOptions

PATHS = {
    1: ("person", np.array([-3.0, 0.5]), np.array([0.5, 0.0])),
    2: ("person", np.array([3.0, -0.5]), np.array([-0.6, 0.1])),
    3: ("car", np.array([-4.0, 3.0]), np.array([0.9, 0.0])),
    4: ("car", np.array([1.0, -3.5]), np.array([0.0, 0.0])),
}
SECONDS = 8.0


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    why = databases.missing()
    if why:
        pytest.skip(why)
    with databases.postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        found = Database(f"sqlite:///{tmp_path / 'state.db'}")
    else:
        url = request.getfixturevalue("postgres_url")
        name = f"test_{secrets.token_hex(6)}"
        admin = Database(url)
        with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        admin.close()
        found = Database(url.replace("/postgres?", f"/{name}?"))
    found.upgrade()
    yield found
    found.close()


@pytest.fixture(scope="session")
def frames() -> list[FrameRecord]:
    return walk(PATHS, SECONDS, noise_px=2.0, rng=np.random.default_rng(4))


def plan() -> FloorPlan:
    outline = box(-20, -20, 20, 20)
    return FloorPlan(
        levels=(Level(id="P1", name="P1", elevation=0.0, ceiling=3.0, outline=outline),),
        stalls=(
            Stall(id="A", level="P1", polygon=box(-1.5, -4.8, 3.5, -2.2), kind="car"),
            Stall(id="B", level="P1", polygon=box(4.5, -4.8, 9.5, -2.2), kind="car"),
        ),
        zones=(
            Zone(id="west", level="P1", polygon=box(-20, -20, 0, 20), name="west"),
            Zone(id="east", level="P1", polygon=box(0, -20, 20, 20), name="east"),
        ),
    )


@pytest.fixture
def task(tmp_path: Path, database: Database) -> GroupTask:
    write_cameras_json(tmp_path / "cameras.json", cameras())
    write_plan(tmp_path / "plan.json", plan())
    return GroupTask(
        twin="site",
        group="all",
        database=database.url.render_as_string(hide_password=False),
        cameras=tmp_path / "cameras.json",
        plan=tmp_path / "plan.json",
        options=LiveOptions(still_every_s=1.0),
    )
